"""User IDs from a real database, by Airflow's own hook."""

from __future__ import annotations

import json
import logging
import sqlite3
from typing import Any

import pytest
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_segments_provider.errors import ConfigurationError, InvalidInput
from airflow_segments_provider.sources.sql import FETCHED_AT_ONCE, SqlMembers


@pytest.fixture(autouse=True)
def people(tmp_path, monkeypatch):
    path = tmp_path / "people.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE people (user_id, plan TEXT)")
        database.executemany(
            "INSERT INTO people VALUES (?, ?)", [(f"user{n}", "trial") for n in range(FETCHED_AT_ONCE + 5)]
        )
        database.executemany("INSERT INTO people VALUES (?, ?)", [(None, "paid"), (7, "paid")])
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps({"conn_type": "sqlite", "host": str(path)}))
    monkeypatch.setenv("AIRFLOW_CONN_NO_DB", json.dumps({"conn_type": "fs"}))


def test_all_rows_of_a_query_are_read_and_can_be_read_again():
    source = SqlMembers("SELECT user_id FROM people WHERE plan = 'trial' ORDER BY rowid", "people_db")
    for _ in range(2):
        found = list(source.read_ids())
        assert (len(found), found[0], found[-1]) == (FETCHED_AT_ONCE + 5, "user0", f"user{FETCHED_AT_ONCE + 4}")


def test_values_of_a_query_are_returned_unchanged():
    assert list(
        SqlMembers("SELECT user_id FROM people WHERE plan = ?", "people_db", parameters=["paid"]).read_ids()
    ) == [None, 7]


@pytest.mark.parametrize("parameters", ["paid", b"p", {"paid"}, 7])
def test_parameters_that_are_not_a_list_tuple_or_dict_are_refused(parameters):
    with pytest.raises(InvalidInput, match="`parameters` must be a list, a tuple or a dict, not of type") as caught:
        list(SqlMembers("SELECT user_id FROM people WHERE plan = ?", "people_db", parameters=parameters).read_ids())
    assert "paid" not in str(caught.value)


def test_the_log_names_the_connection_and_no_user(caplog):
    with caplog.at_level(logging.INFO):
        list(SqlMembers("SELECT 'p001'", "people_db").read_ids())
    expected = "Reading user IDs from connection 'people_db' with sqlite3, using the driver's default cursor."
    assert expected in caplog.text
    assert "p001" not in caplog.text


def test_a_query_with_other_than_one_column_is_refused():
    with pytest.raises(InvalidInput, match="2 columns"):
        list(SqlMembers("SELECT user_id, plan FROM people", "people_db").read_ids())
    with pytest.raises(InvalidInput, match="0 columns"):
        list(SqlMembers("PRAGMA user_version = 0", "people_db").read_ids())


def test_a_statement_that_drops_a_table_is_not_executed():
    with pytest.raises(InvalidInput, match="`sql` changes rows or tables and returns none"):
        list(SqlMembers("DROP TABLE people", "people_db").read_ids())
    assert list(SqlMembers("SELECT user_id FROM people", "people_db").read_ids())


class Unread(sqlite3.Cursor):
    """Cursor that, like mysql.connector's, raises an error if it is closed with unread rows."""

    def close(self):
        if self.fetchone():
            raise sqlite3.InternalError("Unread result found")
        super().close()


class Careful(sqlite3.Connection):
    def cursor(self, factory=Unread):
        return super().cursor(factory)


def test_a_driver_that_rejects_unread_rows_does_not_hide_the_first_error(monkeypatch):
    monkeypatch.setattr(SqliteHook, "get_conn", lambda _: sqlite3.connect(":memory:", factory=Careful))
    many = f"WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many LIMIT {2 * FETCHED_AT_ONCE})"
    with pytest.raises(InvalidInput, match="2 columns"):
        list(SqlMembers(f"{many} SELECT n, n FROM many", "people_db").read_ids())
    ids: Any = SqlMembers(f"{many} SELECT n FROM many", "people_db").read_ids()
    next(ids)
    ids.close()


def test_a_connection_that_is_not_a_database_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="The connection 'no_db' is not a database's"):
        list(SqlMembers("SELECT 1", "no_db").read_ids())


def test_the_text_of_a_query_source_contains_only_the_connection():
    assert str(SqlMembers("SELECT 'alice'", "people_db")) == "SqlMembers(conn_id='people_db')"

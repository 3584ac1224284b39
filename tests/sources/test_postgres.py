"""User IDs from a real PostgreSQL: read in parts, whatever their number."""

from __future__ import annotations

import json
import logging
import time
from contextlib import closing
from random import Random
from typing import Any

import psutil
import psycopg2
import pytest

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.sources.statement import can_be_declared
from tests.sources.postgres import connect

ROWS = 300_000
# So wide that the whole result is clearly visible in the memory of the process.
WIDE = f"SELECT repeat('x', 500) || i FROM generate_series(1, {ROWS}) i"


@pytest.fixture(params=["psycopg2", "psycopg"])
def driver(request, postgres, monkeypatch):
    """Set connections that use each of the drivers that the hook supports."""
    from airflow.providers.postgres.hooks import postgres as hooks

    if request.param == "psycopg" and not hooks.USE_PSYCOPG3:
        pytest.skip("the PostgreSQL hook of this Airflow takes psycopg2 only")
    monkeypatch.setattr(hooks, "USE_PSYCOPG3", request.param == "psycopg")
    connection: dict[str, object] = {
        "conn_type": "postgres",
        "host": str(postgres),
        "login": "segments",
        "schema": "postgres",
    }
    monkeypatch.setenv("AIRFLOW_CONN_PG", json.dumps(connection))
    connection["extra"] = {"cursor": "dictcursor" if request.param == "psycopg" else "realdictcursor"}
    monkeypatch.setenv("AIRFLOW_CONN_PG_OF_DICTS", json.dumps(connection))
    return request.param


def growth(ids):
    """Return the number of IDs, the last one, and the growth of this process's memory in megabytes."""
    process = psutil.Process()
    count, last, before = 0, None, process.memory_info().rss
    most = before
    for value in ids:
        last = value
        if count % 10_000 == 0:
            most = max(most, process.memory_info().rss)
        count += 1
    return count, last, (most - before) / 1e6


def all_at_once():
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    with closing(PostgresHook("pg").get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(WIDE)
        yield from (row[0] for row in cursor)


def test_the_memory_for_a_query_does_not_depend_on_the_number_of_rows(driver):
    count, last, grown = growth(SqlMembers(WIDE, "pg").read_ids())
    assert (count, last) == (ROWS, "x" * 500 + str(ROWS))
    *_, held = growth(all_at_once())
    # Memory freed by earlier tests is reused, so the whole result need not show as its 150 MB.
    assert grown < 75 < held


def test_all_rows_of_a_query_are_read_once_and_in_order(driver, caplog):
    with caplog.at_level(logging.INFO):
        found = list(SqlMembers(f"SELECT i FROM generate_series(1, {ROWS}) i", "pg").read_ids())
    assert found == list(range(1, ROWS + 1))
    assert f"Reading user IDs from connection 'pg' with {driver}, using a server-side cursor." in caplog.text


@pytest.mark.parametrize(
    ("sql", "on_server"),
    [
        ("SELECT 'p001'", True),
        ("select 'p001';\n", True),
        ("-- who;\n/* is in\n it; */ (SELECT 'p001')", True),
        ("WITH x AS (SELECT 'p001') TABLE x", True),
        ("VALUES ('p001')", True),
        ("SELECT ';' UNION SELECT 'p001' OFFSET 1", True),
        ("SELECT id FROM people WHERE id = 'p001' FOR UPDATE", False),
        ("WITH x AS (UPDATE people SET id = id WHERE segment = 'trial' RETURNING id) SELECT id FROM x", False),
        ("INSERT INTO people VALUES ('p001') RETURNING id", False),
    ],
)
@pytest.mark.parametrize("connection", ["pg", "pg_of_dicts"])
def test_a_query_that_only_reads_has_a_server_side_cursor(driver, connection, sql, on_server, caplog):
    with caplog.at_level(logging.INFO):
        assert list(SqlMembers(sql, connection).read_ids()) == ["p001"]
    assert ("a server-side cursor" in caplog.text) == on_server
    assert "p001" not in caplog.text


def test_a_connection_of_a_derived_class_has_a_server_side_cursor(driver, postgres, monkeypatch, caplog):
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    class Derived(psycopg2.extensions.connection):  # type: ignore[misc]
        """A derived class, as tracing libraries define it."""

    made = psycopg2.connect(host=str(postgres), user="segments", dbname="postgres", connection_factory=Derived)
    monkeypatch.setattr(PostgresHook, "get_conn", lambda _: made)
    with caplog.at_level(logging.INFO):
        assert list(SqlMembers("SELECT 'p001'", "pg").read_ids()) == ["p001"]
    assert "with psycopg2, using a server-side cursor" in caplog.text


def test_of_several_statements_psycopg2_reads_the_last_one(driver):
    if driver == "psycopg2":
        assert list(SqlMembers("SELECT 'p002'; SELECT 'p001'", "pg").read_ids()) == ["p001"]


def test_a_query_takes_named_and_positional_parameters(driver):
    query = "SELECT id FROM people WHERE segment = %(segment)s ORDER BY id"
    assert list(SqlMembers(query, "pg", parameters={"segment": "paid"}).read_ids()) == ["p002", None]
    assert list(SqlMembers(query, "pg", parameters={"segment": "nobody's"}).read_ids()) == []
    assert list(SqlMembers("SELECT id FROM people WHERE segment = %s", "pg", parameters=("trial",)).read_ids()) == [
        "p001"
    ]
    assert list(SqlMembers("SELECT id FROM people WHERE id LIKE 'p%1'", "pg").read_ids()) == ["p001"]


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT id, segment FROM people", 2),
        ("SELECT id, segment FROM people WHERE false", 2),
        ("SELECT FROM people", 0),
        ("DO 'BEGIN DELETE FROM people; END'", 0),
    ],
)
def test_a_query_with_other_than_one_column_is_refused(driver, sql, columns):
    with pytest.raises(InvalidInput, match=f"the query returns {columns} columns"):
        list(SqlMembers(sql, "pg").read_ids())
    assert list(SqlMembers("SELECT count(*) FROM people", "pg").read_ids()) == [3]  # Nothing was committed.


def test_a_statement_that_only_changes_rows_is_not_executed(driver):
    with pytest.raises(InvalidInput, match="`sql` changes rows or tables and returns none"):
        list(SqlMembers("DELETE FROM people", "pg").read_ids())


def test_a_connection_with_autocommit_reads_all_rows(driver, monkeypatch):
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    opened = PostgresHook.get_conn

    def autocommitting(hook):
        connection: Any = opened(hook)
        connection.autocommit = True
        return connection

    monkeypatch.setattr(PostgresHook, "get_conn", autocommitting)
    assert list(SqlMembers("SELECT i FROM generate_series(1, 10001) i", "pg").read_ids()) == list(range(1, 10002))


@pytest.mark.parametrize("good", [0, 20_000])
def test_a_postgres_error_that_quotes_a_user_is_raised_without_the_user(driver, good):
    source = SqlMembers(
        f"SELECT (CASE WHEN i > {good} THEN 'p00' ELSE '' END || i)::int FROM generate_series(1, 30000) i", "pg"
    )
    ids = source.read_ids()
    assert [next(ids) for _ in range(good)] == list(range(1, good + 1))
    with pytest.raises(InvalidInput, match=r"InvalidTextRepresentation \(22P02\)") as caught:
        next(ids)
    assert "p00" not in str(caught.value)


def test_a_reader_that_stops_leaves_no_session_open(driver, postgres):
    ids: Any = SqlMembers(WIDE, "pg").read_ids()
    next(ids)
    wait_for_sessions(postgres, 1)
    ids.close()
    wait_for_sessions(postgres, 0)


def wait_for_sessions(folder, expected):
    """Wait for the expected number of open transactions; the server notices a closed connection with a delay."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
    until = time.monotonic() + 30
    with closing(connect(folder)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        while True:
            cursor.execute(query)
            (found,) = cursor.fetchone()
            if found == expected or time.monotonic() > until:
                break
            time.sleep(0.02)
    assert found == expected


PARTS = [
    *("SELECT 'p001'", "SELECT id FROM people", "VALUES ('p001')", "TABLE people", "DELETE FROM people RETURNING id"),
    *("WITH x AS (", ")", "(", " UNION ", ";", " ; ", "/*", "*/", " -- a\n", "\r", "'", "''", '"', "$$", "$a$"),
    *("E'", "\\", " FOR UPDATE", " INTO others", " WHERE note = ", " AS a$b$c", ", segment", "INSERT INTO people "),
]


def test_a_declared_cursor_has_the_result_of_the_plain_query(postgres, tell):
    """Random texts, most of which are not SQL: both must have the same result, or both must fail."""
    random = Random(11)
    declared = right = 0
    with closing(connect(postgres)) as connection:
        for _ in range(20_000):
            sql = "".join(random.choice(PARTS) for _ in range(random.randint(1, 6)))
            if not can_be_declared(sql):
                continue
            plain, by_cursor = result(connection, sql), result(connection, sql, name="declared")
            assert plain == by_cursor, sql
            declared += 1
            right += plain is not None
    tell(f"{declared:,} texts were declared, {right:,} of them are SQL")
    assert right > 500


def result(connection, sql, name=None):
    """Return the rows of a query; None for an error."""
    try:
        with connection.cursor(name) as cursor:
            cursor.execute(sql)
            return sorted(map(str, cursor.fetchall()))
    except psycopg2.Error:
        return None
    finally:
        connection.rollback()

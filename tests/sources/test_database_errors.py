"""Errors of a database or its driver become errors of the package, without their message."""

from __future__ import annotations

import json
import socket
import sqlite3
import traceback
from contextlib import closing
from typing import Any

import duckdb
import psycopg
import psycopg2
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.providers.sqlite.hooks.sqlite import SqliteHook

from airflow_segments_provider.errors import ConfigurationError, InvalidInput, SourceUnavailable
from airflow_segments_provider.sources.sql import FETCHED_AT_ONCE, SqlMembers
from tests.sources.drivers import driver, raised
from tests.sources.postgres import connect

# Stands for a user ID, a password or a name of the data; no part of it may be in an error.
DATA = "p001secret"
MESSAGE = f'invalid input for column "{DATA}": {DATA}\nDETAIL: Key (id)=({DATA}) CONTEXT: row {DATA}'


@pytest.fixture
def reads(monkeypatch):
    """Let the Airflow connection ``db`` return the connection that a function opens."""
    monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps({"conn_type": "sqlite", "host": "/nowhere"}))
    return lambda open_: monkeypatch.setattr(SqliteHook, "get_conn", lambda _: open_())


def refused(sql="SELECT id FROM people", conn_id="db", **arguments: Any) -> Exception:
    """Return the error of a query; check that it, its context and the traceback contain none of the data."""
    with pytest.raises((InvalidInput, ConfigurationError, SourceUnavailable)) as caught:
        list(SqlMembers(sql, conn_id, **arguments).read_ids())
    error = caught.value
    shown = "".join(traceback.format_exception(error))
    assert error.__cause__ is error.__context__ is None
    for text in (shown, repr(error), str(error)):
        assert DATA not in text
    assert "Nothing was sent" in str(error) or "nothing was changed" in str(error)
    assert isinstance(error, AirflowFailException) != isinstance(error, SourceUnavailable)
    return error


@pytest.fixture(params=["psycopg2", "psycopg"])
def in_postgres(request, postgres, reads):
    module: Any = {"psycopg2": psycopg2, "psycopg": psycopg}[request.param]
    reads(lambda: module.connect(host=str(postgres), user="segments", dbname="postgres"))
    return request.param


POSTGRES = [
    ("SELECT id FROM p001secret", InvalidInput, "UndefinedTable (42P01)"),
    ("SELECT p001secret FROM people", InvalidInput, "UndefinedColumn (42703)"),
    ("SELEC 'p001secret'", InvalidInput, "SyntaxError (42601)"),
    ("SELECT 'p001secret", InvalidInput, "SyntaxError (42601)"),
    ("SELECT 'p001secret'::int", InvalidInput, "InvalidTextRepresentation (22P02)"),
    ("INSERT INTO unique_people VALUES ('p001secret') RETURNING id", InvalidInput, "UniqueViolation (23505)"),
    ("SELECT raise_it('p001secret', 'P0001')", InvalidInput, "RaiseException (P0001)"),
    ("SELECT raise_it('p001secret', '42P01')", InvalidInput, "UndefinedTable (42P01)"),
    ("SELECT raise_it('p001secret', '40001')", SourceUnavailable, "SerializationFailure (40001)"),
    ("SELECT raise_it('p001secret', '40P01')", SourceUnavailable, "DeadlockDetected (40P01)"),
    ("SELECT raise_it('p001secret', '53300')", SourceUnavailable, "TooManyConnections (53300)"),
    ("SELECT raise_it('p001secret', '57014')", SourceUnavailable, "QueryCanceled (57014)"),
    ("SELECT raise_it('p001secret', '57P01')", SourceUnavailable, "AdminShutdown (57P01)"),
    ("SELECT raise_it('p001secret', '08006')", SourceUnavailable, "(08006)"),
    ("SELECT raise_it('p001secret', '42501')", InvalidInput, "InsufficientPrivilege (42501)"),
    ("SELECT raise_it('p001secret', 'XX000')", InvalidInput, "(XX000)"),
]
RAISE = """CREATE OR REPLACE FUNCTION raise_it(data text, code text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'for %', data USING ERRCODE = code, DETAIL = data, HINT = data; END$$"""


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize(("sql", "expected", "text"), POSTGRES)
def test_each_error_of_postgres_has_its_class_and_code_without_the_message(
    in_postgres, postgres, sql, expected, text, declared
):
    with closing(connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute(RAISE)
        cursor.execute("CREATE TABLE IF NOT EXISTS unique_people (id text PRIMARY KEY)")
        cursor.execute(f"INSERT INTO unique_people VALUES ('{DATA}') ON CONFLICT DO NOTHING")
        connection.commit()
    error = refused(sql if declared else f"{sql}; SELECT 1")
    assert type(error) is expected
    assert text in str(error)


def test_a_postgres_error_half_way_is_raised_without_the_message(in_postgres):
    fails = (
        f"SELECT CASE WHEN i > {FETCHED_AT_ONCE + 5} THEN '{DATA}' ELSE '1' END::int FROM generate_series(1, 30000) i"
    )
    values = SqlMembers(fails, "db").read_ids()
    assert [next(values) for _ in range(FETCHED_AT_ONCE)] == [1] * FETCHED_AT_ONCE
    with pytest.raises(InvalidInput, match=r"InvalidTextRepresentation \(22P02\)") as caught:
        next(values)
    assert DATA not in "".join(traceback.format_exception(caught.value))


def test_a_lost_postgres_connection_is_an_unavailable_source(in_postgres, postgres):
    values = SqlMembers("SELECT pg_backend_pid() FROM generate_series(1, 30000)", "db").read_ids()
    with closing(connect(postgres)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [next(values)])
    with pytest.raises(SourceUnavailable, match="did not finish the query") as caught:
        list(values)
    assert caught.value.__context__ is None


def test_a_database_that_does_not_exist_is_an_unavailable_source(in_postgres, reads, tmp_path):
    module: Any = {"psycopg2": psycopg2, "psycopg": psycopg}[in_postgres]
    reads(lambda: module.connect(host=str(tmp_path / DATA), user=DATA, password=DATA))
    error = refused()
    assert type(error) is SourceUnavailable
    assert "The connection 'db' cannot be opened: OperationalError. Nothing was sent." in str(error)


@pytest.mark.parametrize(
    ("sql", "parameters", "expected", "text"),
    [
        ("SELECT p001secret FROM people", None, InvalidInput, "OperationalError (SQLITE_ERROR)"),
        ("SELECT id FROM p001secret", None, InvalidInput, "OperationalError (SQLITE_ERROR)"),
        ("SELECT 'p001secret", None, InvalidInput, "OperationalError (SQLITE_ERROR)"),
        ("INSERT INTO people VALUES ('p001secret') RETURNING id", None, InvalidInput, "SQLITE_CONSTRAINT"),
        ("SELECT ?", [{DATA}], InvalidInput, "the database rejects the query: "),
        ("SELECT ?", [DATA, DATA], InvalidInput, "ProgrammingError"),
        ("SELECT 1; SELECT 'p001secret'", None, InvalidInput, "the database rejects the query: "),
        ("SELECT json_extract('p001secret', '$')", None, InvalidInput, "OperationalError (SQLITE_ERROR)"),
        ("SELECT slow()", None, SourceUnavailable, "OperationalError (SQLITE_INTERRUPT)"),
    ],
)
def test_each_error_of_sqlite_has_its_class_and_code_without_the_message(reads, sql, parameters, expected, text):
    def open_():
        connection = sqlite3.connect(":memory:")
        connection.execute("CREATE TABLE people (id TEXT PRIMARY KEY)")
        connection.execute(f"INSERT INTO people VALUES ('{DATA}')")
        connection.create_function("slow", 0, connection.interrupt)
        return connection

    reads(open_)
    error = refused(sql, parameters=parameters)
    assert type(error) is expected
    assert text in str(error)


def test_a_locked_sqlite_database_is_an_unavailable_source(reads, tmp_path):
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("CREATE TABLE people (id TEXT)")
        writer.execute("BEGIN EXCLUSIVE")
        reads(lambda: sqlite3.connect(path, timeout=0))
        error = refused()
    assert type(error) is SourceUnavailable
    assert "OperationalError (SQLITE_BUSY)" in str(error)


def test_an_error_of_duckdb_is_invalid_input_without_the_message(reads):
    reads(duckdb.connect)
    assert type(refused(f"SELECT {DATA} FROM range(3)")) is InvalidInput
    assert type(refused(f"SELECT CAST('{DATA}' AS INTEGER) FROM range(3)")) is InvalidInput


# Errors of other drivers, as in their source code: the place of the error code, and the class.
IMITATED = [
    (raised("ProgrammingError", 1146, MESSAGE, package="pymysql"), InvalidInput, "ProgrammingError (MySQL 1146)"),
    (raised("OperationalError", 1054, MESSAGE, package="pymysql"), InvalidInput, "OperationalError (MySQL 1054)"),
    (raised("OperationalError", 1045, MESSAGE, package="MySQLdb"), InvalidInput, "OperationalError (MySQL 1045)"),
    (raised("OperationalError", 1205, MESSAGE, package="pymysql"), SourceUnavailable, "(MySQL 1205)"),
    (raised("OperationalError", 1213, MESSAGE, package="MySQLdb"), SourceUnavailable, "(MySQL 1213)"),
    (raised("OperationalError", 2013, MESSAGE, package="pymysql"), SourceUnavailable, "(MySQL 2013)"),
    (raised("InterfaceError", 0, "", package="pymysql"), SourceUnavailable, "InterfaceError (MySQL 0)"),
    (raised("DatabaseError", 1205, MESSAGE, package="mysql", sqlstate="HY000"), SourceUnavailable, "(HY000)"),
    (raised("ProgrammingError", 1064, MESSAGE, package="mysql", sqlstate="42000"), InvalidInput, "(42000)"),
    (raised("DatabaseError", 1317, MESSAGE, package="mysql", sqlstate="70100"), SourceUnavailable, "(70100)"),
    (raised("OperationalError", 1205, MESSAGE, package="pymysql", sqlstate="HY000"), SourceUnavailable, "(HY000)"),
    (raised("OperationalError", 1, MESSAGE, package="pymysql", sqlstate="HY000"), InvalidInput, "(HY000)"),
    (raised("ProgrammingError", "42S02", MESSAGE, package="pyodbc"), InvalidInput, "ProgrammingError (42S02)"),
    (raised("DataError", "22018", MESSAGE, package="pyodbc"), InvalidInput, "DataError (22018)"),
    (raised("Error", "40001", MESSAGE, package="pyodbc"), SourceUnavailable, "Error (40001)"),
    (raised("OperationalError", "HYT00", MESSAGE, package="pyodbc"), SourceUnavailable, "(HYT00)"),
    (raised("OperationalError", "08S01", MESSAGE, package="pyodbc"), SourceUnavailable, "(08S01)"),
    (raised("ProgrammingError", MESSAGE, package="snowflake", sqlstate="42S02"), InvalidInput, "(42S02)"),
    (raised("OperationalError", MESSAGE, package="snowflake", sqlstate="08001"), SourceUnavailable, "(08001)"),
    (raised("ProgrammingError", MESSAGE, package="snowflake", sqlstate="57014"), SourceUnavailable, "(57014)"),
    (raised("ProgrammingError", {"C": "42P01", "M": DATA}, package="redshift_connector"), InvalidInput, "(42P01)"),
    (raised("OperationalError", MESSAGE, package="oracledb"), SourceUnavailable, "OperationalError"),
    (raised("IntegrityError", MESSAGE, package="other"), InvalidInput, "IntegrityError"),
    (raised("NotSupportedError", MESSAGE, package="other"), InvalidInput, "NotSupportedError"),
    (raised("InternalError", MESSAGE, package="other"), SourceUnavailable, "InternalError"),
    (raised("DatabaseError", MESSAGE, package="other"), SourceUnavailable, "DatabaseError"),
    (raised("ServiceUnavailable", MESSAGE, package="google"), SourceUnavailable, "ServiceUnavailable"),
    # Data is not an error code, even if it has the form of one.
    (raised("IntegrityError", "P0001", package="other"), InvalidInput, "IntegrityError."),
    (raised("OperationalError", MESSAGE, package="other", sqlstate=DATA), SourceUnavailable, "OperationalError."),
    (ConnectionResetError(MESSAGE), SourceUnavailable, "ConnectionResetError"),
    (TimeoutError(MESSAGE), SourceUnavailable, "TimeoutError"),
    (socket.gaierror(-2, MESSAGE), SourceUnavailable, "gaierror"),
    (TypeError(MESSAGE), InvalidInput, "TypeError"),
    (KeyError(DATA), InvalidInput, "KeyError"),
]


@pytest.mark.parametrize(("error", "expected", "text"), IMITATED)
@pytest.mark.parametrize("when", ["connect", "execute", "fetch"])
def test_each_error_of_other_drivers_has_its_class_and_code_without_the_message(reads, error, expected, text, when):
    def open_():
        if when == "connect":
            raise error
        connection = driver("other")([("p001",)] * (2 * FETCHED_AT_ONCE))
        setattr(connection, f"fails_to_{when}", error)
        return connection

    reads(open_)
    found = refused()
    assert type(found) is (ConfigurationError if when == "connect" and expected is InvalidInput else expected)
    assert text in f"{found}"


def test_a_connection_that_does_not_exist_is_a_configuration_error():
    error = refused(conn_id="nowhere")
    assert type(error) is ConfigurationError
    assert str(error).startswith("The connection 'nowhere' does not exist or cannot be parsed. Nothing was sent.")


@pytest.mark.parametrize(
    "connection",
    [
        json.dumps({"conn_type": DATA}),
        f"postgres://{DATA}:{DATA}@a://b://c",
        json.dumps({"conn_type": "postgres", "login": DATA, "password": DATA, "extra": {"cursor": DATA}}),
        json.dumps({"conn_type": "postgres", "login": DATA, "password": DATA, "extra": {DATA: DATA}}),
        "{" + DATA,
    ],
)
def test_a_connection_that_cannot_be_used_is_a_configuration_error_without_its_fields(monkeypatch, connection):
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", connection)
    error = refused(conn_id="wrong")
    assert type(error) is ConfigurationError
    assert str(error).startswith("The connection 'wrong' ")


def test_every_invalid_argument_is_named_in_one_message():
    with pytest.raises(InvalidInput, match=r"3 problems: .*`sql` must be text, .*`conn_id`.*`parameters`"):
        list(SqlMembers(7, None, parameters="p001").read_ids())  # type: ignore[arg-type]


def test_an_error_while_closing_does_not_replace_the_first_error(reads):
    connection = driver("other", refuses_unread=True)([("p001", "p002")] * 5, columns=2)
    reads(lambda: connection)
    assert "the query returns 2 columns" in str(refused())
    assert connection.closed == ["connection"]

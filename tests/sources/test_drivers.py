"""One table of values over every driver: the same user IDs, or the same reasons why they are invalid."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb
import psycopg
import psycopg2
import pytest
import sqlalchemy
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from psycopg.rows import dict_row, namedtuple_row
from psycopg2.extras import DictCursor, NamedTupleCursor, RealDictCursor

from airflow_segments_provider.errors import InvalidInput, SourceUnavailable
from airflow_segments_provider.sources import ids
from airflow_segments_provider.sources.ids import IdCheck
from airflow_segments_provider.sources.sql import FETCHED_AT_ONCE, SqlMembers
from tests.sources.drivers import DRIVERS, Connection, SSCursor, driver, mysql_cursors, of_dict, raised

ONE = "0b9f0a6e-6b1c-4a46-8f6f-0d6a4f6f2f11"
ALL = ("postgres", "sqlite", "duckdb")
POSTGRES = ("postgres",)
TYPED = ("postgres", "duckdb")


@dataclass
class Case:
    """A column: the query that returns it from these databases, its values as drivers return them, its IDs."""

    name: str
    databases: tuple[str, ...]
    sql: str
    values: list[object]
    ids: list[str]
    invalid: dict[str, int] = field(default_factory=dict)


CASES = [
    Case("text", ALL, "VALUES ('p001'), (' p002 '), ('Ü')", ["p001", " p002 ", "Ü"], ["p001", "p002", "Ü"]),
    Case(
        "blank",
        ALL,
        "VALUES ('p001'), (NULL), (''), (' \u200b')",
        ["p001", None, "", " \u200b"],
        ["p001"],
        {ids.BLANK: 3},
    ),
    Case("quotation mark", ALL, "VALUES ('o''neil'), ('\"')", ["o'neil", '"'], ["o'neil", '"']),
    Case("line end", ALL, "VALUES ('p\n1')", ["p\n1"], [], {ids.CONTROL: 1}),
    Case("uuid", TYPED, f"VALUES ('{ONE}'::uuid), (NULL)", [UUID(ONE), None], [ONE], {ids.BLANK: 1}),
    Case("integers", ALL, "VALUES (9223372036854775807), (-1), (0)", [2**63 - 1, -1, 0], [str(2**63 - 1), "-1", "0"]),
    Case(
        "numeric",
        POSTGRES,
        "VALUES (9007199254740993::numeric), (7.50), (8.0), ('NaN')",
        [Decimal(9007199254740993), Decimal("7.50"), Decimal("8.0"), Decimal("NaN")],
        ["9007199254740993", "8"],
        {ids.FRACTION: 1, ids.BLANK: 1},
    ),
    Case("numeric(20, 0)", TYPED, f"VALUES ({2**53 + 1}::numeric(20, 0))", [Decimal(2**53 + 1)], [str(2**53 + 1)]),
    Case(
        "double precision",
        ALL,
        "VALUES (CAST(1e0 AS double precision)), (9007199254740991e0), (1.5e0), (1e17), (-8e0)",
        [1.0, 2.0**53 - 1, 1.5, 1e17, -8.0],
        ["1", "9007199254740991", "-8"],
        {ids.FRACTION: 1, ids.INEXACT: 1},
    ),
    Case("char(10)", POSTGRES, "VALUES ('p001'::char(10)), (NULL)", ["p001      ", None], ["p001"], {ids.BLANK: 1}),
    Case("bytea", POSTGRES, "VALUES ('p001'::bytea), ('')", [memoryview(b"p001"), bytearray()], [], {ids.BYTES: 2}),
    Case("blob", ("sqlite",), "VALUES (x'70'), (x'')", [b"p", b""], [], {ids.BYTES: 2}),
    Case("boolean", TYPED, "VALUES (true), (false)", [True, False], [], {ids.BOOLEAN: 2}),
    Case("array", POSTGRES, "VALUES (ARRAY['p001'])", [["p001"]], [], {ids.NESTED: 1}),
    Case("JSON", POSTGRES, """VALUES ('{"id": "p001"}'::jsonb)""", [{"id": "p001"}], [], {ids.NESTED: 1}),
    Case("date", TYPED, "VALUES (date '2026-01-01')", [date(2026, 1, 1)], [], {ids.NOT_TEXT: 1}),
    Case("no rows", ALL, "SELECT 'p001' WHERE false", [], []),
]
WIDE = ["SELECT 'p001' AS v, 'p002' AS v", "SELECT 'p001' AS v, 2 AS w", "SELECT 1 AS v, 2 AS w WHERE 1 = 0"]


# The configurations of the drivers by Airflow's hooks; `cursor` in a connection's extra chooses the row type.
PSYCOPG2: dict[str, dict[str, Any]] = {
    "psycopg2": {},
    "psycopg2, dictcursor": {"cursor_factory": DictCursor},
    "psycopg2, realdictcursor": {"cursor_factory": RealDictCursor},
    "psycopg2, namedtuplecursor": {"cursor_factory": NamedTupleCursor},
}
PSYCOPG: dict[str, dict[str, Any]] = {
    "psycopg": {},
    "psycopg, dictcursor": {"row_factory": dict_row},
    "psycopg, namedtuplecursor": {"row_factory": namedtuple_row},
}


@pytest.fixture
def reads(monkeypatch):
    """Let the Airflow connection ``db`` return the connection that a function opens."""
    monkeypatch.setenv("AIRFLOW_CONN_DB", json.dumps({"conn_type": "sqlite", "host": "/nowhere"}))
    return lambda connect: monkeypatch.setattr(SqliteHook, "get_conn", lambda _: connect())


def checked(sql):
    check = IdCheck(100)
    return check.take(list(SqlMembers(sql, "db").read_ids())), dict(check.invalid)


def refuses_more_columns():
    for sql in WIDE:
        # A named tuple cannot have two fields of one name, which its driver reports first.
        with pytest.raises(InvalidInput, match=r"the query returns 2 columns|rejects the query: (Value|Data)Error"):
            checked(sql)


def sqlite_of_rows():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    return connection


class AlchemyCursor:
    """Cursor with SQLAlchemy's rows, as used by engines behind a DB-API adapter."""

    def __init__(self, connection):
        self._connection = connection

    def execute(self, sql):
        self._result = self._connection.exec_driver_sql(sql)
        self.description = self._result.cursor.description

    def fetchmany(self, size):
        return self._result.fetchmany(size)

    def close(self):
        self._result.close()


class Alchemy:
    def __init__(self):
        self._connection = sqlalchemy.create_engine("sqlite://").connect()

    def cursor(self):
        return AlchemyCursor(self._connection)

    def close(self):
        self._connection.close()


EMBEDDED = {
    "sqlite3": (lambda: sqlite3.connect(":memory:"), "sqlite"),
    "sqlite3, Row": (sqlite_of_rows, "sqlite"),
    "SQLAlchemy": (Alchemy, "sqlite"),
    "duckdb": (duckdb.connect, "duckdb"),
}


@pytest.mark.parametrize("name", [*PSYCOPG2, *PSYCOPG])
def test_every_postgres_driver_reads_the_same_ids(name, postgres, reads):
    connect = psycopg2.connect if name in PSYCOPG2 else psycopg.connect
    options = {**PSYCOPG2, **PSYCOPG}[name]
    reads(lambda: connect(host=str(postgres), user="segments", dbname="postgres", **options))
    cases = [case for case in CASES if "postgres" in case.databases]
    # By a server-side cursor, and by the default one, which a query with two statements uses.
    assert {case.name: checked(case.sql) for case in cases} == {case.name: (case.ids, case.invalid) for case in cases}
    for case in cases:
        sql = f"WITH x(v) AS ({case.sql}), y AS (UPDATE people SET id = id RETURNING 1) SELECT v FROM x"
        assert checked(sql) == (case.ids, case.invalid), case.name
    refuses_more_columns()


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_embedded_database_reads_the_same_ids(name, reads):
    connect, database = EMBEDDED[name]
    reads(connect)
    cases = [case for case in CASES if database in case.databases]
    assert {case.name: checked(case.sql) for case in cases} == {case.name: (case.ids, case.invalid) for case in cases}
    refuses_more_columns()


@pytest.fixture(params=DRIVERS)
def imitated(request, reads, monkeypatch):
    """Return a function that makes the connection ``db`` return rows as the driver does."""
    for package in ("MySQLdb", "pymysql"):
        for name, module in mysql_cursors(package).items():
            monkeypatch.setitem(sys.modules, name, module)

    def use(rows: Sequence[Sequence[object]] | None, columns: int = 1) -> Connection:
        connection = DRIVERS[request.param](rows, columns)
        reads(lambda: connection)
        return connection

    return use


def test_every_imitated_driver_reads_the_same_ids(imitated):
    for case in CASES:
        connection = imitated([(value,) for value in case.values])
        if case.values or connection.cursors[0].described:
            assert checked(case.sql) == (case.ids, case.invalid), case.name
            assert connection.closed == ["cursor", "connection"]


def test_every_row_of_a_result_is_read_once_and_in_order(imitated):
    values = [f"p{number}" for number in range(2 * FETCHED_AT_ONCE + 1)]
    imitated([(value,) for value in values])
    assert list(SqlMembers("SELECT v FROM people", "db").read_ids()) == values


def test_rows_that_have_their_column_by_its_name_only_are_refused_without_data(reads):
    class Named:
        def __len__(self):
            return 1

        def __getitem__(self, name):
            raise KeyError("p001")

    reads(lambda: driver("other", lambda value: Named())([("p001",)], 1))
    with pytest.raises(InvalidInput, match="KeyError") as caught:
        list(SqlMembers("SELECT v FROM people", "db").read_ids())
    assert "p001" not in str(caught.value) + repr(caught.value.__context__)


def test_a_result_of_two_columns_is_refused_before_a_value_is_used(imitated):
    for rows in ([("p001", "p002")], [("p001", 2)] * (FETCHED_AT_ONCE + 5)):
        connection = imitated(rows, columns=2)
        with pytest.raises(InvalidInput, match="the query returns 2 columns; it must return one, the user ID"):
            next(SqlMembers("SELECT v, w FROM people", "db").read_ids())
        assert connection.fetches == (0 if connection.cursors[0].described else 1)
        assert connection.closed[-1] == "connection"


def test_a_statement_without_a_result_is_refused(imitated):
    for error in ("ProgrammingError", "InterfaceError"):
        connection = imitated(None)
        connection.nothing_to_fetch = raised(error)
        with pytest.raises(InvalidInput, match="the query returns 0 columns"):
            checked("CALL people()")
    connection = imitated(None)
    connection.nothing_to_fetch = raised("OperationalError")
    with pytest.raises(SourceUnavailable, match="OperationalError"):
        checked("SELECT id FROM people")


def test_mysql_reads_any_statement_with_a_server_side_cursor(imitated, caplog):
    connection = imitated([("p001",)])
    with caplog.at_level(logging.INFO):
        checked("SHOW TABLES")
    mysql = type(connection).__module__ in ("MySQLdb.connections", "pymysql.connections")
    assert (connection.opened == [SSCursor]) == mysql
    assert ("using a server-side cursor" in caplog.text) == mysql


def test_a_reader_that_stops_closes_the_connection(imitated):
    connection = imitated([("p001",)] * (2 * FETCHED_AT_ONCE))
    values: Any = SqlMembers("SELECT v FROM people", "db").read_ids()
    next(values)
    values.close()
    assert connection.closed[-1] == "connection"


def test_a_statement_that_changes_rows_is_not_executed(imitated):
    connection = imitated([(3,)])
    with pytest.raises(InvalidInput, match="`sql` changes rows or tables and returns none"):
        checked("DELETE FROM people WHERE plan = 'trial'")
    assert not connection.executed


@pytest.mark.parametrize("row", ["p001", b"p001", 7])
def test_a_row_without_columns_is_refused(row, reads):
    reads(lambda: driver("other", lambda *_: row)([("p001",)]))
    with pytest.raises(InvalidInput, match=f"rows of type {type(row).__name__}, which have no columns") as caught:
        checked("SELECT v FROM people")
    assert "p001" not in str(caught.value)


@pytest.mark.parametrize("before", [1, FETCHED_AT_ONCE])
def test_a_later_row_with_more_columns_is_refused(before, reads):
    reads(lambda: driver("other", described=False)([("p001",)] * before + [("p002", "p003")]))
    with pytest.raises(InvalidInput, match="the query returns 2 columns"):
        checked("SELECT v FROM people")


def test_two_columns_of_one_name_are_refused_although_the_dict_has_one_key(reads):
    reads(lambda: driver("other", lambda *values: of_dict(values[0]))([("p001", "p002")], columns=2))
    with pytest.raises(InvalidInput, match="the query returns 2 columns"):
        checked("SELECT v, v FROM people")

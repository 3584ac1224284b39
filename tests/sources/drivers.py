"""Imitations of database drivers: their package names, row types and other differences that affect a reader."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NamedTuple


class Row:
    """A row as pyodbc and BigQuery return it: neither a tuple nor a mapping."""

    def __init__(self, *values: object) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: int | str) -> object:
        return self._values[int(str(key).removeprefix("column"))]

    def keys(self) -> list[str]:
        return [f"column{number}" for number in range(len(self._values))]

    def values(self) -> tuple[object, ...]:
        return self._values


class Named(NamedTuple):
    column0: object


def of_dict(*values: object) -> dict[str, object]:
    return {f"column{number}": value for number, value in enumerate(values)}


def of_named(*values: object) -> object:
    return Named(*values) if len(values) == 1 else values


def of_list(*values: object) -> list[object]:
    return list(values)


def of_tuple(*values: object) -> tuple[object, ...]:
    return values


class Cursor:
    """Returns the connection's rows in parts."""

    row: Callable[..., object] = staticmethod(of_tuple)
    described = True
    after_the_last: object = ()
    part: Callable[[Any], object] = staticmethod(lambda rows: rows)
    refuses_unread = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.description: list[tuple[object, ...]] | None = None
        self._rows: list[Sequence[object]] | None = None

    def execute(self, sql: str, *parameters: object) -> None:
        self.connection.executed.append(sql)
        if self.connection.fails_to_execute:
            raise self.connection.fails_to_execute
        rows = self.connection.rows
        self._rows = None if rows is None else list(rows)
        if self.described and rows is not None:
            self.description = [(f"column{n}", *[None] * 6) for n in range(self.connection.columns)]

    def fetchmany(self, size: int) -> Any:
        self.connection.fetches += 1
        if self._rows is None:
            raise self.connection.nothing_to_fetch
        if self.connection.fails_to_fetch and len(self._rows) < len(self.connection.rows or ()):
            raise self.connection.fails_to_fetch
        part, self._rows = self._rows[:size], self._rows[size:]
        return type(self).part([type(self).row(*values) for values in part] or self.after_the_last)

    def close(self) -> None:
        if self.refuses_unread and self._rows:
            raise RuntimeError("Unread result found")
        self.connection.closed.append("cursor")


class Connection:
    """Returns cursors over these rows."""

    cursors: tuple[type[Cursor], ...] = (Cursor,)

    def __init__(self, rows: Sequence[Sequence[object]] | None, columns: int = 1) -> None:
        self.rows = rows
        self.columns = columns
        self.executed: list[str] = []
        self.fetches = 0
        self.opened: list[type[Cursor]] = []
        self.closed: list[str] = []
        self.fails_to_execute: Exception | None = None
        self.fails_to_fetch: Exception | None = None
        self.nothing_to_fetch = raised("ProgrammingError", "no results")

    def cursor(self, kind: type[Cursor] | None = None) -> Cursor:
        self.opened.append(kind or self.cursors[0])
        return self.opened[-1](self)

    def close(self) -> None:
        self.closed.append("connection")


def raised(name: str, *arguments: object, package: str = "driver", **attributes: object) -> Exception:
    """Return an error of a driver's class of this name."""
    kind = type(name, (Exception,), {"__module__": f"{package}.errors", **attributes})
    made: Exception = kind(*arguments)
    return made


def driver(package: str, row: Callable[..., object] = of_tuple, **habits: object) -> type[Connection]:
    """Return the class of the connections of a driver."""
    cursor = type("Cursor", (Cursor,), {"row": staticmethod(row), **habits})
    return type("Connection", (Connection,), {"__module__": f"{package}.connections", "cursors": (cursor,)})


class SSCursor(Cursor):
    """The cursor of MySQLdb and pymysql that does not load the whole result."""


def mysql_cursors(package: str) -> dict[str, ModuleType]:
    """Return the modules to put into ``sys.modules`` for a driver whose cursors are in ``cursors``."""
    modules = {package: ModuleType(package), f"{package}.cursors": ModuleType(f"{package}.cursors")}
    modules[f"{package}.cursors"].SSCursor = SSCursor  # type: ignore[attr-defined]
    return {name: module for name, module in modules.items() if name not in sys.modules}


DRIVERS = {
    "mysql.connector": driver("mysql", refuses_unread=True),
    "mysql.connector, dictionary": driver("mysql", of_dict, refuses_unread=True),
    "MySQLdb": driver("MySQLdb", of_dict),
    "pymysql": driver("pymysql", of_dict),
    "pymssql, as_dict": driver("pymssql", of_dict),
    "pyodbc": driver("pyodbc", Row),
    "oracledb": driver("oracledb"),
    "snowflake": driver("snowflake"),
    "snowflake, DictCursor": driver("snowflake", of_dict),
    "bigquery": driver("google", Row),
    "trino": driver("trino", of_list),
    "redshift_connector": driver("redshift_connector", of_list),
    "databricks": driver("databricks", of_named),
    "None after the last row": driver("other", after_the_last=None),
    "an iterator of rows": driver("other", part=staticmethod(iter)),
    "without a description": driver("other", described=False),
    "without a description, dicts": driver("other", of_dict, described=False),
}

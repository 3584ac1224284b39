"""The SQLite database that holds the sandbox's state, in memory or in a file, and its tables of records."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar, get_args, get_origin, get_type_hints


class Dataclass(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


R = TypeVar("R", bound=Dataclass)


class Database:
    """One SQLite connection, created in one thread and then used by the server's thread alone: no locks.

    :param path: a file, or ":memory:"
    """

    def __init__(self, path: str = ":memory:") -> None:
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # A killed process loses nothing this way; only a power cut may, which a sandbox can bear.
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = OFF")
        self._connection.execute("CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT)")

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def run(self, sql: str, parameters: Sequence[object] = ()) -> None:
        """Execute one statement."""
        self._connection.execute(sql, parameters)

    def run_many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Execute one statement for many rows."""
        with self.transaction():
            self._connection.executemany(sql, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit everything or nothing; a transaction inside another is part of it."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def meta(self, key: str) -> str | None:
        """Return a value that outlives a restart."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return str(found[0][0]) if found else None

    def set_meta(self, key: str, value: str) -> None:
        """Keep a value over a restart."""
        self.run("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Table(Generic[R]):
    """Records of one dataclass: a column for each field, lists and dicts as JSON, in the order of their insertion.

    :param key: the columns that identify a record; a single integer ``key`` also is the order
    :param computed: SQL expressions of fields that are read and never written
    :param indexes: more indexes, as SQL expressions
    :param nocase: columns that are compared without regard to the case of ASCII letters
    """

    def __init__(
        self,
        database: Database,
        name: str,
        make: type[R],
        key: Sequence[str],
        *,
        computed: Mapping[str, str] | None = None,
        indexes: Sequence[str] = (),
        nocase: Sequence[str] = (),
    ) -> None:
        self._database, self.name, self._make, self._key = database, name, make, tuple(key)
        computed, hints = computed or {}, get_type_hints(make)
        names = [field.name for field in fields(make)]
        self._stored = [column for column in names if column not in computed]
        self._decoders = [_decoder(hints[column]) for column in names]
        self._columns = ", ".join(computed.get(column, column) for column in names)
        kinds = dict.fromkeys(nocase, " COLLATE NOCASE")
        if len(key) == 1 and hints[key[0]] is int:
            kinds[key[0]] = " INTEGER PRIMARY KEY"
        columns = [column + kinds.get(column, "") for column in self._stored]
        database.run(f"CREATE TABLE IF NOT EXISTS {name} ({', '.join(columns)}, UNIQUE ({', '.join(key)}))")
        for number, index in enumerate(indexes):
            database.run(f"CREATE INDEX IF NOT EXISTS {name}_{number} ON {name} ({index})")
        slots = ", ".join("?" * len(self._stored))
        self._insert = f"INSERT INTO {name} VALUES ({slots}) ON CONFLICT ({', '.join(key)})"  # noqa: S608

    def put(self, *records: R) -> None:
        """Add records, each in place of the one with the same key."""
        self.put_all(records)

    def put_all(self, records: Iterable[R]) -> None:
        """Add any number of records, each in place of the one with the same key."""
        changes = ", ".join(f"{column} = excluded.{column}" for column in self._stored)
        self._database.run_many(f"{self._insert} DO UPDATE SET {changes}", self._rows(records))

    def add(self, records: Iterable[R]) -> None:
        """Add records, except those whose key exists."""
        self._database.run_many(f"{self._insert} DO NOTHING", self._rows(records))

    def change(self, record: R, **changes: Any) -> R:
        """Store a changed record, and return it."""
        changed = replace(record, **changes)
        self.put(changed)
        return changed

    def find(self, where: str = "1", *parameters: object) -> list[R]:
        """Return the records for which a condition holds; the condition may end in ORDER BY and LIMIT."""
        order = "" if "ORDER BY" in where else " ORDER BY rowid"
        rows = self._database.rows(f"SELECT {self._columns} FROM {self.name} WHERE {where}{order}", parameters)  # noqa: S608
        return [self._make(*(decode(value) for decode, value in zip(self._decoders, row, strict=True))) for row in rows]

    def one(self, where: str, *parameters: object) -> R | None:
        """Return the first record for which a condition holds."""
        found = self.find(f"{where} ORDER BY rowid LIMIT 1", *parameters)
        return found[0] if found else None

    def column(self, expression: str, where: str = "1", *parameters: object) -> list[Any]:
        """Return the values of one expression; the condition may end in ORDER BY and LIMIT."""
        order = "" if "ORDER BY" in where else " ORDER BY rowid"
        sql = f"SELECT {expression} FROM {self.name} WHERE {where}{order}"  # noqa: S608
        return [row[0] for row in self._database.rows(sql, parameters)]

    def count(self, where: str = "1", *parameters: object) -> int:
        """Return the number of records for which a condition holds."""
        return int(self._database.rows(f"SELECT count(*) FROM {self.name} WHERE {where}", parameters)[0][0])  # noqa: S608

    def among(self, column: str, values: Iterable[object], where: str = "1", *parameters: object) -> list[R]:
        """Return the records whose column has one of many values."""
        condition = f"{where} AND {column} IN (SELECT value FROM json_each(?))"  # noqa: S608
        return self.find(condition, *parameters, json.dumps([*values]))

    def remove(self, keys: Iterable[Sequence[object]]) -> None:
        """Remove records by their keys."""
        condition = " AND ".join(f"{column} = ?" for column in self._key)
        self._database.run_many(f"DELETE FROM {self.name} WHERE {condition}", keys)  # noqa: S608

    def delete(self, where: str = "1", *parameters: object) -> None:
        """Remove the records for which a condition holds."""
        self._database.run(f"DELETE FROM {self.name} WHERE {where}", parameters)  # noqa: S608

    def _rows(self, records: Iterable[R]) -> Iterator[list[object]]:
        for record in records:
            values = (getattr(record, column) for column in self._stored)
            yield [json.dumps(value) if isinstance(value, list | dict) else value for value in values]


def _decoder(hint: Any) -> Any:
    kinds = {get_origin(kind) or kind for kind in (get_args(hint) or (hint,))} | {get_origin(hint) or hint}
    if kinds & {list, dict}:
        return lambda value: None if value is None else json.loads(value)
    return bool if hint is bool else lambda value: value

"""The environment that an example DAG needs to run, and the expected members after each of its tasks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from example_dags.demo import home

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.server import SandboxServer

# The members of each group or segment, by its name; one that does not exist is absent.
Members = dict[str, set[Any]]


@dataclass
class World:
    """A sandbox for one DAG, and a directory for its users.

    :param server: with all vendors.
    """

    server: SandboxServer
    directory: Path

    def people(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
        """Write these rows to a table ``people``, to which the connection ``people_db`` leads; return its file."""
        database = self.directory / "people.db"
        database.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as connection, connection:
            # Columns without types, so that SQLite keeps the type of each value, as an untyped source does.
            connection.execute(f"CREATE TABLE people ({', '.join(columns)})")
            connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(columns))})", rows)
        self.connect_people(database)
        return database

    def connect_people(self, database: Path) -> None:
        """Set the connection ``people_db`` to a database."""
        home.connect("people_db", {"conn_type": "sqlite", "host": str(database)})


@dataclass
class Scene:
    """One example DAG with its environment.

    :param dag_id: the DAG's ID, which is the name of its file.
    :param conf: its params.
    :param members: returns the members at this moment, by the sandbox.
    :param expected: by task, the expected members after it.
    :param results: by task, the expected parts of its result; other parts are not checked.
    :param then: by task, what to do once it has succeeded.
    :param also: further checks at the end: what, what was found, what was expected.
    """

    dag_id: str
    conf: dict[str, Any]
    members: Callable[[], Members]
    expected: dict[str, Members]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    then: dict[str, Callable[[], None]] = field(default_factory=dict)
    also: Callable[[], Iterable[tuple[str, Any, Any]]] = tuple


def change(database: Path, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Change the rows of a source."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(statement, rows)


def untidy(values: Sequence[str]) -> list[object]:
    """Return the values as a real source has them: some twice, some in capitals or with spaces, five blank."""
    again = [f" {value.upper()}\t" for value in values[::7]]
    return [*values, *again, *values[::11], None, "", " ", "\t", "\u00a0"]


BLANKS = {"blank": 5}

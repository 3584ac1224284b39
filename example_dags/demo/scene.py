"""What an example DAG needs of the world to run, and what must be true after each of its tasks."""

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

# Who is a member of what, by the name of the thing; what does not exist is absent.
Members = dict[str, set[Any]]


@dataclass
class World:
    """A sandbox of the DAG's own, and a directory for its people.

    :param server: with all vendors.
    """

    server: SandboxServer
    directory: Path

    def people(self, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
        """Put these rows into a table ``people``, to which the connection ``people_db`` leads; return its file."""
        database = self.directory / "people.db"
        database.unlink(missing_ok=True)
        with closing(sqlite3.connect(database)) as connection, connection:
            # Without types, SQLite keeps what it is given, as untyped sources do.
            connection.execute(f"CREATE TABLE people ({', '.join(columns)})")
            connection.executemany(f"INSERT INTO people VALUES ({', '.join('?' * len(columns))})", rows)
        self.connect_people(database)
        return database

    def connect_people(self, database: Path) -> None:
        """Let the connection ``people_db`` lead to a database."""
        home.connect("people_db", {"conn_type": "sqlite", "host": str(database)})


@dataclass
class Scene:
    """One example DAG in its world.

    :param dag_id: the name of its file, too.
    :param conf: its params.
    :param members: who is a member of what at this moment, by the sandbox.
    :param expected: by task, who must be a member of what after it.
    :param results: by task, what its result must hold; other parts of it are not looked at.
    :param then: by task, what happens in the world once it has succeeded.
    :param also: what else is looked at, at the end: what, what was found, what had to be found.
    """

    dag_id: str
    conf: dict[str, Any]
    members: Callable[[], Members]
    expected: dict[str, Members]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    then: dict[str, Callable[[], None]] = field(default_factory=dict)
    also: Callable[[], Iterable[tuple[str, Any, Any]]] = tuple


def change(database: Path, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """Let something happen to the people of a source."""
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.executemany(statement, rows)


def untidy(values: Sequence[str]) -> list[object]:
    """Return the values as a real source has them: some twice, some in capitals or with spaces, five blank."""
    again = [f" {value.upper()}\t" for value in values[::7]]
    return [*values, *again, *values[::11], None, "", " ", "\t", "\u00a0"]


BLANKS = {"blank": 5}

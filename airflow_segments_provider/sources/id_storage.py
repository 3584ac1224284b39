"""IDs on disk: a set in SQLite, and a table of DuckDB that keeps the order of a file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class IdSet:
    """A set of IDs on disk, each with the vendor's users that it belongs to, if any; closing it deletes the file."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("")  # an empty name: a file without a name, deleted when it is closed
        self._database.execute("CREATE TABLE ids (id TEXT, user TEXT DEFAULT '', PRIMARY KEY (id, user)) WITHOUT ROWID")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the database."""
        self._database.close()

    def add(self, user_id: str) -> bool:
        """Add an ID; return whether it is new."""
        return self._database.execute("INSERT OR IGNORE INTO ids (id) VALUES (?)", (user_id,)).rowcount > 0

    def update(self, ids: Iterable[str]) -> None:
        """Add IDs."""
        self._database.executemany("INSERT OR IGNORE INTO ids (id) VALUES (?)", ((user_id,) for user_id in ids))

    def update_users(self, users: Iterable[tuple[str, str]]) -> None:
        """Add IDs, each with one of its users."""
        self._database.executemany("INSERT OR IGNORE INTO ids VALUES (?, ?)", users)

    def users(self, user_id: str) -> set[str]:
        """Return the users of an ID."""
        return {row[0] for row in self._database.execute("SELECT user FROM ids WHERE id = ?", (user_id,))}

    def __contains__(self, user_id: str) -> bool:
        found = self._database.execute("SELECT 1 FROM ids WHERE id = ? LIMIT 1", (user_id,))
        return found.fetchone() is not None

    def __len__(self) -> int:
        count: int = self._database.execute("SELECT count(DISTINCT id) FROM ids").fetchone()[0]
        return count

    def __iter__(self) -> Iterator[str]:
        return (row[0] for row in self._database.execute("SELECT DISTINCT id FROM ids ORDER BY id"))

    def minus(self, other: IdSet) -> Iterator[str]:
        """Yield the IDs that are not in another set."""
        return (user_id for user_id in self if user_id not in other)

    def missing_from(self, present: Iterable[str]) -> int:
        """Return how many of the IDs are not in ``present``; stop reading when all were found."""
        missing = len(self)
        with IdSet() as found:
            for user_id in present if missing else ():
                missing -= user_id in self and found.add(user_id)
                if not missing:
                    break
        return missing


@contextmanager
def filled_in_order(database: DuckDBPyConnection, table: str) -> Iterator[None]:
    """Make a table with one column, ``id VARCHAR``, for INSERTs that keep the order; drop it if one fails."""
    import duckdb

    # A connection of its own works even after an error in a transaction.
    settings = database.cursor()
    ((before,),) = settings.execute("SELECT current_setting('preserve_insertion_order')").fetchall()
    database.execute(f"CREATE TABLE {table} (id VARCHAR)")
    try:
        settings.execute("SET preserve_insertion_order = true")
        yield
    except BaseException:
        with suppress(duckdb.TransactionException):  # the end of the transaction drops it
            database.execute(f"DROP TABLE {table}")
        raise
    finally:
        settings.execute(f"SET preserve_insertion_order = {bool(before)}")
        settings.close()


def quoted(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"

"""Where one run works: a temporary folder, and a database in it that goes to disk where memory ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import duckdb

MEMORY_LIMIT = "440MB"


class Workspace:
    """A DuckDB with bounded memory, and a folder that is removed at the end.

    :param memory_limit: of what DuckDB counts, beyond which it writes to the folder. ``make bench ARGS=plan`` prints
        what the whole process takes.
    :param database: one that is open already, in which this run leaves nothing; its own settings hold.
    """

    def __init__(self, memory_limit: str = MEMORY_LIMIT, database: duckdb.DuckDBPyConnection | None = None) -> None:
        self._memory_limit = memory_limit
        self._given = database

    def __enter__(self) -> Self:
        import duckdb

        self._folder = tempfile.TemporaryDirectory(prefix="segments-")
        self.folder = Path(self._folder.name)
        settings: dict[str, Any] = {
            "memory_limit": self._memory_limit,
            "temp_directory": str(self.folder / "spill"),
            "preserve_insertion_order": False,
        }
        self.database = self._given or duckdb.connect(config=settings)
        if self._given:
            self.run("BEGIN")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._given is None:
            self.database.close()
        else:
            self.run("ROLLBACK")
        self._folder.cleanup()

    def run(self, query: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""
        self.database.execute(query, parameters)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query that has few."""
        return self.database.execute(query, parameters).fetchall()

    def one(self, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The only row of a query, or the number of rows that a statement wrote."""
        found = self.database.execute(query, parameters).fetchone()
        if found is None:
            raise AssertionError("an aggregate has a row")
        return found

    def stream(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a query, ``size`` at a time; no other statement may come in between."""
        self.database.execute(query)
        while rows := self.database.fetchmany(size):
            yield rows

    def insert(self, table: str, ids: Sequence[str]) -> None:
        """Append ids to a table of one column; many times faster than row by row."""
        self.database.execute(f"INSERT INTO {table} SELECT unnest(?::VARCHAR[])", [ids])

    def fill(self, table: str, pages: Iterable[Sequence[str]]) -> None:
        """Make a table of one column ``id`` and fill it."""
        self.run(f"CREATE TABLE {table} (id VARCHAR)")
        for page in pages:
            self.insert(table, page)

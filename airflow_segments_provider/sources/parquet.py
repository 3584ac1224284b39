"""User IDs in a Parquet file, of which only the wanted column is fetched."""

from __future__ import annotations

import os
import re
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import duckdb
from fsspec.spec import AbstractFileSystem

from airflow_segments_provider.sources.id_storage import filled_in_order, literal, quoted
from airflow_segments_provider.sources.storage import SourceFile, storage_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY_LIMIT = "420MB"
# Python is slower than one thread of DuckDB; each thread needs memory for a part of a row group.
THREADS = 2
FETCHED_AT_ONCE = 10_000
MOST_COLUMNS = 1_000_000

# The types whose text is the ID, and all whose values are exact in Python.
_TEXT = r"VARCHAR|U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|UUID|DECIMAL\(\d+,0\)"
_AS_TEXT = re.compile(_TEXT)
_READ = re.compile(rf"{_TEXT}|DECIMAL\(.*\)|DOUBLE|BOOLEAN|BLOB|\"?NULL\"?")
_BINARY = "BLOB"
_DOUBLE = "DOUBLE"
_ROUNDED = "FLOAT"

# DuckDB must not add columns, nor derive any from the path.
_OPTIONS = "hive_partitioning = false, filename = false, file_row_number = false, union_by_name = false"


def read_parquet(file: SourceFile, column: str | None) -> Iterator[object]:
    """Yield the values of a column, in the order of the file. Binary text is decoded as UTF-8.

    :param column: None for the only one.
    :raises InvalidInput: the file is damaged, or the column is not clear.
    :raises SourceUnavailable: the storage cannot read it.
    """
    with (
        duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "threads": THREADS}) as database,
        _Readable(database, file) as parquet,
    ):
        name, kind = parquet.column(column)
        parquet.execute(f"SELECT {quoted(name)} FROM {parquet.table}")
        while rows := parquet.fetch():
            values = (value for (value,) in rows)
            yield from map(_decoded, values) if kind == _BINARY else values


def load_parquet(database: DuckDBPyConnection, table: str, files: Sequence[SourceFile], column: str | None) -> bool:
    """Make a table with one column, ``id``: the text of every value, in the order of the files and of their rows.

    :param database: of the table; its settings stay unchanged.
    :return: whether it was done; False, and no table, if the text of a value need not be the ID.
    :raises InvalidInput: a file is damaged, or the column is not clear.
    :raises SourceUnavailable: the storage cannot read a file.
    """
    for file in files:
        with _Readable(database, file) as parquet:
            if not _AS_TEXT.fullmatch(parquet.column(column)[1]):
                return False
    with filled_in_order(database, table):
        for file in files:
            with _Readable(database, file) as parquet:
                name, _ = parquet.column(column)
                parquet.execute(f"INSERT INTO {table} SELECT {quoted(name)}::VARCHAR FROM {parquet.table}")
    return True


class _Readable:
    """A Parquet file for DuckDB.

    DuckDB gets an artificial path, so that no part of the real one counts as a pattern or a partition.

    :ivar table: an SQL expression.
    """

    def __init__(self, database: DuckDBPyConnection, file: SourceFile) -> None:
        self._database = database
        self._file = file
        self._storage: _Storage | None = None

    def __enter__(self) -> Self:
        path = self._file.local_path
        if path is None:
            self._storage = _Storage(self._file)
            self._database.register_filesystem(self._storage)
            path = f"{self._storage.protocol}://file.parquet"
        else:
            self._file.opened().close()
        self.table = f"read_parquet({literal(path)}, {_OPTIONS})"
        self._schema = f"parquet_schema({literal(path)})"
        return self

    def __exit__(self, *_: object) -> None:
        if self._storage:
            self._database.unregister_filesystem(self._storage.protocol)

    def column(self, wanted: str | None) -> tuple[str, str]:
        """Return the name and the type of the wanted column, as DuckDB has them."""
        self.execute(f"SELECT name, num_children, type FROM {self._schema}")
        columns = _top_level(self.fetch(MOST_COLUMNS))
        index = self._index_of([name for name, _ in columns], wanted)
        self.execute(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {self.table})")
        described = self.fetch(MOST_COLUMNS)
        if len(described) != len(columns):
            raise self._file.refused("its columns are not those of its schema. Write the file again.")
        # DuckDB renames columns with equal names, and a new name may be that of another column.
        name, kind = described[index]
        if kind == _DOUBLE and columns[index][1] != _DOUBLE:
            raise self._file.refused("the numbers of the column have more digits than are read exactly. Cast them.")
        if kind == _ROUNDED:
            raise self._file.refused("the numbers of the column are of the type FLOAT, which is not exact. Cast them.")
        if not _READ.fullmatch(kind):
            shown = f"of the type {kind}" if kind.replace(" ", "").isalpha() else "nested"
            raise self._file.refused(f"the column is {shown}. It must contain text, whole numbers or UUIDs.")
        return name, kind

    def _index_of(self, names: list[str], wanted: str | None) -> int:
        if wanted is None:
            if len(names) != 1:
                raise self._file.refused(f"it has {len(names):,} columns. Name one with `column`.")
            return 0
        alike = [name for name in names if name.casefold() == wanted.casefold()]
        if len(alike) > 1:
            raise self._file.refused(f"{len(alike):,} columns are called {wanted!r}, or differ from it only in case.")
        if wanted not in names:
            hint = " One differs from it only in case." if alike else ""
            raise self._file.refused(f"it has no column {wanted!r} at its top level, among {len(names):,}.{hint}")
        return names.index(wanted)

    def execute(self, query: str) -> None:
        """Run a query on the file."""
        with self._errors():
            self._database.execute(query)

    def fetch(self, most: int = FETCHED_AT_ONCE) -> list[tuple[Any, ...]]:
        """Return the next rows of the query."""
        with self._errors():
            return self._database.fetchmany(most)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn DuckDB's errors into the package's own, without their messages."""
        try:
            yield
        except duckdb.OutOfMemoryException:
            problem = "a part of it needs more memory than DuckDB may use. Write it with smaller row groups."
            raise self._file.refused(problem) from None
        except duckdb.Error as error:
            if self._storage and self._storage.error:
                raise self._storage.error from None
            problem = f"it is damaged, or not a Parquet file ({type(error).__name__}). Write or copy it again."
            raise self._file.refused(problem) from None


class _Storage(AbstractFileSystem):  # type: ignore[misc]
    """A file system for DuckDB with one file.

    :ivar error: of the real storage; DuckDB raises another error then.
    """

    cachable = False

    def __init__(self, file: SourceFile) -> None:
        super().__init__()
        # DuckDB caches what it has read of a path.
        self.protocol = f"segments{uuid.uuid4().hex}"
        self.error: BaseException | None = None
        self._file = file
        self._now = datetime.now(UTC)

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path]

    def modified(self, *_: Any) -> datetime:
        return self._now

    def size(self, *_: Any) -> int:
        with self.call(self._file.opened) as file:
            return int(self.call(file.seek, 0, os.SEEK_END))

    def open(self, *_: Any, **__: Any) -> _Handle:
        return _Handle(self, self.call(self._file.opened))

    def call(self, method: Callable[..., Any], *arguments: Any) -> Any:
        """Call a method of the real storage, and keep its error, also when the task is ended meanwhile."""
        try:
            with storage_errors(self._file.subject):
                return method(*arguments)
        except BaseException as error:
            self.error = error
            raise


class _Handle:
    """The open file of a :class:`_Storage`. Each thread has a position: DuckDB seeks and reads in two calls.

    Positions are stored by thread ID: `threading.local` of a DuckDB thread does not survive between calls.
    """

    def __init__(self, storage: _Storage, file: Any) -> None:
        self._call = storage.call
        self._file = file
        self._lock = threading.Lock()
        self._positions = {threading.get_ident(): 0}

    def seek(self, offset: int, *_: int) -> int:
        self._positions[threading.get_ident()] = offset
        return offset

    def tell(self) -> int:
        return self._positions[threading.get_ident()]

    def read(self, size: int) -> bytes:
        with self._lock:
            self._call(self._file.seek, self.tell())
            content = bytes(self._call(self._file.read, size))
        self.seek(self.tell() + len(content))
        return content

    def close(self) -> None:
        self._call(self._file.close)


def _top_level(elements: list[tuple[Any, ...]]) -> list[tuple[str, str]]:
    """Return the name and the type of each column, from the elements of a schema: each is followed by its children."""
    columns = []
    inner = 0
    for name, children, kind in elements[1:]:
        if inner:
            inner -= 1
        else:
            columns.append((name, kind))
        inner += children or 0
    return columns


def _decoded(value: Any) -> object:
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value

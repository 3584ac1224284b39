"""Ids in a file on any object storage: CSV, JSON Lines or Parquet, compressed or not."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from io import BufferedReader, RawIOBase, TextIOWrapper
from pathlib import Path
from typing import IO, Any, Literal

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.errors import InvalidInput

__all__ = ["FileMembers"]

Format = Literal["csv", "jsonl", "parquet"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
}
_COMPRESSED: dict[str, Any] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
}
READ_AT_ONCE = 25_000
BUFFER = 1 << 20


class _Calls(RawIOBase):
    """The calls of a file that Airflow opened: each is dear, and on 2.11 it cannot be iterated over."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, or less."""
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


class FileMembers:
    """The ids in one column of a file; all fields are templates.

    The file is read as a stream. CSV needs a header with the column's name, unless there is only one column and
    ``column`` is not given; UTF-8, with or without a byte order mark. JSON Lines has an object a line. A Parquet file
    is copied to a local disk first.

    :param path: any path or URL that Airflow's object storage knows, e.g. ``s3://aws_default@bucket/people.csv.gz``.
    :param column: the column, or the key of each line's object.
    :param format: ``csv``, ``jsonl`` or ``parquet``, where the name's ending (before that of a compression: ``.gz``,
        ``.bz2``, ``.xz``) does not say so.
    :param delimiter: of a CSV; by default a comma, or a tab where the name ends in ``.tsv``.
    """

    template_fields: Sequence[str] = ("path", "column", "format", "delimiter")

    def __init__(
        self,
        path: str,
        column: str | None = None,
        *,
        format: str | None = None,  # noqa: A002  # the users' word for it
        delimiter: str | None = None,
    ) -> None:
        self.path = path
        self.column = column
        self.format = format
        self.delimiter = delimiter

    def __str__(self) -> str:
        """Names only."""
        return f"FileMembers({self.path!r}, column={self.column!r})"

    __repr__ = __str__

    def read_ids(self) -> Iterator[object]:
        """Yield the ids as they stand in the file.

        :raises InvalidInput: the file is not there, of another form, or has no such column.
        """
        endings = [ending.lower() for ending in Path(self.path).suffixes]
        compressed = _COMPRESSED.get(endings.pop()) if endings and endings[-1] in _COMPRESSED else None
        form = self.format or _FORMATS.get(endings[-1] if endings else "")
        if form not in ("csv", "jsonl", "parquet"):
            raise InvalidInput(
                str(self), ["`format` must be csv, jsonl or parquet; the name's ending does not say it."]
            )
        path = ObjectStoragePath(self.path)
        if not path.is_file():
            raise InvalidInput(str(self), ["there is no such file."])
        read = {"csv": self._csv, "jsonl": self._jsonl, "parquet": self._parquet}[form]
        with ExitStack() as stack:
            opened = stack.enter_context(path.open("rb"))  # type: ignore[no-untyped-call]
            file = stack.enter_context(BufferedReader(_Calls(opened), BUFFER))
            try:
                yield from read(stack.enter_context(compressed(file)) if compressed else file)
            except (UnicodeDecodeError, csv.Error, EOFError, lzma.LZMAError, gzip.BadGzipFile) as error:
                raise InvalidInput(
                    str(self), [f"the file is damaged or of another form ({type(error).__name__})."]
                ) from None

    def _csv(self, file: IO[bytes]) -> Iterator[object]:
        delimiter = self.delimiter or ("\t" if ".tsv" in self.path.lower() else ",")
        rows = csv.reader(TextIOWrapper(file, encoding="utf-8-sig", newline=""), delimiter=delimiter)
        header = next(rows, [])
        if self.column is None and len(header) <= 1:
            yield from header
            place = 0
        elif self.column in header:
            place = header.index(self.column)
        else:
            raise InvalidInput(str(self), [f"it has no column {self.column!r}; its columns are {', '.join(header)}."])
        for row in rows:
            if row:
                yield row[place] if place < len(row) else None

    def _jsonl(self, file: IO[bytes]) -> Iterator[object]:
        if not self.column:
            raise InvalidInput(str(self), ["`column` must name a key of each line's object."])
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
            except ValueError:
                entry = None
            if not isinstance(entry, dict):
                raise InvalidInput(str(self), [f"line {number:,} is not a JSON object."])
            yield entry.get(self.column)

    def _parquet(self, file: IO[bytes]) -> Iterator[object]:
        import shutil

        import duckdb

        with tempfile.NamedTemporaryFile(prefix="segments-", suffix=".parquet") as local:
            shutil.copyfileobj(file, local, 1 << 20)
            local.flush()
            with duckdb.connect() as database:
                try:
                    found = database.execute("SELECT * FROM read_parquet(?) LIMIT 0", [local.name])
                    columns = [column[0] for column in found.description or ()]
                except duckdb.Error:
                    raise InvalidInput(str(self), ["it is not a Parquet file."]) from None
                column = self.column or (columns[0] if len(columns) == 1 else None)
                if column not in columns:
                    raise InvalidInput(
                        str(self), [f"it has no column {column!r}; its columns are {', '.join(columns)}."]
                    )
                quoted = '"' + column.replace('"', '""') + '"'
                found = database.execute(f"SELECT {quoted} FROM read_parquet(?)", [local.name])
                while rows := found.fetchmany(READ_AT_ONCE):
                    yield from (row[0] for row in rows)

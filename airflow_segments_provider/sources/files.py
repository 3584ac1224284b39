"""User IDs in files: CSV, JSON Lines or Parquet, compressed or not, on a local disk or any object storage."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_segments_provider.sources.compression import decompressed
from airflow_segments_provider.sources.csv_rows import read_csv
from airflow_segments_provider.sources.file_parameters import (
    CSV,
    JSON_LINES,
    NOT_COMPRESSED,
    PARQUET,
    FileFormat,
    FileParameters,
)
from airflow_segments_provider.sources.json_lines import read_json_lines
from airflow_segments_provider.sources.storage import SourceFile, find_files, local_copy

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath
    from duckdb import DuckDBPyConnection

__all__ = ["FileMembers"]

logger = logging.getLogger(__name__)

_PASSWORD = re.compile(r"(?<=://)[^/@]*:[^/@]*(?=@)")


class FileMembers:
    """The user IDs in one column of a file or of several; all fields are templates.

    A file is read exactly or refused, as :class:`~airflow_segments_provider.errors.InvalidInput`: it is never guessed
    how it is meant. Files are read as a stream, in the order of their paths, and of a Parquet file only the column.

    :param path: a file, a directory or a glob (``*``, ``?``, ``[a-z]``, ``**``), as text, as a ``pathlib.Path`` or as
        an ``ObjectStoragePath``, e.g. ``s3://aws_default@bucket/users/part-*.csv.gz``. Names that begin with ``_`` or
        ``.`` are ignored. All files must have one format and one compression.
    :param column: the column of a CSV or Parquet file, or the key of each JSON object, exactly as it is written there.
        Without it, each row must have one cell.
    :param format: ``csv``, ``jsonl`` or ``parquet``, if the file's extension does not show it.
    :param compression: ``gz``, ``bz2``, ``xz``, ``zst`` or ``none``, if the file's extension does not show it.
    :param delimiter: the character between the cells of a CSV; by default a comma, or a tab in a ``.tsv`` file.
    :param encoding: of a CSV or JSON Lines file, as Python names it; by default UTF-8.
    :param quotechar: the character around the cells of a CSV, by default ``"``; an empty text if none is quoted.
    :param header: whether the first row of a CSV is a header. Required without ``column``.
    :param max_row_length: characters of the longest row of a CSV or JSON Lines file; by default 16,777,216.
    """

    template_fields: Sequence[str] = (
        "path",
        "column",
        "format",
        "compression",
        "delimiter",
        "encoding",
        "quotechar",
        "header",
        "max_row_length",
    )

    def __init__(
        self,
        path: str | os.PathLike[str] | ObjectStoragePath,
        column: str | None = None,
        *,
        format: str | None = None,  # noqa: A002  # the users' word for it
        compression: str | None = None,
        delimiter: str | None = None,
        encoding: str | None = None,
        quotechar: str | None = None,
        header: bool | str | None = None,
        max_row_length: int | str | None = None,
    ) -> None:
        self.path = path
        self.column = column
        self.format = format
        self.compression = compression
        self.delimiter = delimiter
        self.encoding = encoding
        self.quotechar = quotechar
        self.header = header
        self.max_row_length = max_row_length

    def __str__(self) -> str:
        """Names only, without a password in the path."""
        return f"FileMembers({_PASSWORD.sub('***', str(self.path))!r}, column={self.column!r})"

    __repr__ = __str__

    def read_ids(self) -> Iterator[object]:
        """Yield the value of each row, as it stands in the files.

        :raises InvalidInput: a parameter is wrong, or a file is missing, damaged or not exactly as they say.
        :raises SourceUnavailable: the storage cannot read a file.
        """
        files, form = self._found()
        self._log(files, form)
        for file in files:
            yield from _read(file, form)

    def load(self, database: DuckDBPyConnection, table: str) -> bool:
        """Make a table of the values that :meth:`read_ids` yields, without Python, if all are exact as text.

        The table has one column, ``id VARCHAR``, and a row for each value, in their order: a text as it is, a whole
        number or a UUID as Python writes it, NULL for None. No ID is checked.

        :param database: it holds the table; its settings are left as they are.
        :param table: a name that needs no quotes.
        :return: whether it was done. If not, or if it fails, there is no such table.
        :raises InvalidInput: as ``read_ids``.
        :raises SourceUnavailable: as ``read_ids``.
        """
        files, form = self._found()
        is_loaded = _load(database, table, files, form)
        if is_loaded:
            self._log(files, form)
        return is_loaded

    def _found(self) -> tuple[list[SourceFile], FileFormat]:
        """Check the parameters; find the files, and how to read them."""
        parameters = FileParameters(str(self), {name: getattr(self, name) for name in self.template_fields})
        files = find_files(self.path, str(self))
        form = parameters.format_of([file.name for file in files])
        return files, form

    def _log(self, files: list[SourceFile], form: FileFormat) -> None:
        count = "1 file" if len(files) == 1 else f"{len(files):,} files"
        logger.info("User IDs are read from %s of %s: %s, compression %s.", count, self, form.name, form.compression)


def _load(database: DuckDBPyConnection, table: str, files: list[SourceFile], form: FileFormat) -> bool:
    if form.compression != NOT_COMPRESSED:
        return False
    if form.name == CSV:
        from airflow_segments_provider.sources.csv_load import load_csv

        return load_csv(database, table, files, form.csv)
    if form.name == PARQUET:
        from airflow_segments_provider.sources.parquet import load_parquet

        return load_parquet(database, table, files, form.column)
    return False


def _read(file: SourceFile, form: FileFormat) -> Iterator[object]:
    blocks = decompressed(file, form.compression)
    if form.name == CSV:
        yield from read_csv(file, blocks, form.csv)
    elif form.name == JSON_LINES:
        longest, encoding = form.csv.longest, form.csv.encoding
        yield from read_json_lines(file, blocks, str(form.column), encoding=encoding, longest=longest)
    else:
        from airflow_segments_provider.sources.parquet import read_parquet

        with ExitStack() as stack:
            if form.compression != NOT_COMPRESSED:
                file = replace(file, fs=stack.enter_context(local_copy(file.subject, blocks)))
            yield from read_parquet(file, form.column)

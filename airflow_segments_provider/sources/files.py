"""User IDs in files: CSV, JSON Lines or Parquet, compressed or not, on a local disk or any object storage."""

from __future__ import annotations

import codecs
import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.csv_file import CsvDialect, load_csv, read_csv
from airflow_segments_provider.sources.storage import (
    COMPRESSIONS,
    SourceFile,
    decompressed,
    find_files,
    local_copy,
    without_credentials,
)
from airflow_segments_provider.sources.text import UTF_8, read_json_lines

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import ObjectStoragePath
    from duckdb import DuckDBPyConnection

__all__ = ["FileMembers"]

logger = logging.getLogger(__name__)

CSV, JSON_LINES, PARQUET = FORMATS = ("csv", "jsonl", "parquet")
NOT_COMPRESSED = "none"
MAX_ROW_LENGTH = 16 << 20

_TAB_SEPARATED = "tsv"
_ENDINGS = {
    "csv": CSV,
    _TAB_SEPARATED: CSV,
    "jsonl": JSON_LINES,
    "ndjson": JSON_LINES,
    "json": JSON_LINES,
    "parquet": PARQUET,
}
_ONLY_CSV = ("delimiter", "quotechar", "header")
_ONLY_TEXT = ("encoding", "max_row_length")
_ROW_LENGTHS = range(1, (1 << 30) + 1)
# Encodings of Python that are not for files.
_NOT_OF_FILES = {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_WORDS = {"true": True, "false": False}


class FileMembers:
    """The user IDs in one column of a file or of several; all fields are templates.

    A file is read exactly or rejected with :class:`~airflow_segments_provider.errors.InvalidInput`; nothing is guessed.
    Files are read as a stream, in the order of their paths, and of a Parquet file only the column.

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
        """Names only, without credentials in the path."""
        return f"FileMembers({without_credentials(self.path)!r}, column={self.column!r})"

    __repr__ = __str__

    def read_ids(self) -> Iterator[object]:
        """Yield the value of each row, unchanged.

        :raises InvalidInput: a parameter is wrong, or a file is missing, damaged or not exactly as they say.
        :raises SourceUnavailable: the storage cannot read a file.
        """
        files, form = self._found()
        self._log(files, form)
        for file in files:
            yield from _read(file, form)

    def load(self, database: DuckDBPyConnection, table: str) -> bool:
        """Make a table of the values of :meth:`read_ids`, without Python, if all are exact as text.

        The table has one column, ``id VARCHAR``, and a row for each value, in their order: a text as it is, a whole
        number or a UUID as Python writes it, NULL for None. No ID is checked.

        :param database: of the table; its settings stay unchanged.
        :param table: a name that needs no quotes.
        :return: whether it was done. If not, or after an error, there is no such table.
        :raises InvalidInput: as ``read_ids``.
        :raises SourceUnavailable: as ``read_ids``.
        """
        files, form = self._found()
        is_loaded = _load(database, table, files, form)
        if is_loaded:
            self._log(files, form)
        return is_loaded

    def _found(self) -> tuple[list[SourceFile], FileFormat]:
        """Check the parameters; return the files and their form."""
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


@dataclass(frozen=True)
class FileFormat:
    """The form of a source's files.

    :param name: one of ``FORMATS``.
    :param compression: a key of ``COMPRESSIONS``.
    :param column: None for the only one.
    :param csv: JSON Lines uses its encoding and length.
    """

    name: str
    compression: str
    column: str | None
    csv: CsvDialect


class FileParameters:
    """The parameters of a file source, checked together.

    :param subject: the source, for messages.
    :param values: by the names of the parameters; None where one is not set.
    :raises InvalidInput: with every problem that can be found without the files.
    """

    def __init__(self, subject: str, values: Mapping[str, object]) -> None:
        self._subject = subject
        self._values = values
        self._problems = list[str]()
        self._check_path(values["path"])
        self._column = self._text("column")
        self._format = self._one_of("format", FORMATS)
        self._compression = self._one_of("compression", tuple(COMPRESSIONS))
        self._delimiter = self._character("delimiter")
        self._quotechar = '"' if values["quotechar"] is None else self._character("quotechar", "")
        self._header = self._truth("header")
        self._encoding = self._codec("encoding")
        self._longest = self._number("max_row_length")
        if self._delimiter and self._delimiter == self._quotechar:
            self._problems.append("`delimiter` and `quotechar` are the same character.")
        if self._format:
            self._check_format(self._format)
        self._refuse()

    def format_of(self, names: Iterable[str]) -> FileFormat:
        """Return the form of files with these names.

        :raises InvalidInput: they have several formats or compressions, or a parameter does not fit the format.
        """
        endings = [_endings(name) for name in names]
        name = self._format or self._common("format", {_ENDINGS.get(ending) for ending, _ in endings})
        compression = self._compression or self._common("compression", {packed for _, packed in endings})
        if not self._format and name:
            self._check_format(name)
        delimiter = self._delimiter
        if name == CSV and delimiter is None:
            tabs = {ending == _TAB_SEPARATED for ending, _ in endings}
            if len(tabs) > 1:
                self._problems.append("only some of the files are .tsv. Pass `delimiter`, or a glob for one kind.")
            delimiter = "\t" if True in tabs else None
        self._refuse()
        header = self._column is not None or self._header is True
        dialect = CsvDialect(self._column, header, delimiter, self._quotechar or "", self._longest, self._encoding)
        return FileFormat(name or "", compression or "", self._column, dialect)

    def _common(self, parameter: str, found: set[str | None]) -> str | None:
        """Return the format or compression that all files have."""
        if None in found:
            self._problems.append(f"the extension of a file does not show its {parameter}. Pass `{parameter}`.")
        elif len(found) > 1:
            listed = " and ".join(sorted(map(str, found)))
            self._problems.append(f"the files have more than one {parameter}: {listed}. Pass a glob for one of them.")
        return next(iter(found)) if len(found) == 1 else None

    def _check_format(self, name: str) -> None:
        """Add a problem for each parameter that does not fit a format."""
        wrong = [*(_ONLY_CSV if name != CSV else ()), *(_ONLY_TEXT if name == PARQUET else ())]
        self._problems += [f"`{one}` does not apply to {name}." for one in wrong if self._values[one] is not None]
        column = self._values["column"]
        if name == JSON_LINES and column is None:
            self._problems.append("`column` must name a key of each line's object.")
        if name == CSV and column is None and self._values["header"] is None:
            self._problems.append("without `column`, state with `header=True` or `header=False` what the first row is.")
        if name == CSV and column is not None and self._header is False:
            self._problems.append("`column` is a name in the header, so `header` cannot be False.")

    def _refuse(self) -> None:
        if self._problems:
            raise InvalidInput(self._subject, self._problems)

    def _check_path(self, path: object) -> None:
        is_path = isinstance(path, (str, os.PathLike)) or hasattr(path, "fs")
        if not is_path or not str(path).strip():
            self._problems.append("`path` must be a text that is not empty, a `Path` or an `ObjectStoragePath`.")

    def _text(self, name: str) -> str | None:
        value = self._values[name]
        # Airflow's native rendering makes numbers of digits.
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not (isinstance(value, str) and value):
            self._problems.append(f"`{name}` must be a text that is not empty.")
            return None
        return value

    def _one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self._values[name]
        if value is None or (isinstance(value, str) and value in choices):
            return value
        self._problems.append(f"`{name}` must be {', '.join(choices[:-1])} or {choices[-1]}.")
        return None

    def _character(self, name: str, *others: str) -> str | None:
        value = self._values[name]
        if value is None or (isinstance(value, str) and (value in others or (len(value) == 1 and value not in "\r\n"))):
            return value
        empty = ", or empty" if others else ""
        self._problems.append(f"`{name}` must be one character other than a line break{empty}.")
        return None

    def _truth(self, name: str) -> bool | None:
        value = self._values[name]
        if isinstance(value, str):  # from a template
            value = _WORDS.get(value.strip().lower(), value)
        if value is not None and not isinstance(value, bool):
            self._problems.append(f"`{name}` must be True or False.")
            return None
        return value

    def _number(self, name: str) -> int:
        value = self._values[name]
        if value is None:
            return MAX_ROW_LENGTH
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(_ROW_LENGTHS.stop)):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value not in _ROW_LENGTHS:
            self._problems.append(f"`{name}` must be a whole number from 1 to {_ROW_LENGTHS.stop - 1:,}.")
            return MAX_ROW_LENGTH
        return value

    def _codec(self, name: str) -> str:
        value = self._values[name]
        if value is None:
            return UTF_8
        try:
            # Codecs of bytes, such as base64, fail here.
            "".encode(str(value))
            codec = codecs.lookup(str(value))
        except (LookupError, ValueError):
            codec = None
        if codec is None or codec.name in _NOT_OF_FILES:
            self._problems.append(f"`{name}` must be an encoding of text that Python has, such as cp1252.")
            return UTF_8
        return codec.name.removesuffix("-sig")


def _endings(name: str) -> tuple[str, str]:
    """Return the extension of the format, and the compression."""
    rest, _, last = name.lower().rpartition(".")
    if last not in COMPRESSIONS or last == NOT_COMPRESSED or not rest:
        return last if rest else "", NOT_COMPRESSED
    return rest.rpartition(".")[2] if "." in rest else "", last

"""The parameters of a file source: checked together, and completed by what the files are called."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.compression import COMPRESSIONS
from airflow_segments_provider.sources.csv_rows import CsvDialect
from airflow_segments_provider.sources.lines import UTF_8

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
# Python has these for other purposes than files.
_NOT_OF_FILES = {"charmap", "idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"}
_WORDS = {"true": True, "false": False}


@dataclass(frozen=True)
class FileFormat:
    """How to read the files of a source.

    :param name: one of ``FORMATS``.
    :param compression: a key of ``COMPRESSIONS``.
    :param column: None for the only one.
    :param csv: of it, JSON Lines has the encoding and the length.
    """

    name: str
    compression: str
    column: str | None
    csv: CsvDialect


class FileParameters:
    """The parameters of a file source, as the DAG author or a template states them.

    :param subject: the source, for messages.
    :param given: by the names of the parameters; None for what is not stated.
    :raises InvalidInput: with every problem that shows without the files.
    """

    def __init__(self, subject: str, given: Mapping[str, object]) -> None:
        self._subject = subject
        self._given = given
        self._problems = list[str]()
        self._check_path(given["path"])
        self._column = self._text("column")
        self._format = self._one_of("format", FORMATS)
        self._compression = self._one_of("compression", tuple(COMPRESSIONS))
        self._delimiter = self._character("delimiter")
        self._quotechar = '"' if given["quotechar"] is None else self._character("quotechar", "")
        self._header = self._truth("header")
        self._encoding = self._codec("encoding")
        self._longest = self._number("max_row_length")
        if self._delimiter and self._delimiter == self._quotechar:
            self._problems.append("`delimiter` and `quotechar` are the same character.")
        if self._format:
            self._check_format(self._format)
        self._refuse()

    def format_of(self, names: Iterable[str]) -> FileFormat:
        """Return how to read files of these names.

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
        """Return what all files have."""
        if None in found:
            self._problems.append(f"the extension of a file does not show its {parameter}. Pass `{parameter}`.")
        elif len(found) > 1:
            listed = " and ".join(sorted(map(str, found)))
            self._problems.append(f"the files have more than one {parameter}: {listed}. Pass a glob for one of them.")
        return next(iter(found)) if len(found) == 1 else None

    def _check_format(self, name: str) -> None:
        """Note the parameters that do not fit a format."""
        wrong = [*(_ONLY_CSV if name != CSV else ()), *(_ONLY_TEXT if name == PARQUET else ())]
        self._problems += [f"`{one}` does not apply to {name}." for one in wrong if self._given[one] is not None]
        column = self._given["column"]
        if name == JSON_LINES and column is None:
            self._problems.append("`column` must name a key of each line's object.")
        if name == CSV and column is None and self._given["header"] is None:
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
        value = self._given[name]
        # Airflow's native rendering makes numbers of digits.
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if value is not None and not (isinstance(value, str) and value):
            self._problems.append(f"`{name}` must be a text that is not empty.")
            return None
        return value

    def _one_of(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self._given[name]
        if value is None or (isinstance(value, str) and value in choices):
            return value
        self._problems.append(f"`{name}` must be {', '.join(choices[:-1])} or {choices[-1]}.")
        return None

    def _character(self, name: str, *others: str) -> str | None:
        value = self._given[name]
        if value is None or (isinstance(value, str) and (value in others or (len(value) == 1 and value not in "\r\n"))):
            return value
        empty = ", or empty" if others else ""
        self._problems.append(f"`{name}` must be one character other than a line break{empty}.")
        return None

    def _truth(self, name: str) -> bool | None:
        value = self._given[name]
        if isinstance(value, str):  # from a template
            value = _WORDS.get(value.strip().lower(), value)
        if value is not None and not isinstance(value, bool):
            self._problems.append(f"`{name}` must be True or False.")
            return None
        return value

    def _number(self, name: str) -> int:
        value = self._given[name]
        if value is None:
            return MAX_ROW_LENGTH
        if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(_ROW_LENGTHS.stop)):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value not in _ROW_LENGTHS:
            self._problems.append(f"`{name}` must be a whole number from 1 to {_ROW_LENGTHS.stop - 1:,}.")
            return MAX_ROW_LENGTH
        return value

    def _codec(self, name: str) -> str:
        value = self._given[name]
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
    """Return the ending that shows the format, and the compression."""
    rest, _, last = name.lower().rpartition(".")
    if last not in COMPRESSIONS or last == NOT_COMPRESSED or not rest:
        return last if rest else "", NOT_COMPRESSED
    return rest.rpartition(".")[2] if "." in rest else "", last

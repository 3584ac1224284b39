"""User IDs in a CSV, read strictly: what could be read in two ways is refused."""

from __future__ import annotations

import csv
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat

from airflow_segments_provider.sources.lines import UTF_8, lines, too_long
from airflow_segments_provider.sources.storage import SourceFile

# What else separates cells, by the name that a message uses.
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}

# A byte order mark, at the beginning of a file that was appended to another.
_MARK = "\ufeff"

_lock = threading.Lock()
_limits: Counter[int] = Counter()
_limit_before = csv.field_size_limit()


@dataclass(frozen=True)
class CsvDialect:
    """How a CSV is written, and which of its cells are user IDs.

    :param column: in the header; None if every row has one cell.
    :param header: whether the first row that is not blank is a header.
    :param delimiter: None for a comma that the DAG author did not state.
    :param quotechar: empty if no cell is quoted.
    :param longest: characters of the longest row.
    """

    column: str | None
    header: bool
    delimiter: str | None
    quotechar: str
    longest: int
    encoding: str = UTF_8


def read_csv(file: SourceFile, blocks: Iterable[bytes], dialect: CsvDialect) -> Iterator[str]:
    """Yield the wanted cell of every row.

    A blank line is not a row. Only where every row has one cell, it is a row with a blank cell, unless nothing follows.

    :raises InvalidInput: the file is damaged, or not exactly of this dialect.
    """
    rows = _Rows(file, lines(file, blocks, dialect.encoding, dialect.longest), dialect)
    with _cells_up_to(dialect.longest):
        width, place = _header(file, rows, dialect)
        repeated = repeated_header(rows.header, place)
        blank = 0
        for row in rows:
            if not row:
                blank += width == 1
                continue
            if len(row) != width:
                raise file.refused(_other_width(rows.number, len(row), width, dialect))
            if blank:
                yield from repeat("", blank)
                blank = 0
            cell = row[place]
            if cell in repeated and [row[0].removeprefix(_MARK), *row[1:]] == rows.header:
                raise file.refused(
                    f"line {rows.number:,} repeats the header, as in files that were joined. Pass the files as "
                    "they were, by a directory or a glob."
                )
            if dialect.quotechar and dialect.quotechar in cell:
                rows.check_quotes(place)
            if dialect.column is None and dialect.delimiter is None:
                _check_delimiter(file, rows.number, cell)
            yield cell


def read_header(file: SourceFile, blocks: Iterable[bytes], dialect: CsvDialect) -> tuple[list[str], int]:
    """Return the cells of the header, and which of them is wanted.

    :raises InvalidInput: the header is missing, or it is not clear which column is wanted.
    """
    rows = _Rows(file, lines(file, blocks, dialect.encoding, dialect.longest), dialect)
    _, place = _header(file, rows, dialect)
    return rows.header, place


def repeated_header(header: list[str], place: int) -> tuple[str, ...]:
    """Return what the wanted cell contains in a row that repeats the header; nothing if there is no header."""
    if not header:
        return ()
    return (header[place], _MARK + header[place]) if place == 0 else (header[place],)


class _Rows:
    """The rows of a CSV, of which one is in memory.

    :ivar number: of the line in which the last row begins.
    :ivar header: the first row, where it is one.
    """

    def __init__(self, file: SourceFile, text: Iterator[str], dialect: CsvDialect) -> None:
        self.number = 0
        self.header = list[str]()
        self._file = file
        self._text = text
        self._dialect = dialect
        self._record: list[str] = []
        self._length = 0
        self._ended = False
        self._reader = csv.reader(
            self._lines(),
            delimiter=dialect.delimiter or ",",
            quotechar=dialect.quotechar or None,
            quoting=csv.QUOTE_MINIMAL if dialect.quotechar else csv.QUOTE_NONE,
            strict=True,
        )

    def __iter__(self) -> Iterator[list[str]]:
        reader = self._reader
        record = self._record
        while True:
            record.clear()
            self._length = 0
            self.number = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error:
                raise self._file.refused(self._unquoted()) from None
            yield row

    def check_quotes(self, place: int) -> None:
        """Refuse the last row if its cell contains quotes, but is not quoted as a whole.

        :raises InvalidInput: it is not clear whether the quotes belong to the cell, as in ``1, "x"``.
        """
        text = "".join(self._record)
        quote = self._dialect.quotechar
        start = 0
        for _ in range(place):
            if text.startswith(quote, start):
                start += 1
                while text.startswith(quote, end := text.index(quote, start) + 1):
                    start = end + 1
                start = end
            start = text.index(self._dialect.delimiter or ",", start) + 1
        if not text.startswith(quote, start):
            raise self._file.refused(
                f"in line {self.number:,} the user ID contains a quote but does not begin with one, so it is not clear "
                "what it is. Quote the whole cell and double each quote in it, or pass another `quotechar`."
            )

    def _lines(self) -> Iterator[str]:
        for line in self._text:
            self._length += len(line)
            if self._length > self._dialect.longest:
                raise too_long(self._file, self.number, self._dialect.longest)
            self._record.append(line)
            yield line
        self._ended = True

    def _unquoted(self) -> str:
        if self._ended:
            return f"a quote that is opened in the row of line {self.number:,} is not closed."
        return f"in the row of line {self.number:,} a quoted cell is followed by something else than a delimiter."


def _header(file: SourceFile, rows: _Rows, dialect: CsvDialect) -> tuple[int, int]:
    """Read the header of a file that has one; return how many cells a row has, and which of them is wanted."""
    if not dialect.header:
        return 1, 0
    header = next(filter(None, rows), None)
    if header is None:
        raise file.refused("it is empty, without even a header.")
    rows.header = header
    column = dialect.column
    if column is None:
        if len(header) != 1:
            raise file.refused(f"it has {len(header):,} columns. Name one with `column`.")
        _check_delimiter(file, rows.number, header[0])
        return 1, 0
    alike = [name for name in header if name.strip().casefold() == column.strip().casefold()]
    if column not in header:
        hint = " One differs from it only in case or white space." if alike else ""
        wrong = f"it has no column {column!r} among its {_columns(len(header))}.{hint}"
        raise file.refused(f"{wrong} Check the name, `delimiter`, and whether the first line is a header.")
    if len(alike) > 1:
        columns = f"{len(alike):,} columns are called {column!r}, or differ from it only in case or white space"
        raise file.refused(f"in line {rows.number:,}, {columns}.")
    names = [name for name in header if name]
    if len(set(names)) < len(names):
        raise file.refused(f"line {rows.number:,} is the header, and has a name twice.")
    return len(header), header.index(column)


def _columns(number: int) -> str:
    return "1 column" if number == 1 else f"{number:,} columns"


def _other_width(number: int, found: int, width: int, dialect: CsvDialect) -> str:
    cells = "1 cell" if found == 1 else f"{found:,} cells"
    if dialect.column is None:
        return f"the row of line {number:,} has {cells}. Name the column of the header with `column`."
    return f"the row of line {number:,} has {cells}, and the header {width:,}. Check `delimiter` and the quotes."


def _check_delimiter(file: SourceFile, number: int, cell: str) -> None:
    for delimiter in DELIMITERS:
        if delimiter in cell:
            raise file.refused(
                f"the only cell of line {number:,} contains {DELIMITERS[delimiter]}. If that separates cells, pass "
                "`column` and `delimiter`; if it is part of an ID, pass `delimiter=','`."
            )


@contextmanager
def _cells_up_to(length: int) -> Iterator[None]:
    """Let cells be that long. Python has one limit for all readers, so it is put back after the last one."""
    global _limit_before  # noqa: PLW0603
    with _lock:
        if not _limits:
            _limit_before = csv.field_size_limit()
        _limits[length] += 1
        csv.field_size_limit(max([_limit_before, *_limits]))
    try:
        yield
    finally:
        with _lock:
            _limits[length] -= 1
            if not _limits[length]:
                del _limits[length]
            csv.field_size_limit(max([_limit_before, *_limits]))

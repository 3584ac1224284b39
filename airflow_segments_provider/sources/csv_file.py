"""User IDs in a CSV, read strictly: an ambiguous file is rejected."""

from __future__ import annotations

import codecs
import csv
import os
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.id_storage import filled_in_order, literal
from airflow_segments_provider.sources.storage import BLOCK, SourceFile
from airflow_segments_provider.sources.text import UTF_8, lines, too_long

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

# Possible delimiters, with their names in messages.
DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}

# A byte order mark, at the beginning of a file that was appended to another.
_MARK = "\ufeff"

_lock = threading.Lock()
_limits: Counter[int] = Counter()
_limit_before = csv.field_size_limit()

LINE_BREAK = b"\n"
# Of a plain file: it ends in the block after the one in which it begins.
LONGEST_LINE = 2 * BLOCK
BUFFER = 16 * BLOCK
# How many bytes are searched at a time. Larger blocks take longer to allocate.
SEARCHED = BLOCK // 4


@dataclass(frozen=True)
class CsvDialect:
    """The form of a CSV, and the column of the user IDs.

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

    A blank line is not a row. Only where every row has one cell, it is a row with a blank cell, unless it is the last.

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
    """Return the cells of the header, and the number of the wanted one.

    :raises InvalidInput: the header is missing, or the wanted column is not clear.
    """
    rows = _Rows(file, lines(file, blocks, dialect.encoding, dialect.longest), dialect)
    _, place = _header(file, rows, dialect)
    return rows.header, place


def repeated_header(header: list[str], place: int) -> tuple[str, ...]:
    """Return the possible contents of the wanted cell in a row that repeats the header."""
    if not header:
        return ()
    return (header[place], _MARK + header[place]) if place == 0 else (header[place],)


class _Rows:
    """The rows of a CSV, one in memory at a time.

    :ivar number: of the line in which the last row begins.
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
        """Reject the last row if its cell contains quotes, but is not quoted as a whole, as in ``1, "x"``."""
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
    """Read the header, if any; return how many cells a row has, and the number of the wanted one."""
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
    """Allow cells of that length. Python has one limit for all readers, so the last reader restores it."""
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


def load_csv(database: DuckDBPyConnection, table: str, files: Sequence[SourceFile], dialect: CsvDialect) -> bool:
    """Make a table with one column, ``id``: the wanted cell of every row, in the order of the files and rows.

    DuckDB accepts what :func:`read_csv` refuses: a blank cell too many, quotes within a cell, bytes that are not UTF-8.
    So the file is also searched for bytes, which is far faster than reading it in Python: DuckDB's result counts only
    if each line is a row of as many cells as the header, and a cell has two quotes around it or none. Any other file is
    left to :func:`read_csv`.

    :param database: of the table; its settings stay unchanged.
    :return: whether it was done; False, and no table, where :func:`read_csv` has to read the files.
    :raises SourceUnavailable: the storage cannot read a file.
    """
    import duckdb

    marks = (dialect.delimiter or "") + dialect.quotechar
    # DuckDB does not accept white space as a quote, and takes a null character for no quote at all.
    if (
        not marks.isascii()
        or "\0" in marks
        or dialect.quotechar.isspace()
        or dialect.encoding != UTF_8
        or dialect.longest < LONGEST_LINE
    ):
        return False
    try:
        with filled_in_order(database, table):
            loaded = 0
            for file in files:
                loaded += _load(database, table, loaded, file, dialect)
    except (_NotPlain, InvalidInput, duckdb.Error):
        return False
    return True


class _NotPlain(Exception):
    """The file is not in the form that DuckDB reads exactly."""


def _load(database: DuckDBPyConnection, table: str, before_it: int, file: SourceFile, dialect: CsvDialect) -> int:
    """Append the cells of a file to a table with so many rows; return their number."""
    path = file.local_path
    if path is None:
        raise _NotPlain
    before = os.stat(path)  # noqa: PTH116
    plain = _Plain(file, dialect)
    cells = [f"c{number}" for number in range(plain.width)]
    columns = ", ".join(f"{cell}: 'VARCHAR'" for cell in cells)
    # In its strict mode, DuckDB 2.0 counts wrongly if lines end with both characters; it matters for quotes only.
    line_break, strict = (r"'\n'", "true") if plain.line_break == LINE_BREAK else (r"'\r\n'", "false")
    quote, delimiter = literal(dialect.quotechar), literal(dialect.delimiter or ",")
    options = (
        f"auto_detect = false, header = false, strict_mode = {strict}, null_padding = false, ignore_errors = false, "
        "comment = '', compression = 'none', encoding = 'utf-8', hive_partitioning = false, filename = false, "
        f"columns = {{{columns}}}, skip = {int(dialect.header)}, delim = {delimiter}, quote = {quote}, "
        f"escape = {quote}, new_line = {line_break}, max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER}"
    )
    query = f"SELECT coalesce({cells[plain.place]}, '') FROM read_csv({literal(path)}, {options})"
    # DuckDB releases Python's global lock, so the search runs at the same time.
    with ThreadPoolExecutor(1) as beside:
        searched = beside.submit(plain.search)
        ((rows,),) = database.execute(f"INSERT INTO {table} {query}").fetchall()
        searched.result()
    after = os.stat(path)  # noqa: PTH116
    is_same = (before.st_ino, before.st_size, before.st_mtime_ns) == (after.st_ino, after.st_size, after.st_mtime_ns)
    if rows != plain.rows or not is_same:
        raise _NotPlain
    if plain.repeated:
        among = ", ".join(map(literal, plain.repeated))
        found = database.execute(f"SELECT count(*) FROM {table} WHERE rowid >= {before_it} AND id IN ({among})")
        if found.fetchall() != [(0,)]:
            raise _NotPlain
    return plain.rows


class _Plain:
    """The form of a file, by a search for bytes.

    :ivar width: the number of cells in each row; ``place``: that of the wanted one.
    :ivar repeated: see :func:`repeated_header`.
    :ivar rows: how many :meth:`search` found.
    """

    def __init__(self, file: SourceFile, dialect: CsvDialect) -> None:
        self._chunks = _whole_lines(file.blocks(SEARCHED))
        first = next(self._chunks, b"")
        head, _, rest = first.partition(LINE_BREAK)
        if b"\r" in head[:-1] or (not dialect.header and first.startswith(codecs.BOM_UTF8)):
            raise _NotPlain
        self.line_break = b"\r\n" if head.endswith(b"\r") else LINE_BREAK
        self.width, self.place, header = 1, 0, list[str]()
        if dialect.header:
            header, self.place = read_header(file, [head], dialect)
            self.width = len(header)
            first = rest
        self.repeated = repeated_header(header, self.place)
        self.rows = 0
        self._delimiter = (dialect.delimiter or ",").encode()
        self._quote = dialect.quotechar.encode()
        # For these, Python's message names the delimiter in a cell.
        unclear = DELIMITERS if dialect.column is None and dialect.delimiter is None else ()
        self._unclear = [one.encode() for one in unclear]
        self._first = [first] if first else []

    def search(self) -> None:
        """Search the rows.

        :raises _NotPlain: the file is not in this form.
        """
        opening = closing = 0
        for chunk in chain(self._first, self._chunks):
            quotes = self._count(chunk)
            opening += quotes[0]
            closing += quotes[1]
        if opening != closing or (opening and self.line_break != LINE_BREAK):
            raise _NotPlain

    def _count(self, chunk: bytes) -> tuple[int, int]:
        """Count the rows of a chunk; return how many quotes begin a cell, and how many end one.

        DuckDB rejects a row with too few cells, and a quote that is not closed. So if the number of delimiters is right
        in total, it is right in every row, and none is in quotes; if there are as many rows as lines, no line break is
        in quotes. Each quote is then at the beginning or the end of a cell, which has both. Blank lines are no rows,
        except where every row has one cell.
        """
        rows = chunk.count(LINE_BREAK)
        if self.line_break == LINE_BREAK:
            is_plain = b"\r" not in chunk
        else:
            is_plain = chunk.count(self.line_break) == chunk.count(b"\r") == rows
        if not is_plain or not (chunk.isascii() or _is_utf_8(chunk)) or any(one in chunk for one in self._unclear):
            raise _NotPlain
        if self.width == 1:
            blank = self.line_break
            is_plain = self._delimiter not in chunk and blank * 2 not in chunk and not chunk.startswith(blank)
        else:
            is_plain = chunk.count(self._delimiter) == rows * (self.width - 1)
        if not is_plain:
            raise _NotPlain
        self.rows += rows
        quote = self._quote
        if not quote or quote not in chunk:
            return 0, 0
        text = self.line_break + chunk
        around = (self.line_break, self._delimiter)
        opening = sum(text.count(one + quote) for one in around)
        closing = sum(text.count(quote + one) for one in around)
        if opening + closing != text.count(quote):
            raise _NotPlain
        return opening, closing


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks that end with a line break, which is added to the last one if needed."""
    rest = b""
    for block in blocks:
        lines, line_break, end = block.rpartition(LINE_BREAK)
        if line_break:
            yield rest + lines + line_break
            rest = end
        else:
            rest += block
        if len(rest) > BLOCK:
            raise _NotPlain
    if rest:
        yield rest + LINE_BREAK


def _is_utf_8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True

"""User IDs of a CSV straight into DuckDB, where its reader and the strict one cannot differ.

DuckDB accepts what :mod:`~airflow_segments_provider.sources.csv_rows` refuses: a blank cell too many, quotes within a
cell, bytes that are not UTF-8. So the file is searched for bytes first, which is far faster than reading it: then each
line is a row of as many cells as the header, and a cell has two quotes around it or none. Whatever else a file has,
Python reads it.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import duckdb

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.csv_rows import DELIMITERS, CsvDialect, read_header, repeated_header
from airflow_segments_provider.sources.id_table import filled_in_order, literal
from airflow_segments_provider.sources.lines import UTF_8
from airflow_segments_provider.sources.storage import BLOCK, SourceFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LINE_BREAK = b"\n"
# Of a plain file: it ends in the block after the one in which it begins.
LONGEST_LINE = 2 * BLOCK
BUFFER = 16 * BLOCK


def load_csv(database: DuckDBPyConnection, table: str, files: Sequence[SourceFile], dialect: CsvDialect) -> bool:
    """Make a table with one column, ``id``: the wanted cell of every row, in the order of the files and of their rows.

    :param database: it holds the table; its settings are left as they are.
    :return: whether it was done. False, and no table, if a file is not plain, or is wrong.
    :raises SourceUnavailable: the storage cannot read a file.
    """
    marks = (dialect.delimiter or "") + dialect.quotechar
    # DuckDB takes white space around a cell for no quote.
    if (
        not marks.isascii()
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
    """Python has to read the file."""


def _load(database: DuckDBPyConnection, table: str, before_it: int, file: SourceFile, dialect: CsvDialect) -> int:
    """Append the cells of a file to a table with so many rows; return how many they are."""
    path = file.local_path
    if path is None:
        raise _NotPlain
    before = os.stat(path)  # noqa: PTH116
    plain = _Plain(file, dialect)
    cells = [f"c{number}" for number in range(plain.width)]
    columns = ", ".join(f"{cell}: 'VARCHAR'" for cell in cells)
    # In its strict mode, DuckDB 2.0 counts wrongly if lines end with both characters; it matters for quotes only.
    line_break, strict = (r"'\n'", "true") if plain.line_break == LINE_BREAK else (r"'\r\n'", "false")
    quote, delimiter = literal(plain.quote), literal(dialect.delimiter or ",")
    options = (
        f"auto_detect = false, header = false, strict_mode = {strict}, null_padding = false, ignore_errors = false, "
        "comment = '', compression = 'none', encoding = 'utf-8', hive_partitioning = false, filename = false, "
        f"columns = {{{columns}}}, skip = {int(dialect.header)}, delim = {delimiter}, quote = {quote}, "
        f"escape = {quote}, new_line = {line_break}, max_line_size = {LONGEST_LINE}, buffer_size = {BUFFER}"
    )
    query = f"SELECT coalesce({cells[plain.place]}, '') FROM read_csv({literal(path)}, {options})"
    ((rows,),) = database.execute(f"INSERT INTO {table} {query}").fetchall()
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
    """What a search for bytes shows of a file.

    :ivar line_break: after every row.
    :ivar rows: how many there are.
    :ivar width: how many cells each of them has.
    :ivar place: which of them is wanted.
    :ivar repeated: what it contains in a row that repeats the header.
    :ivar quote: the character around cells; empty if the file does not contain it.
    """

    def __init__(self, file: SourceFile, dialect: CsvDialect) -> None:
        chunks = _whole_lines(file.blocks())
        first = next(chunks, b"")
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
        # Python says which of them is in a cell.
        unclear = DELIMITERS if dialect.column is None and dialect.delimiter is None else ()
        self._unclear = [one.encode() for one in unclear]
        opening = closing = 0
        for chunk in chain([first] if first else [], chunks):
            quotes = self._count(chunk)
            opening += quotes[0]
            closing += quotes[1]
        if opening != closing or (opening and self.line_break != LINE_BREAK):
            raise _NotPlain
        self.quote = dialect.quotechar if opening else ""

    def _count(self, chunk: bytes) -> tuple[int, int]:
        """Count the rows of a chunk; return how many quotes begin a cell, and how many end one.

        DuckDB refuses a row with too few cells, and a quote that is not closed. So if there are as many delimiters as
        there have to be, every row has as many as it has to have, none of them in quotes; and if there are as many rows
        as lines, no line break is in quotes. Each quote is then at the beginning or the end of a cell, which has both.
        """
        text = self.line_break + chunk
        rows = chunk.count(self.line_break)
        if (chunk.count(b"\r"), chunk.count(b"\n")) != (rows if self.line_break != LINE_BREAK else 0, rows):
            raise _NotPlain
        is_text = text.isascii() or _is_utf_8(text)
        if not is_text or self.line_break * 2 in text or any(one in text for one in self._unclear):
            raise _NotPlain
        if chunk.count(self._delimiter) != rows * (self.width - 1):
            raise _NotPlain
        self.rows += rows
        quote = self._quote
        if not quote or quote not in chunk:
            return 0, 0
        around = (self.line_break, self._delimiter)
        opening = sum(text.count(one + quote) for one in around)
        closing = sum(text.count(quote + one) for one in around)
        if opening + closing != text.count(quote):
            raise _NotPlain
        return opening, closing


def _whole_lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks that end with a line break; the last one gets one if it has none."""
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

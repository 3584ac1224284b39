"""User IDs in files: what ``ledger export`` writes, and what ``ledger erase-person`` reads."""

from __future__ import annotations

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from airflow_segments_provider.cli.ledger.ledgers import KeptLedger
from airflow_segments_provider.errors import InvalidInput, LedgerUnavailable
from airflow_segments_provider.sources.ids import INVISIBLE
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.workspace import Workspace

COLUMNS = ("id", "owned", "uncertain", "pending", "rejected", "reason")
FETCHED_AT_ONCE = 25_000
# The beginning of a formula, also in full width, after white space and quotes that a spreadsheet drops.
_FORMULA = re.compile(rf"[\s\"{INVISIBLE}]*['=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")

MOST_NAMED = 50

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile("\r\n|\r|\n")
_QUOTED = re.compile('"(?:[^"]|"")*"')
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# How a byte that cannot be decoded is represented.
_UNDECODED = re.compile("[\ud800-\udfff]")
_NOT_TEXT = "the text is not UTF-8, nor UTF-16 with a byte order mark"
_SEVERAL = (
    "there is a comma, a semicolon or a tab outside quotes, which may separate columns. Pass a file with one ID a "
    "line, an ID with such a character in quotes, or the file that `ledger export` wrote with its header"
)
_APOSTROPHE = (
    "the apostrophe may be the one that `ledger export` puts before an ID. Pass the file with its header, or leave the "
    "apostrophe out"
)
_QUOTES = "quotes are neither around the whole line nor doubled inside such quotes"
_OPEN = "a quote is not closed"
_INSIDE = "there is a control character inside the ID"


def export(ledger: KeptLedger, into: Path | IO[str]) -> str:
    """Write each user, by ID; times are UTC. Requests that were not committed are accounted for.

    :param into: a file, which only its owner may then read, or an open one.
    :return: the number of users, as a sentence.
    :raises InvalidInput: the file cannot be written.
    :raises LedgerError: the ledger is damaged.
    """
    with Workspace() as workspace:
        ledger.ledger().look(workspace)
        if not isinstance(into, Path):
            rows = _write(workspace, into)
        else:
            path = workspace.folder / "export.csv"
            with workspace.writing(), path.open("w", encoding="utf-8", newline="") as file:
                rows = _write(workspace, file)
            _publish(path, into)
    return f"{rows:,} users of {ledger.folder} written to {into}."


def escaped(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe before it marks text."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str | None:
    """Return the text of a cell of :func:`escaped`; None where its apostrophe may be a part of the text."""
    text = cell.removeprefix("'")
    return text if cell in (text, escaped(text)) else None


def _publish(path: Path, into: Path) -> None:
    """Copy a file that only its owner may read to that name, whole or not at all."""
    if not into.parent.is_dir() or (into.exists() and not into.is_file()):
        raise InvalidInput(f"{into} cannot be written: it is not a file in a folder that exists.")
    try:
        LocalStore(into.parent).put(into.name, path)
    except LedgerUnavailable as error:
        reason = type(error.__cause__).__name__
        raise InvalidInput(f"{into} cannot be written ({reason}). What was there before is unchanged.") from None


def _write(workspace: Workspace, file: IO[str]) -> int:
    csv.writer(file, lineterminator="\n").writerow(COLUMNS)
    # Quotes keep a cell whole where another character separates columns.
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    written = 0
    for rows in workspace.stream(f"SELECT {', '.join(COLUMNS)} FROM known ORDER BY id", FETCHED_AT_ONCE):  # noqa: S608  # columns of our own
        writer.writerows(
            (
                escaped(user),
                "true" if owned else "false",
                uncertain and moment(uncertain),
                pending,
                rejected and moment(rejected),
                escaped(reason or ""),
            )
            for user, owned, uncertain, pending, rejected, reason in rows
        )
        written += len(rows)
    return written


@dataclass(frozen=True)
class NamedId:
    """An ID to erase.

    :param place: its line or argument; messages have this in place of the ID.
    """

    place: str
    user: str = field(repr=False)


def trimmed(text: str) -> str:
    """Return a text without the white space and the invisible characters at both ends."""
    return text.strip(INVISIBLE)


def named_ids(arguments: Sequence[str], from_file: str | None) -> list[NamedId]:
    """Return the IDs of a command line and a file, each once, by the first place of each.

    :param from_file: ``-`` for the standard input.
    :raises InvalidInput: there are none, or the file cannot be read in one way only; it lists every problem.
    """
    found = [NamedId(f"argument {number}", trimmed(text)) for number, text in enumerate(arguments, start=1)]
    if wrong := [named.place for named in found if _CONTROL.search(named.user) or _UNDECODED.search(named.user)]:
        raise InvalidInput("The IDs to erase", [f"{place}: {_INSIDE}, or it is not text." for place in wrong])
    if from_file is not None:
        found += _parsed(_content(from_file), "The standard input" if from_file == "-" else from_file)
    first: dict[str, NamedId] = {}
    for named in found:
        first.setdefault(named.user, named)
    first.pop("", None)
    if not first:
        raise InvalidInput("No ID was passed. Nothing was changed.")
    return list(first.values())


def _content(from_file: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if from_file == "-" else Path(from_file).read_bytes()
    except OSError as error:
        raise InvalidInput(f"{from_file} cannot be read ({type(error).__name__}).") from None


class _Problems:
    """Problems by their lines."""

    def __init__(self) -> None:
        self._lines: dict[str, list[int]] = {}

    def add(self, problem: str, line: int) -> None:
        self._lines.setdefault(problem, []).append(line)

    def sentences(self) -> list[str]:
        """Return a sentence for each problem; consecutive lines are written as a range."""
        return [f"{_numbers(lines)}: {problem}." for problem, lines in self._lines.items()]


def _numbers(lines: Sequence[int]) -> str:
    ranges: list[list[int]] = []
    for line in sorted(set(lines)):
        if ranges and ranges[-1][1] == line - 1:
            ranges[-1][1] = line
        else:
            ranges.append([line, line])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in ranges[:MOST_NAMED]]
    more = len(ranges) - len(texts)
    text = ", ".join(texts) + (f" and {more:,} more places" if more else "")
    return f"line {text}" if len(ranges) == 1 and ranges[0][0] == ranges[0][1] else f"lines {text}"


def _parsed(content: bytes, subject: str) -> list[NamedId]:
    problems = _Problems()
    text = _decoded(content)
    lines = _LINE_END.split(text)
    for number, line in enumerate(lines, start=1):
        if _UNDECODED.search(line):
            problems.add(_NOT_TEXT, number)
    delimiter = _export_delimiter(lines)
    users = _list(lines, problems) if delimiter is None else _export(text, delimiter, problems)
    found = [NamedId(f"line {number}", user) for number, user in users]
    if sentences := problems.sentences():
        raise InvalidInput(subject, sentences)
    return found


def _decoded(content: bytes) -> str:
    """Return the text after its byte order marks; what cannot be decoded is left in it as surrogates."""
    if content.startswith(_UTF16):
        # Decoded line by line, a byte too many would shift all that follow.
        text = content.decode("utf-16", "replace").replace("\ufffd", "\udc80")
    else:
        text = content.decode("utf-8", "surrogateescape")
    return text.lstrip("\ufeff")


def _export_delimiter(lines: Iterable[str]) -> str | None:
    """Return the delimiter of a file that ``export`` wrote, or a spreadsheet saved; None for another file."""
    header = next((line for line in lines if trimmed(line)), "")
    for delimiter in ",;\t":
        if _cells(header, delimiter) == list(COLUMNS):
            return delimiter
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([trimmed(line)], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return []


def _list(lines: Iterable[str], problems: _Problems) -> Iterator[tuple[int, str]]:
    """Yield the IDs of a file with one ID a line."""
    for number, line in enumerate(lines, start=1):
        cell = trimmed(line)
        if _QUOTED.fullmatch(cell):
            user = trimmed(cell[1:-1].replace('""', '"'))
            if not user:
                problems.add("there are quotes without an ID", number)
        elif '"' in cell:
            user = ""
            problems.add(_OPEN if cell.count('"') % 2 else _QUOTES, number)
        elif any(delimiter in cell for delimiter in ",;\t"):
            user = ""
            problems.add(_SEVERAL, number)
        else:
            user = cell
        if _CONTROL.search(user):
            problems.add(_INSIDE, number)
        elif unescaped(user) not in (None, user):
            problems.add(_APOSTROPHE, number)
        elif user:
            yield number, user


def _export(text: str, delimiter: str, problems: _Problems) -> Iterator[tuple[int, str]]:
    """Yield the IDs of a file that ``export`` wrote, also one of several in a row."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        number = rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            unclosed = "unexpected end" in str(error)
            problems.add(_OPEN if unclosed else "the row is not CSV as `ledger export` writes it", number)
            continue
        if not any(map(trimmed, row)) or [trimmed(cell) for cell in row] == list(COLUMNS):
            continue
        user = trimmed(row[0])
        plain = unescaped(user)
        if rows.line_num > number:
            # A quote that is not closed reaches to the next one, and hides the rows in between.
            problems.add("a cell has a line break", number)
        elif len(row) != len(COLUMNS):
            problems.add(f"the row has not the {len(COLUMNS)} columns of its header", number)
        elif not user:
            problems.add("the row has no ID", number)
        elif plain is None:
            problems.add("there is an apostrophe before the ID that `ledger export` does not write", number)
        elif _CONTROL.search(plain):
            problems.add(_INSIDE, number)
        else:
            yield number, trimmed(plain)

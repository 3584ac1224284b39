"""User IDs in JSON Lines, and the lines of any text file: decoded strictly, in bounded memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from io import StringIO
from typing import Any, NoReturn

from airflow_segments_provider.sources.storage import SourceFile

UTF_8 = "utf-8"

# Longer marks first: one begins with another.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_MARK = 4
# Without a byte order mark, these would mean the byte order of the machine.
_MARKED = ("utf-16", "utf-32")

# Python refuses to read longer integers, as that takes quadratic time.
_DIGITS = 4_000


def lines(file: SourceFile, blocks: Iterable[bytes], encoding: str, longest: int) -> Iterator[str]:
    r"""Yield the lines of a text, each with its ending: ``\n``, ``\r\n`` or ``\r``.

    A byte order mark is left out.

    :param encoding: as Python names it.
    :param longest: characters of the longest line.
    :raises InvalidInput: the bytes are not of this encoding, or a line is longer.
    """
    blocks, encoding = _marked(file, blocks, encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    rest = ""
    before = 0
    for block in blocks:
        try:
            text = decoder.decode(block)
        except UnicodeError as error:
            raise _undecodable(file, encoding, before, rest, error) from None
        *whole, rest = StringIO(rest + text, newline="") if rest or text else ("",)
        yield from whole
        before += len(whole)
        if len(rest) > longest:
            raise too_long(file, before + 1, longest)
    try:
        rest += decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _undecodable(file, encoding, before, rest, error) from None
    yield from StringIO(rest, newline="")


def too_long(file: SourceFile, number: int, longest: int) -> Exception:
    """Return the error for a row that does not end."""
    return file.refused(
        f"the row that begins in line {number:,} is longer than {longest:,} characters. If that is right, increase "
        "`max_row_length`."
    )


def _marked(file: SourceFile, blocks: Iterable[bytes], encoding: str) -> tuple[Iterator[bytes], str]:
    """Return the blocks without a byte order mark, and the encoding with its byte order."""
    iterator = iter(blocks)
    head = b""
    while len(head) < _LONGEST_MARK and (block := next(iterator, b"")):
        head += block
    mark, marked = next((pair for pair in _MARKS if head.startswith(pair[0])), (b"", ""))
    name = codecs.lookup(encoding).name
    if marked and not marked.startswith(name):
        raise file.refused(f"line 1 begins with the byte order mark of {marked}. Pass `encoding={marked!r}`.")
    if not marked and name in _MARKED and head:
        raise file.refused(f"line 1 has no byte order mark. Pass `encoding='{name}-le'` or `'{name}-be'`.")

    def unmarked() -> Iterator[bytes]:
        yield head.removeprefix(mark)
        yield from iterator

    return unmarked(), marked or name


def _undecodable(file: SourceFile, encoding: str, before: int, rest: str, error: UnicodeError) -> Exception:
    right = b""
    if isinstance(error, UnicodeDecodeError):
        right = error.object[: error.start]
    so_far = rest + right.decode(encoding, "replace") + "?"
    number = before + sum(1 for _ in StringIO(so_far, newline=""))
    return file.refused(f"line {number:,} is not text in the encoding {encoding}. Pass the right `encoding`.")


class _Object(list[tuple[str, Any]]):
    """The keys and values of a JSON object, repeated keys included."""


def read_json_lines(
    file: SourceFile, blocks: Iterable[bytes], key: str, *, encoding: str, longest: int
) -> Iterator[object]:
    """Yield the value of a key in each line's object; None for an object without it. Numbers are exact.

    :param longest: characters of the longest line.
    :raises InvalidInput: a line is not one JSON object, has the key twice, or no line has it.
    """
    decode = json.JSONDecoder(
        object_pairs_hook=_Object, parse_int=_integer, parse_float=_decimal, parse_constant=_not_json
    ).decode
    rows = found = 0
    for number, line in enumerate(lines(file, blocks, encoding, longest), start=1):
        if len(line) > longest:
            raise too_long(file, number, longest)
        if line.isspace():
            continue
        try:
            entry = decode(line)
        except RecursionError:
            raise file.refused(f"line {number:,} is nested too deeply.") from None
        except ValueError:
            entry = None
        if not isinstance(entry, _Object):
            raise file.refused(_not_an_object(number, line))
        values = [value for name, value in entry if name == key]
        if len(values) > 1:
            raise file.refused(f"the object in line {number:,} has the key {key!r} {len(values)} times.")
        rows += 1
        found += len(values)
        yield values[0] if values else None
    if rows and not found:
        raise file.refused(f"no line has the key {key!r}. Check `column`; the key of a nested object cannot be named.")


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= _DIGITS else Decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of 19 digits
        raise ValueError from None


def _not_json(_: str) -> NoReturn:
    raise ValueError  # NaN and Infinity are not JSON


def _not_an_object(number: int, line: str) -> str:
    if number == 1 and line.lstrip().startswith("["):
        return "it begins with a JSON array. JSON Lines has one object on each line, without commas between them."
    return f"line {number:,} is not one JSON object, whole and on a single line."

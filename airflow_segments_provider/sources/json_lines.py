"""User IDs in JSON Lines: an object on each line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, NoReturn

from airflow_segments_provider.sources.lines import lines, too_long
from airflow_segments_provider.sources.storage import SourceFile

# Python refuses to read longer integers, as that takes quadratic time.
_DIGITS = 4_000


class _Object(list[tuple[str, Any]]):
    """The keys and values of a JSON object, also of a key that it has twice."""


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
    raise ValueError  # NaN and Infinity, which JSON does not have


def _not_an_object(number: int, line: str) -> str:
    if number == 1 and line.lstrip().startswith("["):
        return "it begins with a JSON array. JSON Lines has one object on each line, without commas between them."
    return f"line {number:,} is not one JSON object, whole and on a single line."

"""Step 1, stage: everybody who is wanted, read once, checked, and without repeats."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.members.workspace import Workspace

CHUNK = 25_000
CHECKED_EVERY = 1_000

BLANK = "blank"
TOO_LONG = "too long"
NOT_TEXT = "not text"
CONTROL = "control characters"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Staged:
    """What was read.

    ``rows = wanted + duplicates + sum(invalid.values())``.

    :param table: of the workspace, with the ids.

    :param rejects: a file with a line of JSON, ``{"row": 7, "reason": "blank"}``, for each invalid row; no ids.
    """

    rows: int
    wanted: int
    duplicates: int
    invalid: dict[str, int] = field(default_factory=dict)
    rejects: Path | None = None
    table: str = "wanted"


def stage(
    workspace: Workspace,
    source: object,
    *,
    max_length: int,
    normalise: Callable[[Sequence[str]], Sequence[str]] = lambda ids: ids,
    check: Callable[[], None] = lambda: None,
) -> Staged:
    """Read ``source`` into the table ``wanted``, a chunk at a time.

    Spaces around an id are dropped, and whole numbers become text.

    :param check: called every 1,000 rows; raises where the run has to stop.
    :raises InvalidInput: there is nothing to iterate over.
    """
    if isinstance(source, (str, bytes, dict)) or not isinstance(source, Iterable):
        raise InvalidInput("The source of a sync", [f"it is of type {type(source).__name__}, not an iterable of ids."])
    workspace.run("CREATE TABLE staged (id VARCHAR)")
    path = workspace.folder / "rejects.jsonl"
    invalid: Counter[str] = Counter()
    rows, values = 0, iter(source)
    with path.open("w", encoding="ascii") as rejects:
        while chunk := _next_chunk(values, check):
            usable = _usable(chunk, max_length) or _sieved(chunk, max_length, rows, invalid, rejects)
            rows += len(chunk)
            if usable:
                workspace.insert("staged", normalise(usable))
    (wanted,) = workspace.one("CREATE TABLE wanted AS SELECT DISTINCT id FROM staged")
    workspace.run("DROP TABLE staged")
    wrong = sum(invalid.values())
    return Staged(rows, wanted, rows - wrong - wanted, dict(sorted(invalid.items())), path if wrong else None)


def _next_chunk(values: Iterator[Any], check: Callable[[], None]) -> list[Any]:
    """Read a chunk, and check now and then whether the run has to stop: a source may be slow."""
    chunk = list[Any]()
    while len(chunk) < CHUNK:
        check()
        part = list(islice(values, CHECKED_EVERY))
        chunk += part
        if len(part) < CHECKED_EVERY:
            break
    return chunk


def _usable(chunk: list[Any], max_length: int) -> list[str] | None:
    """The chunk stripped, if all of it is right at a glance: nearly every chunk is."""
    try:
        stripped = list(map(str.strip, chunk))
    except TypeError:
        return None
    lengths = set(map(len, stripped))
    return stripped if 0 not in lengths and max(lengths) <= max_length and "".join(stripped).isprintable() else None


def _sieved(chunk: list[Any], max_length: int, before: int, invalid: Counter[str], rejects: IO[str]) -> list[str]:
    right = []
    for row, value in enumerate(chunk, start=before + 1):
        text, reason = _checked(value, max_length)
        if reason:
            invalid[reason] += 1
            rejects.write(json.dumps({"row": row, "reason": reason}) + "\n")
        else:
            right.append(text)
    return right


def _checked(value: Any, max_length: int) -> tuple[str, str]:
    """The id, or why it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        # Python refuses to write very long numbers.
        if value.bit_length() > 4 * max_length:
            return "", TOO_LONG
        text: Any = str(value)
    else:
        text = "" if value is None else value
    if not isinstance(text, str):
        return "", NOT_TEXT
    text = text.strip()
    if not text:
        return "", BLANK
    if len(text) > max_length:
        return "", TOO_LONG
    return (text, CONTROL) if _CONTROL.search(text) else (text, "")


def pages(source: Iterable[str], size: int = CHUNK) -> Iterator[list[str]]:
    """``source`` in pieces."""
    values = iter(source)
    while page := list(islice(values, size)):
        yield page

"""People's ids on their way to a vendor: checked to the last one before the first call, then sent batch by batch.

Any iterable is read once, by a batch at a time. What is right goes, encoded, into a temporary file, so a million ids
take the memory of one batch; what is wrong is counted by reason, never quoted.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from types import TracebackType
from typing import IO, Any, Literal, Self

from pydantic_core import from_json, to_json

OnInvalid = Literal["fail", "skip"]

# Control characters and lone surrogates: no id holds them, and WalkMe could not be sent the latter.
_UNUSABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

BLANK = "blank"
TOO_LONG = "too long"
NOT_TEXT = "not text"
CONTROL = "control characters"


@dataclass(frozen=True)
class UserIdBatch:
    """One request's worth of ids, encoded."""

    users: int
    json: bytes = field(repr=False)

    def ids(self) -> list[str]:
        """The ids themselves: only for cleaning an error's text."""
        found: list[str] = from_json(self.json)
        return found


class StagedUserIds:
    """Ids that were checked and wait in a temporary file to be sent, as often as needed.

    :param max_length: characters a vendor takes in one id.
    :param per_request: ids a vendor takes in one request.
    :param distinct: let no request hold an id twice. Off, because it is half of the work of reading, and vendors take
        members as a set.
    """

    def __init__(self, *, max_length: int, per_request: int, distinct: bool = False) -> None:
        self.max_length = max_length
        self.per_request = per_request
        self.distinct = distinct
        self.users = 0
        self.rejected: Counter[str] = Counter()
        self._file: IO[bytes] = tempfile.TemporaryFile(prefix="segments-")  # noqa: SIM115
        self._index: list[tuple[int, int, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def requests(self) -> int:
        """How many requests the ids take."""
        return len(self._index)

    def fill(self, ids: object) -> list[str]:
        """Read, check and store all of ``ids``; return what is wrong, a sentence for each reason.

        Spaces around an id are dropped, and whole numbers become text.
        """
        if isinstance(ids, (str, bytes)) or not isinstance(ids, Iterable):
            found = "one text" if isinstance(ids, (str, bytes)) else f"of type {type(ids).__name__}"
            return [f"`user_ids` is {found}; it must be a list or another iterable of ids."]
        source = iter(ids)
        batch: list[str] = []
        while chunk := list(islice(source, self.per_request - len(batch))):
            batch = batch + self._usable(chunk) if batch else self._usable(chunk)
            if self.distinct:
                batch = list(dict.fromkeys(batch))
            if len(batch) == self.per_request:
                batch = self._store(batch)
        while batch:
            batch = self._store(batch)
        return self._problems()

    def batches(self) -> Iterator[UserIdBatch]:
        """The batches, each read from the file when its turn comes."""
        for offset, length, users in list(self._index):
            self._file.seek(offset)
            yield UserIdBatch(users, self._file.read(length))

    def _problems(self) -> list[str]:
        why = {
            BLANK: ("is blank", "are blank"),
            TOO_LONG: (f"is longer than {self.max_length} characters", f"are longer than {self.max_length} characters"),
            NOT_TEXT: ("is neither text nor a whole number", "are neither text nor whole numbers"),
            CONTROL: ("holds control characters", "hold control characters"),
        }
        return [
            f"1 user id {why[reason][0]}." if count == 1 else f"{count:,} user ids {why[reason][1]}."
            for reason, count in sorted(self.rejected.items())
        ]

    def _store(self, batch: list[str]) -> list[str]:
        """Write the batch and return an empty one; or write nothing and return what is right in it."""
        try:
            encoded = to_json(batch)
        except ValueError:  # a lone surrogate
            return self._sieve(batch)
        # JSON escapes control characters, so one look for a backslash clears nearly every batch of them.
        if b"\\" in encoded or b"\x7f" in encoded or not encoded.isascii():
            right = self._sieve(batch)
            if len(right) < len(batch):
                return right
        self._index.append((self._file.seek(0, 2), self._file.write(encoded), len(batch)))
        self.users += len(batch)
        return []

    def _usable(self, chunk: list[Any]) -> list[str]:
        """What is right in the chunk; whole-chunk checks first, since nearly all chunks are right."""
        try:
            stripped = list(map(str.strip, chunk))
        except TypeError:  # not all are text
            return self._sieve(chunk)
        lengths = set(map(len, stripped))
        return self._sieve(chunk) if 0 in lengths or max(lengths) > self.max_length else stripped

    def _sieve(self, chunk: list[Any]) -> list[str]:
        right = []
        for value in chunk:
            text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            text = "" if text is None else text
            if not isinstance(text, str):
                self.rejected[NOT_TEXT] += 1
            elif not (text := text.strip()):
                self.rejected[BLANK] += 1
            elif len(text) > self.max_length:
                self.rejected[TOO_LONG] += 1
            elif _UNUSABLE.search(text):
                self.rejected[CONTROL] += 1
            else:
                right.append(text)
        return right

"""User IDs on their way to a vendor: all are checked before the first request, then sent batch by batch.

The valid ones go, encoded, into a temporary file, so that a million IDs need the memory of one batch.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Self

from pydantic_core import from_json, to_json

from airflow_segments_provider.sources.ids import IdCheck
from airflow_segments_provider.sources.values import chunks, read_values


@dataclass(frozen=True)
class UserIdBatch:
    """The IDs of one request, as a JSON array of text."""

    users: int
    json: bytes = field(repr=False)

    @property
    def numbers(self) -> bytes:
        """The same as a JSON array of numbers, for a vendor whose IDs are whole numbers."""
        return self.json.replace(b'"', b"")

    def ids(self) -> list[str]:
        """Return the IDs themselves."""
        found: list[str] = from_json(self.json)
        return found


class StagedUserIds:
    """User IDs that were checked, in a temporary file; they can be sent as often as needed.

    :param max_length: characters of the longest ID that the vendor takes.
    :param per_request: IDs that the vendor takes in one request.
    :param distinct: let no request contain an ID twice. Off, because it is half of the work of reading, and vendors
        take members as a set.
    :param whole_numbers: the vendor's IDs are whole numbers.
    :ivar users: how many are staged, repeats included.
    """

    def __init__(
        self, *, max_length: int, per_request: int, distinct: bool = False, whole_numbers: bool = False
    ) -> None:
        self.max_length = max_length
        self.per_request = per_request
        self.users = 0
        self._check = IdCheck(max_length, whole_numbers=whole_numbers)
        self._distinct = distinct
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
        """How many requests the IDs take."""
        return len(self._index)

    @property
    def invalid(self) -> Counter[str]:
        """How many IDs were invalid, by reason."""
        return self._check.invalid

    def fill(self, ids: object) -> list[str]:
        """Read, check and store all IDs; return what is invalid, a sentence for each reason.

        :param ids: anything that :func:`~airflow_segments_provider.sources.values.read_values` reads.
        :raises InvalidInput: it cannot be read exactly.
        """
        batch: list[str] = []
        for chunk in chunks(read_values(ids), self.per_request):
            batch += self._check.take(chunk)
            if self._distinct:
                batch = list(dict.fromkeys(batch))
            if len(batch) >= self.per_request:
                self._store(batch[: self.per_request])
                del batch[: self.per_request]
        if batch:
            self._store(batch)
        return self._check.problems()

    def batches(self) -> Iterator[UserIdBatch]:
        """Yield the batches, each read from the file when it is needed."""
        for offset, length, users in list(self._index):
            self._file.seek(offset)
            yield UserIdBatch(users, self._file.read(length))

    def _store(self, batch: list[str]) -> None:
        self._index.append((self._file.seek(0, 2), self._file.write(to_json(batch)), len(batch)))
        self.users += len(batch)

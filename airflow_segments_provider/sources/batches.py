"""The user IDs of a write: all are checked before the first request, then sent batch by batch.

The valid ones are stored, encoded, in a temporary file, so that a million IDs need the memory of one batch.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Self

from pydantic_core import from_json, to_json

from airflow_segments_provider.sources.ids import IdCheck
from airflow_segments_provider.sources.values import chunks, read_values


@dataclass(frozen=True)
class UserIdBatch:
    """The IDs of one request, as a JSON array of text."""

    users: int
    json: bytes = field(repr=False)

    @classmethod
    def of(cls, ids: Sequence[str]) -> Self:
        """Return the batch of these IDs."""
        return cls(len(ids), to_json(list(ids)))

    @property
    def numbers(self) -> bytes:
        """The IDs as a JSON array of numbers, for a vendor whose IDs are whole numbers."""
        return self.json.replace(b'"', b"")

    def ids(self) -> list[str]:
        """Return the IDs."""
        found: list[str] = from_json(self.json)
        return found


class StagedUserIds:
    """Checked user IDs in a temporary file, which can be sent several times.

    :param max_length: the longest ID of the vendor.
    :param per_request: the most IDs in one request.
    :param distinct: send no ID twice in a request. Off by default, because it doubles the time of reading, and vendors
        treat members as a set.
    :param whole_numbers: the vendor's IDs are whole numbers.
    :ivar users: how many are staged, duplicates included.
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

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def requests(self) -> int:
        """The number of requests."""
        return len(self._index)

    @property
    def invalid(self) -> Counter[str]:
        """The numbers of invalid IDs by reason."""
        return self._check.invalid

    def fill(self, ids: object) -> list[str]:
        """Read, check and store all IDs; return a sentence for each reason why some are invalid.

        :param ids: anything that :func:`~airflow_segments_provider.sources.values.read_values` reads.
        :raises InvalidInput: they cannot be read exactly.
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

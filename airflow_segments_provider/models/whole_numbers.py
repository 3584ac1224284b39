"""Ids that are whole numbers, at the vendors that have such; what is none is counted, never quoted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from airflow_segments_provider.models.user_ids import UserIdBatch

# As many digits as the largest number of 64 bits has.
MAX_DIGITS = 19


class WholeNumbers:
    """Passes ids on, without the texts that could be ids elsewhere.

    What is wrong in other ways is passed on: whoever stages the ids counts it.

    :ivar wrong: how many were left out.
    """

    reason = "not a whole number"

    def __init__(self, ids: Iterable[object]) -> None:
        self.wrong = 0
        self._ids = ids

    def __iter__(self) -> Iterator[object]:
        """Yield the ids, whole numbers without leading zeros."""
        for value in self._ids:
            text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
            if not isinstance(text, str) or not (text := text.strip()) or len(text) > MAX_DIGITS:
                yield value
            elif text.isascii() and text.isdigit() and 0 < int(text) < 2**63:
                yield str(int(text))
            else:
                self.wrong += 1

    def problem(self) -> str:
        """What is wrong, in a sentence."""
        why = "user id is no whole number" if self.wrong == 1 else "user ids are no whole numbers"
        return f"{self.wrong:,} {why}."


def numbers(batch: UserIdBatch) -> bytes:
    """The batch as a JSON array of numbers: its texts are digits only."""
    return batch.json.replace(b'"', b"")

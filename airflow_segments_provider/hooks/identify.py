"""Finds the vendor's own ids of people who are given by e-mail or name, before anything is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds

OnUnmatched = Literal["fail", "skip"]

# For each value that the vendor knows, its id; None where it belongs to several users.
LookUp = Callable[[list[str]], Mapping[str, str | None]]

NOBODY = "no such user"
SEVERAL = "several users"


@contextmanager
def identified(
    staged: StagedUserIds,
    look_up: LookUp | None,
    *,
    wanted: str,
    on_unmatched: OnUnmatched,
    per_request: int,
    max_length: int,
    subject: str,
) -> Iterator[tuple[StagedUserIds, dict[str, int]]]:
    """The vendor's ids of the people staged, staged as well, and how many have none, by reason.

    :param staged: what the people are given by, e.g. e-mails; read batch by batch.
    :param look_up: None where what is staged are the vendor's ids already.
    :param wanted: what the people are given by, in the words of a message: ``"e-mail addresses"``.
    :param on_unmatched: ``fail`` refuses all if one has no id; ``skip`` leaves those out.
    :param subject: the write, for the message.
    :raises InvalidInput: somebody has none, and ``on_unmatched="fail"``. Only look-ups were sent.
    """
    if look_up is None:
        yield staged, {}
        return
    unmatched: Counter[str] = Counter()
    with StagedUserIds(max_length=max_length, per_request=per_request, distinct=True) as found:
        found.fill(_ids(staged, look_up, unmatched))
        if unmatched and on_unmatched == "fail":
            raise InvalidInput(
                subject,
                [
                    f"{count:,} of {staged.users:,} {wanted} belong to {reason}."
                    for reason, count in sorted(unmatched.items())
                ],
            )
        yield found, dict(unmatched)


def _ids(staged: StagedUserIds, look_up: LookUp, unmatched: Counter[str]) -> Iterator[str]:
    for batch in staged.batches():
        values = list(dict.fromkeys(batch.ids()))
        found = look_up(values)
        for value in values:
            user_id = found.get(value)
            if user_id is None:
                unmatched[SEVERAL if value in found else NOBODY] += 1
            else:
                yield user_id

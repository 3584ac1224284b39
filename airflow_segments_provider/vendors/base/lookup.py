"""Finds the vendor's own ids of people who are given by e-mail or name, before anything is written."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, Self

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_set import IdSet
from airflow_segments_provider.sources.limits import breach_of_unmatched

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.parameters import FoundUsers


# For each value that the vendor knows, its id; None where it belongs to several users.
LookUp = Callable[[list[str]], Mapping[str, str | None]]

NOBODY = "no such user"
SEVERAL = "several users"

NOT_KEPT = "Only operators list them in a file."


class UnmatchedList(Protocol):
    """Where a write lists the users that were not found.

    :ivar location: of the file, once there is one.
    """

    location: str | None

    def keep(self, path: Path) -> str:
        """Copy a file with a line of JSON for each, ``{"user_id": "…", "reason": "…"}``.

        :return: a sentence that says where they are listed, or why they are not.
        """


@dataclass(frozen=True)
class Identified:
    """The users of a write by the vendor's own ids, and what is known of those who have none.

    :param unmatched: how many, by reason.
    :param unmatched_file: that lists them, if there is one.
    """

    staged: StagedUserIds
    unmatched: dict[str, int] = field(default_factory=dict)
    unmatched_file: str | None = None

    @property
    def left_out(self) -> dict[str, Any]:
        """As the result of a task has it."""
        return {"users_unmatched": self.unmatched, "unmatched_file": self.unmatched_file}


@contextmanager
def identified(
    staged: StagedUserIds,
    look_up: LookUp | None,
    given: FoundUsers,
    *,
    wanted: str,
    key: Callable[[str], str],
    kept: UnmatchedList | None,
    per_request: int,
    max_length: int,
    subject: str,
) -> Iterator[Identified]:
    """Look up the users who are staged, and stage the vendor's ids of them.

    :param staged: what the users are given by, e.g. e-mails; read batch by batch.
    :param look_up: None where what is staged are the vendor's ids already.
    :param wanted: what the users are given by, in the words of a message: ``"e-mail addresses"``.
    :param key: the vendor's rule for values that are the same user.
    :param kept: lists those who are not found; None where no operator makes the call.
    :param subject: the write, for the message.
    :raises InvalidInput: users were not found: any with ``on_unmatched="fail"``, else too many. Only look-ups were
        sent.
    """
    if look_up is None:
        yield Identified(staged)
        return
    with (
        StagedUserIds(max_length=max_length, per_request=per_request, distinct=True) as found,
        _Unmatched() as unmatched,
    ):
        found.fill(_ids(staged, look_up, key, unmatched))
        if not unmatched.counts:
            yield Identified(found)
            return
        listed = kept.keep(unmatched.file()) if kept else NOT_KEPT
        if problem := _problem(unmatched, given, wanted):
            raise InvalidInput(subject, [f"{problem} {listed}"])
        yield Identified(found, dict(unmatched.counts), kept.location if kept else None)


class _Unmatched:
    """Users who were not found, in a temporary file: a million of them need no memory.

    :ivar asked: how many users were looked up.
    """

    def __init__(self) -> None:
        self.asked = 0
        self.counts: Counter[str] = Counter()
        self._file: IO[str] = tempfile.NamedTemporaryFile(  # noqa: SIM115
            "w", prefix="segments-", suffix=".jsonl", encoding="utf-8"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, value: str, reason: str) -> None:
        """Add a user."""
        self.counts[reason] += 1
        self._file.write(json.dumps({"user_id": value, "reason": reason}, ensure_ascii=False) + "\n")

    def file(self) -> Path:
        """Return the file, with all that was added."""
        self._file.flush()
        return Path(self._file.name)


def _problem(unmatched: _Unmatched, given: FoundUsers, wanted: str) -> str:
    """Return what is wrong with leaving those out who were not found, or an empty text."""
    missing, asked = unmatched.counts.total(), unmatched.asked
    breach = breach_of_unmatched(missing, asked, given.max_unmatched_fraction)
    if given.on_unmatched == "skip" and not breach:
        return ""
    found = " ".join(
        f"{count:,} of {asked:,} {wanted} belong to {reason}." for reason, count in sorted(unmatched.counts.items())
    )
    if missing == asked:
        return f"{found} None was found, which `on_unmatched` cannot allow. Check `identify_by` and the source."
    if given.on_unmatched == "skip":
        return f"{found} Too many for `on_unmatched`: {breach}. Correct the source, or raise the limit."
    return f'{found} Correct the source, or leave them out with `on_unmatched="skip"`.'


def _ids(staged: StagedUserIds, look_up: LookUp, key: Callable[[str], str], unmatched: _Unmatched) -> Iterator[str]:
    """Yield the id of each user once, however often and in whatever spelling the source has them."""
    with IdSet() as asked, IdSet() as known:
        for batch in staged.batches():
            values = [value for value in batch.ids() if asked.add(key(value))]
            unmatched.asked += len(values)
            found = look_up(values) if values else {}
            for value in values:
                user_id = found.get(value)
                if user_id is None:
                    unmatched.add(value, SEVERAL if value in found else NOBODY)
                elif known.add(user_id):
                    yield user_id

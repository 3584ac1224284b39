"""People on their way to Zendesk: all checked, and found by e-mail or external id, before anything is written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.models.zendesk import whole
from airflow_segments_provider.models.zendesk_users import MAX_ID_LENGTH, MAX_VALUE_LENGTH, PER_CALL, user_key
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.vendors.base.lookup import Identified, UnmatchedList, identified
from airflow_segments_provider.vendors.base.parameters import FoundUsers, accepted

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.vendors.base.parameters import Given

    Model = TypeVar("Model", bound=Given)

MAX_ROW_LENGTH = 100_000


@dataclass(frozen=True)
class StagedPeople:
    """The people of a change, by Zendesk's ids.

    :param rejected: how many were left out as unusable, by reason.
    """

    found: Identified
    rejected: dict[str, int]

    @property
    def staged(self) -> StagedUserIds:
        """Zendesk's ids of them."""
        return self.found.staged

    def ids(self) -> frozenset[int]:
        """All of them, in memory: Zendesk takes the added people of a segment in one request."""
        return frozenset(int(user_id) for batch in self.staged.batches() for user_id in batch.ids())

    @property
    def left_out(self) -> dict[str, Any]:
        """What a task's result says of those who are missing."""
        return {"users_rejected": self.rejected, **self.found.left_out}


class Rows:
    """Changes of single users as JSON text, less those that name no user or change nothing, which are counted."""

    reason = "no change of a user"

    def __init__(self, changes: object) -> None:
        self._changes = changes if isinstance(changes, Iterable) else [changes]
        self.wrong = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the others."""
        for change in self._changes:
            text = _row(change)
            if text is None:
                self.wrong += 1
            else:
                yield text

    def problem(self) -> str:
        """What is wrong, in a sentence."""
        found = "1 change is" if self.wrong == 1 else f"{self.wrong:,} changes are"
        return f"{found} not an object with `id` (a whole number) or `external_id`, and something to change."


@contextmanager
def checked_people(
    endpoints: ZendeskEndpoints,
    staged: StagedUserIds,
    source: object,
    subject: str,
    model: type[Model],
    given: dict[str, Any],
    problems: list[str],
    kept: UnmatchedList | None,
) -> Iterator[tuple[Model, StagedPeople]]:
    """The input and the people of a write, once both are found to be right.

    :param source: what filled ``staged``; it may have counted what is wrong on its way.
    :param kept: lists users that are not found.
    :raises InvalidInput: with every problem found; or somebody is not known, then look-ups were sent.
    """
    if isinstance(source, Rows) and source.wrong:
        staged.invalid[source.reason] += source.wrong
        if given.get("on_invalid") != "skip":
            problems.append(source.problem())
    wanted = accepted(subject, model, given, problems, staged)
    by = given.get("identify_by", "id")
    if by == "id" or not isinstance(wanted, FoundUsers):
        yield wanted, StagedPeople(Identified(staged), dict(staged.invalid))
        return
    with identified(
        staged,
        lambda batch: _look_up(endpoints, by, batch),
        wanted,
        wanted="e-mail addresses" if by == "email" else "external ids",
        key=user_key,
        kept=kept,
        per_request=PER_CALL,
        max_length=MAX_ID_LENGTH,
        subject=subject,
    ) as found:
        yield wanted, StagedPeople(found, dict(staged.invalid))


def longest(source: object, given: Mapping[str, Any]) -> int:
    """Characters that one value of a source may have."""
    if isinstance(source, Rows):
        return MAX_ROW_LENGTH
    return MAX_ID_LENGTH if given.get("identify_by", "id") == "id" else MAX_VALUE_LENGTH


def _look_up(endpoints: ZendeskEndpoints, by: Any, batch: list[str]) -> Mapping[str, str | None]:
    from airflow_segments_provider.hooks.zendesk_users import matches

    return {value: None if found is None else str(found) for value, found in matches(endpoints, by, batch).items()}


def _is_whole(value: object) -> bool:
    try:
        whole(value)
    except ValueError:
        return False
    return True


def _row(change: object) -> str | None:
    if not isinstance(change, Mapping):
        return None
    named = _is_whole(change.get("id")) or (isinstance(change.get("external_id"), str) and change["external_id"])
    if not named or (change.get("id") is not None and not _is_whole(change["id"])):
        return None
    if not change.keys() - ({"id"} if change.get("id") is not None else {"external_id"}):
        return None
    try:
        return json.dumps(change, allow_nan=False)
    except (TypeError, ValueError):
        return None

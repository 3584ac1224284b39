"""The people whom a change of a Docebo group is given: staged, checked, and found where not given by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.hooks.docebo_users import UserLookUp
from airflow_segments_provider.hooks.identify import identified
from airflow_segments_provider.models.docebo import IdentifyBy, UserMatches
from airflow_segments_provider.models.docebo_given import MAX_ID_LENGTH, FindUsers
from airflow_segments_provider.models.problems import accepted
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.ids import MAX_DIGITS
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo import DoceboHook
    from airflow_segments_provider.hooks.docebo_endpoints import GroupEndpoints
    from airflow_segments_provider.models.given import Given

    Model = TypeVar("Model", bound=Given)

_WANTED = {"email": "e-mail addresses", "username": "usernames"}


@dataclass(frozen=True)
class People:
    """The people of a write: their ids, and how many were left out, by reason."""

    ids: StagedUserIds
    rejected: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)

    @property
    def left_out(self) -> dict[str, Any]:
        """As the result of a task tells it."""
        return {"users_rejected": self.rejected, "users_unmatched": self.unmatched}


@contextmanager
def checked(
    hook: DoceboHook, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource
) -> Iterator[tuple[GroupEndpoints, Model, People]]:
    """The endpoints, the input and the people of a write, once all of them are found to be right.

    :raises ConfigurationError: the connection is read-only.
    :raises InvalidInput: with every problem found, before any call; or people were not found, before any write.
    """
    by, per_request = given.get("identify_by", "id"), hook.fields.users_per_request
    numbered = by == "id"
    max_length = MAX_DIGITS if numbered else MAX_ID_LENGTH
    with (
        hook.staged(
            subject, given, user_ids, max_length=max_length, per_request=per_request, whole_numbers=numbered
        ) as (staged, problems),
        ExitStack() as stack,
    ):
        wanted, endpoints = accepted(subject, model, given, problems), hook.endpoints()
        look_up = None
        if by != "id" and staged.users:
            look_up = stack.enter_context(UserLookUp(endpoints, by, staged.users))
        vendors_ids, unmatched = stack.enter_context(
            identified(
                staged,
                look_up,
                wanted=_WANTED.get(by, "ids"),
                on_unmatched=given.get("on_unmatched", "fail"),
                per_request=per_request,
                max_length=MAX_DIGITS,
                subject=subject,
            )
        )
        yield endpoints, wanted, People(vendors_ids, dict(staged.invalid), unmatched)


def find(hook: DoceboHook, values: UserSource, by: IdentifyBy) -> UserMatches:
    """Look users up, and say who has none or several.

    :raises InvalidInput: before any call, with every problem found.
    """
    found, unmatched, ambiguous = dict[str, str](), list[str](), list[str]()
    per_request = hook.fields.users_per_request
    with StagedUserIds(
        max_length=MAX_ID_LENGTH, per_request=per_request, distinct=True, whole_numbers=by == "id"
    ) as staged:
        problems = staged.fill(values)
        wanted = accepted("The look-up of users", FindUsers, {"by": by}, problems)
        with UserLookUp(hook.endpoints(), wanted.by, staged.users) as look_up:
            for batch in staged.batches():
                asked = batch.ids()
                ids = look_up(asked)
                found |= {value: user_id for value, user_id in ids.items() if user_id is not None}
                unmatched += [value for value in asked if value not in ids]
                ambiguous += [value for value in asked if value in ids and ids[value] is None]
    return UserMatches(found=found, unmatched=unmatched, ambiguous=ambiguous)

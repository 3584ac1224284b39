"""The people whom a change of a Docebo group is given: staged, checked, and found where not given by their ids."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.hooks.docebo_users import UserLookUp
from airflow_segments_provider.hooks.identify import identified
from airflow_segments_provider.models.docebo import IdentifyBy, UserMatches
from airflow_segments_provider.models.docebo_given import MAX_ID_LENGTH, FindUsers
from airflow_segments_provider.models.problems import accepted
from airflow_segments_provider.models.user_ids import StagedUserIds
from airflow_segments_provider.models.whole_numbers import MAX_DIGITS, WholeNumbers

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
    hook: DoceboHook, subject: str, model: type[Model], given: dict[str, Any], user_ids: Iterable[object]
) -> Iterator[tuple[GroupEndpoints, Model, People]]:
    """The endpoints, the input and the people of a write, once all of them are found to be right.

    :raises ConfigurationError: the connection is read-only.
    :raises InvalidInput: with every problem found, before any call; or people were not found, before any write.
    """
    by, per_request = given.get("identify_by", "id"), hook.fields.users_per_request
    numbers = WholeNumbers(user_ids) if by == "id" and _many(user_ids) else None
    max_length = MAX_DIGITS if by == "id" else MAX_ID_LENGTH
    ids = user_ids if numbers is None else numbers
    with (
        hook.staged(subject, given, ids, max_length=max_length, per_request=per_request) as found,
        ExitStack() as stack,
    ):
        staged, problems = found
        if numbers is not None and numbers.wrong:
            staged.rejected[numbers.reason] = numbers.wrong
            problems = problems if given.get("on_invalid") == "skip" else [*problems, numbers.problem()]
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
        yield endpoints, wanted, People(vendors_ids, dict(staged.rejected), unmatched)


def find(hook: DoceboHook, values: Iterable[object], by: IdentifyBy) -> UserMatches:
    """Look users up, and say who has none or several.

    :raises InvalidInput: before any call, with every problem found.
    """
    found, unmatched, ambiguous = dict[str, str](), list[str](), list[str]()
    per_request = hook.fields.users_per_request
    with StagedUserIds(max_length=MAX_ID_LENGTH, per_request=per_request, distinct=True) as staged:
        numbers = WholeNumbers(values) if by == "id" and _many(values) else None
        problems = staged.fill(values if numbers is None else numbers)
        problems += [numbers.problem()] if numbers is not None and numbers.wrong else []
        wanted = accepted("The look-up of users", FindUsers, {"by": by}, problems)
        with UserLookUp(hook.endpoints(), wanted.by, staged.users) as look_up:
            for batch in staged.batches():
                asked = batch.ids()
                ids = look_up(asked)
                found |= {value: user_id for value, user_id in ids.items() if user_id is not None}
                unmatched += [value for value in asked if value not in ids]
                ambiguous += [value for value in asked if value in ids and ids[value] is None]
    return UserMatches(found=found, unmatched=unmatched, ambiguous=ambiguous)


def _many(user_ids: object) -> bool:
    """Whether there is something to iterate over; what is not is refused where the ids are staged."""
    return isinstance(user_ids, Iterable) and not isinstance(user_ids, (str, bytes))

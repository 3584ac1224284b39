"""The people whom a change of a Docebo group is given: staged, checked, and found where not given by their ids."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.hooks.docebo_users import UserLookUp
from airflow_segments_provider.models.docebo import IdentifyBy, UserMatches, user_key
from airflow_segments_provider.models.docebo_given import MAX_ID_LENGTH, AddUsers, FindUsers, too_many_rules
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.ids import MAX_DIGITS
from airflow_segments_provider.sources.not_given import NotGiven
from airflow_segments_provider.sources.values import UserSource
from airflow_segments_provider.vendors.base.lookup import Identified, identified
from airflow_segments_provider.vendors.base.parameters import FoundUsers, accepted

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo import DoceboHook
    from airflow_segments_provider.hooks.docebo_endpoints import GroupEndpoints
    from airflow_segments_provider.vendors.base.parameters import Given

    Model = TypeVar("Model", bound=Given)

_WANTED = {"email": "e-mail addresses", "username": "usernames"}


@dataclass(frozen=True)
class People:
    """The people of a write: their ids, and how many were left out, by reason."""

    found: Identified
    rejected: dict[str, int]

    @property
    def ids(self) -> StagedUserIds:
        """Docebo's ids of them."""
        return self.found.staged

    @property
    def left_out(self) -> dict[str, Any]:
        """As the result of a task tells it."""
        return {"users_rejected": self.rejected, **self.found.left_out}


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
        others = given.get("branch_ids"), given.get("group_ids")
        if model is AddUsers and isinstance(user_ids, NotGiven) and others == (None, None):
            problems.append("one of `user_ids`, `branch_ids` and `group_ids` must be given.")
        if hook.fields.rules_limit == "group" and given.get("ruleset"):
            problems += too_many_rules(given["ruleset"])
        wanted, endpoints = accepted(subject, model, given, problems, staged), hook.endpoints()
        found = Identified(staged)
        if isinstance(wanted, FoundUsers) and by != "id" and staged.users:
            found = stack.enter_context(
                identified(
                    staged,
                    stack.enter_context(UserLookUp(endpoints, by, staged.users)),
                    wanted,
                    wanted=_WANTED[by],
                    key=user_key,
                    kept=hook.unmatched_list,
                    per_request=per_request,
                    max_length=MAX_DIGITS,
                    subject=subject,
                )
            )
        yield endpoints, wanted, People(found, dict(staged.invalid))


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

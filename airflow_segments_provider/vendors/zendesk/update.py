"""A change of a Zendesk user segment's people together with its rules, type or name: all checked before anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import InvalidInput, VendorError
from airflow_segments_provider.vendors.zendesk.added_users import check_replacement
from airflow_segments_provider.vendors.zendesk.parameters import SetUsers, UpdateUserSegment
from airflow_segments_provider.vendors.zendesk.segments import found_to_update

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
    from airflow_segments_provider.vendors.zendesk.responses import UserSegmentChange
    from airflow_segments_provider.vendors.zendesk.users import StagedPeople


SUBJECT = "The update of a user segment"


class UpdateWithUsers(UpdateUserSegment, SetUsers):
    """What such a change is given, without the people."""

    action: Literal["add", "remove", "set"]


def update_with_users(
    hook: ZendeskHelpCenterHook, user_ids: Any, rest: dict[str, Any], **given: Any
) -> UserSegmentChange:
    """Change the rules, type or name first, then the people of the segment that this was.

    :param rest: the rules, type and name.
    :raises InvalidInput: before any change, with every problem of both.
    """
    with hook.checked(SUBJECT, UpdateWithUsers, {**given, **rest}, user_ids) as (endpoints, wanted, people):
        if wanted.action == "set" and not (people.staged.users or wanted.allow_empty):
            raise InvalidInput(SUBJECT, ["`user_ids` is empty, which would remove everybody; see `allow_empty`."])
        if wanted.action == "set":
            check_replacement(endpoints, found_to_update(endpoints, wanted), wanted, people)
        named = {key: given[key] for key in ("user_segment", "user_segment_id", "name")}
        first = hook.update_user_segment(**named, **rest)
        try:
            then = _change_users(hook, first.user_segment_id, wanted, people)
        except VendorError as error:
            raise error.advise("The segment's rules, type or name were changed before that, its people not.") from None
        found = {"name": first.name, "user_type": first.user_type, "requests": endpoints.requests}
        return then.model_copy(update={**found, **people.left_out})


def _change_users(
    hook: ZendeskHelpCenterHook, user_segment_id: int | None, wanted: UpdateWithUsers, people: StagedPeople
) -> UserSegmentChange:
    ids = (user_id for batch in people.staged.batches() for user_id in batch.ids())
    if wanted.action == "set":
        limits = wanted.model_dump(include={"allow_empty", "max_removed_fraction"})
        return hook.set_users(ids, user_segment_id=user_segment_id, **limits)
    return (hook.add_users if wanted.action == "add" else hook.remove_users)(ids, user_segment_id=user_segment_id)

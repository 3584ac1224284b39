"""The users who were added to a Zendesk user segment by their IDs: read, changed, written whole, and checked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import RateLimited, UnexpectedReply, VendorError, VendorUnavailable
from airflow_segments_provider.http.retry import RETRIED_STATUSES
from airflow_segments_provider.vendors.base.creation import check_removals
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey
from airflow_segments_provider.vendors.zendesk.responses import UserSegment, UserSegmentChange
from airflow_segments_provider.vendors.zendesk.segments import (
    done,
    found_to_update,
    put,
    refuse_built_in,
    update_rules,
)

if TYPE_CHECKING:
    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.base.parameters import ReplaceParameters
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import CreateUserSegment, UpdateUserSegment

logger = logging.getLogger(__name__)

# Serialises the threads of a process; another process can still undo a change.
LOCK = "added users"

Ids = frozenset[int]
# Returns, for a segment that was read, its added users (None if not shown) and those after the change.
Plan = Callable[[UserSegment], tuple[Ids | None, Ids]]


def ids_of(users: StagedUserIds) -> Ids:
    """Return all IDs, in memory: Zendesk takes the added users of a segment in one request."""
    return frozenset(int(user_id) for batch in users.batches() for user_id in batch.ids())


def update(api: ZendeskApi, write: Write[UpdateUserSegment]) -> UserSegmentChange:
    """Change the rules, type or name of a segment first, then its added users."""
    parameters = write.parameters
    if not write.has_users:
        return update_rules(api, parameters)
    if not parameters.changes:
        return _update_users(api, parameters, write)
    if parameters.action == "set":
        check_replacement(api, found_to_update(api, parameters), parameters, ids_of(write.users))
    first = update_rules(api, parameters)
    try:
        then = _update_users(api, UserSegmentKey(user_segment_id=first.user_segment_id), write)
    except VendorError as error:
        raise error.add_hint("The segment's rules, type or name were changed before that, its users not.") from None
    return then.model_copy(update={"name": first.name, "user_type": first.user_type, "requests": api.requests})


def _update_users(api: ZendeskApi, key: UserSegmentKey, write: Write[UpdateUserSegment]) -> UserSegmentChange:
    """Add users to a segment, remove them, or set the added users to exactly these."""
    action, ids = write.parameters.action, ids_of(write.users)
    if not ids and action != "set":
        return UserSegmentChange(
            user_segment_id=key.user_segment_id,
            name=key.name,
            outcome="updated",
            requests=api.requests,
            changed_at=datetime.now(UTC),
            **write.left_out,
        )

    def plan(read: UserSegment) -> tuple[Ids | None, Ids]:
        if action == "set":
            return read.added_user_ids, ids
        before = known_users(api, read)
        return before, before | ids if action == "add" else before - ids

    with api.client.exclusive(LOCK):
        segment = api.found(key)
        if action == "set":
            check_replacement(api, segment, write.parameters, ids)
        refuse_built_in(segment, "list of users")
        return write_users(api, segment, plan, write)


def check_replacement(api: ZendeskApi, segment: UserSegment, limits: ReplaceParameters, ids: Ids) -> None:
    """Refuse to set the added users of a segment where that removes too many.

    :raises InvalidInput: it does, or the segment is built in. Nothing was changed.
    """
    refuse_built_in(segment, "list of users")
    before = shown_users(api, segment) or frozenset()
    subject = f"user segment {segment.name!r} ({segment.user_segment_id})"
    check_removals(subject, limits, users=len(ids), members=len(before), removed=len(before - ids))


def shown_users(api: ZendeskApi, segment: UserSegment) -> Ids | None:
    """Return the users who were added to a segment, or None where Zendesk does not show them."""
    found = segment.added_user_ids
    return api.segment(segment.user_segment_id).added_user_ids if found is None else found


def known_users(api: ZendeskApi, segment: UserSegment) -> Ids:
    """Return the users who were added to a segment.

    :raises UnexpectedReply: Zendesk does not show them, and a write would remove the users that are not sent.
    """
    found = shown_users(api, segment)
    if found is None:
        raise UnexpectedReply(
            f"Zendesk shows user segment {segment.user_segment_id} without `added_user_ids`, so users cannot be added "
            "or removed without losing those that it does not show. Nothing was changed. The action `set` replaces the "
            "whole list.",
            vendor=api.vendor,
        )
    return found


def write_users(
    api: ZendeskApi, segment: UserSegment, plan: Plan, write: Write[CreateUserSegment] | Write[UpdateUserSegment]
) -> UserSegmentChange:
    """Write the added users of a segment by a plan; the caller holds ``LOCK``."""
    change = write_list(api, segment, plan)
    if change.answer is not None:
        check(api, change.answer, change.before, change.after)
    return done(
        api,
        segment,
        "updated",
        users_sent=write.users.users,
        users_added=len(change.added),
        users_removed=len(change.removed),
        **write.left_out,
    )


@dataclass
class ListChange:
    """A change of the added users of a segment.

    :param answer: the segment after it; None where it was not changed.
    :param before: the added users before; ``after``: those that were sent.
    :param added: all who were added, by a try of unknown outcome too; ``removed`` likewise.
    :param in_doubt: an earlier try may still be carried out.
    """

    answer: UserSegment | None = None
    before: Ids = frozenset()
    after: Ids = frozenset()
    added: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    in_doubt: bool = False


def write_list(api: ZendeskApi, segment: UserSegment, plan: Plan) -> ListChange:
    """Write the added users of a segment by a plan, unless it has them already; the caller holds ``LOCK``.

    An identical repeat would undo changes of other programs, so the users are read again before each repeat.
    """
    client, began, change = api.client, time.monotonic(), ListChange()
    before, after = plan(segment)
    for attempt in count(1):
        change.before, change.after = before or frozenset(), after
        if before == after:
            break
        change.added |= after - change.before
        change.removed |= change.before - after
        try:
            change.answer = put(api, segment, {"added_user_ids": sorted(after)}, once=True)
        except VendorError as error:
            error.in_doubt = error.in_doubt or change.in_doubt
            error.maybe_done = change.in_doubt = change.in_doubt or error.maybe_done
            wait = _wait_after(client.retry, error, attempt, began)
            if wait is None:
                raise
            logger.warning(
                "%s Next try (%d of %d) in %.1f s, after the added users were read again.",
                error, attempt + 1, client.retry.max_attempts, wait,
            )  # fmt: skip
            client.sleep(wait)
            before, after = _read_again(api, segment, plan, error)
        else:
            break
    return change


def _wait_after(retry: RetryPolicy, error: VendorError, attempt: int, began: float) -> float | None:
    """Return the seconds before the next try, or None for no further one, by the client's rules."""
    transient = isinstance(error, (RateLimited, VendorUnavailable)) and error.status in {None, *RETRIED_STATUSES}
    asked = error.retry_after or 0.0
    if not transient or asked > retry.retry_after_cap:
        return None
    wait, passed = max(retry.delay(attempt), asked), time.monotonic() - began
    if attempt < retry.max_attempts and passed + wait <= retry.max_total:
        return wait
    if attempt > 1:
        error.add_hint(f"Tried {attempt} times over {passed:.0f} s.")
    return None


def _read_again(api: ZendeskApi, segment: UserSegment, plan: Plan, error: VendorError) -> tuple[Ids | None, Ids]:
    """Plan again from the current users after ``error``, which is raised if they cannot be read."""
    try:
        return plan(api.segment(segment.user_segment_id))
    except VendorError as failure:
        raise error.add_hint(f"It was not sent again, as the added users could not be read again: {failure}") from None


def check(api: ZendeskApi, answer: UserSegment, before: Ids, after: Ids) -> None:
    """Check that a segment has the users that were sent; if the response does not show them, read the segment.

    :raises UnexpectedReply: it lacks some users, or still has removed ones.
    """
    found = shown_users(api, answer)
    if found is None:
        logger.warning(
            "Zendesk shows user segment %d without `added_user_ids`: %s users were sent, but not checked.",
            answer.user_segment_id,
            f"{len(after):,}",
        )
        return
    lacking, left = after - found, (before - after) & found
    if lacking or left:
        raise UnexpectedReply(
            f"Zendesk accepted {len(after):,} users for user segment {answer.user_segment_id}, but it lacks "
            f"{len(lacking):,} of them and still has {len(left):,} who were removed. Another program may have changed "
            "it at the same time, or Zendesk does not have these users. Run it again; if it stays so, check the IDs.",
            vendor=api.vendor,
            maybe_done=True,
        )

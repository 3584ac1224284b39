"""The people who were added to a Zendesk user segment by their ids: read, changed, written whole, and checked."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import (
    InvalidInput,
    RateLimited,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.retry import RETRIED_STATUSES
from airflow_segments_provider.vendors.base.creation import check_removals
from airflow_segments_provider.vendors.zendesk.connection import VENDOR
from airflow_segments_provider.vendors.zendesk.responses import UserSegment, UserSegmentChange
from airflow_segments_provider.vendors.zendesk.segments import done, put, refuse_built_in

if TYPE_CHECKING:
    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.vendors.base.parameters import ExactMembers
    from airflow_segments_provider.vendors.zendesk.api import ZendeskEndpoints
    from airflow_segments_provider.vendors.zendesk.parameters import ChangeUsers, SetUsers
    from airflow_segments_provider.vendors.zendesk.users import StagedPeople


logger = logging.getLogger(__name__)

# Threads of one process do not undo each other's changes; others cannot be kept from it.
LOCK = "added people"

People = frozenset[int]
# Who is in a segment as it was read, None where that is not shown, and who is to be.
Plan = Callable[[UserSegment], tuple[People | None, People]]


def add(endpoints: ZendeskEndpoints, wanted: ChangeUsers, people: StagedPeople) -> UserSegmentChange:
    """Add people to a segment."""
    return _change(endpoints, wanted, people, lambda before, given: before | given)


def remove(endpoints: ZendeskEndpoints, wanted: ChangeUsers, people: StagedPeople) -> UserSegmentChange:
    """Remove people from those who were added."""
    return _change(endpoints, wanted, people, lambda before, given: before - given)


def replace(endpoints: ZendeskEndpoints, wanted: SetUsers, people: StagedPeople) -> UserSegmentChange:
    """Make the added people exactly these."""
    if not people.staged.users and not wanted.allow_empty:
        raise InvalidInput(
            f"The list of people of {wanted}",
            ["it is empty, which would remove everybody. If that is meant, use `allow_empty=True`."],
        )
    ids = people.ids()
    with endpoints.client.exclusive(LOCK):
        segment = endpoints.found(wanted)
        check_replacement(endpoints, segment, wanted, people)
        return write(endpoints, segment, lambda read: (read.added_user_ids, ids), people)


def check_replacement(
    endpoints: ZendeskEndpoints, segment: UserSegment, limits: ExactMembers, people: StagedPeople
) -> None:
    """Refuse to make the added people of a segment exactly these where that removes too many.

    :raises InvalidInput: it does, or the segment is built in. Nothing was changed.
    """
    refuse_built_in(segment, "list of people")
    ids, before = people.ids(), shown_people(endpoints, segment) or frozenset()
    subject = f"user segment {segment.name!r} ({segment.user_segment_id})"
    check_removals(subject, limits, users=len(ids), members=len(before), removed=len(before - ids))


def _change(
    endpoints: ZendeskEndpoints, wanted: ChangeUsers, people: StagedPeople, change: Callable[[People, People], People]
) -> UserSegmentChange:
    if not people.staged.users:
        return UserSegmentChange(
            user_segment_id=wanted.user_segment_id,
            name=wanted.name,
            outcome="updated",
            requests=endpoints.requests,
            changed_at=datetime.now(UTC),
            **people.left_out,
        )
    ids = people.ids()

    def plan(read: UserSegment) -> tuple[People, People]:
        before = known_people(endpoints, read)
        return before, change(before, ids)

    with endpoints.client.exclusive(LOCK):
        segment = endpoints.found(wanted)
        refuse_built_in(segment, "list of people")
        return write(endpoints, segment, plan, people)


def shown_people(endpoints: ZendeskEndpoints, segment: UserSegment) -> People | None:
    """The people who were added to a segment so far, or None where Zendesk does not show them."""
    found = segment.added_user_ids
    return endpoints.segment(segment.user_segment_id).added_user_ids if found is None else found


def known_people(endpoints: ZendeskEndpoints, segment: UserSegment) -> People:
    """The people who were added to a segment so far.

    :raises UnexpectedReply: Zendesk does not show them: whoever is not sent again would be removed.
    """
    found = shown_people(endpoints, segment)
    if found is None:
        raise UnexpectedReply(
            f"Zendesk shows user segment {segment.user_segment_id} without `added_user_ids`, so nobody can be added or "
            "removed without losing those whom it does not show. Nothing was changed. set_users makes the list exactly "
            "yours, whoever is in it now.",
            vendor=VENDOR,
        )
    return found


def write(endpoints: ZendeskEndpoints, segment: UserSegment, plan: Plan, people: StagedPeople) -> UserSegmentChange:
    """Let a segment have the added people that ``plan`` says, unless it has them already; under ``LOCK``.

    A request that is sent again as it was would undo what somebody else has changed meanwhile, so the people are read
    again before each repeat.
    """
    client, began, in_doubt = endpoints.client, time.monotonic(), False
    before, after = plan(segment)
    added, removed = set[int](), set[int]()
    for attempt in count(1):
        if before == after:
            break
        added |= after - (before or frozenset())
        removed |= (before or frozenset()) - after
        try:
            answer = put(endpoints, segment, {"added_user_ids": sorted(after)}, once=True)
        except VendorError as error:
            error.maybe_done = in_doubt = in_doubt or error.maybe_done
            wait = _wait_after(client.retry, error, attempt, began)
            if wait is None:
                raise
            logger.warning(
                "%s Next try (%d of %d) in %.1f s, after another look at who was added.",
                error, attempt + 1, client.retry.max_attempts, wait,
            )  # fmt: skip
            client.rest(wait)
            before, after = _read_again(endpoints, segment, plan, error)
        else:
            check(endpoints, answer, before or frozenset(), after)
            break
    return done(
        endpoints,
        segment,
        "updated",
        users_sent=people.staged.users,
        users_added=len(added),
        users_removed=len(removed),
        **people.left_out,
    )


def _wait_after(retry: RetryPolicy, error: VendorError, attempt: int, began: float) -> float | None:
    """Seconds until the next try, None where there must be none: as the client decides it for other requests."""
    passing = isinstance(error, (RateLimited, VendorUnavailable)) and error.status in {None, *RETRIED_STATUSES}
    asked = error.retry_after or 0.0
    if not passing or asked > retry.retry_after_cap:
        return None
    wait, passed = max(retry.delay(attempt), asked), time.monotonic() - began
    if attempt < retry.max_attempts and passed + wait <= retry.max_total:
        return wait
    if attempt > 1:
        error.advise(f"Tried {attempt} times over {passed:.0f} s.")
    return None


def _read_again(
    endpoints: ZendeskEndpoints, segment: UserSegment, plan: Plan, error: VendorError
) -> tuple[People | None, People]:
    """What is left to do after ``error``, which is raised where that cannot be read."""
    try:
        return plan(endpoints.segment(segment.user_segment_id))
    except VendorError as failure:
        raise error.advise(f"It was not sent again, as who was added could not be read again: {failure}") from None


def check(endpoints: ZendeskEndpoints, answer: UserSegment, before: People, after: People) -> None:
    """Whether a segment has the people that were sent; an answer that does not show them is asked for once more.

    :raises UnexpectedReply: it lacks some, or still has some who were removed.
    """
    found = shown_people(endpoints, answer)
    if found is None:
        logger.warning(
            "Zendesk shows user segment %d without `added_user_ids`: %s people were sent, and who is in it now was not "
            "checked.",
            answer.user_segment_id,
            f"{len(after):,}",
        )
        return
    lacking, left = after - found, (before - after) & found
    if lacking or left:
        raise UnexpectedReply(
            f"Zendesk took {len(after):,} people for user segment {answer.user_segment_id}, but it lacks "
            f"{len(lacking):,} of them and still has {len(left):,} who were removed. Somebody else may have changed it "
            "at the same time, or Zendesk does not know these people. Run it again; if it stays so, check the ids.",
            vendor=VENDOR,
            maybe_done=True,
        )

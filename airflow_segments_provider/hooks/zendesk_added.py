"""The people who were added to a Zendesk user segment by their ids: read, changed, written whole, and checked."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import InvalidInput, UnexpectedReply
from airflow_segments_provider.hooks.zendesk_change import done, put, refuse_built_in
from airflow_segments_provider.models.zendesk import VENDOR, UserSegment, UserSegmentChange

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.hooks.zendesk_people import StagedPeople
    from airflow_segments_provider.models.zendesk import ChangeUsers, SetUsers

logger = logging.getLogger(__name__)

# Threads of one process do not undo each other's changes; others cannot be kept from it.
LOCK = "added people"

People = frozenset[int]


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
    with endpoints.client.exclusive(LOCK):
        segment = endpoints.found(wanted)
        refuse_built_in(segment, "list of people")
        return write(endpoints, segment, segment.added_user_ids, people.ids(), people)


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
    with endpoints.client.exclusive(LOCK):
        segment = endpoints.found(wanted)
        refuse_built_in(segment, "list of people")
        before = known_people(endpoints, segment)
        return write(endpoints, segment, before, change(before, people.ids()), people)


def known_people(endpoints: ZendeskEndpoints, segment: UserSegment) -> People:
    """The people who were added to a segment so far.

    :raises UnexpectedReply: Zendesk does not show them: whoever is not sent again would be removed.
    """
    found = segment.added_user_ids
    if found is None:
        found = endpoints.segment(segment.user_segment_id).added_user_ids
    if found is None:
        raise UnexpectedReply(
            f"Zendesk shows user segment {segment.user_segment_id} without `added_user_ids`, so nobody can be added or "
            "removed without losing those whom it does not show. Nothing was changed. set_users makes the list exactly "
            "yours, whoever is in it now.",
            vendor=VENDOR,
        )
    return found


def write(
    endpoints: ZendeskEndpoints, segment: UserSegment, before: People | None, after: People, people: StagedPeople
) -> UserSegmentChange:
    """Let a segment have these added people, unless it has them already."""
    if before != after:
        answer = put(endpoints, segment, {"added_user_ids": sorted(after)})
        check(endpoints, answer, before or frozenset(), after)
    return done(
        endpoints,
        segment,
        "updated",
        users_sent=people.staged.users,
        users_added=len(after - (before or frozenset())),
        users_removed=len((before or frozenset()) - after),
        **people.left_out,
    )


def check(endpoints: ZendeskEndpoints, answer: UserSegment, before: People, after: People) -> None:
    """Whether a segment has the people that were sent; an answer that does not show them is asked for once more.

    :raises UnexpectedReply: it lacks some, or still has some who were removed.
    """
    found = answer.added_user_ids
    if found is None:
        found = endpoints.segment(answer.user_segment_id).added_user_ids
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

"""Who belongs to a user segment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from airflow_segments_provider.testing.sandbox.zendesk.records import (
    STAFF,
    OrganizationRecord,
    SegmentRecord,
    UserRecord,
)

Tags = Mapping[int, frozenset[str]]


def organization_tags(organizations: Iterable[OrganizationRecord]) -> Tags:
    """Return the tags of organizations that have any, by the organization's id."""
    return {organization.id: frozenset(organization.tags) for organization in organizations if organization.tags}


def belongs(user: UserRecord, segment: SegmentRecord, inherited: Tags) -> bool:
    """Tell whether a person is in a segment.

    That groups say nothing of signed-in users, and organizations nothing of staff, is an assumption where the caller
    has given the kind of id that does not fit the segment's type.
    """
    return user.guide_admin or user.id in segment.added_user_ids or _fits(user, segment, inherited)


def members(users: Iterable[UserRecord], segment: SegmentRecord, inherited: Tags) -> Iterator[UserRecord]:
    """Return the people of a segment."""
    added = frozenset(segment.added_user_ids)
    return (user for user in users if user.guide_admin or user.id in added or _fits(user, segment, inherited))


def _fits(user: UserRecord, segment: SegmentRecord, inherited: Tags) -> bool:
    if segment.user_type == STAFF:
        if not user.is_staff or not _any_of(segment.group_ids, user.group_ids):
            return False
    elif not user.is_staff and not _any_of(segment.organization_ids, user.organization_ids):
        return False
    tags = set(user.tags).union(*(inherited.get(number, frozenset()) for number in user.organization_ids))
    return tags.issuperset(segment.tags) and _any_of(segment.or_tags, tags)


def _any_of(wanted: Iterable[object], had: Iterable[object]) -> bool:
    listed = set(wanted)
    return not listed or not listed.isdisjoint(had)

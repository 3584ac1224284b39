"""Changing a Docebo group that exists: its name, description and rules, its members, its end."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import InvalidInput, NotFound
from airflow_segments_provider.hooks.docebo_endpoints import GROUPS
from airflow_segments_provider.hooks.docebo_members import GroupMembers
from airflow_segments_provider.models.docebo import GroupChange
from airflow_segments_provider.models.docebo_replies import parse_background
from airflow_segments_provider.models.docebo_rules import same_rules

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo_endpoints import GroupEndpoints
    from airflow_segments_provider.hooks.docebo_people import People
    from airflow_segments_provider.models.docebo import Group
    from airflow_segments_provider.models.docebo_given import (
        AddUsers,
        CreateGroup,
        DeleteGroup,
        RemoveUsers,
        UpdateGroup,
    )


def update(endpoints: GroupEndpoints, wanted: UpdateGroup) -> GroupChange:
    """Give a group another name, description or other rules.

    :raises InvalidInput: a ruleset for a manual group; only reads were sent.
    """
    group = endpoints.group(endpoints.found_id(wanted))
    if wanted.ruleset is not None and group.type == "manual":
        raise InvalidInput(
            f"The update of group {group.name!r} ({group.group_id})",
            ["it is manual, and a manual group has no `ruleset`."],
        )
    change(endpoints, group, wanted, name=wanted.new_name)
    return GroupChange(
        group_id=group.group_id,
        name=wanted.new_name or group.name,
        type=group.type,
        outcome="updated",
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
    )


def change(
    endpoints: GroupEndpoints, group: Group, wanted: UpdateGroup | CreateGroup, *, name: str | None = None
) -> None:
    """Send what differs from the group as it is.

    Whether what is left out stays is not published, so name and description always go along. Rules and the exclusion
    of deactivated users do not: with them Docebo may empty the group and fill it again, so even those that the group
    has already are not sent.
    """
    body: dict[str, Any] = {"name": name or group.name}
    description = group.description if wanted.description is None else wanted.description
    if description is not None:
        body["description"] = description
    if wanted.ruleset is not None and not same_rules(group.ruleset, wanted.ruleset):
        body["ruleset"] = wanted.ruleset.body
    exclude = wanted.exclude_deactivated_users
    if exclude is not None and exclude != group.exclude_deactivated_users:
        body["exclude_deactivated_users"] = exclude
    if body != {"name": group.name, **({} if group.description is None else {"description": group.description})}:
        reply = endpoints.call("PUT", *GROUPS, group.group_id, body=body, may_be_empty=True)
        endpoints.read(lambda answer: parse_background(answer, reply.call.clean), reply)


def delete(endpoints: GroupEndpoints, wanted: DeleteGroup) -> GroupChange:
    """Delete a group; a group that is gone after a lost answer was deleted by it.

    :raises NotFound: a 404 that is not the group's, or ``if_missing="fail"``.
    """
    deleted, found = True, None
    try:
        found = endpoints.found_id(wanted)
        reply = endpoints.call("DELETE", *GROUPS, found, may_be_empty=True)
        endpoints.read(lambda answer: parse_background(answer, reply.call.clean), reply)
    except NotFound as error:
        if not _is_missing(endpoints, found, error):
            raise
        deleted = error.maybe_done and error.method == "DELETE"
        if not deleted and wanted.if_missing == "fail":
            raise error.advise('To take a missing group for deleted, use if_missing="skip".') from None
    return GroupChange(
        group_id=found,
        name=wanted.name,
        outcome="deleted" if deleted else "missing",
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
    )


def _is_missing(endpoints: GroupEndpoints, group_id: str | None, error: NotFound) -> bool:
    """Whether the group is not there: a 404 may as well come of a wrong address, or of something on the way."""
    if group_id is None:  # the list was read and has no such name, or the number has no group; else it was the way
        return error.status is None or error.path.endswith("/group_to_audience")
    if error.method != "DELETE":
        return False
    try:
        endpoints.group(group_id)
    except NotFound as gone:
        return gone.method == "GET"
    return False


def add(endpoints: GroupEndpoints, wanted: AddUsers, people: People) -> GroupChange:
    """Add users, and the people of branches and groups."""
    members = GroupMembers(endpoints, endpoints.found_id(wanted))
    members.add(people.ids, wanted.branch_ids, [endpoints.number(group_id) for group_id in wanted.group_ids])
    return changed(members, wanted.name, people)


def remove(endpoints: GroupEndpoints, wanted: RemoveUsers, people: People) -> GroupChange:
    """Remove users, or everybody, or whom filters find."""
    members = GroupMembers(endpoints, endpoints.found_id(wanted))
    members.remove(people.ids)
    if wanted.user_all or wanted.user_filters:
        members.remove_found(wanted.user_all, wanted.user_filters, wanted.searches)
    return changed(members, wanted.name, people)


def changed(members: GroupMembers, name: str | None, people: People) -> GroupChange:
    """The result of a change of members."""
    return GroupChange(
        group_id=members.group_id,
        name=name,
        outcome="updated",
        users_sent=people.ids.users,
        background_job=members.background,
        requests=members.requests,
        changed_at=datetime.now(UTC),
        **people.left_out,
    )

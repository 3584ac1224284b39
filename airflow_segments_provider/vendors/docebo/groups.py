"""Create, update and delete a Docebo group, and change its members; creating twice results in one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import Conflict, InvalidInput, NotFound, UnexpectedReply
from airflow_segments_provider.vendors.base.creation import check_removals, create_once, look_patiently
from airflow_segments_provider.vendors.docebo.api import GROUPS, VENDOR
from airflow_segments_provider.vendors.docebo.members import GroupMembers, check_add_route
from airflow_segments_provider.vendors.docebo.responses import GroupChange, parse_background, parse_created_id
from airflow_segments_provider.vendors.docebo.rules import same_rules

if TYPE_CHECKING:
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.vendors.docebo.api import GroupEndpoints
    from airflow_segments_provider.vendors.docebo.parameters import (
        AddUsers,
        CreateGroup,
        DeleteGroup,
        RemoveUsers,
        UpdateGroup,
    )
    from airflow_segments_provider.vendors.docebo.responses import Group
    from airflow_segments_provider.vendors.docebo.users import People


logger = logging.getLogger(__name__)

Outcome = Literal["created", "reused", "updated"]


class GroupCreation:
    """One create: look for the name, create if it is not there, look again after doubt, then add the users.

    Docebo takes no id of the caller's choice, may let names repeat, and its list may lag. So a create whose answer was
    lost is not sent again within the task: Airflow's own retry comes later, and looks first.
    """

    def __init__(self, endpoints: GroupEndpoints, wanted: CreateGroup, people: People) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._people = people
        self._group_numbers = list[int]()

    def run(self) -> GroupChange:
        """Carry it out.

        :raises Conflict: the name is taken in a way that ``if_exists`` does not allow.
        """
        existing = self._look()
        # Before anything is made: one of them may be unknown.
        self._group_numbers = [self._endpoints.number(group_id) for group_id in self._wanted.group_ids]
        if existing is not None:
            return self._use(existing)
        if self._people.ids.users or self._wanted.branch_ids or self._group_numbers:
            check_add_route(self._endpoints)
        name = self._wanted.name
        made = create_once(
            self._endpoints.client,
            self._post,
            self._look,
            what=f"group {name!r}",
            key=f"the name {name!r}",
            unsent=f"Group {name!r} was not created, and none of {self._people.ids.users:,} users added.",
            unique=False,
        )
        if made.reply is not None:
            return self._fill(parse_created_id(made.reply.json) or self._new_id(made.reply), "created")
        if made.found is None:
            raise AssertionError("a creation has an answer, or something was found")
        return self._fill(made.found.group_id, "created") if made.ours else self._use(made.found)

    def _new_id(self, created: Reply) -> str:
        """The id of the group just created, from the list."""
        found = look_patiently(self._endpoints.client, self._look)
        if found is None:
            raise UnexpectedReply(
                f"Docebo answered {created.call} with status {created.status}, but tells the uuid of group "
                f"{self._wanted.name!r} neither in the answer nor in the list. Run the task again: it looks first. "
                f"{self._connection}",
                maybe_done=True,
                **created.facts,
            )
        return found.group_id

    @property
    def _connection(self) -> str:
        return f"The Airflow connection is {self._endpoints.conn_id!r}."

    def _look(self) -> Group | None:
        return self._endpoints.find(self._wanted.name)

    def _post(self) -> Reply:
        wanted = self._wanted
        given: dict[str, Any] = {
            "name": wanted.name,
            "type": wanted.type,
            "description": wanted.description,
            "ruleset": None if wanted.ruleset is None else wanted.ruleset.body,
            "exclude_deactivated_users": wanted.exclude_deactivated_users,
        }
        body = {name: value for name, value in given.items() if value is not None}
        path = self._endpoints.fields.create_path
        return self._endpoints.first_route(
            "create path",
            "create_path",
            ("audience", "audiences") if path == "auto" else (path,),
            lambda form: self._endpoints.call("POST", "audiences", "v1", form, body=body, idempotent=False),
        )

    def _use(self, existing: Group) -> GroupChange:
        """What ``if_exists`` says of a group that is there."""
        name, wanted = self._wanted.name, self._wanted
        if wanted.if_exists == "fail":
            raise Conflict(
                f"Group {name!r} exists ({existing.group_id}) and nothing was changed. If an earlier try of this task "
                f'made it, if_exists="reuse" goes on from there. {self._connection}',
                vendor=VENDOR,
            )
        if existing.type not in (None, wanted.type):
            raise Conflict(
                f"Group {name!r} exists ({existing.group_id}), but is {existing.type}, not {wanted.type}; nothing was "
                "changed. Docebo cannot turn one into the other: choose another name, or delete the group. "
                f"{self._connection}",
                vendor=VENDOR,
            )
        logger.info("Group %r exists (%s).", name, existing.group_id)
        if wanted.if_exists == "reuse":
            return self._fill(existing.group_id, "reused")
        return self._make_as_given(existing)

    def _make_as_given(self, existing: Group) -> GroupChange:
        """Description and rules as given, and the members of a manual group; others keep those of their rules."""
        if self._wanted.type == "automatic":
            self._describe(existing)
            return self._fill(existing.group_id, "updated")
        users, members = self._people.ids, GroupMembers(self._endpoints, existing.group_id)
        if not users.users:
            self._check_removals(existing, members.count(), 0)

        def begin(present: int, left_over: int) -> None:
            self._check_removals(existing, present, left_over)
            self._describe(existing)

        added, removed = members.make_exact(users, begin)
        return self._change(members, "updated", users_sent=added, users_removed=removed)

    def _describe(self, existing: Group) -> None:
        change(self._endpoints, self._endpoints.group(existing.group_id), self._wanted)

    def _check_removals(self, existing: Group, members: int, removed: int) -> None:
        users = self._people.ids.users
        check_removals(f"group {existing.name!r}", self._wanted, users=users, members=members, removed=removed)

    def _fill(self, group_id: str, outcome: Outcome) -> GroupChange:
        logger.info("Group %r (%s) %s.", self._wanted.name, group_id, outcome)
        members = GroupMembers(self._endpoints, group_id)
        members.add(self._people.ids, self._wanted.branch_ids, self._group_numbers)
        return self._change(members, outcome, users_sent=self._people.ids.users)

    def _change(self, members: GroupMembers, outcome: Outcome, **users: Any) -> GroupChange:
        return GroupChange(
            group_id=members.group_id,
            name=self._wanted.name,
            type=self._wanted.type,
            outcome=outcome,
            background_job=members.background,
            requests=self._endpoints.requests,
            changed_at=datetime.now(UTC),
            **users,
            **self._people.left_out,
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

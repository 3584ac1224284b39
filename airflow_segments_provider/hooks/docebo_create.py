"""Creating a Docebo group so that creating twice makes one."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.hooks.docebo_change import change
from airflow_segments_provider.hooks.docebo_endpoints import VENDOR
from airflow_segments_provider.hooks.docebo_members import GroupMembers, check_add_route
from airflow_segments_provider.models.docebo import GroupChange
from airflow_segments_provider.models.docebo_replies import parse_created_id
from airflow_segments_provider.vendors.base.creation import check_removals, create_once, look_patiently

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo_endpoints import GroupEndpoints
    from airflow_segments_provider.hooks.docebo_people import People
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.models.docebo import Group
    from airflow_segments_provider.models.docebo_given import CreateGroup

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

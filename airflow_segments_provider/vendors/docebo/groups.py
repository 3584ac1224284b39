"""Create, update and delete a Docebo group, and change its members; creating twice results in one."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import Conflict, InvalidInput, NotFound
from airflow_segments_provider.vendors.base.creation import Creation, check_removals
from airflow_segments_provider.vendors.base.exact import difference
from airflow_segments_provider.vendors.docebo.api import GROUPS
from airflow_segments_provider.vendors.docebo.members import GroupMembers, check_add_route
from airflow_segments_provider.vendors.docebo.responses import Group, GroupChange, parse_background, parse_created_id
from airflow_segments_provider.vendors.docebo.rules import same_rules

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.docebo.api import DoceboApi
    from airflow_segments_provider.vendors.docebo.parameters import (
        AddUsers,
        CreateGroup,
        DeleteGroup,
        RemoveUsers,
        UpdateGroup,
    )


class GroupCreation(Creation[Group, str, GroupChange]):
    """The creation of a group.

    Docebo takes no ID of the caller's choice, may let names repeat, and its list may lag. So a create whose response
    was lost is not sent again within the task: Airflow's own retry comes later, and looks first.
    """

    noun = "group"
    api: DoceboApi

    def __init__(self, api: DoceboApi, write: Write[CreateGroup]) -> None:
        super().__init__(api, write.parameters.name, write.parameters.if_exists)
        self._write = write
        self._parameters = write.parameters

    @cached_property
    def _group_numbers(self) -> list[int]:
        return [self.api.number(group_id) for group_id in self._parameters.group_ids]

    def look(self) -> Group | None:
        """Return the group of that name."""
        return self.api.find(self._parameters.name)

    def post(self) -> Response:
        """Send the creation once."""
        parameters = self._parameters
        fields: dict[str, Any] = {
            "name": parameters.name,
            "type": parameters.type,
            "description": parameters.description,
            "ruleset": None if parameters.ruleset is None else parameters.ruleset.body,
            "exclude_deactivated_users": parameters.exclude_deactivated_users,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        path = self.api.fields.create_path
        return self.api.first_route(
            "create path",
            "create_path",
            ("audience", "audiences") if path == "auto" else (path,),
            lambda form: self.api.call("POST", "audiences", "v1", form, body=body, idempotent=False),
        )

    def ref_of(self, found: Group) -> str:
        """Return the UUID of a group."""
        return found.group_id

    def ref_in(self, created: Response) -> str | None:
        """Return the UUID in a response."""
        return parse_created_id(created.json)

    def before_creation(self) -> None:
        """Check that the members can be added."""
        if self._group_numbers or self._write.users.users or self._parameters.branch_ids:
            check_add_route(self.api)

    def check_use(self, existing: Group) -> None:
        """Check the type of the group that exists, and the groups whose members are added."""
        if existing.type not in (None, self._parameters.type):
            raise Conflict(
                f"Group {existing.name!r} exists ({existing.group_id}), but is {existing.type}, not "
                f"{self._parameters.type}; nothing was changed. Docebo cannot turn one into the other: choose another "
                f"name, or delete the group. {self.api.where}",
                vendor=self.api.vendor,
            )
        _ = self._group_numbers

    def created(self, ref: str) -> GroupChange:
        """Add the users to the new group."""
        return self._add(ref, "created")

    def reused(self, existing: Group) -> GroupChange:
        """Add the users to the group that exists."""
        return self._add(existing.group_id, "reused")

    def updated(self, existing: Group) -> GroupChange:
        """Set description and rules, and the members of a manual group; an automatic one keeps those of its rules."""
        if self._parameters.type == "automatic":
            self._describe(existing)
            return self._add(existing.group_id, "updated")
        members = GroupMembers(self.api, existing.group_id)
        if not self._write.users.users and not self._parameters.allow_empty:
            # Before the list is read.
            check_removals(self.subject, self._parameters, users=0, members=members.count(), removed=0)
        with difference(self._write.users, members.all_ids()) as change:
            change.check(self.subject, self._parameters)
            self._describe(existing)
            added, removed = members.make_exact(change)
        return self._change(members, "updated", users_sent=added, users_removed=removed)

    def _describe(self, existing: Group) -> None:
        change(self.api, self.api.group(existing.group_id), self._parameters)

    def _add(self, group_id: str, outcome: str) -> GroupChange:
        members = GroupMembers(self.api, group_id)
        members.add(self._write.users, self._parameters.branch_ids, self._group_numbers)
        return self._change(members, outcome, users_sent=self._write.users.users)

    def _change(self, members: GroupMembers, outcome: str, **users: int) -> GroupChange:
        return _result(
            self.api,
            members.group_id,
            self._parameters.name,
            outcome,
            type=self._parameters.type,
            background_job=members.background,
            **users,
            **self._write.left_out,
        )


def create(api: DoceboApi, write: Write[CreateGroup]) -> GroupChange:
    """Create a group, or use the one of that name."""
    return GroupCreation(api, write).run()


def _result(api: DoceboApi, group_id: str | None, name: str | None, outcome: Any, **more: Any) -> GroupChange:
    """Return the result of a task."""
    return GroupChange(
        group_id=group_id, name=name, outcome=outcome, requests=api.requests, changed_at=datetime.now(UTC), **more
    )


def update(api: DoceboApi, write: Write[UpdateGroup]) -> GroupChange:
    """Change the name, description or rules of a group.

    :raises InvalidInput: a ruleset for a manual group; only reads were sent.
    :raises Conflict: another group has the new name; only reads were sent.
    """
    parameters = write.parameters
    group = api.group(_id_to_update(api, parameters))
    if parameters.ruleset is not None and group.type == "manual":
        subject = f"The update of group {group.name!r} ({group.group_id})"
        raise InvalidInput(subject, ["it is manual, and a manual group has no `ruleset`."])
    if parameters.new_name not in (None, group.name):
        _check_free(api, group, str(parameters.new_name))
    change(api, group, parameters, name=parameters.new_name)
    return _result(api, group.group_id, parameters.new_name or group.name, "updated", type=group.type)


def _check_free(api: DoceboApi, group: Group, name: str) -> None:
    """Check that no group has a name: Docebo accepts a name twice, and neither group is then found by it."""
    taken = api.find(name)
    if taken is not None and taken.group_id != group.group_id:
        raise Conflict(
            f"Docebo has a group {name!r} already ({taken.group_id}), so group {group.name!r} ({group.group_id}) was "
            f"not renamed: two groups of one name cannot be found by it. Nothing was changed. {api.where}",
            vendor=api.vendor,
        )


def _id_to_update(api: DoceboApi, wanted: UpdateGroup) -> str:
    """Return the UUID of the group to update, also if an earlier try of the task has renamed it."""
    try:
        return api.resolve_id(wanted)
    except NotFound as error:
        # With a status, the list was not read, or the number is unknown.
        named = wanted.new_name if error.status is None else None
        renamed = api.find(named) if named else None
        if renamed is None:
            raise
        return renamed.group_id


def change(api: DoceboApi, group: Group, wanted: UpdateGroup | CreateGroup, *, name: str | None = None) -> None:
    """Send the fields that differ from those of the group.

    Docebo does not publish whether it keeps absent fields, so name and description are always sent. Unchanged rules,
    and an unchanged exclusion of deactivated users, are not: Docebo may empty the group and fill it again.
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
        response = api.call("PUT", *GROUPS, group.group_id, body=body, may_be_empty=True)
        api.read(lambda answer: parse_background(answer, response.call.clean), response)


def delete(api: DoceboApi, write: Write[DeleteGroup]) -> GroupChange:
    """Delete a group; if it is missing after a lost response, that request deleted it.

    :raises NotFound: the 404 is not about the group, or ``if_missing="fail"``.
    """
    parameters = write.parameters
    deleted, found = True, None
    try:
        found = api.resolve_id(parameters)
        response = api.call("DELETE", *GROUPS, found, may_be_empty=True)
        api.read(lambda answer: parse_background(answer, response.call.clean), response)
    except NotFound as error:
        if not _is_missing(api, found, error):
            raise
        deleted = error.maybe_done and error.method == "DELETE"
        if not deleted and parameters.if_missing == "fail":
            raise error.add_hint('To accept a missing group, use if_missing="skip".') from None
    return _result(api, found, parameters.name, "deleted" if deleted else "missing")


def _is_missing(api: DoceboApi, group_id: str | None, error: NotFound) -> bool:
    """Return whether the group does not exist; a 404 may also mean a wrong address, which has no list either."""
    if group_id is None:  # the list lacks the name, or no group has the number
        return error.status is None or error.path.endswith("/group_to_audience")
    if error.method != "DELETE":
        return False
    try:
        api.group(group_id)
    except NotFound as gone:
        with suppress(NotFound):
            next(api.groups(), None)
            return gone.method == "GET"
    return False


def add(api: DoceboApi, write: Write[AddUsers]) -> GroupChange:
    """Add users, and those of branches and groups."""
    parameters = write.parameters
    members = GroupMembers(api, api.resolve_id(parameters))
    members.add(write.users, parameters.branch_ids, [api.number(group_id) for group_id in parameters.group_ids])
    return _changed(members, write)


def remove(api: DoceboApi, write: Write[RemoveUsers]) -> GroupChange:
    """Remove users, or all members, or those that match filters."""
    parameters = write.parameters
    members = GroupMembers(api, api.resolve_id(parameters))
    members.remove(write.users)
    if parameters.user_all or parameters.user_filters:
        members.remove_found(parameters.user_all, parameters.user_filters, parameters.searches)
    return _changed(members, write)


def _changed(members: GroupMembers, write: Write[AddUsers] | Write[RemoveUsers]) -> GroupChange:
    return _result(
        members.api,
        members.group_id,
        write.parameters.name,
        "updated",
        users_sent=write.users.users,
        background_job=members.background,
        **write.left_out,
    )

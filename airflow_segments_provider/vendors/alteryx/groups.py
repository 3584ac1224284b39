"""Create, update, share and delete an Alteryx Server user group, and change its members.

Creating twice results in one.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import NotFound, RejectedRequest, UnexpectedReply
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.vendors.alteryx.api import OTHER_REASONS, REASONS_KEPT
from airflow_segments_provider.vendors.alteryx.parameters import RESOURCES, UserGroupKey, id_key
from airflow_segments_provider.vendors.alteryx.responses import UserGroup, UserGroupChange, parse_created_id
from airflow_segments_provider.vendors.alteryx.users import same_users
from airflow_segments_provider.vendors.base.creation import Creation
from airflow_segments_provider.vendors.base.exact import Difference, difference

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.alteryx.api import AlteryxApi
    from airflow_segments_provider.vendors.alteryx.parameters import (
        ChangeActiveDirectoryGroup,
        ChangeUsers,
        CreateUserGroup,
        DeleteUserGroup,
        OnRefused,
        RemoveUsers,
        Share,
        UpdateUserGroup,
    )
    from airflow_segments_provider.vendors.base.preparation import Write

REASONS_SHOWN = 5
NO_REASON = "not added, without a reason"


class UserGroupCreation(Creation[UserGroup, str, UserGroupChange]):
    """The creation of a user group.

    The server does not accept an ID, so only the name prevents a second group.
    """

    noun = "user group"
    unique = True
    api: AlteryxApi

    def __init__(self, api: AlteryxApi, write: Write[CreateUserGroup]) -> None:
        super().__init__(api, write.parameters.name, write.parameters.if_exists)
        self._write = write
        self._parameters = write.parameters

    def look(self) -> UserGroup | None:
        """Return the group of that name."""
        return self.api.find(UserGroupKey(name=self._parameters.name))

    def post(self) -> Response:
        """Send the creation once."""
        try:
            return self.api.call("POST", "usergroups", body=self._body, may_be_text=True)
        except RejectedRequest as error:
            # A 400 is also the status for a name that another client used since the look.
            if error.status == 400 and (existing := self.look()) is not None:
                raise self.taken(existing) from None
            raise

    def ref_of(self, found: UserGroup) -> str:
        """Return the ID of a group."""
        return found.user_group_id

    def ref_in(self, created: Response) -> str | None:
        """Return the ID in a response."""
        return parse_created_id(created.json)

    def created(self, ref: str) -> UserGroupChange:
        """Add the users to the new group."""
        return self._add(ref, "created", self._parameters.role)

    def reused(self, existing: UserGroup) -> UserGroupChange:
        """Add the users to the group that exists."""
        return self._add(existing.user_group_id, "reused", existing.role)

    def updated(self, existing: UserGroup) -> UserGroupChange:
        """Set the role, and add the missing users before others are removed."""
        group_id = existing.user_group_id
        before = self.api.group(group_id).members or frozenset()
        with difference(self._write.users, before, id_key) as change:
            change.check(self.subject, self._parameters)
            if existing.role != self._parameters.role:
                self.api.call("PUT", "usergroups", group_id, body=self._body, may_be_empty=True)
            sent, (added, refused) = change.add(
                lambda missing: _add(self.api, group_id, missing, self._parameters.on_refused)
            )
            if change.leaving:
                self._check_present(group_id, change, refused=sum(refused.values()))
            _, removed = change.remove(lambda leaving: _remove(self.api, group_id, leaving))
        return self._done(group_id, "updated", self._parameters.role, sent, added, refused, users_removed=removed)

    @property
    def _body(self) -> bytes:
        return encode({"name": self._parameters.name, "role": self._parameters.role})

    def _check_present(self, user_group_id: str, change: Difference, *, refused: int) -> None:
        """Check that the group shows the users who were added, before others are removed.

        :raises UnexpectedReply: it does not; it may show them by other IDs, which would be removed.
        """
        with IdSet() as shown:
            shown.update(self.api.group(user_group_id).member_keys)
            missing = set(change.users.minus(shown))
        users = len(change.users)
        unclear = len(missing) > refused or (users and len(missing) == users)
        if unclear or any(user in change.members for user in same_users(self.api, missing)):
            raise UnexpectedReply(
                f"Alteryx Server shows user group {user_group_id} without {len(missing):,} of the {users:,} "
                f"users who were to be added, and refused {refused:,}. No user was removed, as the server may show "
                "these users by other IDs. Compare the IDs with those of its user list, and run the task again. "
                f"{self.api.where}",
                vendor=self.api.vendor,
                maybe_done=True,
            )

    def _add(self, user_group_id: str, outcome: str, role: str) -> UserGroupChange:
        users = self._write.users
        added, refused = _add(self.api, user_group_id, users, self._parameters.on_refused)
        return self._done(user_group_id, outcome, role, users.users, added, refused)

    def _done(
        self, user_group_id: str, outcome: str, role: str, sent: int, added: int, refused: dict[str, int], **more: int
    ) -> UserGroupChange:
        return _change(
            self.api,
            user_group_id,
            self._parameters.name,
            outcome,
            role=role,
            users_sent=sent,
            users_added=added,
            users_refused=refused,
            **more,
            **self._write.left_out,
        )


def create(api: AlteryxApi, write: Write[CreateUserGroup]) -> UserGroupChange:
    """Create a group, or use the one of that name."""
    return UserGroupCreation(api, write).run()


def update(api: AlteryxApi, write: Write[UpdateUserGroup]) -> UserGroupChange:
    """Change the name or the role of a group."""
    parameters = write.parameters
    group = api.group(_id_to_update(api, parameters))
    name, role = parameters.new_name or group.name, parameters.role or group.role
    api.call("PUT", "usergroups", group.user_group_id, body=encode({"name": name, "role": role}), may_be_empty=True)
    return _change(api, group.user_group_id, name, "updated", role=role)


def _id_to_update(api: AlteryxApi, wanted: UpdateUserGroup) -> str:
    """Return the ID of the group to update, also if an earlier try of the task has renamed it."""
    try:
        return api.resolve_id(wanted)
    except NotFound as error:
        # With a status, the list was not read.
        named = wanted.new_name if error.status is None else None
        renamed = api.find(UserGroupKey(name=named)) if named else None
        if renamed is None:
            raise
        return renamed.user_group_id


def delete(api: AlteryxApi, write: Write[DeleteUserGroup]) -> UserGroupChange:
    """Delete a group; if it is missing after a lost response, that request deleted it."""
    parameters = write.parameters
    deleted, found = True, None
    try:
        found = api.resolve_id(parameters)
        query = {"forceDelete": "true"} if parameters.force_delete else None
        api.call("DELETE", "usergroups", found, query=query, may_be_empty=True)
    except NotFound as error:
        if not _is_missing(api, found, error):
            raise
        deleted = error.maybe_done and error.method == "DELETE"
        if not deleted and parameters.if_missing == "fail":
            raise error.add_hint('To accept a missing group, use if_missing="skip".') from None
    except RejectedRequest as error:
        hint = "" if parameters.force_delete else " A group with members is deleted only with `force_delete=True`."
        subject = str(parameters)
        raise error.add_hint(f"{subject[:1].upper()}{subject[1:]} was not deleted.{hint}") from None
    return _change(api, found, parameters.name, "deleted" if deleted else "missing")


def _is_missing(api: AlteryxApi, user_group_id: str | None, error: NotFound) -> bool:
    """Return whether the group does not exist; a 404 may also mean a wrong address."""
    if error.status is None:  # the list was read, and lacks the name
        return True
    if user_group_id is None or error.method != "DELETE":  # the list or the token had the 404
        return False
    return all(id_key(group.user_group_id) != id_key(user_group_id) for group in api.groups())


def add(api: AlteryxApi, write: Write[ChangeUsers]) -> UserGroupChange:
    """Add users to a group."""
    user_group_id = api.resolve_id(write.parameters)
    added, refused = _add(api, user_group_id, write.users, write.parameters.on_refused)
    changed = {"users_sent": write.users.users, "users_added": added, "users_refused": refused}
    return _change(api, user_group_id, write.parameters.name, "updated", **changed, **write.left_out)


def remove(api: AlteryxApi, write: Write[RemoveUsers]) -> UserGroupChange:
    """Remove users from a group, with one call each."""
    user_group_id = api.resolve_id(write.parameters)
    changed = {"users_removed": _remove(api, user_group_id, write.users), "users_sent": write.users.users}
    return _change(api, user_group_id, write.parameters.name, "updated", **changed, **write.left_out)


def _change(api: AlteryxApi, user_group_id: str | None, name: str | None, outcome: Any, **more: Any) -> UserGroupChange:
    """Return the result of a task."""
    return UserGroupChange(
        user_group_id=user_group_id,
        name=name,
        outcome=outcome,
        requests=api.requests,
        changed_at=datetime.now(UTC),
        **more,
    )


def _add(
    api: AlteryxApi, user_group_id: str, users: StagedUserIds, on_refused: OnRefused
) -> tuple[int, dict[str, int]]:
    """Add users; return how many were added, and how many were refused by reason.

    The server's report about a user who is a member already is not published, so the members are read before a user
    counts as refused.

    :raises RejectedRequest: a user was refused, and ``on_refused="fail"``.
    """
    added, reasons, all_reported = api.add_users(user_group_id, users)
    refused = Counter[str]()
    if reasons or not all_reported:
        members = api.group(user_group_id).member_keys
        unclear = [reasons] if all_reported else (batch.ids() for batch in users.batches())
        for some in unclear:
            refused.update(reasons.get(key, NO_REASON) for key in set(map(id_key, some)) - members)
    if refused and on_refused == "fail":
        shown = "; ".join(f"{reason} ({count:,})" for reason, count in refused.most_common(REASONS_SHOWN))
        raise RejectedRequest(
            f"{api.vendor} refused to add {refused.total():,} of {users.users:,} users to user group {user_group_id}: "
            f'{shown}. The others were added. Correct the list, or leave those out with `on_refused="skip"`. '
            f"{api.where}",
            vendor=api.vendor,
        )
    return added, _most_common(refused)


def _most_common(counts: Counter[str]) -> dict[str, int]:
    """Return the most common reasons, and the sum of the others, as each user may have a different one."""
    named = Counter({reason: count for reason, count in counts.items() if reason != OTHER_REASONS})
    kept = dict(named.most_common(REASONS_KEPT))
    others = counts.total() - sum(kept.values())
    return kept | ({OTHER_REASONS: others} if others else {})


def _remove(api: AlteryxApi, user_group_id: str, users: StagedUserIds) -> int:
    """Remove users; return how many.

    :raises VendorError: the first error, in the order of the users, after all others were attempted.
    """
    result = api.remove_users(user_group_id, (user for batch in users.batches() for user in batch.ids()), users.users)
    if result.error is None:
        return result.done
    failed = "1 call" if result.failed == 1 else f"{result.failed:,} calls"
    left = users.users - result.done - result.failed
    raise result.error.add_hint(
        f"{result.done:,} of {users.users:,} users were removed from user group {user_group_id}, {failed} failed, "
        f"and {left:,} were not begun. Run it again: removing a user who is not a member changes nothing."
    )


def change_active_directory_group(api: AlteryxApi, method: str, write: Write[ChangeActiveDirectoryGroup]) -> None:
    """Add an Active Directory group to a user group, or remove it."""
    path, sid = ("usergroups", api.resolve_id(write.parameters), "activedirectorygroups"), write.parameters.sid
    if method == "POST":
        api.call("POST", *path, body=encode(sid), may_be_empty=True)
    else:
        api.call("DELETE", *path, sid, may_be_empty=True)


def change_share(api: AlteryxApi, method: str, write: Write[Share]) -> None:
    """Share a resource with a group, change what the group may do with it, or unshare it."""
    parameters = write.parameters
    user_group_id = api.resolve_id(parameters)
    path = (RESOURCES[parameters.resource_type], parameters.resource_id, "userGroups")
    if method == "POST":
        body = encode({"userGroupId": user_group_id, **parameters.terms})
        api.call("POST", *path, body=body, may_be_empty=True)
    elif method == "PUT":
        api.call("PUT", *path, user_group_id, "permissions", body=encode(parameters.terms), may_be_empty=True)
    else:
        api.call("DELETE", *path, user_group_id, may_be_empty=True)

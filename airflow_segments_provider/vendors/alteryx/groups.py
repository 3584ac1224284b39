"""Create, update, share and delete an Alteryx Server user group, and change its members.

Creating twice results in one.
"""

from __future__ import annotations

import logging
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_segments_provider.errors import Conflict, NotFound, RejectedRequest, UnexpectedReply
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.vendors.alteryx.api import OTHER_REASONS, REASONS_KEPT
from airflow_segments_provider.vendors.alteryx.parameters import RESOURCES, UserGroupKey, id_key
from airflow_segments_provider.vendors.alteryx.responses import UserGroup, UserGroupChange, parse_created_id
from airflow_segments_provider.vendors.alteryx.users import same_users, server_ids
from airflow_segments_provider.vendors.base.creation import check_removals, create_once, look_patiently
from airflow_segments_provider.vendors.base.lookup import Identified

if TYPE_CHECKING:
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.alteryx.api import UserGroupEndpoints
    from airflow_segments_provider.vendors.alteryx.parameters import (
        ChangeActiveDirectoryGroup,
        ChangeUsers,
        CreateUserGroup,
        DeleteUserGroup,
        OnRefused,
        Share,
        UpdateUserGroup,
    )


logger = logging.getLogger(__name__)

Outcome = Literal["created", "reused", "updated"]


class UserGroupCreation:
    """One create: look for the name, create if it is not there, look again after doubt, then add the users.

    The server has no id of the caller's choice, so the name is all by which a second one can be avoided.
    """

    def __init__(self, endpoints: UserGroupEndpoints, wanted: CreateUserGroup, staged: StagedUserIds) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._staged = staged
        self._people = Identified(staged)

    @property
    def _ids(self) -> StagedUserIds:
        return self._people.staged

    def run(self) -> UserGroupChange:
        """Carry it out.

        :raises Conflict: the name is taken in a way that ``if_exists`` does not allow.
        """
        existing = self._look()
        if existing is not None and self._wanted.if_exists == "fail":
            raise self._taken(existing)
        subject = f"User group {self._wanted.name!r}"
        with server_ids(self._endpoints, self._wanted, self._staged, subject) as self._people:
            return self._use(existing) if existing is not None else self._create()

    def _create(self) -> UserGroupChange:
        made = create_once(
            self._endpoints.client,
            self._post,
            self._look,
            what=f"user group {self._wanted.name!r}",
            key=f"the name {self._wanted.name!r}",
            unsent=f"User group {self._wanted.name!r} was not created, and none of {self._ids.users:,} users added.",
        )
        if made.reply is not None:
            return self._fill(parse_created_id(made.reply.json) or self._new_id(made.reply), "created")
        if made.found is None:
            raise AssertionError("a creation has an answer, or something was found")
        return self._fill(made.found.user_group_id, "created") if made.ours else self._use(made.found)

    def _new_id(self, created: Reply) -> str:
        """The id of the group just created, from the list."""
        found = look_patiently(self._endpoints.client, self._look)
        if found is None:
            raise UnexpectedReply(
                f"Alteryx Server answered {created.call} with status {created.status}, but tells the id of user group "
                f"{self._wanted.name!r} neither in the answer nor in the list. Run the task again: it looks first. The "
                f"Airflow connection is {self._endpoints.conn_id!r}.",
                maybe_done=True,
                **created.facts,
            )
        return found.user_group_id

    def _look(self) -> UserGroup | None:
        return self._endpoints.find(UserGroupKey(name=self._wanted.name))

    def _post(self) -> Reply:
        body = encode({"name": self._wanted.name, "role": self._wanted.role})
        try:
            return self._endpoints.call("POST", "usergroups", body=body, may_be_text=True)
        except RejectedRequest as error:
            # The server has no status of its own for a name that somebody else took since the look.
            if error.status == 400 and (taken := self._look()) is not None:
                raise self._taken(taken) from None
            raise

    def _use(self, existing: UserGroup) -> UserGroupChange:
        """What ``if_exists`` says of a group that is there."""
        if self._wanted.if_exists == "fail":
            raise self._taken(existing)
        logger.info("User group %r exists (%s).", self._wanted.name, existing.user_group_id)
        if self._wanted.if_exists == "reuse":
            return self._fill(existing.user_group_id, "reused", role=existing.role)
        return self._make_exact(existing)

    def _taken(self, existing: UserGroup) -> Conflict:
        return Conflict(
            f"User group {self._wanted.name!r} exists ({existing.user_group_id}) and nothing was changed. If an "
            'earlier try of this task made it, if_exists="reuse" goes on from there. The Airflow connection is '
            f"{self._endpoints.conn_id!r}.",
            vendor=VENDOR,
        )

    def _make_exact(self, existing: UserGroup) -> UserGroupChange:
        """Set the role, and add the missing users before others are removed."""
        group_id = existing.user_group_id
        before = self._endpoints.group(group_id).members or frozenset()
        wanted = {id_key(user) for batch in self._ids.batches() for user in batch.ids()}
        leaving = sorted(user for user in before if id_key(user) not in wanted)
        check_removals(
            f"user group {self._wanted.name!r}",
            self._wanted,
            users=len(wanted),
            members=len(before),
            removed=len(leaving),
        )
        if existing.role != self._wanted.role:
            body = encode({"name": self._wanted.name, "role": self._wanted.role})
            self._endpoints.call("PUT", "usergroups", group_id, body=body, may_be_empty=True)
        change = self._fill(group_id, "updated")
        if not leaving:
            return change
        self._check_present(group_id, wanted, leaving, refused=sum(change.users_refused.values()))
        with StagedUserIds(max_length=self._ids.max_length, per_request=self._ids.per_request) as staged:
            staged.fill(leaving)
            removed = remove_and_check(self._endpoints, group_id, staged)
        return change.model_copy(update={"users_removed": removed, "requests": self._endpoints.requests})

    def _check_present(self, user_group_id: str, wanted: set[str], leaving: list[str], *, refused: int) -> None:
        """Check that the group shows the users who were added, before others are removed.

        :raises UnexpectedReply: it does not: it may show them by other ids, among those that would be removed.
        """
        missing = wanted - self._endpoints.group(user_group_id).member_keys
        unclear = len(missing) > refused or (wanted and missing == wanted)
        if unclear or not same_users(self._endpoints, missing).isdisjoint(map(id_key, leaving)):
            raise UnexpectedReply(
                f"Alteryx Server shows user group {user_group_id} without {len(missing):,} of the {len(wanted):,} "
                f"users who were to be added, and refused {refused:,}. Nobody was removed, as the server may show "
                "these users by other ids. Compare the ids with those of its user list, and run the task again. "
                f"The Airflow connection is {self._endpoints.conn_id!r}.",
                vendor=VENDOR,
                maybe_done=True,
            )

    def _fill(self, user_group_id: str, outcome: Outcome, *, role: str | None = None) -> UserGroupChange:
        logger.info("User group %r (%s) %s.", self._wanted.name, user_group_id, outcome)
        added, refused = add_and_check(self._endpoints, user_group_id, self._ids, self._wanted.on_refused)
        return UserGroupChange(
            user_group_id=user_group_id,
            name=self._wanted.name,
            role=role or self._wanted.role,
            outcome=outcome,
            users_sent=self._ids.users,
            users_added=added,
            users_refused=refused,
            users_rejected=dict(self._staged.invalid),
            requests=self._endpoints.requests,
            changed_at=datetime.now(UTC),
            **self._people.left_out,
        )


VENDOR = "Alteryx Server"
REASONS_SHOWN = 5
# Of somebody who is neither added nor refused, and no member.
UNTOLD = "not added, without a reason"


def rename(endpoints: UserGroupEndpoints, wanted: UpdateUserGroup) -> UserGroupChange:
    """Give a group another name or role."""
    group = endpoints.group(endpoints.found_id(wanted))
    name, role = wanted.new_name or group.name, wanted.role or group.role
    endpoints.call(
        "PUT", "usergroups", group.user_group_id, body=encode({"name": name, "role": role}), may_be_empty=True
    )
    return UserGroupChange(
        user_group_id=group.user_group_id,
        name=name,
        role=role,
        outcome="updated",
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
    )


def delete(endpoints: UserGroupEndpoints, wanted: DeleteUserGroup) -> UserGroupChange:
    """Delete a group; a group that is gone after a lost answer was deleted by it."""
    deleted, found = True, None
    try:
        found = endpoints.found_id(wanted)
        query = {"forceDelete": "true"} if wanted.force_delete else None
        endpoints.call("DELETE", "usergroups", found, query=query, may_be_empty=True)
    except NotFound as error:
        deleted = error.maybe_done
        if not deleted and not _is_missing(endpoints, found, error):
            raise
        if not deleted and wanted.if_missing == "fail":
            raise error.advise('To take a missing group for deleted, use if_missing="skip".') from None
    except RejectedRequest as error:
        hint = "" if wanted.force_delete else " A group with members is deleted only with `force_delete=True`."
        raise error.advise(f"{str(wanted)[:1].upper()}{str(wanted)[1:]} was not deleted.{hint}") from None
    return UserGroupChange(
        user_group_id=found,
        name=wanted.name,
        outcome="deleted" if deleted else "missing",
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
    )


def _is_missing(endpoints: UserGroupEndpoints, user_group_id: str | None, error: NotFound) -> bool:
    """Whether the group is not there: a 404 may as well come of a wrong address, or of something on the way."""
    if error.status is None:  # the list was read, and has no such name
        return True
    if user_group_id is None or error.method != "DELETE":  # the 404 was of the list or of the token
        return False
    return all(id_key(group.user_group_id) != id_key(user_group_id) for group in endpoints.groups())


def add(endpoints: UserGroupEndpoints, wanted: ChangeUsers, staged: StagedUserIds) -> UserGroupChange:
    """Add users to a group."""
    user_group_id = endpoints.found_id(wanted)
    with server_ids(endpoints, wanted, staged, "The addition of users") as people:
        ids = people.staged
        added, refused = add_and_check(endpoints, user_group_id, ids, wanted.on_refused)
    return UserGroupChange(
        user_group_id=user_group_id,
        name=wanted.name,
        outcome="updated",
        users_sent=ids.users,
        users_added=added,
        users_refused=refused,
        users_rejected=dict(staged.invalid),
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
        **people.left_out,
    )


def add_and_check(
    endpoints: UserGroupEndpoints, user_group_id: str, staged: StagedUserIds, on_refused: OnRefused
) -> tuple[int, dict[str, int]]:
    """Add users; return how many were added, and how many were refused by reason.

    What the server says of somebody who is a member already is not published, so the members are asked for before
    anybody counts as refused.

    :raises RejectedRequest: somebody was refused, and ``on_refused="fail"``.
    """
    added, reasons, told_of_all = endpoints.add_users(user_group_id, staged)
    refused = Counter[str]()
    if reasons or not told_of_all:
        members = endpoints.group(user_group_id).member_keys
        doubtful = [reasons] if told_of_all else (batch.ids() for batch in staged.batches())
        for users in doubtful:
            refused.update(reasons.get(key, UNTOLD) for key in set(map(id_key, users)) - members)
    if refused and on_refused == "fail":
        shown = "; ".join(f"{reason} ({count:,})" for reason, count in refused.most_common(REASONS_SHOWN))
        raise RejectedRequest(
            f"{VENDOR} refused to add {refused.total():,} of {staged.users:,} users to user group {user_group_id}: "
            f'{shown}. The others were added. Correct the list, or leave those out with `on_refused="skip"`. The '
            f"Airflow connection is {endpoints.conn_id!r}.",
            vendor=VENDOR,
        )
    return added, _fewer(refused)


def _fewer(counts: Counter[str]) -> dict[str, int]:
    """The commonest reasons, and the sum of the others: each may be another one for every person."""
    named = Counter({reason: count for reason, count in counts.items() if reason != OTHER_REASONS})
    kept = dict(named.most_common(REASONS_KEPT))
    others = counts.total() - sum(kept.values())
    return kept | ({OTHER_REASONS: others} if others else {})


def remove(endpoints: UserGroupEndpoints, wanted: ChangeUsers, staged: StagedUserIds) -> UserGroupChange:
    """Remove users from a group, one call each."""
    user_group_id = endpoints.found_id(wanted)
    with server_ids(endpoints, wanted, staged, "The removal of users") as people:
        ids = people.staged
        removed = remove_and_check(endpoints, user_group_id, ids)
    return UserGroupChange(
        user_group_id=user_group_id,
        name=wanted.name,
        outcome="updated",
        users_sent=ids.users,
        users_removed=removed,
        users_rejected=dict(staged.invalid),
        requests=endpoints.requests,
        changed_at=datetime.now(UTC),
        **people.left_out,
    )


def remove_and_check(endpoints: UserGroupEndpoints, user_group_id: str, staged: StagedUserIds) -> int:
    """Remove users; return how many.

    :raises VendorError: the first error, in the order of the users, after all others were attempted.
    """
    result = endpoints.remove_users(user_group_id, staged)
    if result.error is None:
        return result.removed
    failed = "1 call" if result.failed == 1 else f"{result.failed:,} calls"
    left = staged.users - result.removed - result.failed
    raise result.error.advise(
        f"{result.removed:,} of {staged.users:,} users were removed from user group {user_group_id}, {failed} failed, "
        f"and {left:,} were not begun. Run it again: removing a user who is not a member changes nothing."
    )


def change_active_directory_group(
    endpoints: UserGroupEndpoints, method: str, wanted: ChangeActiveDirectoryGroup
) -> None:
    """Put an Active Directory group into a user group, or take it out."""
    path = ("usergroups", endpoints.found_id(wanted), "activedirectorygroups")
    if method == "POST":
        endpoints.call("POST", *path, body=encode(wanted.sid), may_be_empty=True)
    else:
        endpoints.call("DELETE", *path, wanted.sid, may_be_empty=True)


def change_share(endpoints: UserGroupEndpoints, method: str, wanted: Share) -> None:
    """Share a resource with a group, change what it may do there, or unshare it."""
    user_group_id = endpoints.found_id(wanted)
    path = (RESOURCES[wanted.resource_type], wanted.resource_id, "userGroups")
    if method == "POST":
        body = encode({"userGroupId": user_group_id, **wanted.terms})
        endpoints.call("POST", *path, body=body, may_be_empty=True)
    elif method == "PUT":
        endpoints.call("PUT", *path, user_group_id, "permissions", body=encode(wanted.terms), may_be_empty=True)
    else:
        endpoints.call("DELETE", *path, user_group_id, may_be_empty=True)

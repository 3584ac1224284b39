"""Changing an Alteryx Server user group that exists: name and role, members, its end."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import NotFound, RejectedRequest
from airflow_segments_provider.hooks.alteryx_endpoints import OTHER_REASONS, REASONS_KEPT
from airflow_segments_provider.hooks.alteryx_people import server_ids
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.models.alteryx import RESOURCES, UserGroupChange, id_key

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.alteryx_endpoints import UserGroupEndpoints
    from airflow_segments_provider.models.alteryx import OnRefused
    from airflow_segments_provider.models.alteryx_given import (
        ChangeActiveDirectoryGroup,
        ChangeUsers,
        DeleteUserGroup,
        Share,
        UpdateUserGroup,
    )
    from airflow_segments_provider.sources.batches import StagedUserIds

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

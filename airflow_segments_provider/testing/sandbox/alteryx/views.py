"""How users, groups and shared objects look in replies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_segments_provider.testing.sandbox.alteryx import dates
from airflow_segments_provider.testing.sandbox.alteryx.records import (
    GroupRecord,
    MemberRecord,
    ObjectRecord,
    ShareRecord,
    UserRecord,
)

_DOMAIN = "EXAMPLE"


def reduced_user(user: UserRecord) -> dict[str, object]:
    """Return a user as the list shows one by default."""
    return {
        "id": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "isActive": user.is_active,
        "role": user.role,
        "dateCreated": dates.spelled(user.created_at),
    }


def full_user(user: UserRecord) -> dict[str, object]:
    """Return all of a user, where the creation is not told; nothing is shared with users themselves here."""
    return {
        "id": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "role": user.role,
        "defaultWorkerTag": "",
        "canScheduleJobs": False,
        "canPrioritizeJobs": False,
        "canAssignJobs": False,
        "canCreateCollections": False,
        "isApiEnabled": user.role == "Curator",
        "defaultCredentialId": None,
        "isAccountLocked": False,
        "isActive": user.is_active,
        "lastLoginDateTime": None,
        "isValidated": True,
        "sharedCredentialIds": [],
        "dataConnectionIds": [],
        "timeZone": None,
        "language": None,
        "canCreateAndUpdateDcm": False,
        "canShareForExecutionDcm": False,
        "canShareForCollaborationDcm": False,
        "canManageGenericVaultsDcm": False,
    }


def reduced_group(group: GroupRecord) -> dict[str, object]:
    """Return a group as the list shows one."""
    return {"id": group.id, "name": group.name, "role": group.role}


def full_group(
    group: GroupRecord,
    members: Sequence[MemberRecord],
    sids: Sequence[str],
    shares: Sequence[ShareRecord],
    windows: bool,
) -> dict[str, object]:
    """Return all of a group; that AD groups are members without a user id is an assumption."""
    people = [_member(member, windows) for member in members]
    ad_groups = [{"activeDirectoryObject": _ad_object(sid, "Group", sid, sid)} for sid in sids]
    return {
        "id": group.id,
        "name": group.name,
        "dateAdded": dates.spelled(group.created_at),
        "role": group.role,
        "credentialIds": [share.object_id for share in shares if share.kind == "credential"],
        "connectionIds": [share.object_id for share in shares if share.kind == "connection"],
        "members": [*people, *ad_groups],
    }


def added_users(added: int, submitted: int, failures: Mapping[str, str], no_failures_as: str) -> dict[str, object]:
    """Return what became of an add."""
    view: dict[str, object] = {"successfullyAddedUserCount": added, "totalUsersSubmittedCount": submitted}
    if failures or no_failures_as == "empty":
        view["failedUserReasons"] = dict(failures)
    elif no_failures_as == "null":
        view["failedUserReasons"] = None
    return view


def shared_object(found: ObjectRecord, shares: Sequence[ShareRecord], owner_id: str) -> dict[str, object]:
    """Return a collection, a credential or a data connection, with the groups that may use it."""
    group_ids = [share.group_id for share in shares]
    if found.kind == "credential":
        return {"id": found.id, "userName": found.name, "userIds": [], "userGroupIds": group_ids}
    if found.kind == "connection":
        return {
            "id": found.id,
            "name": found.name,
            "connectionString": "odbc:DSN=example",
            "connectionType": "ODBC",
            "userIds": [],
            "userGroupIds": group_ids,
        }
    return {
        "id": found.id,
        "name": found.name,
        "ownerId": owner_id,
        "dateAdded": dates.spelled(found.created_at),
        "workflowIds": [],
        "users": [],
        "subscriptionIds": [],
        "userGroupIds": group_ids,
        "scheduleIds": [],
    }


def _member(member: MemberRecord, windows: bool) -> dict[str, object]:
    view: dict[str, object] = {
        "userId": member.user_id,
        "dateAddedToGroup": dates.spelled(member.added_at),
        "addedByUserId": member.added_by,
    }
    if windows and member.user is not None:
        user = member.user
        account = user.email.partition("@")[0]
        name = f"{user.first_name} {user.last_name}"
        view["activeDirectoryObject"] = _ad_object(f"S-1-5-21-1-2-3-{1000 + user.number}", "Person", name, account)
    return view


def _ad_object(sid: str, category: str, display_name: str, account: str) -> dict[str, object]:
    return {
        "sid": sid,
        "category": category,
        "displayName": display_name,
        "domainName": _DOMAIN,
        "sidAccountName": account,
    }

"""What Alteryx demands of the bodies it is sent."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_segments_provider.testing.sandbox.alteryx import ids
from airflow_segments_provider.testing.sandbox.alteryx.access import FORM
from airflow_segments_provider.testing.sandbox.alteryx.constants import SHARED_PATHS, Kind, Role
from airflow_segments_provider.testing.sandbox.alteryx.fields import FieldReader, read_form, read_json
from airflow_segments_provider.testing.sandbox.alteryx.problems import invalid, problem
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.messages import Call

PERMISSIONS = ("isAdmin", "canAddAssets", "canRemoveAssets", "canUpdateAssets", "canAddUsers", "canRemoveUsers")
_SID = re.compile(r"S-1(-[0-9]+){2,}")
_SHARED = {path.rsplit("/", 3)[1]: kind for kind, path in SHARED_PATHS.items()}


@dataclass(frozen=True)
class GroupContract:
    """A group to be created, or what one shall be from now on."""

    name: str
    role: Role


@dataclass(frozen=True)
class ShareContract:
    """A group that shall use an object, or what it shall be allowed from now on."""

    group_id: str
    permissions: dict[str, bool] | None = None
    expires: str | None = None


def read_group(call: Call, settings: AlteryxSettings) -> GroupContract:
    """Return a name and a role, from JSON or from a form."""
    body = read_form(call) if call.content_type == FORM else read_json(call)
    reader = FieldReader(body)
    contract = GroupContract(reader.name("name"), reader.role("role"))
    reader.finish(settings.unknown_fields == "refuse")
    return contract


def read_user_ids(call: Call, settings: AlteryxSettings) -> list[str]:
    """Return what should be user ids, from a bare array; whether they are is for the settings to weigh."""
    if call.content_type == FORM:
        raise problem(settings.form_users_status, "The user ids must be a JSON array.")
    user_ids = read_json(call)
    if not isinstance(user_ids, list):
        raise invalid({"userIds": ["The body must be an array of user ids."]})
    if wrong := [position for position, item in enumerate(user_ids) if not isinstance(item, str)]:
        raise invalid({f"userIds[{position}]": ["The id must be a string."] for position in wrong})
    if not user_ids and settings.empty_add_status == 400:
        raise invalid({"userIds": ["The array must not be empty."]})
    if settings.max_users_per_add is not None and len(user_ids) > settings.max_users_per_add:
        raise invalid({"userIds": [f"The array must hold at most {settings.max_users_per_add} ids."]})
    if settings.malformed_user == "refuse":
        strangers = [position for position, item in enumerate(user_ids) if ids.read(item) is None]
        if strangers:
            wants = "The id must have 24 hexadecimal digits."
            raise invalid({f"userIds[{position}]": [wants] for position in strangers})
    return user_ids


def read_sid(call: Call) -> str:
    """Return the SID of an Active Directory group, from a bare JSON string; how a wrong one is refused is assumed."""
    sid = read_json(call)
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise invalid({"sid": ["The body must be a JSON string with a SID."]})
    return sid


def read_share(call: Call, kind: Kind, settings: AlteryxSettings) -> ShareContract:
    """Return which group shall use an object; a collection demands permissions besides."""
    reader = FieldReader(read_json(call))
    group_id = reader.id("userGroupId")
    if kind != "collection":
        reader.finish(settings.unknown_fields == "refuse")
        return ShareContract(group_id)
    return _with_permissions(reader, group_id, settings)


def read_permissions(call: Call, group_id: str, settings: AlteryxSettings) -> ShareContract:
    """Return what a group shall be allowed in a collection from now on."""
    return _with_permissions(FieldReader(read_json(call)), group_id, settings)


def describe(call: Call) -> None:
    """Note in the log of calls the kind of what is shared as the action, and the number of users' ids, but no id."""
    parts = call.path.split("/")
    if "userGroups" in parts:
        call.record.action = next((_SHARED[part] for part in parts if part in _SHARED), None)
    if "user" in call.parameters:
        call.record.user_ids = 1
        call.record.path = "/".join([*parts[:-1], "{userId}"])
    elif call.method == "POST" and parts[-1] == "users":
        try:
            body = call.json
        except ValueError:
            return
        call.record.user_ids = len(body) if isinstance(body, list) else None


def _with_permissions(reader: FieldReader, group_id: str, settings: AlteryxSettings) -> ShareContract:
    strict = settings.unknown_fields == "refuse"
    expires = reader.optional_date("expirationDate")
    permissions = reader.raw("collectionsPermissions")
    reader.finish(strict)
    flags = FieldReader(permissions, "collectionsPermissions.")
    allowed = {name: flags.optional_flag(name) for name in PERMISSIONS}
    flags.finish(strict)
    return ShareContract(group_id, allowed, expires)

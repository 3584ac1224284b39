"""What Docebo demands of the bodies it is sent."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, cast

from airflow_segments_provider.testing.sandbox.docebo import errors
from airflow_segments_provider.testing.sandbox.docebo.constants import MAX_NAME_CHARACTERS
from airflow_segments_provider.testing.sandbox.docebo.records import GroupType
from airflow_segments_provider.testing.sandbox.docebo.rules import read_ruleset
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.messages import Call

_MANY = ("user_ids", "branch_ids", "group_ids")


@dataclass(frozen=True)
class Creation:
    """A group to be created."""

    name: str
    description: str
    type: GroupType
    exclude_deactivated_users: bool
    ruleset: dict[str, Any] | None


@dataclass(frozen=True)
class Addition:
    """Whom to add: users, and the users of branches and groups."""

    user_ids: list[int]
    branch_ids: list[int]
    group_ids: list[int]


@dataclass(frozen=True)
class Removal:
    """Whom to remove; None where a field is absent, and all or some are narrowed by the searches."""

    user_ids: list[int]
    user_all: bool
    searches: list[str]


def read_creation(call: Call, settings: DoceboSettings) -> Creation:
    """Return what a create call asks for, or refuse it."""
    known = {"name", "description", "type", "ruleset", "exclude_deactivated_users"}
    body = _read_object(call, known, settings)
    for required in ("name", "type") if settings.type_required else ("name",):
        if required not in body:
            raise errors.refused(400, f"{required} is missing", settings)
    kind = body.get("type", "manual")
    if kind not in ("manual", "automatic"):
        raise errors.refused(400, "type must be manual or automatic", settings)
    if (kind == "automatic") != (body.get("ruleset") is not None):
        raise errors.refused(400, "automatic groups must have a ruleset, and no others", settings)
    ruleset = None if kind == "manual" else read_ruleset(body["ruleset"], settings)
    fields = _read_fields(body, settings)
    return Creation(
        str(fields["name"]),
        str(fields.get("description", "")),
        cast(GroupType, kind),
        bool(fields.get("exclude_deactivated_users", False)),
        ruleset,
    )


def read_update(call: Call, settings: DoceboSettings) -> dict[str, Any]:
    """Return the fields that an update changes, or refuse it."""
    known = {"name", "description", "ruleset", "exclude_deactivated_users"}
    body = _read_object(call, known, settings)
    fields: dict[str, Any] = _read_fields(body, settings)
    if body.get("ruleset") is not None:
        fields["ruleset"] = read_ruleset(body["ruleset"], settings)
    return fields


def read_addition(call: Call, settings: DoceboSettings) -> Addition:
    """Return whom an add call names, or refuse it."""
    body = _read_object(call, set(_MANY), settings)
    if not body.keys() & set(_MANY):
        raise errors.refused(400, f"one of {', '.join(_MANY)} must be given", settings)
    users, branches, groups = (_read_ids(body, name, settings) for name in _MANY)
    return Addition(users, branches, groups)


def read_removal(call: Call, settings: DoceboSettings) -> Removal:
    """Return whom a removal names, or refuse it."""
    body = _read_object(call, {"user_ids", "user_all", "user_filters"}, settings)
    if "user_ids" not in body and (settings.user_ids_required or not body):
        raise errors.refused(400, "user_ids is missing", settings)
    if not isinstance(body.get("user_all", False), bool):
        raise errors.refused(400, "user_all must be true or false", settings)
    searches = _read_filters(body["user_filters"], settings) if body.get("user_filters") else []
    return Removal(_read_ids(body, "user_ids", settings), bool(body.get("user_all")), searches)


def describe(call: Call) -> None:
    """Note the number of ids, and the form of an addition, in the log of calls, whatever else the body holds."""
    if "/audiences/" not in call.path:
        return
    last = call.path.rsplit("/", 1)[-1]
    if last == "assign_users":
        call.record.action = "assign_users"
    elif last == "users" and call.method in ("PUT", "POST"):
        call.record.action = f"{call.method.lower()}_users"
    try:
        body = call.json
    except ValueError:
        return
    user_ids = body.get("user_ids") if isinstance(body, dict) else None
    call.record.user_ids = len(user_ids) if isinstance(user_ids, list) else None


def _read_object(call: Call, known: Set[str], settings: DoceboSettings) -> dict[str, Any]:
    if call.content_type != "application/json":
        raise errors.refused(400, "the content type must be application/json", settings)
    try:
        body = call.json
    except ValueError:
        raise errors.refused(400, "the body is no JSON", settings) from None
    if not isinstance(body, dict):
        raise errors.refused(400, "the body must be an object", settings)
    unknown = body.keys() - known
    if unknown and settings.unknown_fields == "refuse":
        raise errors.refused(400, f"{len(unknown)} unknown field(s) beside {', '.join(sorted(known))}", settings)
    return {name: value for name, value in body.items() if name in known}


def _read_fields(body: dict[str, Any], settings: DoceboSettings) -> dict[str, object]:
    fields: dict[str, object] = {}
    if "name" in body:
        name = body["name"]
        if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME_CHARACTERS or not _encodable(name):
            raise errors.refused(400, f"name must have 1 to {MAX_NAME_CHARACTERS} characters, not all blank", settings)
        fields["name"] = name
    if body.get("description") is not None:
        if not isinstance(body["description"], str) or not _encodable(body["description"]):
            raise errors.refused(400, "description must be a string", settings)
        fields["description"] = body["description"]
    if "exclude_deactivated_users" in body:
        if not isinstance(body["exclude_deactivated_users"], bool):
            raise errors.refused(400, "exclude_deactivated_users must be true or false", settings)
        fields["exclude_deactivated_users"] = body["exclude_deactivated_users"]
    return fields


def _read_ids(body: dict[str, Any], name: str, settings: DoceboSettings) -> list[int]:
    ids = body.get(name, [])
    # A bool is an int to Python, and a text of digits is none to Docebo.
    if not isinstance(ids, list) or not all(type(item) is int and 0 < item < 2**63 for item in ids):
        raise errors.refused(400, f"{name} must be an array of positive whole numbers", settings)
    if name == "user_ids" and settings.max_user_ids is not None and len(ids) > settings.max_user_ids:
        raise errors.refused(400, f"user_ids holds more than {settings.max_user_ids} ids", settings)
    return ids


def _read_filters(value: object, settings: DoceboSettings) -> list[str]:
    searches: list[object] | None = None
    if isinstance(value, dict) and settings.user_filters_as != "array" and value.keys() == {"search"}:
        searches = [value["search"]]
    elif isinstance(value, list) and settings.user_filters_as != "object":
        searches = list(value)
    if searches is None or not all(isinstance(text, str) and text.strip() and _encodable(text) for text in searches):
        raise errors.refused(400, "user_filters must be a search text or several, none empty", settings)
    return [str(text) for text in searches]


def _encodable(text: str) -> bool:
    # JSON may spell half of a surrogate pair, which is no character.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

"""What Zendesk demands of the bodies it is sent; how it refuses what is no such body is an assumption."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, get_args

from airflow_segments_provider.testing.sandbox.messages import Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask
from airflow_segments_provider.testing.sandbox.zendesk.paging import Half
from airflow_segments_provider.testing.sandbox.zendesk.records import Role, UserType
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings

_TEXTS, _NUMBERS = ("tags", "or_tags"), ("organization_ids", "group_ids", "added_user_ids")
_SEGMENT_FIELDS = {"name", "user_type", *_TEXTS, *_NUMBERS}
_USER_FIELDS = {"name", "email", "external_id", "role", "organization_id", "tags"}
_READ_ONLY = {"id", "built_in", "created_at", "updated_at", "url"}
Changes = dict[str, Any]


def read_object(ask: Ask) -> dict[str, Any]:
    """Return a body that is a JSON object."""
    if ask.call.content_type != "application/json":
        raise errors.bad_request("InvalidContentType", "The content type must be application/json")
    try:
        body = ask.call.json
        # JSON may spell half of a surrogate pair, which is no character.
        json.dumps(body, ensure_ascii=False).encode()
    except ValueError:  # a wrong encoding is one, too
        body = None
    if not isinstance(body, dict):
        raise errors.bad_request("InvalidJSON", "The body must be a JSON object")
    return body


def read_wrapped(ask: Ask, key: str) -> Changes:
    """Return the object that a body holds under a key."""
    found = read_object(ask).get(key)
    if not isinstance(found, dict):
        raise errors.bad_request("ParameterMissing", f"The body must hold an object under {key}")
    return found


def read_segment(given: Mapping[str, Any], creation: bool, account: Account) -> Changes:
    """Return the fields of a segment that a body sets, or refuse them."""
    settings = account.settings
    if (creation or "user_type" in given) and given.get("user_type") not in get_args(UserType):
        choice = " or ".join(get_args(UserType))
        raise errors.bad_fields("user_type", f"The value is invalid; it must be either {choice}")
    changes: Changes = {key: value for key, value in given.items() if key in _SEGMENT_FIELDS}
    name = changes.get("name")
    if name is not None and not isinstance(name, str):
        raise errors.bad_fields("name", "The name must be a string")
    if creation and name is None:
        changes["name"] = None if settings.missing_name == "null" else ""
    for field in (*_TEXTS, *_NUMBERS):
        if field in changes:
            changes[field] = _items(field, changes[field], str if field in _TEXTS else int)
    limits = (("tags", settings.max_tags), ("or_tags", settings.max_tags))
    for field, most in (*limits, ("organization_ids", settings.max_organizations)):
        if most is not None and len(changes.get(field, ())) > most:
            raise errors.bad_fields(field, f"There are more than {most}")
    if settings.strict_ids:
        _refuse_strangers(changes, account)
    return changes


def read_user(given: Mapping[str, Any]) -> Changes:
    """Return the fields of a user's record that a body sets, or refuse them; what is unknown is left out."""
    changes: Changes = {key: value for key, value in given.items() if key in _USER_FIELDS}
    if "tags" in changes:
        changes["tags"] = read_tags(changes["tags"])
    for field in ("name", "email", "external_id"):
        if field in changes and not isinstance(changes[field], str | None):
            raise errors.bad_attribute(f"You passed an invalid value for the {field} attribute")
    if any(field in changes and not changes[field] for field in ("name", "email")):
        raise errors.record_invalid("name" if "name" in changes else "email", "cannot be blank")
    if "role" in changes and changes["role"] not in get_args(Role):
        raise errors.record_invalid("role", "is no role")
    if "organization_id" in changes:
        number = changes.pop("organization_id")
        if number is not None and not _is_number(number):
            raise errors.bad_attribute("You passed an invalid value for the organization_id attribute")
        changes["organization_ids"] = [] if number is None else [number]
    return changes


def read_tags(tags: object) -> list[str]:
    """Return tags without repetitions, or refuse what is no array of strings."""
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise errors.bad_attribute("You passed an invalid value for the tags attribute. Must be an array")
    return list(dict.fromkeys(tag for tag in tags if tag))


def warned(
    reply: Reply, key: str, action: str, given: Mapping[str, Any], half: Half, settings: ZendeskSettings
) -> Reply:
    """Return a reply with a header that names the dropped fields, where that half has it.

    :param action: what was called, in the header's word
    """
    known = _SEGMENT_FIELDS if key == "user_segment" else _USER_FIELDS
    dropped = sorted(field for field in given if field not in known | _READ_ONLY)
    wanted = settings.warn_of_unknown_fields in ("both", half)
    if not dropped or not wanted:
        return reply
    # JSON in ASCII has nothing that a header cannot hold.
    keys = json.dumps([f"{key}.{field}" for field in dropped])
    called = f':controller=>"{key}s", :action=>"{action}"'
    text = f"{{:allowed_parameters=>{{{called}, :unpermitted_keys=>{keys}, :invalid_values=>[]}}}}"
    return replace(reply, headers={**reply.headers, "x-zendesk-api-warn": text})


def count_users(ask: Ask) -> int | None:
    """Return how many users a call is about; None when it tells no such number. It never fails."""
    try:
        body = ask.call.json if ask.call.body else None
    except ValueError:
        body = None
    users = body.get("users") if isinstance(body, dict) else None
    if isinstance(users, list):
        return len(users)
    return len(ask.values("external_ids") or ask.values("ids")) or None


def _items(field: str, value: object, kind: type) -> list[Any]:
    if value is None:
        return []
    fits = isinstance(value, list) and all(
        _is_number(item) if kind is int else isinstance(item, kind) for item in value
    )
    if not isinstance(value, list) or not fits:
        raise errors.bad_fields(field, f"The value must be an array of {'numbers' if kind is int else 'strings'}")
    return list(dict.fromkeys(value))


def _refuse_strangers(changes: Changes, account: Account) -> None:
    found: dict[str, Callable[[list[int]], list[Any]]] = {
        "organization_ids": account.organizations.many,
        "group_ids": account.groups.many,
        "added_user_ids": account.users.many,
    }
    for field, many in found.items():
        if field in changes and len(many(changes[field])) != len(changes[field]):
            raise errors.bad_fields(field, "There is no record with one of these ids")


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

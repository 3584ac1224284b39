"""What WalkMe demands of the bodies it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from airflow_segments_provider.testing.sandbox.messages import Call, Refused, error_reply
from airflow_segments_provider.testing.sandbox.walkme.constants import (
    MAX_ID_CHARACTERS,
    MAX_NAME_CHARACTERS,
    MAX_USER_IDS,
)
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings
from airflow_segments_provider.testing.sandbox.walkme.store import Action


@dataclass(frozen=True)
class Creation:
    """A segment to be created."""

    name: str
    external_id: str | None
    user_ids: list[str]


@dataclass(frozen=True)
class Change:
    """A change of a segment's members."""

    action: Action
    user_ids: list[str]


def invalid(message: str, status: int = 400) -> Refused:
    """Return the refusal of a body."""
    return Refused(error_reply(status, "validation_error", message))


def read_creation(call: Call, settings: WalkMeSettings) -> Creation:
    """Return what a create call asks for, or refuse it."""
    body = _read_object(call, required={"name", "userIds"}, optional={"id"})
    external_id = _read_external_id(body["id"]) if "id" in body else None
    return Creation(_read_name(body["name"]), external_id, _read_user_ids(body["userIds"], settings))


def read_change(call: Call, settings: WalkMeSettings) -> Change:
    """Return what an update call asks for, or refuse it."""
    body = _read_object(call, required={"action", "userIds"}, optional=set())
    action = body["action"]
    if action not in get_args(Action):
        raise invalid(f"action must be one of {', '.join(get_args(Action))}")
    user_ids = _read_user_ids(body["userIds"], settings)
    if action == "override" and not user_ids and not settings.empty_override_allowed:
        raise invalid("override needs at least one user id")
    return Change(cast(Action, action), user_ids)


def describe(call: Call) -> None:
    """Note the action and the number of ids in the log of calls, whatever else the body holds."""
    try:
        body = call.json
    except ValueError:
        return
    if not isinstance(body, dict):
        return
    action, user_ids = body.get("action"), body.get("userIds")
    call.record.action = action if isinstance(action, str) else None
    call.record.user_ids = len(user_ids) if isinstance(user_ids, list) else None


def _read_object(call: Call, required: set[str], optional: set[str]) -> dict[str, object]:
    if call.content_type != "application/json":
        raise invalid("the content type must be application/json")
    try:
        body = call.json
    except ValueError:
        raise invalid("the body is no JSON") from None
    if not isinstance(body, dict):
        raise invalid("the body must be an object")
    if missing := required - body.keys():
        raise invalid(f"missing: {', '.join(sorted(missing))}")
    # Not documented: the vendor may well pass over a stranger, but a caller that sends one has misread something.
    if unknown := body.keys() - required - optional:
        raise invalid(f"{len(unknown)} unknown field(s) beside {', '.join(sorted(required | optional))}")
    return body


def _read_name(name: object) -> str:
    if not isinstance(name, str):
        raise invalid("name must be a string")
    if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not _encodable(name):
        raise invalid(f"name must have 1 to {MAX_NAME_CHARACTERS} characters, not all blank")
    return name


def _read_external_id(external_id: object) -> str:
    if not isinstance(external_id, str):
        raise invalid("id must be a string")
    if not 0 < len(external_id) <= MAX_ID_CHARACTERS or not _encodable(external_id):
        raise invalid(f"id must have 1 to {MAX_ID_CHARACTERS} characters")
    return external_id


def _read_user_ids(user_ids: object, settings: WalkMeSettings) -> list[str]:
    if not isinstance(user_ids, list):
        raise invalid("userIds must be an array")
    if len(user_ids) > MAX_USER_IDS:
        raise invalid(f"userIds holds more than {MAX_USER_IDS} ids", settings.over_limit_status)
    _refuse_some([item for item in user_ids if not isinstance(item, str)], "must be strings", settings)
    _refuse_some([item for item in user_ids if not item], "must not be empty", settings)
    too_long = [item for item in user_ids if len(item) > MAX_ID_CHARACTERS]
    _refuse_some(too_long, f"must have at most {MAX_ID_CHARACTERS} characters", settings)
    if not _encodable("".join(user_ids)):
        raise invalid("userIds must be valid Unicode")
    if settings.refused_user_ids:
        _refuse_some([item for item in user_ids if item in settings.refused_user_ids], "are not acceptable", settings)
    return user_ids


def _refuse_some(bad: list[object], rule: str, settings: WalkMeSettings) -> None:
    if not bad:
        return
    which = f": {', '.join(map(str, bad))}" if settings.echo_ids_in_errors else ""
    raise invalid(f"userIds {rule}, {len(bad)} of them do not comply{which}")


def _encodable(text: str) -> bool:
    # JSON may spell half of a surrogate pair, which is no character.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

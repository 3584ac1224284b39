"""The bodies and queries that Alteryx Server accepts, and its refusals: a message, and the fields that are wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar, get_args
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from airflow_segments_provider.testing.sandbox.alteryx.constants import MAX_NAME_CHARACTERS, Role
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.alteryx.state import UserRecord, read_id
from airflow_segments_provider.testing.sandbox.case import contains, same
from airflow_segments_provider.testing.sandbox.messages import FORM, BadBody, Call, Refused, json_reply

JSON_TYPES = ("application/json", "text/json")
_SID = re.compile(r"S-1(-[0-9]+){2,}")
# The text for a wrong field, by pydantic's type of problem.
_TEXTS = {
    "string_type": "The field must be a string.",
    "string_unicode": "The field must be valid Unicode.",
    "bool_type": "The field must be true or false.",
    "model_type": "The body must be an object.",
    "literal_error": f"The field must be one of {', '.join(get_args(Role))}.",
    "extra_forbidden": "There is no such field.",
}
M = TypeVar("M", bound=BaseModel)


def _name(text: str) -> str:
    # That characters are counted in UTF-16 and may not all be blank is an assumption.
    units = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if not text.strip() or units > MAX_NAME_CHARACTERS:
        raise PydanticCustomError("name", f"The field must have 1 to {MAX_NAME_CHARACTERS} characters.")
    try:
        text.encode()
    except UnicodeEncodeError:
        # JSON may spell half of a surrogate pair, which is not a character.
        raise PydanticCustomError("name", _TEXTS["string_unicode"]) from None
    return text


def _id(text: str) -> str:
    found = read_id(text)
    if found is None:
        raise PydanticCustomError("id", "The field must have 24 hexadecimal digits.")
    return found


def _date(text: str) -> str:
    if read_date(text) is None:
        raise PydanticCustomError("date", "The field must be a date and time.")
    return text


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class GroupContract(_Body):
    """The name and role of a group."""

    name: Annotated[str, AfterValidator(_name)]
    role: Role


class Permissions(_Body):
    """What a group may do in a collection."""

    isAdmin: bool = False
    canAddAssets: bool = False
    canRemoveAssets: bool = False
    canUpdateAssets: bool = False
    canAddUsers: bool = False
    canRemoveUsers: bool = False


class Terms(_Body):
    """The permissions of a group in a collection, and their end."""

    expirationDate: Annotated[str, AfterValidator(_date)] | None = None
    collectionsPermissions: Permissions


class Receiver(_Body):
    """The group that may use an object."""

    userGroupId: Annotated[str, AfterValidator(_id)]


class CollectionShare(Terms, Receiver):
    """The group that may use a collection, and its permissions."""


def read(call: Call, model: type[M], settings: AlteryxSettings) -> M:
    """Return a body, or raise its problems; null counts as absent."""
    form = call.content_type == FORM and model is GroupContract
    sent = dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True)) if form else None
    body = _cleaned(call.read_json(*JSON_TYPES) if sent is None else sent, model, settings)
    if isinstance(body, dict) and "collectionsPermissions" in body:
        terms = _cleaned(body["collectionsPermissions"], Permissions, settings)
        body = {**body, "collectionsPermissions": terms}
    return model.model_validate(body)


def read_user_ids(call: Call, settings: AlteryxSettings) -> list[str]:
    """Return the user IDs of a bare array; the settings decide about malformed ones."""
    if call.content_type == FORM:
        raise problem(settings.form_users_status, "The user ids must be a JSON array.")
    user_ids = call.read_json(*JSON_TYPES)
    if not isinstance(user_ids, list):
        raise invalid({"userIds": ["The body must be an array of user ids."]})
    if wrong := [position for position, item in enumerate(user_ids) if not isinstance(item, str)]:
        raise invalid({f"userIds[{position}]": ["The id must be a string."] for position in wrong})
    if not user_ids and settings.empty_add_status == 400:
        raise invalid({"userIds": ["The array must not be empty."]})
    if settings.max_users_per_add is not None and len(user_ids) > settings.max_users_per_add:
        raise invalid({"userIds": [f"The array must hold at most {settings.max_users_per_add} ids."]})
    malformed = [position for position, item in enumerate(user_ids) if read_id(item) is None]
    if malformed and settings.malformed_user == "refuse":
        text = "The id must have 24 hexadecimal digits."
        raise invalid({f"userIds[{position}]": [text] for position in malformed})
    return user_ids


def read_sid(call: Call) -> str:
    """Return the SID of an Active Directory group, from a bare JSON string; the refusal is an assumption."""
    sid = call.read_json(*JSON_TYPES)
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise invalid({"sid": ["The body must be a JSON string with a SID."]})
    return sid


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    """Return a refusal with a message only."""
    return Refused(json_reply(status, {"message": message}, headers))


def invalid(fields: Mapping[str, list[str]], status: int = 400) -> Refused:
    """Return the refusal of what was sent, with the problems of each field."""
    return Refused(json_reply(status, {"message": "The request is invalid.", "modelState": dict(fields)}))


def refusal(error: Exception) -> Refused:
    """Return the refusal of a wrong body; that XML bodies are refused like any other type is an assumption."""
    if isinstance(error, BadBody):
        return {
            "content type": problem(415, "The request's media type is not supported for this resource."),
            "empty": problem(400, "A body is required."),
        }.get(error.reason) or invalid({"contract": ["The body is not JSON."]})
    fields: dict[str, list[str]] = {}
    for one in error.errors(include_url=False) if isinstance(error, ValidationError) else ():
        field = ".".join(str(part) for part in one["loc"]) or "contract"
        missing = f"The {one['loc'][-1]} field is required." if one["type"] == "missing" else one["msg"]
        fields.setdefault(field, []).append(_TEXTS.get(one["type"], missing))
    return invalid(fields)


@dataclass(frozen=True)
class UserFilter:
    """The users that a query asks for; empty texts match all.

    A value that cannot be is refused; that an unknown parameter is ignored is an assumption.
    """

    query: Mapping[str, str]

    def __post_init__(self) -> None:
        choices = {"view": ("Default", "Full"), "active": ("true", "false"), "role": get_args(Role)}
        wrong = {name: _wrong_choice(self.query, name, values) for name, values in choices.items()}
        for name in ("createdAfter", "createdBefore"):
            if self.query.get(name) and read_date(self.query[name]) is None:
                wrong[name] = ["The value must be a date and time."]
        if fields := {name: texts for name, texts in wrong.items() if texts}:
            raise invalid(fields)

    @property
    def full(self) -> bool:
        """Whether users are shown in full."""
        return self.query.get("view") == "Full"

    def matches(self, user: UserRecord, settings: AlteryxSettings) -> bool:
        """Return whether a user is listed."""
        active, role = self.query.get("active", "").lower(), self.query.get("role", "")
        after, before = (read_date(self.query.get(name, "")) for name in ("createdAfter", "createdBefore"))
        return (
            active in ("", str(user.is_active).lower())
            and role in ("", user.role)
            and self._fits("email", user.email, settings.email_filter)
            and self._fits("firstName", user.first_name, settings.name_filter)
            and self._fits("lastName", user.last_name, settings.name_filter)
            and (after is None or user.created_at > after)
            and (before is None or user.created_at < before)
        )

    def _fits(self, name: str, value: str, comparison: str) -> bool:
        wanted = self.query.get(name, "")
        return same(wanted, value) if comparison == "exact" and wanted else contains(value, wanted)


def read_flag(call: Call, name: str) -> bool:
    """Return a true-or-false parameter, false when absent."""
    if wrong := _wrong_choice(call.query, name, ("true", "false")):
        raise invalid({name: wrong})
    return call.query.get(name, "").lower() == "true"


def read_date(text: str) -> float | None:
    """Return the time of a text, in UTC if it names no zone (an assumption); None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _wrong_choice(query: Mapping[str, str], name: str, values: tuple[str, ...]) -> list[str]:
    sent = query.get(name, "")
    # Clients spell true and false as their language does.
    wanted = sent.lower() if values == ("true", "false") else sent
    return [f"The value must be one of {', '.join(values)}."] if wanted and wanted not in values else []


def _cleaned(body: Any, model: type[BaseModel], settings: AlteryxSettings) -> Any:
    """Return a body without null, and without unknown fields where the settings say so."""
    if not isinstance(body, dict):
        return body
    known, strict = model.model_fields, settings.unknown_fields == "refuse"
    return {name: item for name, item in body.items() if (item is not None if name in known else strict)}

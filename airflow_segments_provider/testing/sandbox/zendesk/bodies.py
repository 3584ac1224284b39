"""The bodies that Zendesk accepts, and its refusals; where none was recorded, the form is an assumption."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from airflow_segments_provider.testing.sandbox import messages
from airflow_segments_provider.testing.sandbox.messages import BadBody, Call, Refused, Reply
from airflow_segments_provider.testing.sandbox.zendesk.constants import MAX_SEGMENTS_PER_ARTICLE
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings
from airflow_segments_provider.testing.sandbox.zendesk.state import Role, UserType

_READ_ONLY = {"id", "built_in", "created_at", "updated_at", "url"}
WRONG_BODY = (BadBody, ValidationError)
T = TypeVar("T")


def _unique(items: list[T]) -> list[T]:
    return list(dict.fromkeys(items))


def _filled(text: str | None) -> str | None:
    if not text:
        raise PydanticCustomError("blank", "cannot be blank")
    return text


_OrNull = BeforeValidator(lambda value: [] if value is None else value)
_Texts = Annotated[list[str], _OrNull, AfterValidator(_unique)]
_Numbers = Annotated[list[int], _OrNull, AfterValidator(_unique)]
_Tags = Annotated[list[str], AfterValidator(lambda tags: _unique([tag for tag in tags if tag]))]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True)

    def given(self) -> dict[str, Any]:
        """Return the fields that the body has."""
        return self.model_dump(exclude_unset=True)


class SegmentUpdate(_Body):
    """The fields of a segment that an update may have."""

    user_type: UserType = "signed_in_users"
    name: str | None = None
    tags: _Texts = []
    or_tags: _Texts = []
    organization_ids: _Numbers = []
    group_ids: _Numbers = []
    added_user_ids: _Numbers = []


class NewSegment(SegmentUpdate):
    """The fields of a new segment."""

    user_type: UserType


class TagsBody(_Body):
    """The tags of a user."""

    tags: _Tags


class UserBody(_Body):
    """The fields of a user that an update may have."""

    tags: _Tags = []
    name: Annotated[str | None, AfterValidator(_filled)] = None
    email: Annotated[str | None, AfterValidator(_filled)] = None
    external_id: str | None = None
    role: Role = "end-user"
    organization_id: int | None = None

    def changes(self) -> dict[str, Any]:
        """Return the changes of the user's record."""
        changes = self.given()
        if "organization_id" in changes:
            number = changes.pop("organization_id")
            changes["organization_ids"] = [] if number is None else [number]
        return changes


class Restriction(_Body):
    """The one segment of an article or a topic."""

    user_segment_id: int | None = None


class Restrictions(_Body):
    """The segments of an article."""

    user_segment_ids: Annotated[_Numbers, Field(max_length=MAX_SEGMENTS_PER_ARTICLE)]


def read_object(call: Call) -> dict[str, Any]:
    """Return a body that is a JSON object."""
    body = call.read_json()
    try:
        # JSON may spell half of a surrogate pair, which is not a character.
        json.dumps(body, ensure_ascii=False).encode()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise bad_request("InvalidJSON", "The body must be a JSON object")
    return body


def read_wrapped(call: Call, key: str) -> dict[str, Any]:
    """Return the object that a body holds under a key."""
    found = read_object(call).get(key)
    if not isinstance(found, dict):
        raise bad_request("ParameterMissing", f"The body must hold an object under {key}")
    return found


def warned(reply: Reply, body: type[_Body], action: str, sent: Mapping[str, Any], settings: ZendeskSettings) -> Reply:
    """Return a reply with a header that names the ignored fields, where that half has it.

    :param action: the operation, in the header's word
    """
    key, half = ("user", "support") if body is UserBody else ("user_segment", "help_center")
    ignored = sorted(field for field in sent if field not in body.model_fields.keys() | _READ_ONLY)
    if not ignored or settings.warn_of_unknown_fields not in ("both", half):
        return reply
    # JSON in ASCII has nothing that a header cannot hold.
    keys = json.dumps([f"{key}.{field}" for field in ignored])
    called = f':controller=>"{key}s", :action=>"{action}"'
    text = f"{{:allowed_parameters=>{{{called}, :unpermitted_keys=>{keys}, :invalid_values=>[]}}}}"
    return replace(reply, headers={**reply.headers, "x-zendesk-api-warn": text})


# Replies and refusals


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with a JSON body, whose type names its encoding."""
    return messages.json_reply(status, value, headers, "application/json; charset=utf-8")


def refuse(error: Exception) -> Reply:
    """Return Zendesk's reply to a wrong body: the first problem of a segment, or of a user's attributes."""
    if not isinstance(error, ValidationError):
        wrong_type = getattr(error, "reason", "") == "content type"
        text = "The content type must be application/json" if wrong_type else "The body must be a JSON object"
        return bad_request("InvalidContentType" if wrong_type else "InvalidJSON", text).reply
    problems = error.errors(include_url=False)
    if error.title not in (UserBody.__name__, TagsBody.__name__):
        field, text = str(problems[0]["loc"][0]), problems[0]["msg"]
        if problems[0]["type"] == "literal_error" or field == "user_type":
            text = "The value is invalid; it must be either signed_in_users or staff"
        return bad_fields(field, text).reply
    ranks = {"blank": 1, "literal_error": 2}
    first = min(problems, key=lambda one: 3 if one["loc"][0] == "organization_id" else ranks.get(one["type"], 0))
    field, kind = str(first["loc"][0]), first["type"]
    if kind in ranks:
        return record_invalid(field, "cannot be blank" if kind == "blank" else "is not a role").reply
    must = ". Must be an array" if field == "tags" else ""
    message = f"You passed an invalid value for the {field} attribute{must}"
    return json_reply(400, {"error": {"title": "Invalid attribute", "message": message}})


def unauthenticated() -> Refused:
    """Refuse an unknown caller, or any caller where there is no Help Center."""
    return Refused(json_reply(401, {"error": "Couldn't authenticate you"}))


def forbidden(settings: ZendeskSettings, why: str) -> Refused:
    """Refuse what the token, the role or the plan does not allow."""
    if settings.forbidden_body == "text":
        return Refused(Reply(403, b"Forbidden", "text/plain; charset=utf-8"))
    nested = {"error": {"title": "Forbidden", "message": why}}
    return Refused(json_reply(403, nested if settings.forbidden_body == "nested" else described("Forbidden", why)))


def not_found() -> Refused:
    """Refuse a record, or a path, that does not exist; that paths are refused alike is an assumption."""
    return Refused(json_reply(404, described("RecordNotFound", "Not found")))


def bad_fields(field: str, *texts: str) -> Refused:
    """Refuse a segment for one of its fields; "base" stands for the whole."""
    return Refused(json_reply(400, {"errors": {field: list(texts)}}))


def bad_request(error: str, description: str) -> Refused:
    """Refuse a body or a query."""
    return Refused(json_reply(400, described(error, description)))


def record_invalid(field: str, text: str) -> Refused:
    """Refuse values of the right type that do not fit."""
    details = {field: [{"description": text, "error": "InvalidValue"}]}
    return Refused(json_reply(422, {**described("RecordInvalid", "Record validation errors"), "details": details}))


def too_many_calls(wait: int, headers: Mapping[str, str], as_json: bool = False) -> Refused:
    """Refuse a call for now."""
    text, headers = "Number of allowed API requests per minute exceeded", {**headers, "retry-after": str(wait)}
    if as_json:
        return Refused(json_reply(429, described("TooManyRequests", text), headers))
    return Refused(Reply(429, text.encode(), "text/plain; charset=utf-8", headers))


def described(error: str, description: str) -> dict[str, object]:
    """Return the body that most refusals have."""
    return {"error": error, "description": description}

"""What WalkMe's Segments API takes and answers.

Published at https://support.walkme.com/knowledge-base/segments-api/ and
https://developer.walkme.com/reference/create-segment. Answers are not published: see ``walkme_responses``.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.vendors.base.connection import ConnectionFields, Credential
from airflow_segments_provider.vendors.base.parameters import Given, GivenUsers, with_result

MAX_USERS_PER_REQUEST = 25_000
MAX_ID_LENGTH = 100
MAX_NAME_LENGTH = 255

Action = Literal["add", "remove", "override"]
IfExists = Literal["reuse", "update", "fail"]
IfMissing = Literal["skip", "fail"]

REGIONS = {
    "us": "https://api.walkme.com",
    "eu": "https://eu-api.walkme.com",
    "gov": "https://api.walkmegov.com",
    "ca": "https://api-ca1.walkmedap.com",
}
# The Admin Center's Systems page: https://support.walkme.com/knowledge-base/system-management/. None known for gov.
ADMIN_CENTERS = {
    "us": "https://admin.walkme.com/systems",
    "eu": "https://eu-admin.walkme.com/systems",
    "gov": "",
    "ca": "https://admin-ca1.walkmedap.com/systems",
}

_GUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def normalise_guid(value: str) -> str:
    """A GUID as WalkMe wants it in a path: hyphenated; lower case, so that two can be compared.

    :raises ValueError: it is neither 32 hexadecimal digits nor 8-4-4-4-12 of them, with or without braces.
    """
    text = value.strip()
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    if not _GUID.fullmatch(text):
        raise ValueError("is not a GUID: 32 hexadecimal digits, with or without hyphens in 8-4-4-4-12")
    return str(uuid.UUID(text))


def default_external_id(system_guid: str, name: str) -> str:
    """The external id of a segment for which none was chosen: the same for the same system and name, always."""
    return str(uuid.uuid5(uuid.UUID(system_guid), name))


Guid = Annotated[str, AfterValidator(normalise_guid)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)]
ExternalId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]


class WalkMeConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``walkme``."""

    system_guid: Guid | None = None
    region: Literal["us", "eu", "gov", "ca"] = "us"
    token_url: Credential | None = None
    admin_url: str | None = None
    distinct_users: bool = False
    users_per_request: int = Field(MAX_USERS_PER_REQUEST, ge=1, le=MAX_USERS_PER_REQUEST)


def _seconds(value: Any) -> Any:
    """A number of seconds that a template rendered to text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class LookUp(Given):
    """What every call is given.

    :param system_guid: by default the connection's own.
    """

    system_guid: Guid | None = None


class CreateSegment(LookUp, GivenUsers):
    """What a create is given, without the people."""

    name: Name
    external_id: ExternalId | None = None
    if_exists: IfExists = "reuse"
    allow_duplicate_name: bool = False
    allow_empty: bool = False


class SegmentKey(LookUp):
    """What names one segment: GUID, else external id, else name.

    :param segment: a :class:`Segment`, a :class:`SegmentChange`, or the result of a task that made one; it gives what
        is not given beside it, the system included.
    """

    segment_guid: Guid | None = None
    external_id: ExternalId | None = None
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_result(values, "segment", ("system_guid", "segment_guid", "external_id", "name"))

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not (self.segment_guid or self.external_id or self.name):
            raise ValueError("one of `segment`, `segment_guid`, `external_id` and `name` must be given")
        return self

    def __str__(self) -> str:
        if self.segment_guid:
            return f"segment {self.segment_guid}"
        return f"segment with external id {self.external_id!r}" if self.external_id else f"segment {self.name!r}"


class UpdateSegment(SegmentKey, GivenUsers):
    """What an update is given, without the people."""

    action: Action
    allow_empty: bool = False


class DeleteSegment(SegmentKey):
    """What a deletion is given."""

    if_missing: IfMissing = "skip"
    if_unsupported: Literal["empty", "fail"] = "empty"


class Propagation(SegmentKey):
    """What a wait for the Editor is given.

    :param changed_at: from ``segment``, if not given beside it.
    """

    changed_at: AwareDatetime
    propagation_delay: Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]

    @model_validator(mode="before")
    @classmethod
    def _moment_of_segment(cls, values: dict[str, Any]) -> dict[str, Any]:
        segment = values.get("segment")
        if isinstance(segment, BaseModel):
            segment = segment.model_dump()
        if isinstance(segment, Mapping) and not values.get("changed_at"):
            return {**values, "changed_at": segment.get("changed_at")}
        return values


def limits(action: str | None, users: int, per_request: int, *, allow_empty: bool) -> list[str]:
    """What is wrong with an update of so many people."""
    if action != "override":
        return []
    if users > per_request:
        problem = (
            f"`override` of {users:,} user ids cannot be one request (of {per_request:,} at most), and each request of "
            "an override replaces all members, so a second would undo the first. Use `remove` for those who left and "
            "`add` for those who came."
        )
        return [problem]
    if users == 0 and not allow_empty:
        return ["`override` without user ids would empty the segment. If that is meant, use `allow_empty=True`."]
    return []


class Segment(BaseModel):
    """A segment as WalkMe lists it. WalkMe lists no members, here or anywhere.

    Fields that the list does not have are not in ``model_fields_set``; a null in the list is.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    segment_guid: Guid
    external_id: str | None = None
    name: str | None = None


class SegmentChange(BaseModel):
    """What a create, update or delete did: the small result of its task.

    :param outcome: what became of the segment: created, reused (it was there, people were added), updated, deleted,
        emptied (WalkMe could not delete it) or missing (nothing to delete).
    :param users_sent: ids that WalkMe acknowledged, repeats included.
    :param users_rejected: ids that were left out, by reason (``on_invalid="skip"``).
    :param requests: calls to the Segments API, repeats and look-ups included.
    :param changed_at: the moment of the last acknowledged change, by WalkMe's clock or ours, whichever is later.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    system_guid: str
    segment_guid: str | None
    external_id: str | None = None
    name: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "emptied", "missing"]
    users_sent: int = 0
    users_rejected: dict[str, int] = Field(default_factory=dict)
    requests: int = 0
    changed_at: datetime


def same_id(one: str | None, other: str | None) -> bool:
    """Whether two ids are the same; those that look like GUIDs are compared without hyphens and case."""
    if one is None or other is None:
        return False
    if _GUID.fullmatch(one) and _GUID.fullmatch(other):
        return normalise_guid(one) == normalise_guid(other)
    return one == other


def select(segments: list[Segment], key: SegmentKey) -> Segment | None:
    """The segment that ``key`` names, or None.

    :raises Conflict: it names several: WalkMe's Editor could not tell them apart either.
    :raises UnexpectedReply: it names none, and the list does not have that field.
    """
    if key.segment_guid:
        found = [segment for segment in segments if segment.segment_guid == key.segment_guid]
    elif key.external_id:
        found = [segment for segment in segments if same_id(segment.external_id, key.external_id)]
    else:
        found = named(segments, str(key.name))
    if len(found) > 1:
        guids = ", ".join(segment.segment_guid for segment in found)
        raise Conflict(
            f"WalkMe has {len(found)} of the {key} ({guids}) and its Editor cannot tell them apart; nothing was "
            "changed. Name the one that is meant by its GUID, or delete the others.",
            vendor="WalkMe",
        )
    if not found and not key.segment_guid:
        check_listed(segments, "external_id" if key.external_id else "name")
    return found[0] if found else None


def check_listed(segments: list[Segment], field: Literal["external_id", "name"]) -> None:
    """Check that the list has a field at all, before its absence counts as the absence of a segment.

    :raises UnexpectedReply: no entry has it.
    """
    if segments and not any(field in segment.model_fields_set for segment in segments):
        expected = {"external_id": "`externalId`, or `id` beside `guid`", "name": "`name` or `displayName`"}[field]
        raise UnexpectedReply(
            f"WalkMe's list of segments lacks a field that is needed here (expected: {expected}), so whether the "
            "segment exists is not known. Name it in another way, best by its GUID.",
            vendor="WalkMe",
        )


def named(segments: list[Segment], name: str) -> list[Segment]:
    """The segments of that name; spaces around it do not count."""
    return [segment for segment in segments if segment.name is not None and segment.name.strip() == name]

"""The parameters of the WalkMe hook's methods.

Published at https://support.walkme.com/knowledge-base/segments-api/ and
https://developer.walkme.com/reference/create-segment.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints, model_validator

from airflow_segments_provider.vendors.base.parameters import IfExists, IfMissing, Key, Parameters, UsersParameters
from airflow_segments_provider.vendors.base.template_text import from_text
from airflow_segments_provider.vendors.walkme.guids import Guid

MAX_ID_LENGTH = 100
MAX_NAME_LENGTH = 255

Action = Literal["add", "remove", "override"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH)]
ExternalId = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]


def _seconds(value: Any) -> Any:
    """Parse a number of seconds that a template rendered to text."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


class LookUp(Parameters):
    """The parameters of every call.

    :param system_guid: by default the connection's own.
    """

    system_guid: Guid | None = None


class CreateSegment(LookUp, UsersParameters):
    """The parameters of a create.

    :param name: as the Editor's condition builder shows it, 1 to 255 characters.
    :param external_id: yours, up to 100 characters; by default a UUIDv5 of system and name. Always sent.
    :param if_exists: ``reuse`` adds the users and removes none; ``update`` makes them the only members (25,000 at
        most); ``fail`` raises an error.
    :param allow_duplicate_name: allow two segments of one name, although the Editor cannot tell them apart.
    :param allow_empty: with ``update``, let an empty list empty the segment that exists.
    """

    name: Name
    external_id: ExternalId | None = None
    if_exists: IfExists = "reuse"
    allow_duplicate_name: bool = False
    allow_empty: bool = False


class SegmentKey(LookUp, Key):
    """The parameters that identify one segment: a GUID, else an external ID, else a name.

    :param segment: a :class:`Segment`, a :class:`SegmentChange`, or the result of a task that created one; it sets
        the parameters that are not set, the system included.
    :param segment_guid: with or without hyphens and braces.
    :param external_id: one call more, as for ``name``.
    :param name: spaces around it are ignored.
    """

    result = "segment"
    keys = ("segment_guid", "external_id", "name")
    more_keys = ("system_guid",)

    segment_guid: Guid | None = None
    external_id: ExternalId | None = None
    name: Name | None = None

    def __str__(self) -> str:
        if self.segment_guid:
            return f"segment {self.segment_guid}"
        return f"segment with external id {self.external_id!r}" if self.external_id else f"segment {self.name!r}"


class UpdateSegment(SegmentKey, UsersParameters):
    """The parameters of an update.

    :param action: ``add``, ``remove`` or ``override``; the last takes 25,000 user IDs at most.
    :param allow_empty: let ``override`` without user IDs empty the segment; the other actions then send nothing.
    """

    action: Action
    allow_empty: bool = False


class DeleteSegment(SegmentKey):
    """The parameters of a deletion.

    :param if_missing: ``skip`` accepts a missing segment, ``fail`` raises an error.
    :param if_unsupported: ``empty`` removes all members if WalkMe's API has no delete endpoint, ``fail`` raises an
        error.
    """

    if_missing: IfMissing = "skip"
    if_unsupported: Literal["empty", "fail"] = "empty"


class Propagation(SegmentKey):
    """The parameters of a wait for the Editor.

    :param changed_at: by default that of ``segment``.
    :param propagation_delay: from the change until the Editor shows it, in seconds or as a timedelta.
    """

    changed_at: AwareDatetime
    propagation_delay: Annotated[timedelta, BeforeValidator(_seconds), Field(ge=timedelta(0))]

    @model_validator(mode="before")
    @classmethod
    def _moment_of_segment(cls, values: dict[str, Any]) -> dict[str, Any]:
        segment = from_text(values.get("segment"))
        if isinstance(segment, BaseModel):
            segment = segment.model_dump()
        if isinstance(segment, Mapping) and not values.get("changed_at"):
            return {**values, "changed_at": segment.get("changed_at")}
        return values


def override_problems(users: int, per_request: int, *, allow_empty: bool) -> list[str]:
    """Return the problem of an override of so many users, in a list."""
    if users > per_request:
        problem = (
            f"`override` of {users:,} user IDs cannot be one request (of {per_request:,} at most), and each request of "
            "an override replaces all members, so a second would undo the first. Use `remove` for those who left and "
            "`add` for the new ones."
        )
        return [problem]
    if users == 0 and not allow_empty:
        return ["`override` without user IDs would empty the segment. If that is meant, use `allow_empty=True`."]
    return []

"""WalkMe's responses. WalkMe does not publish their form, so every likely one is accepted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.vendors.walkme.guids import Guid, default_external_id, normalise_guid, same_id
from airflow_segments_provider.vendors.walkme.parameters import SegmentKey


class Segment(BaseModel):
    """A segment as WalkMe lists it. WalkMe does not list members.

    Fields that the list does not have are not in ``model_fields_set``; a null in the list is.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    segment_guid: Guid
    external_id: str | None = None
    name: str | None = None


class SegmentChange(BaseModel):
    """The result of a create, update or delete.

    :param outcome: what was done: created, reused (it existed, users were added), updated, deleted,
        emptied (WalkMe could not delete it) or missing (nothing to delete).
    :param users_sent: ids that WalkMe acknowledged, repeats included.
    :param users_rejected: IDs that were left out, by reason (``on_invalid="skip"``).
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


def select(segments: list[Segment], key: SegmentKey) -> Segment | None:
    """Return the segment that ``key`` names, or None.

    :raises Conflict: several segments have it, which the Editor cannot distinguish.
    :raises UnexpectedReply: no segment has it, and the list lacks that field.
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
    """Check that the list has a field, before a segment counts as missing.

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
    """Return the segments of that name; spaces around it do not count."""
    return [segment for segment in segments if segment.name is not None and segment.name.strip() == name]


Write = Literal["create", "add", "remove", "override", "delete"]

_GUIDS = frozenset({"guid", "segmentguid", "segmentid", "uuid", "segmentuuid"})
_ID = frozenset({"id"})
_EXTERNAL_IDS = frozenset({"externalid", "externalsegmentid", "segmentexternalid"})
_NAMES = frozenset({"name", "displayname", "segmentname"})
_ENVELOPES = frozenset(
    {"segments", "data", "items", "results", "result", "content", "value", "values", "records", "list", "resources"}
    | {"elements", "entries", "rows", "response", "payload", "body", "embedded", "segment"}
)

_FAILURE = re.compile(
    r"fail|error|exception|(?<!de)fault|invalid|reject|refus|denied|unprocess|unaccept|unsuccess|not(added|removed|applied)"
)
_LEFT_OUT = re.compile(r"notfound|missing|skipped|ignored|unmatched|unknown|unresolved")
_SUCCESS = frozenset({"success", "succeeded", "successful", "issuccess", "issuccessful", "ok", "isok"})
_STATE = frozenset({"status", "state", "result", "outcome", "code", "statuscode", "httpstatus", "resultcode"})
_BAD_STATE = re.compile(
    r"fail|error|invalid|reject|refus|denied|partial|incomplete|unauthori[sz]ed|forbidden|not ?found|abort|unsuccess"
    r"|^\s*(nok|ko|bad|no|false)\s*$"
)
_NOTHING = frozenset({"", "0", "false", "none", "null", "no"})
_DONE = re.compile(
    r"ok|okay|success(ful|fully)?|succeeded|done|true|yes|\d*[1-9]\d*|accepted|completed?|created|updated|added|removed|deleted"
)

# Counts of the users that a write reached; those of users that it had no need to change are added to them.
_REACHED = frozenset({"accepted", "processed", "succeeded", "success", "successful", "received"})
# Counts of what was changed say nothing where there may have been nothing to change: a repeated request adds no user.
_CHANGED: dict[Write, frozenset[str]] = {
    "create": frozenset({"added", "inserted", "imported"}),
    "add": frozenset(),
    "remove": frozenset(),
    "override": frozenset({"set", "replaced", "overridden"}),
    "delete": frozenset({"removed", "deleted"}),
}
_UNCHANGED = frozenset({"existing", "already", "alreadyexisting", "alreadypresent", "duplicate", "duplicates"}) | {
    "unchanged",
    "updated",
    "modified",
}
# Without a bare `count`: it may count changes, which a repeated request does not make.
_MEMBERS = re.compile(
    r"(total)?(users?|members?|userids)(total|count)|total(count|users|members)?|numberof(users|members)"
)
_COUNTED = re.compile(r"^{0}+|{0}+$".format("(users?|members?|ids?|items?|records?|rows?|counts?|total|num|numberof)"))


class ResponseField(NamedTuple):
    """A field of a response: its key in plain letters, as it was spelled, in what object, and its value."""

    plain: str
    key: str
    parent: str
    value: Any


def plain(key: str) -> str:
    """Return a key without the differences of style: ``segment_guid``, ``segmentGuid`` and ``Segment-GUID`` are one."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def fields(answer: Any, parent: str = "", *, but: Any = None) -> Iterator[ResponseField]:
    """Yield every field of the objects in a response, outer ones first.

    :param but: a list that is skipped.
    """
    if isinstance(answer, Mapping):
        for key, value in answer.items():
            yield ResponseField(plain(key), key, parent, value)
            if value is not but:
                yield from fields(value, plain(key), but=but)
    elif isinstance(answer, list) and answer is not but:
        for item in answer:
            yield from fields(item, parent, but=but)


# Lists -------------------------------------------------------------------------------------------------------------


def find_entries(answer: Any) -> list[Any]:
    """Return the list in the response to a list call: itself, or in an envelope. Null stands for an empty one.

    :raises UnexpectedReply: the response has no list, or two that differ.
    """
    found = [answer] if answer is None else list(_lists(answer))
    lists = [entries for entries in found if entries is not None]
    if any(entries != lists[0] for entries in lists):
        raise UnexpectedReply("WalkMe's list of segments cannot be read: its envelope has several lists.")
    if not found:
        raise UnexpectedReply("WalkMe's list of segments cannot be read: it has no array (expected: `segments`).")
    return lists[0] if lists else []


def _lists(answer: Any) -> Iterator[list[Any] | None]:
    if isinstance(answer, list):
        yield answer
    elif isinstance(answer, Mapping):
        for key, value in answer.items():
            if plain(key) in _ENVELOPES:
                yield from [None] if value is None else _lists(value)


def parse_segments(entries: list[Any], *, system: str) -> list[Segment]:
    """Read the segments of a list.

    :raises UnexpectedReply: an entry has no GUID, or two values of one field; skipped, it would be created twice.
    """
    return [_parse_entry(entry, system) for entry in entries]


def _parse_entry(entry: Any, system: str) -> Segment:
    if not isinstance(entry, Mapping):
        raise UnexpectedReply("WalkMe's list of segments has an entry that is not an object.")
    found: dict[str, Any] = {"name": _one(entry, _NAMES)} if _has(entry, _NAMES) else {}
    guid = _one_guid(entry)
    if _has(entry, _EXTERNAL_IDS):
        found["external_id"] = _one(entry, _EXTERNAL_IDS)
        guid = guid or guid_in(_one(entry, _ID))
    elif guid is None:
        guid = guid_in(_one(entry, _ID))
        if guid == default_external_id(system, str(found.get("name", "")).strip()):
            guid = None
    elif _has(entry, _ID) and guid_in(_one(entry, _ID)) != guid:
        found["external_id"] = _one(entry, _ID)
    if guid is None:
        raise UnexpectedReply("WalkMe's list of segments has an entry without a GUID (expected: `guid`).")
    return Segment(segment_guid=guid, **found)


def _one_guid(entry: Mapping[str, Any]) -> str | None:
    """Return the GUID in the fields that hold only GUIDs."""
    found = {guid for key, value in entry.items() if plain(key) in _GUIDS and (guid := guid_in(value))}
    if len(found) > 1:
        raise UnexpectedReply("A segment in WalkMe's response has several GUIDs that differ (expected: one, `guid`).")
    return found.pop() if found else None


def _one(entry: Mapping[str, Any], names: frozenset[str]) -> str | None:
    found = {text for key, value in entry.items() if plain(key) in names and (text := _text(value)) is not None}
    if len({text.strip() for text in found}) > 1:
        expected = "name" if names is _NAMES else "externalId" if names is _EXTERNAL_IDS else "guid"
        raise UnexpectedReply(f"A segment in WalkMe's list has several values of one field (expected: `{expected}`).")
    return min(found) if found else None


def _has(entry: Mapping[str, Any], names: frozenset[str]) -> bool:
    return any(plain(key) in names for key in entry)


def _text(value: Any) -> str | None:
    """Return a text or a number as text; JSON may have half of a surrogate pair, which cannot be encoded."""
    if isinstance(value, (Mapping, list, bool)):
        raise UnexpectedReply("A segment in WalkMe's response has an ID or a name that is not a text.")
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def guid_in(value: Any) -> str | None:
    """Return the GUID that a value is, or None."""
    if isinstance(value, str):
        with suppress(ValueError):
            return normalise_guid(value)
    return None


# Writes ------------------------------------------------------------------------------------------------------------


def parse_created_guid(answer: Any, headers: Mapping[str, str], *, external_id: str, system: str = "") -> str | None:
    """Return the new segment's GUID in the response to its creation, or None where it must be looked up.

    An ``id`` that equals the external ID in the request is not the GUID, although it may look like one.
    """
    try:
        objects = list(_created(answer))
        clear = {guid for item in objects if (guid := _one_guid(item))}
        ids = {guid_in(_one(item, _ID)) for item in objects}
    except UnexpectedReply:
        return None
    parts = headers.get("Location", "").partition("?")[0].rstrip("/").split("/")
    # Any other path may be that of a job.
    located = parts[-1] if parts[-2:-1] in (["segment"], ["segments"]) else ""
    unclear = {guid_in(located), guid_in(answer), *ids}
    found = clear or {guid for guid in unclear if guid and not same_id(guid, external_id)}
    found -= {guid_in(system) or ""}
    return found.pop() if len(found) == 1 else None


def _created(answer: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the objects that may be the new segment: the response, or the objects in its envelopes."""
    if isinstance(answer, list):
        for item in answer:
            yield from _created(item)
    elif isinstance(answer, Mapping):
        yield answer
        for key, value in answer.items():
            if plain(key) in _ENVELOPES:
                yield from _created(value)


def failure_of(answer: Any, write: Write, users: Callable[[], Iterable[str]] = tuple) -> str | None:
    """Return the field by which a 2xx response to a write reports a failure; None for a success.

    :param users: the user IDs that were sent, for comparison with the counts in the response.
    :raises UnexpectedReply: the response does not show whether the write succeeded.
    """
    if isinstance(answer, str):
        with suppress(ValueError, RecursionError):
            answer = json.loads(answer)
    if answer is None or answer is True:
        return None
    if answer is False:
        return "false"
    if isinstance(answer, str) and (_DONE.fullmatch(answer.strip(" .!").lower()) or guid_in(answer)):
        return None
    if not isinstance(answer, Mapping) and not (isinstance(answer, list) and all(map(_is_object, answer))):
        raise UnexpectedReply("WalkMe's response does not say whether the write succeeded (expected: an object).")
    found = list(fields(answer))
    failed = next((field.key for field in found if _is_failure(field, write)), None)
    return failed or _too_few(found, write, users)


def failure_of_list(answer: Any, entries: list[Any]) -> str | None:
    """Return the field by which a 2xx response to a list call reports a failure; its segments are skipped."""
    return next((field.key for field in fields(answer, but=entries) if _is_failure(field, "create")), None)


def _is_object(item: Any) -> bool:
    return isinstance(item, Mapping)


def _is_failure(field: ResponseField, write: Write) -> bool:
    name, value = field.plain, field.value
    if name in _SUCCESS:
        return value in (False, 0) or (isinstance(value, str) and not _DONE.fullmatch(value.strip().lower()))
    if _FAILURE.search(name) or (write in ("create", "add", "override") and _LEFT_OUT.search(name)):
        return _has_failure(value)
    if name in _STATE:
        bad = isinstance(value, str) and _BAD_STATE.search(value.lower()) is not None
        return value is False or bad or 400 <= (whole_number(value) or 0) < 600
    return value is False and _counted(name) in _REACHED | _CHANGED[write]


def _has_failure(value: Any) -> bool:
    """Return whether a field for failures has one."""
    if isinstance(value, Mapping):
        return any(map(_has_failure, value.values()))
    return value.strip().lower() not in _NOTHING if isinstance(value, str) else bool(value)


def _too_few(found: list[ResponseField], write: Write, users: Callable[[], Iterable[str]]) -> str | None:
    """Return the field that counts fewer users than were sent."""
    counts = [
        (field, count)
        for field in found
        if (count := _count(field.value)) is not None and not _FAILURE.search(field.parent)
    ]
    reached = [(field, count) for field, count in counts if _counted(field.plain) in _REACHED | _CHANGED[write]]
    if write in ("create", "add", "override"):
        reached += [(field, count) for field, count in counts if _counts_members(field)]
    if not reached:
        return None
    unchanged = sum(count for field, count in counts if _counted(field.plain) in _UNCHANGED)
    least, count = min(reached, key=lambda one: one[1])
    # WalkMe may count a repeated ID once.
    sent = 1 if write == "delete" else len(set(users()))
    return least.key if count + unchanged < sent else None


def _counts_members(field: ResponseField) -> bool:
    """Return whether the field counts all members; an empty list may be an unused field."""
    if isinstance(field.value, list):
        return bool(field.value) and field.plain in ("users", "members", "userids", "memberids")
    return _MEMBERS.fullmatch(field.plain) is not None


def _counted(name: str) -> str:
    """Return what a count counts: ``addedUsers``, ``usersAdded`` and ``addedCount`` are ``added``."""
    return _COUNTED.sub("", name)


def _count(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else whole_number(value)


def whole_number(value: Any) -> int | None:
    """Return a whole number, also from its text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if type(value) is int else None

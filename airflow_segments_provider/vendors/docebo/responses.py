"""Docebo's responses; where their form is not published, every likely one is accepted."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from airflow_segments_provider.errors import RejectedRequest, UnexpectedReply
from airflow_segments_provider.vendors.docebo.parameters import Column


def _moment(value: Any) -> Any:
    """Parse a time; zeros, which mean no time, and invalid texts become None."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class Group(BaseModel):
    """A group as Docebo shows it.

    :param group_id: its uuid.
    :param type: ``manual`` or ``automatic``.
    :param ruleset: of an automatic group, in the API's own words; its ``status`` is READY once the group is filled.
    :param updated_at: in UTC, as Docebo writes no zone.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str
    name: str
    slug: str | None = None
    description: str | None = None
    type: str | None = None
    ruleset: dict[str, Any] | None = None
    exclude_deactivated_users: bool | None = None
    updated_at: Annotated[datetime | None, BeforeValidator(_moment)] = None

    @property
    def ruleset_status(self) -> str | None:
        """Of an automatic group: READY once it is filled."""
        status = (self.ruleset or {}).get("status")
        return None if status is None else str(status)


class Member(BaseModel):
    """A member of a group; nothing of it may be logged or stored in an XCom.

    :param user_id: the number that the API calls ``idst`` here and ``user_id`` elsewhere.
    :param username: what the API calls ``userid`` here.
    :param relation_type: what made the user a member, in the API's own words.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: str = Field(repr=False)
    username: str | None = Field(None, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    email: str | None = Field(None, repr=False)
    relation_type: str | None = None


class UserMatches(BaseModel):
    """The result of a look-up of users; only its counts may be logged or stored in an XCom.

    :param found: user ids by the value that was looked up.
    :param unmatched: values that no user has.
    :param ambiguous: values that several users have.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    found: Mapping[str, str] = Field(repr=False)
    unmatched: list[str] = Field(repr=False)
    ambiguous: list[str] = Field(default_factory=list, repr=False)


class GroupChange(BaseModel):
    """The result of a create, update, delete or change of members.

    :param users_sent: IDs that Docebo acknowledged as added or removed. Unknown users, and users without a change
        of membership, are among them.
    :param users_removed: members that ``if_exists="update"`` removed.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param users_unmatched: users who were not found, by reason (``on_unmatched="skip"``).
    :param unmatched_file: a file beside the ledger that lists them.
    :param background_job: Docebo completes the change later; the job has no ID or status.
    :param requests: calls to the API, repeats and look-ups included.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str | None
    name: str | None = None
    type: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "missing"]
    users_sent: int = 0
    users_removed: int = 0
    users_rejected: dict[str, int] = Field(default_factory=dict)
    users_unmatched: dict[str, int] = Field(default_factory=dict)
    unmatched_file: str | None = None
    background_job: bool = False
    requests: int = 0
    changed_at: datetime


class GroupPopulation(BaseModel):
    """The number of members of a group, and the status of its rules.

    :param ruleset_status: of an automatic group; READY once it is filled.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    members: int
    ruleset_status: str | None = None


class GroupExport(BaseModel):
    """A file of a group's members.

    :param bytes: the file's size.
    :param users: its rows, without the header.
    :param columns: in the order of the file.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    path: str
    bytes: int
    users: int
    columns: list[Column]


class GroupIds(BaseModel):
    """The two ids of a group: the uuid, and the number that it has in the former groups service."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    group_id: str
    legacy_id: int


Entry = TypeVar("Entry")

# How many reasons of failed rows are read, and how many different ones are shown.
_REASONS_READ, _REASONS_SHOWN = 50, 3
_UNCLEAR = "Docebo's response does not show whether it made the change."


@dataclass(frozen=True)
class Page(Generic[Entry]):
    """A page of a list.

    :param digest: distinguishes pages.
    :param more: whether there is another one; None where Docebo does not say.
    :param cursor: sent with the number of the next page.
    :param total: entries of all pages, where Docebo returns it.
    """

    items: list[Entry] = field(repr=False)
    digest: bytes
    more: bool | None = None
    cursor: str | None = None
    total: int | None = None


class User(NamedTuple):
    """A user as a look-up needs it."""

    user_id: str
    username: str
    email: str


def parse_page(answer: Any, parse: Callable[[Any], Entry]) -> Page[Entry]:
    """Return a page: the envelope, or a bare array in its place.

    :param parse: reads one of its entries.
    :raises UnexpectedReply: it is neither; if it counted as empty, a second group would be created.
    """
    data = answer.get("data") if isinstance(answer, Mapping) else answer
    envelope = data if isinstance(data, Mapping) else {"items": data}
    items = envelope.get("items")
    if not isinstance(items, list):
        raise UnexpectedReply("Docebo's response holds no list.")
    number, last = envelope.get("current_page"), envelope.get("total_page_count")
    more = envelope.get("has_more_data")
    if not isinstance(more, bool):
        more = number < last if type(number) is int and type(last) is int else None
    cursor, total = envelope.get("cursor"), envelope.get("total_count")
    return Page(
        [parse(entry) for entry in items],
        hashlib.sha256(json.dumps(items, sort_keys=True).encode()).digest(),
        more=more,
        cursor=None if cursor in (None, "") else str(cursor),
        total=total if type(total) is int else None,
    )


def parse_group(entry: Any) -> Group:
    """Return a group in a response.

    :raises UnexpectedReply: it has no uuid or name.
    """
    if isinstance(entry, Mapping) and isinstance(entry.get("uuid"), str) and isinstance(entry.get("name"), str):
        flag = entry.get("exclude_deactivated_users")
        kept = {name: _text(entry.get(name)) for name in ("name", "slug", "description", "type", "updated_at")}
        ruleset = entry.get("ruleset")
        try:
            return Group.model_validate(
                {
                    **kept,
                    "group_id": entry["uuid"],
                    # PHP writes an empty object as an empty array.
                    "ruleset": dict(ruleset) if isinstance(ruleset, Mapping) and ruleset else None,
                    "exclude_deactivated_users": flag if isinstance(flag, bool) else None,
                }
            )
        except ValidationError:
            pass
    raise UnexpectedReply("Docebo's response holds a group without uuid or name, or of another form.")


def parse_one_group(answer: Any) -> Group:
    """Return the group of a response that shows one."""
    return parse_group(answer.get("data") if isinstance(answer, Mapping) else None)


def parse_created_id(answer: Any) -> str | None:
    """Return the new group's uuid, or None where it must be looked up."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    found = data.get("uuid") if isinstance(data, Mapping) else None
    return found if isinstance(found, str) and found else None


def parse_member(entry: Any) -> Member:
    """Return a member in a response.

    :raises UnexpectedReply: it has no number.
    """
    user_id = whole_number(entry.get("idst", entry.get("user_id"))) if isinstance(entry, Mapping) else None
    if user_id is None:
        raise UnexpectedReply("Docebo's response holds a member without idst.")
    relation = entry.get("relation_type")
    return Member(
        user_id=str(user_id),
        username=_text(entry.get("userid")),
        first_name=_text(entry.get("firstname")),
        last_name=_text(entry.get("lastname")),
        email=_text(entry.get("email")),
        relation_type=_text(relation),
    )


def parse_change(entry: Any) -> dict[str, Any]:
    """Return an entry of the conditions' history, an object with any content.

    :raises UnexpectedReply: it is not an object.
    """
    if not isinstance(entry, Mapping):
        raise UnexpectedReply("Docebo's history of conditions holds an entry that is not an object.")
    return dict(entry)


def parse_user(entry: Any) -> User:
    """Return a user in a response.

    :raises UnexpectedReply: it has no number.
    """
    user_id = whole_number(entry.get("user_id", entry.get("idst"))) if isinstance(entry, Mapping) else None
    if user_id is None:
        raise UnexpectedReply("Docebo's response holds a user without user_id.")
    return User(str(user_id), _text(entry.get("username")) or "", _text(entry.get("email")) or "")


def parse_one_user(answer: Any) -> User:
    """Return the user of a response that shows one: as ``data``, or as ``user_data`` in it."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    return parse_user(data.get("user_data", data) if isinstance(data, Mapping) else None)


def parse_legacy_id(answer: Any) -> int | None:
    """Return the first whole number in the response to a conversion; its form is not published."""
    return _first(answer, whole_number)


def parse_uuid(answer: Any) -> str | None:
    """Return the UUID in the response to a conversion: the field `uuid`, else the first text of that length."""
    return parse_created_id(answer) or _first(
        answer, lambda value: value if isinstance(value, str) and len(value) in (32, 36) else None
    )


def parse_addition(answer: Any, clean: Callable[[str], str]) -> bool:
    """Parse as :func:`parse_background`, but refuse an empty body, which an addition never has."""
    if answer is None:
        raise UnexpectedReply(_UNCLEAR, maybe_done=True)
    return parse_background(answer, clean)


def parse_background(answer: Any, clean: Callable[[str], str]) -> bool:
    """Return whether a change continues in the background; only an explicit failure counts as one.

    :param clean: returns a text without secrets and user IDs.
    :raises RejectedRequest: the response reports a failure of all or of a part.
    :raises UnexpectedReply: it cannot be understood.
    """
    if answer is None:
        return False
    data = answer.get("data", "") if isinstance(answer, Mapping) else ""
    parts = data if isinstance(data, list) else [{} if data is None else data]
    rows = [row for row in parts if isinstance(row, Mapping)]
    if len(rows) < len(parts):
        raise UnexpectedReply(_UNCLEAR, maybe_done=True)
    failed = [row for row in rows if row.get("success", True) is not True]
    if failed:
        raise RejectedRequest(
            f"Docebo's response reports a failure of {len(failed):,} of {len(rows):,} parts{_reasons(failed, clean)}.",
            maybe_done=True,
        )
    return any(row.get("background_job") is True for row in rows)


def _reasons(failed: list[Mapping[str, Any]], clean: Callable[[str], str]) -> str:
    """Return the reasons of failures, as the end of a sentence."""
    said = (row["message"] for row in failed if row.get("message"))
    texts = (text if isinstance(text, str) else json.dumps(text, ensure_ascii=False) for text in said)
    cleaned = dict.fromkeys(clean(text).rstrip(".") for text in dict.fromkeys(islice(texts, _REASONS_READ)))
    return ": " + "; ".join(islice(cleaned, _REASONS_SHOWN)) if cleaned else ""


def whole_number(value: Any) -> int | None:
    """Return a whole number, or its text."""
    text = value.strip() if isinstance(value, str) else ""
    if text.isascii() and text.isdigit():
        return int(text)
    return value if type(value) is int else None


def _text(value: Any) -> str | None:
    """Return a text; JSON may have half of a surrogate pair, which cannot be encoded."""
    return None if value is None else str(value).encode("utf-8", "replace").decode()


def _first(answer: Any, read: Callable[[Any], Entry | None]) -> Entry | None:
    """Return the first value that ``read`` accepts: ``data``, or one of its fields."""
    data = answer.get("data") if isinstance(answer, Mapping) else None
    values = data.values() if isinstance(data, Mapping) else [data]
    return next((found for value in values if (found := read(value)) is not None), None)

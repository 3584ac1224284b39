"""Zendesk's users: found, tagged and changed; checked before a write."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote_plus

from airflow_segments_provider.errors import InvalidInput, UnexpectedReply
from airflow_segments_provider.http import Person
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.values import UserSource
from airflow_segments_provider.vendors.base.lookup import Identified, UnmatchedList, identified
from airflow_segments_provider.vendors.base.parameters import FoundUsers, accepted
from airflow_segments_provider.vendors.zendesk.api import FIRST_BY_OFFSET
from airflow_segments_provider.vendors.zendesk.parameters import (
    MAX_ID_LENGTH,
    MAX_VALUE_LENGTH,
    PER_CALL,
    user_key,
    whole,
)
from airflow_segments_provider.vendors.zendesk.responses import User, UserMatches, parse_tags, parse_user

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.base.parameters import Given
    from airflow_segments_provider.vendors.zendesk.api import ZendeskEndpoints

    Model = TypeVar("Model", bound=Given)
    from airflow_segments_provider.vendors.zendesk.parameters import IdentifyBy, UpdateUser, UserTags


MAX_ROW_LENGTH = 100_000


@dataclass(frozen=True)
class StagedPeople:
    """The people of a change, by Zendesk's ids.

    :param rejected: how many were left out as unusable, by reason.
    """

    found: Identified
    rejected: dict[str, int]

    @property
    def staged(self) -> StagedUserIds:
        """Zendesk's ids of them."""
        return self.found.staged

    def ids(self) -> frozenset[int]:
        """All of them, in memory: Zendesk takes the added people of a segment in one request."""
        return frozenset(int(user_id) for batch in self.staged.batches() for user_id in batch.ids())

    @property
    def left_out(self) -> dict[str, Any]:
        """What a task's result says of those who are missing."""
        return {"users_rejected": self.rejected, **self.found.left_out}


class Rows:
    """Changes of single users as JSON text, less those that name no user or change nothing, which are counted."""

    reason = "no change of a user"

    def __init__(self, changes: object) -> None:
        self._changes = changes if isinstance(changes, Iterable) else [changes]
        self.wrong = 0

    def __iter__(self) -> Iterator[str]:
        """Yield the others."""
        for change in self._changes:
            text = _row(change)
            if text is None:
                self.wrong += 1
            else:
                yield text

    def problem(self) -> str:
        """What is wrong, in a sentence."""
        found = "1 change is" if self.wrong == 1 else f"{self.wrong:,} changes are"
        return f"{found} not an object with `id` (a whole number) or `external_id`, and something to change."


@contextmanager
def checked_people(
    endpoints: ZendeskEndpoints,
    staged: StagedUserIds,
    source: object,
    subject: str,
    model: type[Model],
    given: dict[str, Any],
    problems: list[str],
    kept: UnmatchedList | None,
) -> Iterator[tuple[Model, StagedPeople]]:
    """The input and the people of a write, once both are found to be right.

    :param source: what filled ``staged``; it may have counted what is wrong on its way.
    :param kept: lists users that are not found.
    :raises InvalidInput: with every problem found; or somebody is not known, then look-ups were sent.
    """
    if isinstance(source, Rows) and source.wrong:
        staged.invalid[source.reason] += source.wrong
        if given.get("on_invalid") != "skip":
            problems.append(source.problem())
    wanted = accepted(subject, model, given, problems, staged)
    by = given.get("identify_by", "id")
    if by == "id" or not isinstance(wanted, FoundUsers):
        yield wanted, StagedPeople(Identified(staged), dict(staged.invalid))
        return
    with identified(
        staged,
        lambda batch: _look_up(endpoints, by, batch),
        wanted,
        wanted="e-mail addresses" if by == "email" else "external ids",
        key=user_key,
        kept=kept,
        per_request=PER_CALL,
        max_length=MAX_ID_LENGTH,
        subject=subject,
    ) as found:
        yield wanted, StagedPeople(found, dict(staged.invalid))


def longest(source: object, given: Mapping[str, Any]) -> int:
    """Characters that one value of a source may have."""
    if isinstance(source, Rows):
        return MAX_ROW_LENGTH
    return MAX_ID_LENGTH if given.get("identify_by", "id") == "id" else MAX_VALUE_LENGTH


def _look_up(endpoints: ZendeskEndpoints, by: Any, batch: list[str]) -> Mapping[str, str | None]:

    return {value: None if found is None else str(found) for value, found in matches(endpoints, by, batch).items()}


def _is_whole(value: object) -> bool:
    try:
        whole(value)
    except ValueError:
        return False
    return True


def _row(change: object) -> str | None:
    if not isinstance(change, Mapping):
        return None
    named = _is_whole(change.get("id")) or (isinstance(change.get("external_id"), str) and change["external_id"])
    if not named or (change.get("id") is not None and not _is_whole(change["id"])):
        return None
    if not change.keys() - ({"id"} if change.get("id") is not None else {"external_id"}):
        return None
    try:
        return json.dumps(change, allow_nan=False)
    except (TypeError, ValueError):
        return None


# Characters of a query that no server or proxy finds too long.
MAX_QUERY = 4000
# https://developer.zendesk.com/api-reference/introduction/rate-limits/, changes a minute.
UPDATES, UPDATES_OF_ONE = 60, 5

_TAG_METHODS = {"set": "POST", "add": "PUT", "remove": "DELETE"}


def all_users(endpoints: ZendeskEndpoints, query: str | None) -> Iterator[User]:
    """All users, or those whom the search finds; the search alone knows no cursor."""
    if query is None:
        return endpoints.listed("support", "users", parse=parse_user)
    return _search(endpoints, "query", query)


def _search(endpoints: ZendeskEndpoints, parameter: str, value: str) -> Iterator[User]:
    return endpoints.listed(
        "support",
        "users",
        "search",
        parse=parse_user,
        query={parameter: value},
        first=FIRST_BY_OFFSET,
        people=lambda: [value, value.partition(":")[2]],
    )


def find_users(endpoints: ZendeskEndpoints, values: UserSource, by: IdentifyBy) -> UserMatches:
    """The ids of users.

    :raises InvalidInput: some values cannot be of users.
    """
    found, unmatched, ambiguous = dict[str, int](), list[str](), list[str]()
    with StagedUserIds(max_length=MAX_VALUE_LENGTH, per_request=PER_CALL, whole_numbers=by == "id") as staged:
        problems = staged.fill(values)
        if problems:
            raise InvalidInput("The look-up of users", problems)
        for batch in staged.batches():
            asked = list(dict.fromkeys(batch.ids()))
            known = matches(endpoints, by, asked)
            found |= {value: number for value, number in known.items() if number is not None}
            ambiguous += [value for value, number in known.items() if number is None]
            unmatched += [value for value in asked if value not in known]
    return UserMatches(found=found, unmatched=unmatched, ambiguous=ambiguous)


def matches(endpoints: ZendeskEndpoints, by: IdentifyBy, values: list[str]) -> dict[str, int | None]:
    """The id for each value that is a user's, None where it is several users'. Case does not count."""
    ids: defaultdict[str, set[int]] = defaultdict(set)
    for user in _candidates(endpoints, by, values):
        value = str(user.user_id) if by == "id" else user.email if by == "email" else user.external_id
        if value is not None:
            ids[user_key(value)].add(user.user_id)
    known = {value: ids[user_key(value)] for value in values if user_key(value) in ids}
    return {value: next(iter(found)) if len(found) == 1 else None for value, found in known.items()}


def _candidates(endpoints: ZendeskEndpoints, by: IdentifyBy, values: list[str]) -> Iterator[User]:
    """Users among whom those with the values are; the search may find others as well."""
    if by == "email":
        for value in values:
            # What could not be an address would be read as another query.
            if "@" in value and not any(mark.isspace() or mark == '"' for mark in value):
                yield from _search(endpoints, "query", f"email:{value}")
        return
    alone = [value for value in values if "," in value]
    for value in alone:
        yield from _search(endpoints, "external_id", value)
    for some in _chunks([value for value in values if "," not in value]):
        parameter = "ids" if by == "id" else "external_ids"
        path, query = ("users", "show_many"), {parameter: ",".join(some)}
        reply = endpoints.call("support", "GET", *path, query=query, people=some.copy)
        yield from endpoints.read(reply, "users", _users)


def _users(value: object) -> list[User]:
    if not isinstance(value, list):
        raise UnexpectedReply("the list of users is none.")
    return [parse_user(entry) for entry in value]


def _chunks(values: list[str]) -> Iterator[list[str]]:
    """The values in parts that make a query of a bearable length."""
    part, length = list[str](), 0
    for value in values:
        size = len(quote_plus(value)) + 3
        if part and length + size > MAX_QUERY:
            yield part
            part, length = [], 0
        part.append(value)
        length += size
    if part:
        yield part


def update_user(endpoints: ZendeskEndpoints, wanted: UpdateUser) -> User:
    """Change one user."""
    user = str(wanted.user_id)
    lanes = {"update user": UPDATES, f"update user {user}": UPDATES_OF_ONE}
    body = encode({"user": wanted.change})
    reply = endpoints.call("support", "PUT", "users", Person(user), body=body, people=lambda: [user], lanes=lanes)
    return endpoints.read(reply, "user", parse_user)


# Tags ------------------------------------------------------------------------------------------------------------


def get_tags(endpoints: ZendeskEndpoints, user_id: int) -> list[str]:
    """A user's tags."""
    user = str(user_id)
    reply = endpoints.call("support", "GET", "users", Person(user), "tags", people=lambda: [user])
    return endpoints.read(reply, "tags", parse_tags)


def change_tags(endpoints: ZendeskEndpoints, action: str, wanted: UserTags) -> list[str]:
    """Set, add or remove tags; return those that the user has then.

    :raises UnexpectedReply: the tags are not as asked: the account may not allow users to be tagged.
    """
    if not wanted.tags and action != "set":
        return get_tags(endpoints, wanted.user_id)
    user = str(wanted.user_id)
    reply = endpoints.call(
        "support",
        _TAG_METHODS[action],
        "users",
        Person(user),
        "tags",
        body=encode({"tags": wanted.tags}),
        may_be_empty=action == "remove",
        people=lambda: [user],
    )
    now = get_tags(endpoints, wanted.user_id) if reply.json is None else endpoints.read(reply, "tags", parse_tags)
    had, given = set(map(user_key, now)), set(map(user_key, wanted.tags))
    right = {"set": had == given, "add": had >= given, "remove": not had & given}
    if not right[action]:
        raise endpoints.unexpected(
            reply,
            "the user's tags are not as asked. Zendesk alters tags with spaces or special characters, and users can be "
            "tagged only where the account allows it (Admin Center > People > Configuration > End users).",
        )
    return now

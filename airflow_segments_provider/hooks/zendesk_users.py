"""Zendesk's users: found by e-mail, external id or id, and their tags."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from airflow_segments_provider.errors import InvalidInput, UnexpectedReply
from airflow_segments_provider.hooks.zendesk_endpoints import FIRST_BY_OFFSET
from airflow_segments_provider.http import Person
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.models.zendesk_users import (
    MAX_VALUE_LENGTH,
    PER_CALL,
    User,
    UserMatches,
    parse_tags,
    parse_user,
    user_key,
)
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.zendesk_endpoints import ZendeskEndpoints
    from airflow_segments_provider.models.zendesk import IdentifyBy
    from airflow_segments_provider.models.zendesk_users import UpdateUser, UserTags

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

"""Zendesk's users: found, tagged and changed; checked before a write."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote_plus

from airflow_segments_provider.errors import InvalidInput, UnexpectedReply
from airflow_segments_provider.http import UserId
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.look_up import LookUp
from airflow_segments_provider.sources.values import NotGiven, UserSource
from airflow_segments_provider.vendors.base.lookup import IdRules, UserLookUp, UserRules, user_key
from airflow_segments_provider.vendors.zendesk.api import FIRST_BY_OFFSET
from airflow_segments_provider.vendors.zendesk.parameters import (
    MAX_ID_LENGTH,
    MAX_VALUE_LENGTH,
    PER_CALL,
    UpdateUserSegment,
    whole,
)
from airflow_segments_provider.vendors.zendesk.responses import User, UserMatches, parse_tags, parse_user

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.base.preparation import Write
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
    from airflow_segments_provider.vendors.zendesk.parameters import IdentifyBy, UpdateUser, UserTags

MAX_ROW_LENGTH = 100_000


class Rows:
    """Changes of single users as JSON text."""

    def __init__(self, changes: object) -> None:
        self._changes = changes if isinstance(changes, Iterable) else [changes]

    def __iter__(self) -> Iterator[str]:
        """Yield the changes.

        :raises InvalidInput: after the last one, if some do not identify a user, or change nothing.
        """
        wrong = 0
        for change in self._changes:
            text = _row(change)
            wrong += text is None
            if text is not None:
                yield text
        if wrong:
            found = "1 change is" if wrong == 1 else f"{wrong:,} changes are"
            problem = f"{found} not an object with `id` (a whole number) or `external_id`, and something to change."
            raise InvalidInput("The update of users", [problem])


class ZendeskUserRules(UserRules):
    """The rules for the users of a write."""

    identities: ClassVar[dict[str, str]] = {"email": "e-mail addresses", "external_id": "external IDs"}
    api: ZendeskApi

    def id_rules(self, identify_by: str) -> IdRules:
        """Return the rules for user IDs of one kind; a ``row`` is the change of a user."""
        length = {"id": MAX_ID_LENGTH, "row": MAX_ROW_LENGTH}.get(identify_by, MAX_VALUE_LENGTH)
        return IdRules(length, PER_CALL, whole_numbers=identify_by == "id")

    def look_up(self, identify_by: Any, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds the IDs of e-mail addresses or external IDs."""
        return look_up_users(self.api, identify_by, users)

    def problems(self, parameters: Any, users: StagedUserIds, source: object) -> list[str]:
        """Return the problem of an update that changes nothing, or that removes all users, in a list."""
        if not isinstance(parameters, UpdateUserSegment):
            return []
        if isinstance(source, NotGiven):
            if parameters.changes:
                return []
            names = "`user_ids`, `new_name`, `user_type`, `tags`, `or_tags`, `organization_ids` and `group_ids`"
            return [f"one of {names} must be given."]
        if parameters.action == "set" and not users.users and not parameters.allow_empty:
            return ["`user_ids` is empty, which would remove all users. If that is meant, use `allow_empty=True`."]
        return []


def look_up_users(api: ZendeskApi, by: IdentifyBy, users: int) -> AbstractContextManager[LookUp]:
    """Return a function that finds the IDs of e-mail addresses, external IDs or IDs.

    :param users: how many will be looked up in all.
    """
    return ZendeskEmailLookUp(api, users) if by == "email" else nullcontext(ManyLookUp(api, by, users))


class ManyLookUp:
    """A look-up of user IDs by external ID or ID, a hundred in a request."""

    def __init__(self, api: ZendeskApi, by: IdentifyBy, users: int) -> None:
        self._api = api
        self._by = by
        self.requests = -(-users // PER_CALL)

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        """Look up a batch."""
        parts = [values[start : start + PER_CALL] for start in range(0, len(values), PER_CALL)]
        found = self._api.concurrently(partial(matches, self._api, self._by), parts)
        return {value: None if user is None else str(user) for part in found for value, user in part.items()}


class ZendeskEmailLookUp(UserLookUp):
    """A look-up of user IDs by e-mail address: a search for each, or the list of all users.

    :param users: how many addresses will be looked up in all.
    """

    def __init__(self, api: ZendeskApi, users: int) -> None:
        self._api = api
        super().__init__(self._by_email, api.concurrently, user_key, users, self._everyone, probe=1)

    def _by_email(self, email: str) -> set[str]:
        return {
            str(user.user_id) for user in _with_email(self._api, email) if user_key(user.email or "") == user_key(email)
        }

    def _everyone(self) -> tuple[int, Iterable[Iterable[tuple[str, str]]]] | None:
        """Return how many pages all users have, by the total that Zendesk shows for a list by page number."""
        response = self._api.call("support", "GET", "users", query={"page": "1", "per_page": "1"})
        total = response.json.get("count") if isinstance(response.json, Mapping) else None
        if type(total) is not int:
            return None
        return -(-total // PER_CALL), ([(user.email or "", str(user.user_id))] for user in all_users(self._api, None))


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


# The characters of a query that every server and proxy accepts.
MAX_QUERY = 4000
# https://developer.zendesk.com/api-reference/introduction/rate-limits/, changes a minute.
UPDATES, UPDATES_OF_ONE = 60, 5

_TAG_METHODS = {"set": "POST", "add": "PUT", "remove": "DELETE"}


def all_users(api: ZendeskApi, query: str | None) -> Iterator[User]:
    """Return all users, or those that a search finds; only the search has no cursor."""
    if query is None:
        return api.listed("support", "users", parse=parse_user)
    return _search(api, "query", query)


def _search(api: ZendeskApi, parameter: str, value: str) -> Iterator[User]:
    return api.listed(
        "support",
        "users",
        "search",
        parse=parse_user,
        query={parameter: value},
        first=FIRST_BY_OFFSET,
        user_ids=lambda: [value, value.partition(":")[2]],
    )


def find_users(api: ZendeskApi, values: UserSource, by: IdentifyBy) -> UserMatches:
    """Look up user IDs.

    :raises InvalidInput: some values are invalid.
    """
    found, unmatched, ambiguous = dict[str, int](), list[str](), list[str]()
    with StagedUserIds(max_length=MAX_VALUE_LENGTH, per_request=PER_CALL, whole_numbers=by == "id") as staged:
        problems = staged.fill(values)
        if problems:
            raise InvalidInput("The look-up of users", problems)
        for batch in staged.batches():
            asked = list(dict.fromkeys(batch.ids()))
            known = matches(api, by, asked)
            found |= {value: number for value, number in known.items() if number is not None}
            ambiguous += [value for value, number in known.items() if number is None]
            unmatched += [value for value in asked if value not in known]
    return UserMatches(found=found, unmatched=unmatched, ambiguous=ambiguous)


def matches(api: ZendeskApi, by: IdentifyBy, values: list[str]) -> dict[str, int | None]:
    """Return the ID for each value that a user has, in any case; None if several users have it."""
    ids: defaultdict[str, set[int]] = defaultdict(set)
    for user in _candidates(api, by, values):
        value = str(user.user_id) if by == "id" else user.email if by == "email" else user.external_id
        if value is not None:
            ids[user_key(value)].add(user.user_id)
    known = {value: ids[user_key(value)] for value in values if user_key(value) in ids}
    return {value: next(iter(found)) if len(found) == 1 else None for value, found in known.items()}


def _candidates(api: ZendeskApi, by: IdentifyBy, values: list[str]) -> Iterator[User]:
    """Yield the users with the values; the search may find other users, too."""
    if by == "email":
        for value in values:
            yield from _with_email(api, value)
        return
    alone = [value for value in values if "," in value]
    for value in alone:
        yield from _search(api, "external_id", value)
    for some in _chunks([value for value in values if "," not in value]):
        parameter = "ids" if by == "id" else "external_ids"
        path, query = ("users", "show_many"), {parameter: ",".join(some)}
        response = api.call("support", "GET", *path, query=query, user_ids=some.copy)
        yield from api.read_key(response, "users", _users)


def _with_email(api: ZendeskApi, email: str) -> Iterator[User]:
    """Yield the users that a search for an address finds; it may find others, too."""
    # Zendesk would parse a text that is not an address as another query.
    if "@" in email and not any(mark.isspace() or mark == '"' for mark in email):
        yield from _search(api, "query", f"email:{email}")


def _users(value: object) -> list[User]:
    if not isinstance(value, list):
        raise UnexpectedReply("the list of users is not an array.")
    return [parse_user(entry) for entry in value]


def _chunks(values: list[str]) -> Iterator[list[str]]:
    """Yield the values in parts that fit in a query."""
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


def update_user(api: ZendeskApi, write: Write[UpdateUser]) -> User:
    """Change one user."""
    user = str(write.parameters.user_id)
    rate_buckets = {"update user": UPDATES, f"update user {user}": UPDATES_OF_ONE}
    body = encode({"user": write.parameters.change})
    response = api.call(
        "support", "PUT", "users", UserId(user), body=body, user_ids=lambda: [user], rate_buckets=rate_buckets
    )
    return api.read_key(response, "user", parse_user)


# Tags ------------------------------------------------------------------------------------------------------------


def get_tags(api: ZendeskApi, user_id: int) -> list[str]:
    """Return a user's tags."""
    user = str(user_id)
    response = api.call("support", "GET", "users", UserId(user), "tags", user_ids=lambda: [user])
    return api.read_key(response, "tags", parse_tags)


def with_tag(api: ZendeskApi, users: list[str], tag: str) -> set[str]:
    """Return which of these users Zendesk has, with a tag."""
    return {str(user.user_id) for user in _candidates(api, "id", users) if user_key(tag) in map(user_key, user.tags)}


def tag_user(api: ZendeskApi, action: str, user: str, tag: str) -> bool:
    """Add or remove a tag of one user; return whether an earlier try may still be carried out.

    :raises UnexpectedReply: the user's tags are not as requested.
    """
    response = _send_tags(api, action, user, [tag])
    _check_tags(api, response, action, [tag])
    return response.in_doubt


def change_tags(api: ZendeskApi, action: str, write: Write[UserTags]) -> list[str]:
    """Set, add or remove tags; return the user's tags after the change.

    :raises UnexpectedReply: the tags are not as requested: the account may not allow users to be tagged.
    """
    wanted = write.parameters
    if not wanted.tags and action != "set":
        return get_tags(api, wanted.user_id)
    response = _send_tags(api, action, str(wanted.user_id), wanted.tags)
    if response.json is None:
        return _check_tags(api, response, action, wanted.tags, get_tags(api, wanted.user_id))
    return _check_tags(api, response, action, wanted.tags)


def _send_tags(api: ZendeskApi, action: str, user: str, tags: Sequence[str]) -> Response:
    return api.call(
        "support",
        _TAG_METHODS[action],
        "users",
        UserId(user),
        "tags",
        body=encode({"tags": tags}),
        may_be_empty=action == "remove",
        user_ids=lambda: [user],
    )


def _check_tags(
    api: ZendeskApi, response: Response, action: str, tags: Sequence[str], now: list[str] | None = None
) -> list[str]:
    """Return the user's tags after a change, or an empty list where the response has none.

    :param now: the tags, where they were read after the change.
    """
    if now is None and response.json is None:
        return []
    now = api.read_key(response, "tags", parse_tags) if now is None else now
    present, sent = set(map(user_key, now)), set(map(user_key, tags))
    right = {"set": present == sent, "add": present >= sent, "remove": not present & sent}
    if not right[action]:
        raise api.unexpected(
            response,
            "the user's tags are not as requested. Zendesk alters tags with spaces or special characters, and users "
            "can be tagged only where the account allows it (Admin Center > People > Configuration > End users).",
        )
    return now

"""Docebo's users: found by e-mail address or user name, before a write."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import AbstractContextManager
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.http.client import UserId
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.ids import MAX_DIGITS
from airflow_segments_provider.sources.look_up import LookUp
from airflow_segments_provider.sources.values import NotGiven, UserSource
from airflow_segments_provider.vendors.base.lookup import IdRules, UserLookUp, UserRules, user_key
from airflow_segments_provider.vendors.base.parameters import accepted
from airflow_segments_provider.vendors.docebo.api import USERS
from airflow_segments_provider.vendors.docebo.parameters import MAX_ID_LENGTH, AddUsers, FindUsers, too_many_rules
from airflow_segments_provider.vendors.docebo.responses import UserMatches, parse_one_user, parse_user

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.docebo.api import DoceboApi
    from airflow_segments_provider.vendors.docebo.parameters import IdentifyBy
    from airflow_segments_provider.vendors.docebo.responses import User


class DoceboUserRules(UserRules):
    """The rules for the users of a write."""

    identities: ClassVar[dict[str, str]] = {"email": "e-mail addresses", "username": "usernames"}
    api: DoceboApi

    def id_rules(self, identify_by: str) -> IdRules:
        """Return the rules for user IDs of one kind."""
        numbered = identify_by == "id"
        length = MAX_DIGITS if numbered else MAX_ID_LENGTH
        return IdRules(length, self.api.fields.users_per_request, whole_numbers=numbered)

    def look_up(self, identify_by: Any, users: int) -> AbstractContextManager[LookUp]:
        """Return a function that finds the IDs of e-mail addresses or usernames."""
        return DoceboLookUp(self.api, identify_by, users)

    def problems(self, parameters: Any, users: StagedUserIds, source: object) -> list[str]:  # noqa: ARG002
        """Return the problems of the users of an addition, and of the number of rules."""
        problems = []
        others = parameters.model_fields_set & {"branch_ids", "group_ids"}
        if isinstance(parameters, AddUsers) and isinstance(source, NotGiven) and not others:
            problems.append("one of `user_ids`, `branch_ids` and `group_ids` must be given.")
        if self.api.fields.rules_limit == "group":
            problems += too_many_rules(getattr(parameters, "ruleset", None))
        return problems


def find(api: DoceboApi, values: UserSource, by: IdentifyBy) -> UserMatches:
    """Look up users; return their IDs, and the values that no user or several users have.

    :raises InvalidInput: before any request, with every problem found.
    """
    found, unmatched, ambiguous = dict[str, str](), list[str](), list[str]()
    with StagedUserIds(
        max_length=MAX_ID_LENGTH,
        per_request=api.fields.users_per_request,
        distinct=True,
        whole_numbers=by == "id",
    ) as staged:
        problems = staged.fill(values)
        by = accepted("The look-up of users", FindUsers, {"by": by}, problems).by
        with DoceboLookUp(api, by, staged.users) as look_up:
            for batch in staged.batches():
                asked = batch.ids()
                ids = look_up(asked)
                found |= {value: user_id for value, user_id in ids.items() if user_id is not None}
                unmatched += [value for value in asked if value not in ids]
                ambiguous += [value for value in asked if value in ids and ids[value] is None]
    return UserMatches(found=found, unmatched=unmatched, ambiguous=ambiguous)


# What the client of a connection has found out about its platform.
EXACT_MATCH = "exact match"


class DoceboLookUp(UserLookUp):
    """A look-up of user IDs by e-mail address, username or ID.

    Docebo takes one search a call, and a thousand calls an hour.

    :param users: how many values will be looked up in all.
    """

    def __init__(self, api: DoceboApi, by: IdentifyBy, users: int) -> None:
        self._api = api
        self._by = by
        self._lock = threading.Lock()
        search = self._by_id if by == "id" else self._by_text
        super().__init__(search, api.concurrently, user_key, users, self._everyone, probe=1)

    def _everyone(self) -> tuple[int, Iterable[Iterable[tuple[str, str]]]] | None:
        """Read the first page of all users, and return the number of further pages, and all pages."""
        # Sorted by the username, which is unique: without ties, no page skips a user.
        pages = self._api.pages(USERS, parse_user, {"get_total_count": "1", "sort_attr": "username", "sort_dir": "asc"})
        first = next(pages, None)
        if first is None or first.total is None or not first.items:
            return None
        users = (((self._value_of(user), user.user_id) for user in page.items) for page in chain([first], pages))
        return -(-first.total // len(first.items)) - 1, users

    def _by_text(self, value: str) -> set[str]:
        """Return the IDs of all users with exactly this value, in any case.

        Docebo may apply an exact match to the username only, so a plain search for an e-mail address follows, until a
        user with another username was found by an exact match.
        """
        known = self._api.client.discovered
        for match in ("full", None) if self._by == "email" else ("full",):
            if match is None and known.get(EXACT_MATCH):
                break
            if match is None:
                with self._lock:
                    self.requests += 1
            found = [
                user
                for page in self._api.pages(
                    USERS, parse_user, {"search_text": value, "match_type": match}, lambda: [value]
                )
                for user in page.items
                if user_key(self._value_of(user)) == user_key(value)
            ]
            if match and any(user_key(user.username) != user_key(value) for user in found):
                known[EXACT_MATCH] = "also of e-mail addresses"
            if found:
                return {user.user_id for user in found}
        return set()

    def _by_id(self, value: str) -> set[str]:
        try:
            response = self._api.call("GET", *USERS, UserId(value), user_ids=lambda: [value])
        except NotFound:
            return set()
        user = self._api.read(parse_one_user, response)
        return {user.user_id} if user.user_id == value else set()

    def _value_of(self, user: User) -> str:
        if self._by == "id":
            return user.user_id
        return user.email if self._by == "email" else user.username

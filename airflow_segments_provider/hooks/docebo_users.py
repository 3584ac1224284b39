"""Finds Docebo users by e-mail address, username or id."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Self

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.hooks.docebo_endpoints import USERS
from airflow_segments_provider.http.client import Person
from airflow_segments_provider.models.docebo import user_key
from airflow_segments_provider.models.docebo_replies import parse_one_user, parse_user
from airflow_segments_provider.sources.id_set import IdSet

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.docebo_endpoints import GroupEndpoints
    from airflow_segments_provider.models.docebo import IdentifyBy
    from airflow_segments_provider.models.docebo_replies import User

# For fewer people than this it is not worth a call to learn how long the list of all users is.
FEW = 20


class UserLookUp:
    """For each value, the id of the user who has it; None where several have. Values of nobody are left out.

    Docebo answers one search a call and allows a thousand calls an hour. So where the list of all users takes fewer
    calls, it is read once, into a temporary database; it may change while it is read, so a few whom it did not show
    are searched for all the same.

    :param expected: how many values will be asked for in all.
    """

    def __init__(self, endpoints: GroupEndpoints, by: IdentifyBy, expected: int) -> None:
        self._endpoints = endpoints
        self._by = by
        self._expected = expected
        self._index: IdSet | None = None
        self._decided = expected <= FEW

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._index is not None:
            self._index.close()

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        """Look up a batch."""
        if not self._decided:
            self._decided = True
            self._read_all()
        found: dict[str, set[str]] = {}
        if self._index is not None:
            found = {value: ids for value in values if (ids := self._index.users(user_key(value)))}
        missing = [value for value in values if value not in found]
        if self._index is None or len(missing) <= FEW:
            looked_up = self._endpoints.concurrently(self._by_id if self._by == "id" else self._search, missing)
            found |= {value: ids for value, ids in zip(missing, looked_up, strict=True) if ids}
        return {value: next(iter(ids)) if len(ids) == 1 else None for value, ids in found.items()}

    def _read_all(self) -> None:
        """Read everybody into the index, if that takes fewer calls than a search for each."""
        # By username, of which no two are the same: an order without ties, so that no page skips anybody.
        pages = self._endpoints.pages(
            USERS, parse_user, {"get_total_count": "1", "sort_attr": "username", "sort_dir": "asc"}
        )
        first = next(pages, None)
        if first is None or first.total is None or first.total > self._expected * len(first.items):
            return
        self._index = IdSet()
        for page in chain([first], pages):
            self._index.update_users((user_key(self._wanted(user)), user.user_id) for user in page.items)

    def _search(self, value: str) -> set[str]:
        """The ids of all who have exactly this value, in any case.

        An exact match is asked for; where it is unknown whether Docebo means the username only, a plain search follows.
        """
        found = set[str]()
        for match in ("full", None) if self._by == "email" else ("full",):
            query = {"search_text": value, "match_type": match}
            for page in self._endpoints.pages(USERS, parse_user, query, lambda: [value]):
                found |= {user.user_id for user in page.items if user_key(self._wanted(user)) == user_key(value)}
            if found:
                break
        return found

    def _by_id(self, value: str) -> set[str]:
        try:
            reply = self._endpoints.call("GET", *USERS, Person(value), people=lambda: [value])
        except NotFound:
            return set()
        user = self._endpoints.read(parse_one_user, reply)
        return {user.user_id} if user.user_id == value else set()

    def _wanted(self, user: User) -> str:
        if self._by == "id":
            return user.user_id
        return user.email if self._by == "email" else user.username

"""The members of a Docebo group: listing, counting, adding, removing, making exact."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import (
    ConfigurationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.sources.ids import MAX_DIGITS
from airflow_segments_provider.vendors.docebo.api import GROUPS
from airflow_segments_provider.vendors.docebo.responses import parse_addition, parse_background, parse_member

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.docebo.api import DoceboApi
    from airflow_segments_provider.vendors.docebo.responses import Member


# The first is the only one seen in running code, and there with users only; the others are published, with all three.
_FORMS = {
    "assign_users": ("PUT", "assign_users"),
    "put_users": ("PUT", "users"),
    "post_users": ("POST", "users"),
}
_USERS_FIRST = ("assign_users", "put_users", "post_users")
_SOURCES_FIRST = ("put_users", "post_users", "assign_users")

ONE_AT_A_TIME = (
    "Docebo forbids changes of members side by side: give the tasks that change members one Airflow pool with one slot."
)


class GroupMembers:
    """The members of one group. Changes wait for one another within this process, as Docebo demands.

    :ivar background: whether Docebo said of any change that it goes on in the background.
    """

    def __init__(self, api: DoceboApi, group_id: str) -> None:
        self.api = api
        self.group_id = group_id
        self.background = False

    def list(self, **query: str | None) -> Iterator[Member]:
        """Return the members that a query finds."""
        searched = [text] if (text := query.get("search_text")) else []
        for page in self.api.pages((*GROUPS, self.group_id, "users"), parse_member, query, lambda: searched):
            yield from page.items

    def count(self) -> int:
        """How many they are; where Docebo tells no totals, every page is read."""
        count = 0
        for page in self.api.pages((*GROUPS, self.group_id, "users"), parse_member, {}):
            if page.total is not None:
                return page.total
            count += len(page.items)
        return count

    def add(self, staged: StagedUserIds, branch_ids: Sequence[int] = (), group_numbers: Sequence[int] = ()) -> None:
        """Add staged users, and before them, in a request of their own, those of branches and groups."""
        sources = {"branch_ids": branch_ids, "group_ids": group_numbers}
        if body := {name: ids for name, ids in sources.items() if ids}:
            self._add("add route for branches and groups", _SOURCES_FIRST, encode(body), tuple)
        self._in_batches(staged, "sent to", lambda body, user_ids: self._add("add route", _USERS_FIRST, body, user_ids))

    def remove(self, staged: StagedUserIds) -> None:
        """Remove staged users."""
        self._in_batches(staged, "removed from", self._remove)

    def remove_found(self, user_all: bool, user_filters: Any, searches: Iterable[str]) -> None:
        """Remove all members, or those that filters find."""
        given = {"user_all": user_all, "user_filters": user_filters}
        body = {"user_ids": [], **{name: value for name, value in given.items() if value}}
        self._remove(encode(body), lambda: searches)

    def make_exact(self, wanted: StagedUserIds, begin: Callable[[int, int], None]) -> tuple[int, int]:
        """Add who is missing, then remove the others; return how many these and those were.

        :param begin: called before the first change with the number of members and of those who would be removed.
        :raises UnexpectedReply: none of the users is a member after the addition. No user was removed.
        """

        def change(make: Callable[[StagedUserIds], None], ids: Iterator[str]) -> int:
            with StagedUserIds(max_length=MAX_DIGITS, per_request=wanted.per_request) as staged:
                staged.fill(ids)
                make(staged)
                return staged.users

        with IdSet() as given, IdSet() as present:
            given.update(user_id for batch in wanted.batches() for user_id in batch.ids())
            present.update(member.user_id for member in self.list())
            leaving = sum(1 for _ in present.minus(given))
            begin(len(present), leaving)
            added = change(self.add, given.minus(present))
            if added and leaving and leaving == len(present) and not self.background:
                self._check_added(given)
            return added, change(self.remove, present.minus(given))

    def _check_added(self, users: IdSet) -> None:
        """Check that one user at least is a member: Docebo acknowledges ids that it does not know as well."""
        if not any(member.user_id in users for member in self.list()):
            raise UnexpectedReply(
                f"Docebo acknowledged the addition of {len(users):,} users to group {self.group_id}, but shows none of "
                "them as a member. No user was removed. Check that the ids are those of Docebo's users, else use "
                f"`identify_by`; and run the task again. {self.api.where}",
                vendor=self.api.vendor,
                maybe_done=True,
            )

    def _in_batches(
        self, staged: StagedUserIds, how: str, send: Callable[[bytes, Callable[[], Iterable[str]]], None]
    ) -> None:
        sent = 0
        for batch in staged.batches():
            try:
                send(b'{"user_ids":%s}' % batch.numbers, batch.ids)
            except VendorError as error:
                raise error.add_hint(
                    f"Before it, {sent:,} of {staged.users:,} users were {how} group {self.group_id}. Run it again: "
                    "what is done already changes nothing."
                ) from None
            sent += batch.users

    def _add(self, what: str, order: tuple[str, ...], body: bytes, user_ids: Callable[[], Iterable[str]]) -> None:
        route = self.api.fields.add_route

        def send(form: str) -> Response:
            method, last = _FORMS[form]
            return self._change(method, last, body, user_ids)

        response = self.api.first_route(
            what,
            "add_route",
            order if route == "auto" else (route,),
            send,
            lambda: self.api.group(self.group_id),
        )
        self._note(response, parse_addition)

    def _remove(self, body: bytes, user_ids: Callable[[], Iterable[str]]) -> None:
        response = self._change("DELETE", "users", body, user_ids, may_be_empty=True)
        self._note(response, parse_background)

    def _change(
        self,
        method: str,
        last: str,
        body: bytes,
        user_ids: Callable[[], Iterable[str]],
        *,
        may_be_empty: bool = False,
    ) -> Response:
        """Send a change; where Docebo is busy with another process's, wait as after any passing failure."""
        client = self.api.client
        attempt = 1
        while True:
            try:
                with client.exclusive("members"):
                    return self.api.call(
                        method, *GROUPS, self.group_id, last, body=body, may_be_empty=may_be_empty, user_ids=user_ids
                    )
            except Conflict as error:
                if attempt == client.retry.max_attempts:
                    raise error.add_hint(ONE_AT_A_TIME) from None
            client.sleep(client.retry.delay(attempt))
            attempt += 1

    def _note(self, response: Response, parse: Callable[[Any, Callable[[str], str]], bool]) -> None:
        background = self.api.read(lambda answer: parse(answer, response.call.clean), response)
        self.background = background or self.background


def check_add_route(api: DoceboApi) -> None:
    """Check that the platform has the connection's ``add_route``, once, by a change of no users of no group.

    A platform answers 404 for a route as for a group that it does not have. So what it says is compared with what it
    says of such a group, and of a route that no platform has; where that is the same, the route is unknown.

    :raises ConfigurationError: it does not have the route. Nothing was changed.
    """
    route, client = api.fields.add_route, api.client
    if route == "auto" or client.discovered.get("checked add route") == route:
        return
    (method, last), nobody = _FORMS[route], str(uuid.uuid4())

    def said(method: str, *path: str) -> tuple[int | None, str]:
        body = None if method == "GET" else encode({"user_ids": []})
        try:
            api.call(method, *GROUPS, nobody, *path, body=body, may_be_empty=True)
        except (Conflict, NotFound, PermissionDenied, RejectedRequest, UnexpectedReply) as error:
            return error.status, error.said.replace(path[-1], "") if path else error.said
        return None, ""

    answer = said(method, last)
    missing = answer[0] == 405
    if answer[0] == 404 and answer != said("GET"):
        missing = answer == said(method, f"no_{last}")
    if missing:
        raise ConfigurationError(f"{api.no_such_route('add_route', route)} Nothing was changed.")
    client.discovered["checked add route"] = route

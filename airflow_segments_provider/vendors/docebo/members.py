"""The members of a Docebo group: list, count, add, remove, set."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import (
    ConfigurationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch
from airflow_segments_provider.sources.id_storage import IdSet
from airflow_segments_provider.vendors.docebo.api import GROUPS
from airflow_segments_provider.vendors.docebo.responses import parse_addition, parse_background, parse_member

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.base.exact import Difference
    from airflow_segments_provider.vendors.docebo.api import DoceboApi
    from airflow_segments_provider.vendors.docebo.responses import Member


# Running code uses assign_users, with users only; the others are published for users, branches and groups.
_FORMS = {
    "assign_users": ("PUT", "assign_users"),
    "put_users": ("PUT", "users"),
    "post_users": ("POST", "users"),
}
_USERS_FIRST = ("assign_users", "put_users", "post_users")
_SOURCES_FIRST = ("put_users", "post_users", "assign_users")

ONE_AT_A_TIME = (
    "Docebo forbids simultaneous changes of members: give the tasks that change members one Airflow pool with one slot."
)


class GroupMembers:
    """The members of one group. Within a process, changes run one after another, as Docebo demands.

    :ivar background: whether Docebo reported of any change that it continues in the background.
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

    def ids(self) -> Iterator[Sequence[str]]:
        """Yield the IDs of all members by page."""
        for page in self.api.pages((*GROUPS, self.group_id, "users"), parse_member, {}):
            yield [member.user_id for member in page.items]

    def all_ids(self) -> Iterator[str]:
        """Yield the IDs of all members.

        :raises UnexpectedReply: their number changed meanwhile, which moves members from one page to another.
        """
        totals = set[int]()
        for page in self.api.pages((*GROUPS, self.group_id, "users"), parse_member, {}):
            totals.update([] if page.total is None else [page.total])
            if len(totals) > 1:
                raise UnexpectedReply(
                    f"The number of members of group {self.group_id} changed while they were listed, so the list may "
                    f"lack some. Nothing was changed. Run the task again. {self.api.where}",
                    vendor=self.api.vendor,
                )
            yield from (member.user_id for member in page.items)

    def count(self) -> int:
        """Count the members; if Docebo returns no total, every page is read."""
        count = 0
        for page in self.api.pages((*GROUPS, self.group_id, "users"), parse_member, {}):
            if page.total is not None:
                return page.total
            count += len(page.items)
        return count

    def add(self, staged: StagedUserIds, branch_ids: Sequence[int] = (), group_numbers: Sequence[int] = ()) -> None:
        """Add the users of branches and groups in one request, then the staged users."""
        sources = {"branch_ids": branch_ids, "group_ids": group_numbers}
        if body := {name: ids for name, ids in sources.items() if ids}:
            self._add("add route for branches and groups", _SOURCES_FIRST, encode(body), tuple)
        self._in_batches(staged, "sent to", self.add_batch)

    def add_batch(self, batch: UserIdBatch) -> Response:
        """Add the users of one request."""
        return self._add("add route", _USERS_FIRST, b'{"user_ids":%s}' % batch.numbers, batch.ids)

    def remove_batch(self, batch: UserIdBatch) -> Response:
        """Remove the users of one request."""
        return self._remove(b'{"user_ids":%s}' % batch.numbers, batch.ids)

    def remove(self, staged: StagedUserIds) -> None:
        """Remove staged users."""
        self._in_batches(staged, "removed from", self.remove_batch)

    def remove_found(self, user_all: bool, user_filters: Any, searches: Iterable[str]) -> None:
        """Remove all members, or those that match filters."""
        options = {"user_all": user_all, "user_filters": user_filters}
        body = {"user_ids": [], **{name: value for name, value in options.items() if value}}
        self._remove(encode(body), lambda: searches)

    def make_exact(self, change: Difference) -> tuple[int, int]:
        """Add missing users, then remove other members; return the number of both.

        :raises UnexpectedReply: none of the users is a member after the addition. No user was removed.
        """
        added, _ = change.add(self.add)
        if added and change.leaving and change.leaving == len(change.members) and not self.background:
            self._check_added(change.users)
        removed, _ = change.remove(self.remove)
        return added, removed

    def _check_added(self, users: IdSet) -> None:
        """Check that at least one user is a member: Docebo acknowledges unknown IDs, too."""
        if not any(member.user_id in users for member in self.list()):
            raise UnexpectedReply(
                f"Docebo acknowledged the addition of {len(users):,} users to group {self.group_id}, but shows none of "
                "them as a member. No user was removed. Check that the ids are those of Docebo's users, else use "
                f"`identify_by`; and run the task again. {self.api.where}",
                vendor=self.api.vendor,
                maybe_done=True,
            )

    def _in_batches(self, staged: StagedUserIds, how: str, send: Callable[[UserIdBatch], object]) -> None:
        sent = 0
        for batch in staged.batches():
            try:
                send(batch)
            except VendorError as error:
                raise error.add_hint(
                    f"Before it, {sent:,} of {staged.users:,} users were {how} group {self.group_id}. Run it again: "
                    "a change that was made already has no effect."
                ) from None
            sent += batch.users

    def _add(self, what: str, order: tuple[str, ...], body: bytes, user_ids: Callable[[], Iterable[str]]) -> Response:
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
        return self._read_change(response, parse_addition)

    def _remove(self, body: bytes, user_ids: Callable[[], Iterable[str]]) -> Response:
        response = self._change("DELETE", "users", body, user_ids, may_be_empty=True)
        return self._read_change(response, parse_background)

    def _change(
        self,
        method: str,
        last: str,
        body: bytes,
        user_ids: Callable[[], Iterable[str]],
        *,
        may_be_empty: bool = False,
    ) -> Response:
        """Send a change; if another process's change is running, retry as after any transient failure."""
        client = self.api.client
        attempt, maybe_done = 1, False
        while True:
            try:
                with client.exclusive("members"):
                    response = self.api.call(
                        method, *GROUPS, self.group_id, last, body=body, may_be_empty=may_be_empty, user_ids=user_ids
                    )
                return replace(response, in_doubt=response.in_doubt or maybe_done)
            except VendorError as error:
                error.in_doubt = error.in_doubt or maybe_done
                error.maybe_done = maybe_done = maybe_done or error.maybe_done
                if not isinstance(error, Conflict):
                    raise
                if attempt == client.retry.max_attempts:
                    raise _busy(error) from None
            client.sleep(client.retry.delay(attempt))
            attempt += 1

    def _read_change(self, response: Response, parse: Callable[[Any, Callable[[str], str]], bool]) -> Response:
        background = self.api.read(lambda answer: parse(answer, response.call.clean), response)
        self.background = background or self.background
        return response


def _busy(error: Conflict) -> VendorUnavailable:
    """Return an error that Airflow's retries may solve, as a ``Conflict`` would fail the task for good."""
    busy = VendorUnavailable(
        error.message,
        status=error.status,
        vendor=error.vendor,
        method=error.method,
        path=error.path,
        said=error.said,
        request_id=error.request_id,
        maybe_done=error.maybe_done,
        in_doubt=error.in_doubt,
    )
    busy.hints += error.hints
    return busy.add_hint(ONE_AT_A_TIME)


def check_add_route(api: DoceboApi) -> None:
    """Check once, by a change without users of a group that does not exist, that the platform has ``add_route``.

    A platform answers 404 both for an unknown route and for an unknown group. So its response is compared with that of
    a read of the group, and with that of a route which no platform has. If it equals only the latter, the route is
    unknown.

    :raises ConfigurationError: the platform lacks the route. Nothing was changed.
    """
    route, client = api.fields.add_route, api.client
    if route == "auto" or client.discovered.get("checked add route") == route:
        return
    (method, last), no_group = _FORMS[route], str(uuid.uuid4())

    def said(method: str, *path: str) -> tuple[int | None, str]:
        body = None if method == "GET" else encode({"user_ids": []})
        try:
            api.call(method, *GROUPS, no_group, *path, body=body, may_be_empty=True)
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

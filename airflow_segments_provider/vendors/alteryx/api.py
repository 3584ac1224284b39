"""The endpoints of Alteryx Server's user groups, and advice for their errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import (
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.client import UserId
from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey, id_key
from airflow_segments_provider.vendors.alteryx.responses import (
    UserGroup,
    check_removal,
    parse_added,
    parse_group,
    parse_groups,
    select,
)
from airflow_segments_provider.vendors.base.api import VendorApi

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.http.response import Call
    from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch


_WORD = re.compile(r"[^\s,;:'\"()\[\]{}]+")
NOT_A_CURATOR = (
    "The API key must be the API Access pair of a Curator (My Profile > Keys); the Private Studio pair of the same "
    "page does not work."
)
# How many different reasons of refusals are kept, and the name for the others.
REASONS_KEPT, OTHER_REASONS = 20, "other reasons"
# After so many failed removals in a row, no other is begun.
MOST_FAILURES = 100


@dataclass
class Removals:
    """The outcome of removals; those that were not begun are in neither number.

    :param error: the first error, in the order of the users.
    """

    removed: int = 0
    failed: int = 0
    error: VendorError | None = None


class AlteryxApi(VendorApi):
    """Calls the endpoints of user groups.

    :param conn_id: the Airflow connection, for messages.
    """

    vendor = "Alteryx Server"

    def hint(self, error: VendorError) -> str:
        """Return the advice for an error."""
        if isinstance(error, (AuthenticationError, PermissionDenied)):
            return f"{NOT_A_CURATOR} {self.where}"
        if isinstance(error, NotFound):
            return (
                f"Alteryx Server does not have what the path names, or the host of connection {self.conn_id!r} is not "
                "its Web API address (by default it ends in /webapi)."
            )
        return self.where

    def groups(self) -> list[UserGroup]:
        """Return all custom user groups, without members; Active Directory groups are not among them."""
        return self.read(parse_groups, self.call("GET", "usergroups"))

    def group(self, user_group_id: str) -> UserGroup:
        """Return a user group with its members."""
        return self.read(parse_group, self.call("GET", "usergroups", user_group_id))

    def find(self, key: UserGroupKey) -> UserGroup | None:
        """Find a group, without its members."""
        return select(self.groups(), key)

    def resolve_id(self, key: UserGroupKey) -> str:
        """Return the ID of a group; a name needs a call.

        :raises NotFound: no group has that name.
        """
        if key.user_group_id:
            return key.user_group_id
        found = self.find(key)
        if found is None:
            raise NotFound(
                f"Alteryx Server has no {key}; nothing was changed. Create it first, or name another. Active Directory "
                f"groups cannot be found by name. {self.where}",
                vendor="Alteryx Server",
            )
        return found.user_group_id

    def add_users(self, user_group_id: str, staged: StagedUserIds) -> tuple[int, dict[str, str], bool]:
        """Add staged users.

        :return: how many users the server added, its reason for each refused user, by :func:`id_key`, and whether it
            reported all users.
        """
        added, refused, sent, all_reported = 0, dict[str, str](), 0, True
        for batch in staged.batches():
            try:
                response = self.call("POST", "usergroups", user_group_id, "users", body=batch.json, user_ids=batch.ids)
                count, reasons = self.read(parse_added, response, maybe_done=True)
            except VendorError as error:
                raise error.add_hint(
                    f"Before it, {sent:,} of {staged.users:,} users were sent to user group {user_group_id}. Run it "
                    "again: adding a member twice changes nothing."
                ) from None
            sent, added = sent + batch.users, added + count
            all_reported = all_reported and count + len(reasons) >= batch.users
            refused |= _cleaned(reasons, batch, response.call) if reasons else {}
        return added, refused, all_reported

    def remove_users(self, user_group_id: str, staged: StagedUserIds) -> Removals:
        """Remove staged users, one call each, several at once; the failure of one does not stop the others.

        After an error that would fail every call, and after many failures in a row, no other call is begun.
        """
        stopped = threading.Event()
        result, in_a_row = Removals(), 0

        def remove(user: str) -> bool:
            if stopped.is_set():
                return False
            try:
                self._remove(user_group_id, user)
            except BaseException as error:
                if not isinstance(error, VendorError) or _fails_all(error):
                    stopped.set()
                raise
            return True

        def settle(future: Future[bool]) -> None:
            nonlocal in_a_row
            try:
                result.removed += future.result()
                in_a_row = 0
            except VendorError as error:
                result.failed, in_a_row = result.failed + 1, in_a_row + 1
                result.error = result.error or error
                if in_a_row >= MOST_FAILURES:
                    stopped.set()

        with ThreadPoolExecutor(self.max_concurrency, thread_name_prefix="alteryx-remove") as pool:
            waiting: list[Future[bool]] = []
            for user in _ids(staged):
                waiting.append(pool.submit(remove, user))
                # A bounded window, so that a million IDs do not become a million futures.
                if len(waiting) >= 4 * self.max_concurrency:
                    settle(waiting.pop(0))
                if stopped.is_set():
                    break
            for future in waiting:
                settle(future)
        return result

    def _remove(self, user_group_id: str, user: str) -> None:
        """Remove one user.

        :raises UnexpectedReply: the response is not a success, or the user is still in the group.
        """
        path = ("usergroups", user_group_id, "users", UserId(user))
        response = self.call("DELETE", *path, may_be_empty=True, may_be_text=True, user_ids=lambda: [user])
        self.read(lambda answer: check_removal(answer, user), response, maybe_done=True)

    def call(
        self,
        method: str,
        *path: str,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        may_be_empty: bool = False,
        may_be_text: bool = False,
        user_ids: Callable[[], Iterable[str]] = tuple,
    ) -> Response:
        """Call an endpoint below ``v3``. The creation of a group is not repeated."""
        return self.request(
            method,
            ("v3", *path),
            body=body,
            query=query,
            idempotent=not (method == "POST" and path == ("usergroups",)),
            may_be_empty=may_be_empty,
            may_be_text=may_be_text,
            user_ids=user_ids,
        )


def _ids(staged: StagedUserIds) -> Iterator[str]:
    for batch in staged.batches():
        yield from batch.ids()


def _fails_all(error: VendorError) -> bool:
    """Return whether the calls for other users would fail in the same way."""
    unreachable = isinstance(error, VendorUnavailable) and error.status is None
    return unreachable or isinstance(error, (AuthenticationError, PermissionDenied, RateLimited))


def _cleaned(reasons: Mapping[str, str], batch: UserIdBatch, call: Call) -> dict[str, str]:
    """Return the reasons by :func:`id_key` of their users, without the user IDs of the request."""
    user_ids = set(map(id_key, batch.ids()))

    def conceal(word: re.Match[str]) -> str:
        return "[user id]" if id_key(word[0]) in user_ids else word[0]

    texts = {id_key(user): _WORD.sub(conceal, reason) for user, reason in reasons.items()}
    # Texts that differ only in the user are merged first: each is searched for every user of the request.
    cleaned: dict[str, str] = {}
    for text in texts.values():
        if text not in cleaned:
            cleaned[text] = call.clean(text) if len(cleaned) < REASONS_KEPT else OTHER_REASONS
    return {key: cleaned[text] for key, text in texts.items()}

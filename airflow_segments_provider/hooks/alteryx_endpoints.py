"""The endpoints of Alteryx Server's user groups, and the advice that belongs to their errors."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_segments_provider.errors import AuthenticationError, NotFound, UnexpectedReply, VendorError
from airflow_segments_provider.http.clean import clean
from airflow_segments_provider.http.client import Person
from airflow_segments_provider.models.alteryx import UserGroup, parse_added, parse_group, parse_groups
from airflow_segments_provider.models.alteryx_given import UserGroupKey, select

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.identify import UnmatchedList
    from airflow_segments_provider.http import HttpClient, Reply
    from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch

Parsed = TypeVar("Parsed")

_WORD = re.compile(r"[^\s,;:'\"()\[\]{}]+")
NOT_A_CURATOR = (
    "The API key must be the API Access pair of a Curator (My Profile > Keys); the Private Studio pair of the same "
    "page does not work."
)


class UserGroupEndpoints:
    """Calls the endpoints.

    :param conn_id: the Airflow connection, for messages.
    :param concurrency: calls under way at once, where the server takes one person a call.
    :param users_per_request: ids in one call that adds users.
    :param unmatched_list: lists users that are not found.
    """

    def __init__(
        self,
        client: HttpClient,
        conn_id: str,
        concurrency: int,
        users_per_request: int,
        unmatched_list: UnmatchedList | None,
    ) -> None:
        self.client = client
        self.conn_id = conn_id
        self.concurrency = concurrency
        self.users_per_request = users_per_request
        self.unmatched_list = unmatched_list
        self._sent_before = client.requests_sent

    @property
    def requests(self) -> int:
        """Requests sent since this object was made, repeats included."""
        return self.client.requests_sent - self._sent_before

    def groups(self) -> list[UserGroup]:
        """All custom user groups, without their members. Active Directory groups are not among them."""
        return self.read(parse_groups, self.call("GET", "usergroups"))

    def group(self, user_group_id: str) -> UserGroup:
        """One user group with its members."""
        return self.read(parse_group, self.call("GET", "usergroups", user_group_id))

    def find(self, key: UserGroupKey) -> UserGroup | None:
        """The group that is meant, without its members, or None."""
        return select(self.groups(), key)

    def found_id(self, key: UserGroupKey) -> str:
        """The id of the group that is meant; by name it takes a call.

        :raises NotFound: there is none of that name.
        """
        if key.user_group_id:
            return key.user_group_id
        found = self.find(key)
        if found is None:
            raise NotFound(
                f"Alteryx Server has no {key}; nothing was changed. Create it first, or name another. Active Directory "
                f"groups cannot be found by name. The Airflow connection is {self.conn_id!r}.",
                vendor="Alteryx Server",
            )
        return found.user_group_id

    def add_users(self, user_group_id: str, staged: StagedUserIds) -> tuple[int, dict[str, str], bool]:
        """Add staged users.

        :return: how many the server added, its reason for each that it did not, and whether it so told of everybody.
        """
        added, refused, sent, told_of_all = 0, dict[str, str](), 0, True
        for batch in staged.batches():
            try:
                reply = self.call("POST", "usergroups", user_group_id, "users", body=batch.json, people=batch.ids)
                count, reasons = self.read(parse_added, reply, maybe_done=True)
            except VendorError as error:
                raise error.advise(
                    f"Before it, {sent:,} of {staged.users:,} users were sent to user group {user_group_id}. Run it "
                    "again: adding a member twice changes nothing."
                ) from None
            sent, added = sent + batch.users, added + count
            told_of_all = told_of_all and count + len(reasons) >= batch.users
            refused |= _without_people(reasons, batch) if reasons else {}
        return added, refused, told_of_all

    def remove_users(self, user_group_id: str, staged: StagedUserIds) -> tuple[int, list[VendorError]]:
        """Remove staged users, one call each, several at once.

        :return: how many calls succeeded, and the errors in the order of the users. After an error no call is begun.
        """
        failed = threading.Event()
        removed, errors = 0, list[VendorError]()

        def remove(user: str) -> bool:
            if failed.is_set():
                return False
            try:
                self._remove(user_group_id, user)
            except BaseException:
                failed.set()
                raise
            return True

        def settle(future: Future[bool]) -> int:
            try:
                return int(future.result())
            except VendorError as error:
                errors.append(error)
                return 0

        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="alteryx-remove") as pool:
            waiting: list[Future[bool]] = []
            for user in _ids(staged):
                waiting.append(pool.submit(remove, user))
                # A bounded window: a million ids must not become a million futures.
                if len(waiting) >= 4 * self.concurrency:
                    removed += settle(waiting.pop(0))
                if failed.is_set():
                    break
            removed += sum(settle(future) for future in waiting)
        return removed, errors

    def _remove(self, user_group_id: str, user: str) -> None:
        """Remove one user; the answer shows the group as it is now.

        :raises UnexpectedReply: it shows nothing, or the user is still in it.
        """
        path = ("usergroups", user_group_id, "users", Person(user))
        reply = self.call("DELETE", *path, people=lambda: [user])
        group = self.read(parse_group, reply, maybe_done=True)
        if user in (group.members or ()):
            raise self._unexpected(reply, "Alteryx Server's answer shows the user still in the group.")

    def read(self, parse: Callable[[Any], Parsed], reply: Reply, *, maybe_done: bool = False) -> Parsed:
        """What an answer says.

        :raises UnexpectedReply: it cannot be understood.
        """
        try:
            return parse(reply.json)
        except UnexpectedReply as error:
            raise self._unexpected(reply, str(error), maybe_done=maybe_done) from None

    def _unexpected(self, reply: Reply, sentence: str, *, maybe_done: bool = True) -> UnexpectedReply:
        return UnexpectedReply(
            f"{sentence} It answered {reply.call} with status {reply.status}. The Airflow connection is "
            f"{self.conn_id!r}.",
            maybe_done=maybe_done,
            **reply.facts,
        )

    def call(
        self,
        method: str,
        *path: str,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        may_be_empty: bool = False,
        may_be_text: bool = False,
        people: Callable[[], Iterable[str]] = tuple,
    ) -> Reply:
        """Call an endpoint below ``v3``. Only the POST that creates a group is not repeated blindly."""
        try:
            return self.client.request(
                method,
                ("v3", *path),
                body=body,
                query=query,
                idempotent=not (method == "POST" and path == ("usergroups",)),
                may_be_empty=may_be_empty,
                may_be_text=may_be_text,
                people=people,
            )
        except AuthenticationError as error:
            raise error.advise(f"{NOT_A_CURATOR} The Airflow connection is {self.conn_id!r}.") from None
        except NotFound as error:
            raise error.advise(
                f"So Alteryx Server does not know what the path names, or the host of connection {self.conn_id!r} is "
                "not its Web API address (by default it ends in /webapi)."
            ) from None
        except VendorError as error:
            raise error.advise(f"The Airflow connection is {self.conn_id!r}.") from None


def _ids(staged: StagedUserIds) -> Iterator[str]:
    for batch in staged.batches():
        yield from batch.ids()


def _without_people(reasons: Mapping[str, str], batch: UserIdBatch) -> dict[str, str]:
    """The reasons, without those whom they are about and others of the same request."""
    people = set(batch.ids())

    def conceal(word: re.Match[str]) -> str:
        return "[user id]" if word[0] in people else word[0]

    return {user: clean(_WORD.sub(conceal, reason), people=[user]) for user, reason in reasons.items()}

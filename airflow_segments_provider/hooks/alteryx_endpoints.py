"""The endpoints of Alteryx Server's user groups, and the advice that belongs to their errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import AuthenticationError, NotFound, UnexpectedReply, VendorError
from airflow_segments_provider.http.clean import clean
from airflow_segments_provider.http.client import Person
from airflow_segments_provider.models.alteryx import UserGroup, UserGroupKey, parse_group, parse_groups, select

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, Reply
    from airflow_segments_provider.models.user_ids import StagedUserIds

NOT_A_CURATOR = (
    "The API key must be the API Access pair of a Curator (My Profile > Keys); the Private Studio pair of the same "
    "page does not work."
)


class UserGroupEndpoints:
    """Calls the endpoints.

    :param conn_id: the Airflow connection, for messages.
    :param concurrency: calls under way at once, where the server takes one person a call.
    """

    def __init__(self, client: HttpClient, conn_id: str, concurrency: int) -> None:
        self.client = client
        self.conn_id = conn_id
        self.concurrency = concurrency
        self._sent_before = client.requests_sent

    @property
    def requests(self) -> int:
        """Requests sent since this object was made, repeats included."""
        return self.client.requests_sent - self._sent_before

    def groups(self) -> list[UserGroup]:
        """All custom user groups, without their members. Active Directory groups are not among them."""
        return parse_groups(self.call("GET", "usergroups").json)

    def group(self, user_group_id: str) -> UserGroup:
        """One user group with its members."""
        return parse_group(self.call("GET", "usergroups", user_group_id).json)

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
                "groups cannot be found by name.",
                vendor="Alteryx Server",
            )
        return found.user_group_id

    def add_users(self, user_group_id: str, staged: StagedUserIds) -> tuple[int, dict[str, str]]:
        """Add staged users; return how many the server added, and its reason for each that it did not."""
        added, refused, sent = 0, dict[str, str](), 0
        for batch in staged.batches():
            try:
                reply = self.call("POST", "usergroups", user_group_id, "users", body=batch.json, people=batch.ids)
            except VendorError as error:
                raise error.advise(
                    f"Before it, {sent:,} of {staged.users:,} users were sent to user group {user_group_id}. Run it "
                    "again: adding a member twice changes nothing."
                ) from None
            answer = reply.json
            count = answer.get("successfullyAddedUserCount") if isinstance(answer, Mapping) else None
            reasons = answer.get("failedUserReasons") if isinstance(answer, Mapping) else None
            if not isinstance(count, int) or not isinstance(reasons or {}, Mapping):
                raise UnexpectedReply(
                    f"Alteryx Server answered {reply.call} with status {reply.status}, but not with how many users it "
                    "added.",
                    maybe_done=True,
                    **reply.facts,
                )
            sent, added = sent + batch.users, added + count
            refused |= {str(user): clean(str(reason), people=[str(user)]) for user, reason in (reasons or {}).items()}
        return added, refused

    def remove_users(self, user_group_id: str, staged: StagedUserIds) -> tuple[int, list[VendorError]]:
        """Remove staged users, one call each, several at once; return how many calls succeeded, and the errors."""
        removed, errors = 0, list[VendorError]()
        with ThreadPoolExecutor(self.concurrency, thread_name_prefix="alteryx-remove") as pool:
            waiting: list[Future[Any]] = []
            for user in _ids(staged):
                waiting.append(pool.submit(self._remove, user_group_id, user))
                # A bounded window: a million ids must not become a million futures.
                if len(waiting) >= 4 * self.concurrency:
                    removed += _settle(waiting.pop(0), errors)
                if errors:
                    break
            removed += sum(_settle(future, errors) for future in waiting)
        return removed, errors

    def _remove(self, user_group_id: str, user: str) -> None:
        path = ("usergroups", user_group_id, "users", Person(user))
        self.call("DELETE", *path, may_be_empty=True, people=lambda: [user])

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


def _settle(future: Future[Any], errors: list[VendorError]) -> int:
    """1 if the call succeeded; else its error is kept, in the order of the calls."""
    try:
        future.result()
    except VendorError as error:
        errors.append(error)
        return 0
    return 1

"""Finds users of an Alteryx Server: one, or before a write all who are given by their e-mail addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import Conflict, NotFound, RejectedRequest, VendorError
from airflow_segments_provider.http.client import Person
from airflow_segments_provider.vendors.alteryx.parameters import MAX_ID_LENGTH, id_key, user_key
from airflow_segments_provider.vendors.alteryx.responses import User, parse_users
from airflow_segments_provider.vendors.base.lookup import Identified, identified

if TYPE_CHECKING:
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.alteryx.api import UserGroupEndpoints
    from airflow_segments_provider.vendors.alteryx.parameters import ChangeUsers, CreateUserGroup


MAX_EMAIL_LENGTH = 320
# Look-ups waiting at once; there are as many threads as the connection allows.
EMAILS_A_BATCH = 1000


def list_users(endpoints: UserGroupEndpoints, filters: dict[str, str]) -> list[User]:
    """The users whom the server's own filters let through."""
    return endpoints.read(parse_users, endpoints.call("GET", "users", query=filters, people=filters.values))


def with_email(endpoints: UserGroupEndpoints, email: str) -> list[User]:
    """The users with exactly this address, in any case: whether the filter is exact is not published."""
    found = list_users(endpoints, {"email": email.strip()})
    return [user for user in found if user_key(user.email or "") == user_key(email)]


def find_by_email(endpoints: UserGroupEndpoints, email: str) -> User | None:
    """The one user with exactly this address, or None.

    :raises Conflict: several users have it.
    """
    found = with_email(endpoints, email)
    if len(found) > 1:
        raise Conflict(
            f"Alteryx Server has {len(found)} users with that e-mail address. Name the one that is meant by the id. "
            f"The Airflow connection is {endpoints.conn_id!r}.",
            vendor="Alteryx Server",
        )
    return found[0] if found else None


def find_by_name(endpoints: UserGroupEndpoints, first_name: str, last_name: str) -> list[User]:
    """The users with exactly these names, in any case."""
    wanted = (user_key(first_name), user_key(last_name))
    found = list_users(endpoints, {"firstName": first_name.strip(), "lastName": last_name.strip()})
    return [user for user in found if (user_key(user.first_name or ""), user_key(user.last_name or "")) == wanted]


def same_users(endpoints: UserGroupEndpoints, ids: Iterable[str]) -> set[str]:
    """What the ids that the server has for these users are compared by; it need not know all of them."""

    def key(user_id: str) -> str | None:
        try:
            reply = endpoints.call("GET", "users", Person(user_id), people=lambda: [user_id])
        except (NotFound, RejectedRequest):
            return None
        (user,) = endpoints.read(lambda answer: parse_users([answer]), reply)
        return id_key(user.user_id)

    with ThreadPoolExecutor(endpoints.concurrency, thread_name_prefix="alteryx-find") as pool:
        return {found for found in pool.map(key, ids) if found is not None}


@contextmanager
def server_ids(
    endpoints: UserGroupEndpoints, wanted: CreateUserGroup | ChangeUsers, staged: StagedUserIds, subject: str
) -> Iterator[Identified]:
    """The server's own ids of the people of a write.

    :param subject: the write, for the message.
    :raises InvalidInput: users have none: any with ``on_unmatched="fail"``, else too many. Nothing was changed.
    """
    with identified(
        staged,
        partial(_ids_by_email, endpoints) if wanted.identify_by == "email" else None,
        wanted,
        wanted="e-mail addresses",
        key=user_key,
        kept=endpoints.unmatched_list,
        per_request=endpoints.users_per_request,
        max_length=MAX_ID_LENGTH,
        subject=subject,
    ) as found:
        yield found


def _ids_by_email(endpoints: UserGroupEndpoints, emails: list[str]) -> dict[str, str | None]:
    """The id of each address that the server knows; None where several users have it. One call each."""
    found: dict[str, str | None] = {}
    with ThreadPoolExecutor(endpoints.concurrency, thread_name_prefix="alteryx-find") as pool:
        waiting = [(email, pool.submit(with_email, endpoints, email)) for email in emails]
        try:
            for email, future in waiting:
                users = future.result()
                if users:
                    found[email] = users[0].user_id if len({id_key(user.user_id) for user in users}) == 1 else None
        except VendorError as error:
            raise error.advise("People were being looked up by their e-mail addresses; nothing was changed.") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return found

"""Users of an Alteryx Server, and their look-up by e-mail address before a write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from airflow_segments_provider.errors import Conflict, NotFound, RejectedRequest, VendorError
from airflow_segments_provider.http.client import UserId
from airflow_segments_provider.sources.look_up import LookUp
from airflow_segments_provider.vendors.alteryx.parameters import MAX_ID_LENGTH, id_key
from airflow_segments_provider.vendors.alteryx.responses import User, parse_users
from airflow_segments_provider.vendors.base.lookup import IdRules, UserLookUp, UserRules, user_key

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.alteryx.api import AlteryxApi

MAX_EMAIL_LENGTH = 320
# The look-ups that wait at once for the connection's threads.
EMAILS_A_BATCH = 1000


def list_users(api: AlteryxApi, filters: dict[str, str]) -> list[User]:
    """Return the users that the server's own filters select."""
    return api.read(parse_users, api.call("GET", "users", query=filters, user_ids=filters.values))


def with_email(api: AlteryxApi, email: str) -> list[User]:
    """Return the users with exactly this address, in any case; the server's filter may find more."""
    found = list_users(api, {"email": email.strip()})
    return [user for user in found if user_key(user.email or "") == user_key(email)]


def find_by_email(api: AlteryxApi, email: str) -> User | None:
    """Return the one user with exactly this address, or None.

    :raises Conflict: several users have it.
    """
    found = with_email(api, email)
    if len(found) > 1:
        raise Conflict(
            f"Alteryx Server has {len(found)} users with that e-mail address. Name the one that is meant by the id. "
            f"{api.where}",
            vendor="Alteryx Server",
        )
    return found[0] if found else None


def find_by_name(api: AlteryxApi, first_name: str, last_name: str) -> list[User]:
    """Return the users with exactly these names, in any case."""
    wanted = (user_key(first_name), user_key(last_name))
    found = list_users(api, {"firstName": first_name.strip(), "lastName": last_name.strip()})
    return [user for user in found if (user_key(user.first_name or ""), user_key(user.last_name or "")) == wanted]


def same_users(api: AlteryxApi, ids: Iterable[str]) -> set[str]:
    """Return the keys of the IDs by which the server shows these users; unknown users are left out."""

    def key(user_id: str) -> str | None:
        try:
            response = api.call("GET", "users", UserId(user_id), user_ids=lambda: [user_id])
        except (NotFound, RejectedRequest):
            return None
        (user,) = api.read(lambda answer: parse_users([answer]), response)
        return id_key(user.user_id)

    return {found for found in api.concurrently(key, ids) if found is not None}


class AlteryxUserRules(UserRules):
    """The rules for the users of a write."""

    identities: ClassVar[dict[str, str]] = {"email": "e-mail addresses"}
    api: AlteryxApi

    def id_rules(self, identify_by: str) -> IdRules:
        """Return the rules for user IDs of one kind."""
        if identify_by == "email":
            return IdRules(MAX_EMAIL_LENGTH, EMAILS_A_BATCH)
        return IdRules(MAX_ID_LENGTH, self.api.fields.users_per_request)

    def look_up(self, identify_by: str, users: int) -> AbstractContextManager[LookUp]:  # noqa: ARG002
        """Return a function that finds the IDs of e-mail addresses."""
        return AlteryxLookUp(self.api, users)


class AlteryxLookUp(UserLookUp):
    """A look-up of user IDs by e-mail address: a call for each, or one for all users of the server.

    :param users: how many addresses will be looked up in all.
    """

    def __init__(self, api: AlteryxApi, users: int) -> None:
        self._api = api
        super().__init__(self._by_email, api.concurrently, user_key, users, lambda: (1, self._everyone()))

    def __call__(self, values: list[str]) -> dict[str, str | None]:
        """Look up a batch."""
        try:
            return super().__call__(values)
        except VendorError as error:
            raise error.add_hint("Users were looked up by their e-mail addresses; nothing was changed.") from None

    def _by_email(self, email: str) -> set[str]:
        return _distinct(user.user_id for user in with_email(self._api, email))

    def _everyone(self) -> Iterator[list[tuple[str, str]]]:
        users = list_users(self._api, {})
        spelled = {id_key(user.user_id): user.user_id for user in users}
        yield [(user.email or "", spelled[id_key(user.user_id)]) for user in users]


def _distinct(user_ids: Iterable[str]) -> set[str]:
    """Return one spelling of each ID."""
    return set({id_key(user_id): user_id for user_id in user_ids}.values())

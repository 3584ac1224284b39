"""The endpoints of Alteryx Server's user groups, and advice for their errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import (
    AuthenticationError,
    NotFound,
    PermissionDenied,
    VendorError,
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
from airflow_segments_provider.vendors.base.api import Changes, VendorApi

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.http.response import Call
    from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch
    from airflow_segments_provider.vendors.alteryx.connection import AlteryxServerConnectionFields


_WORD = re.compile(r"[^\s,;:'\"()\[\]{}]+")
NOT_A_CURATOR = (
    "The API key must be the API Access pair of a Curator (My Profile > Keys); the Private Studio pair of the same "
    "page does not work."
)
# How many different reasons of refusals are kept, and the name for the others.
REASONS_KEPT, OTHER_REASONS = 20, "other reasons"


class AlteryxApi(VendorApi):
    """Calls the endpoints of user groups.

    :param conn_id: the Airflow connection, for messages.
    """

    vendor = "Alteryx Server"
    fields: AlteryxServerConnectionFields

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
                count, reasons, _ = self.add_batch(user_group_id, batch)
            except VendorError as error:
                raise error.add_hint(
                    f"Before it, {sent:,} of {staged.users:,} users were sent to user group {user_group_id}. Run it "
                    "again: adding a member twice changes nothing."
                ) from None
            sent, added = sent + batch.users, added + count
            all_reported = all_reported and count + len(reasons) >= batch.users
            refused |= reasons
        return added, refused, all_reported

    def add_batch(self, user_group_id: str, batch: UserIdBatch) -> tuple[int, dict[str, str], bool]:
        """Add the users of one request.

        :return: as :meth:`add_users`; the last value is whether an earlier try may still be carried out.
        """
        response = self.call("POST", "usergroups", user_group_id, "users", body=batch.json, user_ids=batch.ids)
        count, reasons = self.read(parse_added, response, maybe_done=True)
        return count, _cleaned(reasons, batch, response.call) if reasons else {}, response.in_doubt

    def remove_users(self, user_group_id: str, users: Iterable[str], total: int) -> Changes:
        """Remove users, one call each; see :meth:`VendorApi.change_each`."""
        return self.change_each(partial(self._remove, user_group_id), users, total)

    def _remove(self, user_group_id: str, user: str) -> bool:
        """Remove one user; return whether an earlier try may still be carried out.

        :raises UnexpectedReply: the response is not a success, or the user is still in the group.
        """
        path = ("usergroups", user_group_id, "users", UserId(user))
        response = self.call("DELETE", *path, may_be_empty=True, may_be_text=True, user_ids=lambda: [user])
        self.read(lambda answer: check_removal(answer, user), response, maybe_done=True)
        return response.in_doubt

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

"""Alteryx Server user groups, API v3: see the models' module for the vendor's pages."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow_segments_provider.hooks.vendor import VendorHook

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.alteryx_endpoints import UserGroupEndpoints
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.models.alteryx import (
        AlteryxServerConnectionFields,
        IfExists,
        IfMissing,
        OnRefused,
        ResourceType,
        Role,
        User,
        UserGroup,
        UserGroupChange,
    )
    from airflow_segments_provider.models.given import Given
    from airflow_segments_provider.models.user_ids import OnInvalid, StagedUserIds

    Model = TypeVar("Model", bound=Given)

__all__ = ["AlteryxServerHook"]


class AlteryxServerHook(VendorHook):
    """User groups of an Alteryx Server, with the API key of an Airflow connection of type ``alteryx_server``.

    The connection: host = Web API address, sub-path included (by default it ends in ``/webapi``), login = API access
    key, password = API access secret, of a Curator; and the extra fields of
    :class:`~airflow_segments_provider.models.alteryx.AlteryxServerConnectionFields`.

    Wherever a group is meant, it is named by ``user_group_id``, by ``name`` (one call more), or by ``user_group``, the
    result of a create or update. Wherever people's ids are taken, any iterable will do; it is checked whole before the
    first call. Every method that calls may raise :class:`~airflow_segments_provider.errors.VendorError`.

    :param alteryx_conn_id: the connection.
    :param retry: in place of the connection's own ``retry``.
    """

    conn_name_attr = "alteryx_conn_id"
    default_conn_name = "alteryx_server_default"
    conn_type = "alteryx_server"
    hook_name = "Alteryx Server"

    def __init__(self, alteryx_conn_id: str = default_conn_name, *, retry: RetryPolicy | None = None) -> None:
        super().__init__(alteryx_conn_id, retry=retry)
        self.alteryx_conn_id = alteryx_conn_id

    # The connection ------------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> AlteryxServerConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.hooks.connection import read_fields
        from airflow_segments_provider.models.alteryx import AlteryxServerConnectionFields

        return read_fields(self.connection, AlteryxServerConnectionFields, needs=("host", "login", "password"))

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.hooks.connection import base_url, open_client
        from airflow_segments_provider.http import ClientCredentials

        url, placement = base_url(self.connection, "", {}), self.fields.client_auth
        credentials = ClientCredentials(
            f"{url}/oauth2/token", self.connection.login, self.connection.password, placement=placement
        )
        return open_client(
            "Alteryx Server", self.connection, self.fields, base_url=url, credentials=credentials, retry=self.retry
        )

    @property
    def gallery_url(self) -> str:
        """The server's own user interface: the connection's ``gallery_url``, or ``/gallery/`` on the API's host."""
        if self.fields.gallery_url:
            return self.fields.gallery_url
        parts = urlsplit(self.client.base_url)
        return f"{parts.scheme}://{parts.netloc}/gallery/"

    def test_connection(self) -> tuple[bool, str]:
        """Whether user groups could be managed, in plain words: what is wrong and where to mend it. Changes nothing."""
        from airflow_segments_provider.hooks.alteryx_check import explain

        return explain(self)

    # Reading -------------------------------------------------------------------------------------------------------

    def get_user_groups(self) -> list[UserGroup]:
        """All custom user groups, without members; the server lists no Active Directory groups."""
        return self._endpoints().groups()

    def get_user_group(self, user_group_id: str | None = None, **group: Any) -> UserGroup:
        """One user group with its members.

        :raises NotFound: there is no such group.
        """
        from airflow_segments_provider.models.alteryx import UserGroupKey
        from airflow_segments_provider.models.problems import accepted

        key = accepted("The look-up of a user group", UserGroupKey, {"user_group_id": user_group_id, **group})
        endpoints = self._endpoints()
        return endpoints.group(endpoints.found_id(key))

    def find_user_group(self, name: str) -> UserGroup | None:
        """The one group of that name, without members, or None.

        :raises Conflict: several groups have that name.
        """
        from airflow_segments_provider.models.alteryx import UserGroupKey
        from airflow_segments_provider.models.problems import accepted

        return self._endpoints().find(accepted("The look-up of a user group", UserGroupKey, {"name": name}))

    def get_users(self, **filters: str) -> list[User]:
        """The server's users, all at once: the API knows no pages.

        :param filters: ``email``, ``role``, ``firstName``, ``lastName``, ``active``, ``createdAfter``,
            ``createdBefore``, in the API's words. How exactly it matches is not published.
        """
        from airflow_segments_provider.models.alteryx import parse_users

        reply = self._endpoints().call("GET", "users", query=filters, people=filters.values)
        return parse_users(reply.json)

    def find_user(self, email: str) -> User | None:
        """The user with exactly that e-mail address, in any case, or None."""
        wanted = email.strip().lower()
        return next(
            (user for user in self.get_users(email=email.strip()) if (user.email or "").lower() == wanted), None
        )

    def find_users(self, first_name: str, last_name: str) -> list[User]:
        """The users with exactly these names, in any case; there may be several."""
        wanted = (first_name.strip().lower(), last_name.strip().lower())
        found = self.get_users(firstName=first_name.strip(), lastName=last_name.strip())
        return [user for user in found if ((user.first_name or "").lower(), (user.last_name or "").lower()) == wanted]

    # User groups ---------------------------------------------------------------------------------------------------

    def create_user_group(
        self,
        name: str,
        user_ids: Iterable[object] = (),
        *,
        role: Role = "Evaluated",
        if_exists: IfExists = "reuse",
        on_invalid: OnInvalid = "fail",
        on_refused: OnRefused = "fail",
    ) -> UserGroupChange:
        """Make sure that the group exists and holds these users. Creating twice makes one.

        :param role: Evaluated lets the server decide at run time.
        :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` gives it this role and makes the
            members exactly these; ``fail`` refuses.
        :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
        :param on_refused: ``fail`` raises where the server refuses to add somebody; ``skip`` counts them by reason.
        :raises InvalidInput: before any call, with every problem found.
        :raises Conflict: it exists and ``if_exists="fail"``; or several groups have that name.
        """
        from airflow_segments_provider.hooks.alteryx_create import UserGroupCreation
        from airflow_segments_provider.models.alteryx import CreateUserGroup

        given = {
            "name": name,
            "role": role,
            "if_exists": if_exists,
            "on_invalid": on_invalid,
            "on_refused": on_refused,
        }
        with self._checked(f"User group {name!r}", CreateUserGroup, given, user_ids) as checked:
            return UserGroupCreation(*checked).run()

    def update_user_group(
        self, *, new_name: str | None = None, role: Role | None = None, **group: Any
    ) -> UserGroupChange:
        """Give a group another name or role; what is not given stays. The API replaces both, so it is read first."""
        from airflow_segments_provider.hooks.alteryx_change import rename
        from airflow_segments_provider.models.alteryx import UpdateUserGroup

        given = {**group, "new_name": new_name, "role": role}
        with self._checked("The update of a user group", UpdateUserGroup, given, ()) as (endpoints, wanted, _):
            return rename(endpoints, wanted)

    def delete_user_group(
        self, *, force_delete: bool = False, if_missing: IfMissing = "skip", **group: Any
    ) -> UserGroupChange:
        """Delete a group.

        :param force_delete: also one that has members; without it the server refuses.
        :param if_missing: ``skip`` takes a group that is not there for deleted, ``fail`` raises.
        """
        from airflow_segments_provider.hooks.alteryx_change import delete
        from airflow_segments_provider.models.alteryx import DeleteUserGroup

        given = {**group, "force_delete": force_delete, "if_missing": if_missing}
        with self._checked("The deletion of a user group", DeleteUserGroup, given, ()) as (endpoints, wanted, _):
            return delete(endpoints, wanted)

    # Members -------------------------------------------------------------------------------------------------------

    def add_users(
        self,
        user_ids: Iterable[object],
        *,
        on_invalid: OnInvalid = "fail",
        on_refused: OnRefused = "fail",
        **group: Any,
    ) -> UserGroupChange:
        """Add users by their ids. A partial failure is a success to the server; here it raises unless told otherwise.

        Those whom the server refuses and who are members already do not count as refused.
        """
        from airflow_segments_provider.hooks.alteryx_change import add
        from airflow_segments_provider.models.alteryx import ChangeUsers

        given = {**group, "on_invalid": on_invalid, "on_refused": on_refused}
        with self._checked("The addition of users", ChangeUsers, given, user_ids) as checked:
            return add(*checked)

    def remove_users(
        self, user_ids: Iterable[object], *, on_invalid: OnInvalid = "fail", **group: Any
    ) -> UserGroupChange:
        """Remove users by their ids, one call each, ``max_concurrency`` of the connection at once.

        Somebody who is no member is no error.
        """
        from airflow_segments_provider.hooks.alteryx_change import remove
        from airflow_segments_provider.models.alteryx import ChangeUsers

        given = {**group, "on_invalid": on_invalid}
        with self._checked("The removal of users", ChangeUsers, given, user_ids) as checked:
            return remove(*checked)

    def add_active_directory_group(self, sid: str, **group: Any) -> None:
        """Put an Active Directory group into a user group; only on a server with Windows authentication."""
        self._change_active_directory_group("POST", sid, group)

    def remove_active_directory_group(self, sid: str, **group: Any) -> None:
        """Take an Active Directory group out of a user group."""
        self._change_active_directory_group("DELETE", sid, group)

    def _change_active_directory_group(self, method: str, sid: str, group: dict[str, Any]) -> None:
        from airflow_segments_provider.models.alteryx import ChangeActiveDirectoryGroup

        given = {**group, "sid": sid}
        subject = "The change of an Active Directory group"
        with self._checked(subject, ChangeActiveDirectoryGroup, given, ()) as (endpoints, wanted, _):
            path = ("usergroups", endpoints.found_id(wanted), "activedirectorygroups")
            if method == "POST":
                endpoints.call("POST", *path, body=json.dumps(wanted.sid).encode(), may_be_empty=True)
            else:
                endpoints.call("DELETE", *path, wanted.sid, may_be_empty=True)

    # Where a user group is used ------------------------------------------------------------------------------------

    def share(self, resource_type: ResourceType, resource_id: str, **given: Any) -> None:
        """Share a collection, credential or data connection with a user group.

        :param resource_type: ``collection``, ``credential`` or ``data_connection``.
        :param given: the group, and for a collection ``permissions`` (see
            :class:`~airflow_segments_provider.models.alteryx.CollectionPermissions`) and ``expiration_date``.
        """
        self._change_share("POST", {**given, "resource_type": resource_type, "resource_id": resource_id})

    def update_permissions(self, resource_id: str, permissions: dict[str, bool], **given: Any) -> None:
        """Change what a user group may do in a collection that is shared with it."""
        self._change_share(
            "PUT", {**given, "resource_type": "collection", "resource_id": resource_id, "permissions": permissions}
        )

    def unshare(self, resource_type: ResourceType, resource_id: str, **given: Any) -> None:
        """Take a collection, credential or data connection away from a user group."""
        self._change_share("DELETE", {**given, "resource_type": resource_type, "resource_id": resource_id})

    def _change_share(self, method: str, given: dict[str, Any]) -> None:
        from airflow_segments_provider.hooks.alteryx_change import change_share
        from airflow_segments_provider.models.alteryx import Share

        with self._checked("The change of sharing", Share, given, ()) as (endpoints, wanted, _):
            change_share(endpoints, method, wanted)

    # Checking ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: Iterable[object]
    ) -> Iterator[tuple[UserGroupEndpoints, Model, StagedUserIds]]:
        """The endpoints, the input and the staged ids of a write, once all of them are found to be right."""
        from airflow_segments_provider.models.alteryx import MAX_ID_LENGTH
        from airflow_segments_provider.models.problems import accepted

        per_request = self.fields.users_per_request
        with self.staged(subject, given, user_ids, self.fields, max_length=MAX_ID_LENGTH, per_request=per_request) as (
            staged,
            problems,
        ):
            yield self._endpoints(), accepted(subject, model, given, problems), staged

    def _endpoints(self) -> UserGroupEndpoints:
        from airflow_segments_provider.hooks.alteryx_endpoints import UserGroupEndpoints

        return UserGroupEndpoints(self.client, self.alteryx_conn_id, self.fields.max_concurrency)

"""The hook for Alteryx Server user groups, API v3."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.vendors.alteryx.api import AlteryxApi
    from airflow_segments_provider.vendors.alteryx.connection import AlteryxServerConnectionFields
    from airflow_segments_provider.vendors.alteryx.parameters import ResourceType
    from airflow_segments_provider.vendors.alteryx.responses import User, UserGroup, UserGroupChange
    from airflow_segments_provider.vendors.base.lookup import UserRules

__all__ = ["AlteryxServerHook"]


class AlteryxServerHook(VendorHook):
    """User groups of an Alteryx Server, with the API key of an Airflow connection of type ``alteryx_server``.

    The connection: host = Web API address, sub-path included (by default it ends in ``/webapi``), login = API access
    key, password = API access secret, of a Curator; and the extra fields of
    :class:`~airflow_segments_provider.vendors.alteryx.connection.AlteryxServerConnectionFields`.

    A group is identified by ``user_group_id``, by ``name`` (one call more), or by ``user_group``, the result of a
    create or update. Users are anything that
    :func:`~airflow_segments_provider.sources.values.read_values` reads; all are checked before the first call. The
    other parameters of a method are the fields of the model in
    :mod:`airflow_segments_provider.vendors.alteryx.parameters` that it names. Every method that sends requests may
    raise :class:`~airflow_segments_provider.errors.VendorError`, and
    :class:`~airflow_segments_provider.errors.InvalidInput`, with every problem found, before the first request.

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

    @cached_property
    def fields(self) -> AlteryxServerConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.vendors.alteryx.connection import AlteryxServerConnectionFields
        from airflow_segments_provider.vendors.base.connection import read_fields

        return read_fields(self.connection, AlteryxServerConnectionFields, needs=("host", "login", "password"))

    @cached_property
    def client(self) -> HttpClient:
        """The HTTP client of this connection."""
        from airflow_segments_provider.vendors.base.connection import base_url

        return self.client_at(base_url(self.connection, "", {}))

    def client_at(self, url: str) -> HttpClient:
        """Return a client with this connection's credentials for another part of the same server.

        :param url: at or below the connection's base URL; tokens come from the base URL.
        """
        from airflow_segments_provider.http import ClientCredentials
        from airflow_segments_provider.vendors.base.connection import base_url, login_of, open_client

        token_url = f"{base_url(self.connection, '', {})}/oauth2/token"
        credentials = ClientCredentials(token_url, *login_of(self.connection), placement=self.fields.client_auth)
        return open_client(
            "Alteryx Server",
            self.connection,
            self.fields,
            base_url=url,
            credentials=credentials,
            retry=self.retry,
            mask=self.mask,
        )

    @property
    def ui_url(self) -> str:
        """The server's own user interface: the connection's ``gallery_url``, or ``/gallery/`` on the API's host."""
        if self.fields.gallery_url:
            return self.fields.gallery_url
        parts = urlsplit(self.client.base_url)
        return f"{parts.scheme}://{parts.netloc}/gallery/"

    def api(self) -> AlteryxApi:
        """Return the API, whose count of requests begins at 0."""
        from airflow_segments_provider.vendors.alteryx.api import AlteryxApi

        return AlteryxApi(self.client, self.fields, self.conn_id)

    def user_rules(self) -> UserRules:
        """Return the rules for the users of a write."""
        from airflow_segments_provider.vendors.alteryx.users import AlteryxUserRules

        return AlteryxUserRules(self.api(), self.unmatched_list)

    def test_connection(self) -> tuple[bool, str]:
        """Report whether user groups can be managed; else what is wrong, and what to do. Sends reads only."""
        from airflow_segments_provider.vendors.alteryx.diagnose import explain

        return explain(self)

    def get_user_groups(self) -> list[UserGroup]:
        """Return all custom user groups, without members; the server lists no Active Directory groups."""
        return self.api().groups()

    def get_user_group(self, user_group_id: str | None = None, **user_group: Any) -> UserGroup:
        """Return one user group with its members.

        :raises NotFound: the vendor does not have the group.
        """
        from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey
        from airflow_segments_provider.vendors.base.parameters import accepted

        key = accepted("The look-up of a user group", UserGroupKey, {"user_group_id": user_group_id, **user_group})
        api = self.api()
        return api.group(api.resolve_id(key))

    def find_user_group(self, name: str) -> UserGroup | None:
        """Return the group of that name, without members, or None.

        :raises Conflict: several groups have that name.
        """
        from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey
        from airflow_segments_provider.vendors.base.parameters import accepted

        return self.api().find(accepted("The look-up of a user group", UserGroupKey, {"name": name}))

    def get_users(self, **filters: str) -> list[User]:
        """Return the users of the server.

        :param filters: the server's own: ``email``, ``role``, ``firstName``, ``lastName`` and others.
        """
        from airflow_segments_provider.vendors.alteryx.users import list_users

        return list_users(self.api(), filters)

    def find_user(self, email: str) -> User | None:
        """Return the user with exactly that e-mail address, in any case, or None.

        :raises Conflict: several users have it.
        """
        from airflow_segments_provider.vendors.alteryx.users import find_by_email

        return find_by_email(self.api(), email)

    def find_users(self, first_name: str, last_name: str) -> list[User]:
        """Return the users with exactly these names, in any case; there may be several."""
        from airflow_segments_provider.vendors.alteryx.users import find_by_name

        return find_by_name(self.api(), first_name, last_name)

    def create_user_group(self, name: str, user_ids: UserSource = (), **parameters: Any) -> UserGroupChange:
        """Create a group with these users, or use the one of that name. Creating twice results in one.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.CreateUserGroup`.
        :raises Conflict: it exists and ``if_exists="fail"``; or several groups have that name.
        :raises UnexpectedReply: with ``update``, the group does not show users who were added; then none is removed.
        """
        from airflow_segments_provider.vendors.alteryx.groups import create
        from airflow_segments_provider.vendors.alteryx.parameters import CreateUserGroup

        subject, parameters = f"User group {name!r}", {"name": name, **parameters}
        with self.prepare(subject, CreateUserGroup, parameters, user_ids) as prepared:
            return create(*prepared)

    def update_user_group(self, **parameters: Any) -> UserGroupChange:
        """Change the name or the role of a group. The API replaces both, so the group is read first.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.UpdateUserGroup`.
        """
        from airflow_segments_provider.vendors.alteryx.groups import update
        from airflow_segments_provider.vendors.alteryx.parameters import UpdateUserGroup

        with self.prepare("The update of a user group", UpdateUserGroup, parameters) as prepared:
            return update(*prepared)

    def delete_user_group(self, **parameters: Any) -> UserGroupChange:
        """Delete a group.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.DeleteUserGroup`.
        """
        from airflow_segments_provider.vendors.alteryx.groups import delete
        from airflow_segments_provider.vendors.alteryx.parameters import DeleteUserGroup

        with self.prepare("The deletion of a user group", DeleteUserGroup, parameters) as prepared:
            return delete(*prepared)

    def add_users(self, user_ids: UserSource, **parameters: Any) -> UserGroupChange:
        """Add users to a group. Refused users raise an error, although the server reports a success.

        A user who is a member already does not count as refused.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.ChangeUsers`.
        """
        from airflow_segments_provider.vendors.alteryx.groups import add
        from airflow_segments_provider.vendors.alteryx.parameters import ChangeUsers

        with self.prepare("The addition of users", ChangeUsers, parameters, user_ids) as prepared:
            return add(*prepared)

    def remove_users(self, user_ids: UserSource, **parameters: Any) -> UserGroupChange:
        """Remove users, one call each, ``max_concurrency`` of the connection at once.

        Where some calls fail, all others are made, then one error has the numbers. A user who is not a member is not
        an error.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.RemoveUsers`.
        """
        from airflow_segments_provider.vendors.alteryx.groups import remove
        from airflow_segments_provider.vendors.alteryx.parameters import RemoveUsers

        with self.prepare("The removal of users", RemoveUsers, parameters, user_ids) as prepared:
            return remove(*prepared)

    def add_active_directory_group(self, sid: str, **user_group: Any) -> None:
        """Add an Active Directory group to a user group; only on a server with Windows authentication."""
        self._change_active_directory_group("POST", {**user_group, "sid": sid})

    def remove_active_directory_group(self, sid: str, **user_group: Any) -> None:
        """Remove an Active Directory group from a user group."""
        self._change_active_directory_group("DELETE", {**user_group, "sid": sid})

    def _change_active_directory_group(self, method: str, parameters: dict[str, Any]) -> None:
        from airflow_segments_provider.vendors.alteryx.groups import change_active_directory_group
        from airflow_segments_provider.vendors.alteryx.parameters import ChangeActiveDirectoryGroup

        subject = "The change of an Active Directory group"
        with self.prepare(subject, ChangeActiveDirectoryGroup, parameters) as (api, write):
            change_active_directory_group(api, method, write)

    def share(self, resource_type: ResourceType, resource_id: str, **parameters: Any) -> None:
        """Share a collection, credential or data connection with a user group.

        :param parameters: of :class:`~airflow_segments_provider.vendors.alteryx.parameters.Share`.
        """
        self._change_share("POST", {**parameters, "resource_type": resource_type, "resource_id": resource_id})

    def update_permissions(self, resource_id: str, permissions: dict[str, bool], **user_group: Any) -> None:
        """Change what a user group may do in a collection that is shared with it."""
        parameters = {"resource_type": "collection", "resource_id": resource_id, "permissions": permissions}
        self._change_share("PUT", {**user_group, **parameters})

    def unshare(self, resource_type: ResourceType, resource_id: str, **user_group: Any) -> None:
        """Unshare a collection, credential or data connection from a user group."""
        self._change_share("DELETE", {**user_group, "resource_type": resource_type, "resource_id": resource_id})

    def _change_share(self, method: str, parameters: dict[str, Any]) -> None:
        from airflow_segments_provider.vendors.alteryx.groups import change_share
        from airflow_segments_provider.vendors.alteryx.parameters import Share

        with self.prepare("The change of sharing", Share, parameters) as (api, write):
            change_share(api, method, write)

"""Alteryx Server user groups, API v3."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, Unpack
from urllib.parse import urlsplit

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.alteryx.api import UserGroupEndpoints
    from airflow_segments_provider.vendors.alteryx.connection import AlteryxServerConnectionFields
    from airflow_segments_provider.vendors.alteryx.parameters import ResourceType
    from airflow_segments_provider.vendors.alteryx.responses import User
    from airflow_segments_provider.vendors.base.parameters import Given

    Model = TypeVar("Model", bound=Given)
    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.sources.ids import OnInvalid
    from airflow_segments_provider.vendors.alteryx.parameters import IdentifyBy, IfExists, IfMissing, OnRefused, Role
    from airflow_segments_provider.vendors.alteryx.responses import UserGroup, UserGroupChange
    from airflow_segments_provider.vendors.base.parameters import ExactMemberLimits, OnUnmatched

__all__ = ["AlteryxServerHook"]


class AlteryxServerHook(VendorHook):
    """User groups of an Alteryx Server, with the API key of an Airflow connection of type ``alteryx_server``.

    The connection: host = Web API address, sub-path included (by default it ends in ``/webapi``), login = API access
    key, password = API access secret, of a Curator; and the extra fields of
    :class:`~airflow_segments_provider.vendors.alteryx.connection.AlteryxServerConnectionFields`.

    Wherever a group is meant, it is named by ``user_group_id``, by ``name`` (one call more), or by ``user_group``, the
    result of a create or update. Wherever people are taken, any iterable will do; it is checked whole before the
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

    def test_connection(self) -> tuple[bool, str]:
        """Whether user groups could be managed, in plain words: what is wrong and where to mend it. Changes nothing."""
        from airflow_segments_provider.vendors.alteryx.diagnose import explain

        return explain(self)

    # The connection ------------------------------------------------------------------------------------------------

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
        """A client with this connection's credentials for another part of the same server.

        :param url: at or below the connection's base URL; tokens come from the base URL.
        """
        from airflow_segments_provider.http import ClientCredentials
        from airflow_segments_provider.vendors.base.connection import base_url, login_of, open_client

        credentials = ClientCredentials(
            f"{base_url(self.connection, '', {})}/oauth2/token",
            *login_of(self.connection),
            placement=self.fields.client_auth,
        )
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
    def gallery_url(self) -> str:
        """The server's own user interface: the connection's ``gallery_url``, or ``/gallery/`` on the API's host."""
        if self.fields.gallery_url:
            return self.fields.gallery_url
        parts = urlsplit(self.client.base_url)
        return f"{parts.scheme}://{parts.netloc}/gallery/"

    # Reading -------------------------------------------------------------------------------------------------------

    def get_user_groups(self) -> list[UserGroup]:
        """All custom user groups, without members; the server lists no Active Directory groups."""
        return self._endpoints().groups()

    def get_user_group(self, user_group_id: str | None = None, **group: Any) -> UserGroup:
        """One user group with its members.

        :raises NotFound: there is no such group.
        """
        from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey
        from airflow_segments_provider.vendors.base.parameters import accepted

        key = accepted("The look-up of a user group", UserGroupKey, {"user_group_id": user_group_id, **group})
        endpoints = self._endpoints()
        return endpoints.group(endpoints.found_id(key))

    def find_user_group(self, name: str) -> UserGroup | None:
        """The one group of that name, without members, or None.

        :raises Conflict: several groups have that name.
        """
        from airflow_segments_provider.vendors.alteryx.parameters import UserGroupKey
        from airflow_segments_provider.vendors.base.parameters import accepted

        return self._endpoints().find(accepted("The look-up of a user group", UserGroupKey, {"name": name}))

    # User groups ---------------------------------------------------------------------------------------------------

    def create_user_group(
        self,
        name: str,
        user_ids: UserSource = (),
        *,
        role: Role = "Evaluated",
        if_exists: IfExists = "reuse",
        allow_empty: bool = False,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        on_refused: OnRefused = "fail",
        **limits: Unpack[ExactMemberLimits],
    ) -> UserGroupChange:
        """Make sure that the group exists and holds these users. Creating twice makes one.

        :param role: Evaluated lets the server decide at run time.
        :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` gives it this role and makes the
            members exactly these; ``fail`` refuses.
        :param allow_empty: with ``update``, let nobody at all empty one that has members.
        :param identify_by: what ``user_ids`` are: the server's ids, or ``email`` addresses, which are looked up before
            anything is changed, one call each, ``max_concurrency`` of the connection at once.
        :param on_invalid: ``fail`` refuses all ids if one is unusable; ``skip`` leaves those out and counts them.
        :param on_unmatched: the same for people whom the server does not know, or who share an address.
        :param on_refused: ``fail`` raises where the server refuses to add somebody; ``skip`` counts them by reason.
        :param limits: ``max_invalid_fraction``, ``max_unmatched_fraction`` and ``max_removed_fraction``, see
            :mod:`airflow_segments_provider.vendors.base.parameters`.
        :raises InvalidInput: before any call, with every problem found.
        :raises Conflict: it exists and ``if_exists="fail"``; or several groups have that name.
        :raises UnexpectedReply: with ``update``, the group does not show users who were added; then none is removed.
        """
        from airflow_segments_provider.vendors.alteryx.groups import UserGroupCreation
        from airflow_segments_provider.vendors.alteryx.parameters import CreateUserGroup

        given = {
            "name": name,
            "role": role,
            "if_exists": if_exists,
            "allow_empty": allow_empty,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
            "on_refused": on_refused,
            **limits,
        }
        with self._checked(f"User group {name!r}", CreateUserGroup, given, user_ids) as checked:
            return UserGroupCreation(*checked).run()

    def update_user_group(
        self, *, new_name: str | None = None, role: Role | None = None, **group: Any
    ) -> UserGroupChange:
        """Give a group another name or role; what is not given stays. The API replaces both, so it is read first."""
        from airflow_segments_provider.vendors.alteryx.groups import rename
        from airflow_segments_provider.vendors.alteryx.parameters import UpdateUserGroup

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
        from airflow_segments_provider.vendors.alteryx.groups import delete
        from airflow_segments_provider.vendors.alteryx.parameters import DeleteUserGroup

        given = {**group, "force_delete": force_delete, "if_missing": if_missing}
        with self._checked("The deletion of a user group", DeleteUserGroup, given, ()) as (endpoints, wanted, _):
            return delete(endpoints, wanted)

    # Members -------------------------------------------------------------------------------------------------------

    def add_users(
        self,
        user_ids: UserSource,
        *,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        on_refused: OnRefused = "fail",
        **group: Any,
    ) -> UserGroupChange:
        """Add users. A partial failure is a success to the server; here it raises unless told otherwise.

        ``identify_by``, ``on_invalid``, ``on_unmatched``, ``on_refused`` and the limits of invalid and unmatched users
        are as for a create. Those whom the server
        refuses and who are members already do not count as refused.
        """
        from airflow_segments_provider.vendors.alteryx.groups import add
        from airflow_segments_provider.vendors.alteryx.parameters import ChangeUsers

        given = {
            **group,
            "identify_by": identify_by,
            "on_invalid": on_invalid,
            "on_unmatched": on_unmatched,
            "on_refused": on_refused,
        }
        with self._checked("The addition of users", ChangeUsers, given, user_ids) as checked:
            return add(*checked)

    def remove_users(
        self,
        user_ids: UserSource,
        *,
        identify_by: IdentifyBy = "id",
        on_invalid: OnInvalid = "fail",
        on_unmatched: OnUnmatched = "fail",
        **group: Any,
    ) -> UserGroupChange:
        """Remove users, one call each, ``max_concurrency`` of the connection at once.

        If some calls fail, all others are made all the same; then one error gives the numbers.
        ``identify_by``, ``on_invalid``, ``on_unmatched`` and their limits are as for a create. Somebody who is no
        member is no error.
        """
        from airflow_segments_provider.vendors.alteryx.groups import remove
        from airflow_segments_provider.vendors.alteryx.parameters import ChangeUsers

        given = {**group, "identify_by": identify_by, "on_invalid": on_invalid, "on_unmatched": on_unmatched}
        with self._checked("The removal of users", ChangeUsers, given, user_ids) as checked:
            return remove(*checked)

    def add_active_directory_group(self, sid: str, **group: Any) -> None:
        """Put an Active Directory group into a user group; only on a server with Windows authentication."""
        self._change_active_directory_group("POST", sid, group)

    def remove_active_directory_group(self, sid: str, **group: Any) -> None:
        """Take an Active Directory group out of a user group."""
        self._change_active_directory_group("DELETE", sid, group)

    def _change_active_directory_group(self, method: str, sid: str, group: dict[str, Any]) -> None:
        from airflow_segments_provider.vendors.alteryx.groups import change_active_directory_group
        from airflow_segments_provider.vendors.alteryx.parameters import ChangeActiveDirectoryGroup

        given = {**group, "sid": sid}
        subject = "The change of an Active Directory group"
        with self._checked(subject, ChangeActiveDirectoryGroup, given, ()) as (endpoints, wanted, _):
            change_active_directory_group(endpoints, method, wanted)

    # Users ---------------------------------------------------------------------------------------------------------

    def get_users(self, **filters: str) -> list[User]:
        """The server's users, all at once: the API knows no pages.

        :param filters: ``email``, ``role``, ``firstName``, ``lastName``, ``active``, ``createdAfter``,
            ``createdBefore``, in the API's words. How exactly it matches is not published.
        """
        from airflow_segments_provider.vendors.alteryx.users import list_users

        return list_users(self._endpoints(), filters)

    def find_user(self, email: str) -> User | None:
        """The user with exactly that e-mail address, in any case, or None.

        :raises Conflict: several users have it.
        """
        from airflow_segments_provider.vendors.alteryx.users import find_by_email

        return find_by_email(self._endpoints(), email)

    def find_users(self, first_name: str, last_name: str) -> list[User]:
        """The users with exactly these names, in any case; there may be several."""
        from airflow_segments_provider.vendors.alteryx.users import find_by_name

        return find_by_name(self._endpoints(), first_name, last_name)

    # Where a user group is used ------------------------------------------------------------------------------------

    def share(self, resource_type: ResourceType, resource_id: str, **given: Any) -> None:
        """Share a collection, credential or data connection with a user group.

        :param resource_type: ``collection``, ``credential`` or ``data_connection``.
        :param given: the group, and for a collection ``permissions`` (see
            :class:`~airflow_segments_provider.vendors.alteryx.parameters.CollectionPermissions`) and
            ``expiration_date``.
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
        from airflow_segments_provider.vendors.alteryx.groups import change_share
        from airflow_segments_provider.vendors.alteryx.parameters import Share

        with self._checked("The change of sharing", Share, given, ()) as (endpoints, wanted, _):
            change_share(endpoints, method, wanted)

    # Checking ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource
    ) -> Iterator[tuple[UserGroupEndpoints, Model, StagedUserIds]]:
        """The endpoints, the input and the staged people of a write, once all of them are found to be right."""
        from airflow_segments_provider.vendors.alteryx.parameters import MAX_ID_LENGTH
        from airflow_segments_provider.vendors.alteryx.users import EMAILS_A_BATCH, MAX_EMAIL_LENGTH
        from airflow_segments_provider.vendors.base.parameters import accepted

        max_length, per_request = MAX_ID_LENGTH, self.fields.users_per_request
        if given.get("identify_by") == "email":
            max_length, per_request = MAX_EMAIL_LENGTH, EMAILS_A_BATCH
        with self.staged(subject, given, user_ids, max_length=max_length, per_request=per_request) as (
            staged,
            problems,
        ):
            yield self._endpoints(), accepted(subject, model, given, problems, staged), staged

    def _endpoints(self) -> UserGroupEndpoints:
        from airflow_segments_provider.vendors.alteryx.api import UserGroupEndpoints

        fields = self.fields
        return UserGroupEndpoints(
            self.client, self.conn_id, fields.max_concurrency, fields.users_per_request, self.unmatched_list
        )

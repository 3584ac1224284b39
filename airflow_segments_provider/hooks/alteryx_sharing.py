"""The half of the Alteryx Server hook that is not about groups themselves: connection, users, and what groups use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow_segments_provider.hooks.base import VendorHook
from airflow_segments_provider.sources.values import UserSource

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.alteryx_endpoints import UserGroupEndpoints
    from airflow_segments_provider.http import HttpClient
    from airflow_segments_provider.models.alteryx import AlteryxServerConnectionFields, ResourceType, User
    from airflow_segments_provider.sources.batches import StagedUserIds
    from airflow_segments_provider.vendors.base.parameters import Given

    Model = TypeVar("Model", bound=Given)


class AlteryxSharingHook(VendorHook):
    """What :class:`~airflow_segments_provider.hooks.alteryx.AlteryxServerHook` does beside user groups themselves."""

    # The connection ------------------------------------------------------------------------------------------------

    @cached_property
    def fields(self) -> AlteryxServerConnectionFields:
        """The connection's extra fields, parsed.

        :raises ConfigurationError: names every field that is missing or wrong.
        """
        from airflow_segments_provider.models.alteryx import AlteryxServerConnectionFields
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

    # Users ---------------------------------------------------------------------------------------------------------

    def get_users(self, **filters: str) -> list[User]:
        """The server's users, all at once: the API knows no pages.

        :param filters: ``email``, ``role``, ``firstName``, ``lastName``, ``active``, ``createdAfter``,
            ``createdBefore``, in the API's words. How exactly it matches is not published.
        """
        from airflow_segments_provider.hooks.alteryx_people import list_users

        return list_users(self._endpoints(), filters)

    def find_user(self, email: str) -> User | None:
        """The user with exactly that e-mail address, in any case, or None.

        :raises Conflict: several users have it.
        """
        from airflow_segments_provider.hooks.alteryx_people import find_by_email

        return find_by_email(self._endpoints(), email)

    def find_users(self, first_name: str, last_name: str) -> list[User]:
        """The users with exactly these names, in any case; there may be several."""
        from airflow_segments_provider.hooks.alteryx_people import find_by_name

        return find_by_name(self._endpoints(), first_name, last_name)

    # Where a user group is used ------------------------------------------------------------------------------------

    def share(self, resource_type: ResourceType, resource_id: str, **given: Any) -> None:
        """Share a collection, credential or data connection with a user group.

        :param resource_type: ``collection``, ``credential`` or ``data_connection``.
        :param given: the group, and for a collection ``permissions`` (see
            :class:`~airflow_segments_provider.models.alteryx_given.CollectionPermissions`) and ``expiration_date``.
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
        from airflow_segments_provider.models.alteryx_given import Share

        with self._checked("The change of sharing", Share, given, ()) as (endpoints, wanted, _):
            change_share(endpoints, method, wanted)

    # Checking ------------------------------------------------------------------------------------------------------

    @contextmanager
    def _checked(
        self, subject: str, model: type[Model], given: dict[str, Any], user_ids: UserSource
    ) -> Iterator[tuple[UserGroupEndpoints, Model, StagedUserIds]]:
        """The endpoints, the input and the staged people of a write, once all of them are found to be right."""
        from airflow_segments_provider.hooks.alteryx_people import EMAILS_A_BATCH, MAX_EMAIL_LENGTH
        from airflow_segments_provider.models.alteryx_given import MAX_ID_LENGTH
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
        from airflow_segments_provider.hooks.alteryx_endpoints import UserGroupEndpoints

        fields = self.fields
        return UserGroupEndpoints(
            self.client, self.conn_id, fields.max_concurrency, fields.users_per_request, self.unmatched_list
        )

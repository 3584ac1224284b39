"""The parameters of the Alteryx Server hook's methods.

Published at https://help.alteryx.com/current/en/server/api-overview/alteryx-server-api-v3/server-api-v3-objects/
user-group-endpoints.html; the sharing routes are in the server's own Swagger document.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import StringConstraints, model_validator

from airflow_segments_provider.sources.ids import INVISIBLE, without_case
from airflow_segments_provider.vendors.base.parameters import (
    AS_OBJECT,
    IfExists,
    IfMissing,
    Key,
    LookupParameters,
    Parameters,
    ReplaceParameters,
)

Role = Literal["NoAccess", "Viewer", "Member", "Artisan", "Curator", "Evaluated"]
IdentifyBy = Literal["id", "email"]
OnRefused = Literal["fail", "skip"]
ResourceType = Literal["collection", "credential", "data_connection"]

RESOURCES: dict[str, str] = {
    "collection": "collections",
    "credential": "credentials",
    "data_connection": "serverDataConnections",
}


def id_key(value: str) -> str:
    """Return the key by which IDs are compared: without case, outer white space and braces."""
    # An ID of braces alone keeps them: a key must not be empty.
    return without_case(value.strip(f"{INVISIBLE}{{}}") or value)


MAX_ID_LENGTH = 255

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]


class Identified(LookupParameters):
    """The parameters of a write that may look up its users by e-mail address.

    :param identify_by: ``id``, the server's, or ``email``: looked up first, with one call for each address,
        ``max_concurrency`` of the connection at once.
    """

    identify_by: IdentifyBy = "id"


class CreateUserGroup(Identified, ReplaceParameters):
    """The parameters of a create.

    :param name: 1 to 255 characters; an existing group is found by it alone.
    :param role: ``Evaluated`` lets the server decide at run time.
    :param if_exists: ``reuse`` adds the users and changes nothing else; ``update`` sets the role and makes the members
        exactly these users; ``fail`` raises an error.
    :param on_refused: ``fail`` raises an error where the server refuses to add a user; ``skip`` counts them by reason.
    """

    name: Name
    role: Role = "Evaluated"
    if_exists: IfExists = "reuse"
    on_refused: OnRefused = "fail"


class UserGroupKey(Key):
    """The parameters that identify one user group: an ID, else a name.

    :param user_group: the result of a task that made or changed it; sets the parameters that are not set.
    :param user_group_id: in any case, with or without braces.
    :param name: spaces around it are ignored; one call more.
    """

    result = "user_group"
    keys = ("user_group_id", "name")

    user_group_id: Id | None = None
    name: Name | None = None

    def __str__(self) -> str:
        return f"user group {self.name!r}" if self.name else f"user group {self.user_group_id}"


class UpdateUserGroup(UserGroupKey):
    """The parameters of an update. A parameter that is not set changes nothing.

    :param new_name: 1 to 255 characters.
    :param role: as for a create.
    """

    new_name: Name | None = None
    role: Role | None = None

    @model_validator(mode="after")
    def _something_new(self) -> Self:
        if not (self.new_name or self.role):
            raise ValueError("one of `new_name` and `role` must be given")
        return self


class DeleteUserGroup(UserGroupKey):
    """The parameters of a deletion.

    :param force_delete: also delete a group that has members, which the server otherwise refuses.
    :param if_missing: ``skip`` accepts a missing group, ``fail`` raises an error.
    """

    force_delete: bool = False
    if_missing: IfMissing = "skip"


class RemoveUsers(UserGroupKey, Identified):
    """The parameters of a removal of users."""


class ChangeUsers(RemoveUsers):
    """The parameters of an addition of users.

    :param on_refused: ``fail`` raises an error where the server refuses to add a user; ``skip`` counts them by reason.
    """

    on_refused: OnRefused = "fail"


class ChangeActiveDirectoryGroup(UserGroupKey):
    """The parameters of a change of Active Directory groups.

    :param sid: the security identifier of the group, ``S-1-…``.
    """

    sid: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^S-1-[0-9-]+$")]


class CollectionPermissions(Parameters):
    """The permissions of a user group in a collection, in the API's own words.

    :param is_admin: administer the collection.
    :param can_add_assets: to the collection.
    :param can_remove_assets: from the collection.
    :param can_update_assets: in the collection.
    :param can_add_users: to the collection.
    :param can_remove_users: from the collection.
    """

    is_admin: bool = False
    can_add_assets: bool = False
    can_remove_assets: bool = False
    can_update_assets: bool = False
    can_add_users: bool = False
    can_remove_users: bool = False

    @property
    def body(self) -> dict[str, bool]:
        """The JSON of the API."""
        return {_camel(name): value for name, value in self.model_dump().items()}


class Share(UserGroupKey):
    """The parameters of a change of sharing; permissions and expiry are for collections only.

    :param resource_type: ``collection``, ``credential`` or ``data_connection``.
    :param resource_id: the server's ID of it.
    :param permissions: those that are not named are not granted.
    :param expiration_date: when the sharing ends.
    """

    resource_type: ResourceType
    resource_id: Id
    permissions: Annotated[CollectionPermissions | None, AS_OBJECT] = None
    expiration_date: datetime | None = None

    @model_validator(mode="after")
    def _for_collections(self) -> Self:
        if self.resource_type != "collection" and (self.permissions or self.expiration_date):
            raise ValueError("`permissions` and `expiration_date` are for `resource_type` collection only")
        return self

    @property
    def terms(self) -> dict[str, Any]:
        """The permissions and their expiry, as the JSON of the API."""
        if self.resource_type != "collection":
            return {}
        permissions = self.permissions or CollectionPermissions()
        expiry = {"expirationDate": self.expiration_date.isoformat()} if self.expiration_date else {}
        return {"collectionsPermissions": permissions.body, **expiry}


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

"""What the methods of the Alteryx Server hook are given, checked before the first call."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import StringConstraints, model_validator

from airflow_segments_provider.errors import Conflict
from airflow_segments_provider.models.alteryx import (
    IdentifyBy,
    IfExists,
    IfMissing,
    OnRefused,
    ResourceType,
    Role,
    UserGroup,
    id_key,
)
from airflow_segments_provider.vendors.base.parameters import ExactMembers, FoundUsers, Given, with_result

MAX_ID_LENGTH = 255

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]


class CreateUserGroup(FoundUsers, ExactMembers):
    """What a create is given, without the people."""

    name: Name
    role: Role = "Evaluated"
    if_exists: IfExists = "reuse"
    identify_by: IdentifyBy = "id"
    on_refused: OnRefused = "fail"


class UserGroupKey(Given):
    """What names one user group: its id, else its name.

    :param user_group: the result of a task that made or changed it; gives what is not given beside it.
    """

    user_group_id: Id | None = None
    name: Name | None = None

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_result(values, "user_group", ("user_group_id", "name"))

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not (self.user_group_id or self.name):
            raise ValueError("one of `user_group`, `user_group_id` and `name` must be given")
        return self

    def __str__(self) -> str:
        return f"user group {self.name!r}" if self.name else f"user group {self.user_group_id}"


class UpdateUserGroup(UserGroupKey):
    """What an update is given."""

    new_name: Name | None = None
    role: Role | None = None

    @model_validator(mode="after")
    def _something_new(self) -> Self:
        if not (self.new_name or self.role):
            raise ValueError("one of `new_name` and `role` must be given")
        return self


class DeleteUserGroup(UserGroupKey):
    """What a deletion is given."""

    force_delete: bool = False
    if_missing: IfMissing = "skip"


class ChangeUsers(UserGroupKey, FoundUsers):
    """What a change of members is given, without the people."""

    identify_by: IdentifyBy = "id"
    on_refused: OnRefused = "fail"


class ChangeActiveDirectoryGroup(UserGroupKey):
    """What a change of Active Directory groups is given."""

    sid: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^S-1-[0-9-]+$")]


class CollectionPermissions(Given):
    """What the people of a user group may do in a collection, in the API's own words."""

    is_admin: bool = False
    can_add_assets: bool = False
    can_remove_assets: bool = False
    can_update_assets: bool = False
    can_add_users: bool = False
    can_remove_users: bool = False

    @property
    def body(self) -> dict[str, bool]:
        """As the API takes them."""
        return {_camel(name): value for name, value in self.model_dump().items()}


class Share(UserGroupKey):
    """What a change of sharing is given; permissions and expiry are for collections only."""

    resource_type: ResourceType
    resource_id: Id
    permissions: CollectionPermissions | None = None
    expiration_date: datetime | None = None

    @model_validator(mode="after")
    def _for_collections(self) -> Self:
        if self.resource_type != "collection" and (self.permissions or self.expiration_date):
            raise ValueError("`permissions` and `expiration_date` are for `resource_type` collection only")
        return self

    @property
    def terms(self) -> dict[str, Any]:
        """The part of the body that says what is allowed, and until when."""
        if self.resource_type != "collection":
            return {}
        permissions = self.permissions or CollectionPermissions()
        expiry = {"expirationDate": self.expiration_date.isoformat()} if self.expiration_date else {}
        return {"collectionsPermissions": permissions.body, **expiry}


def select(groups: list[UserGroup], key: UserGroupKey) -> UserGroup | None:
    """The group that ``key`` names, or None.

    :raises Conflict: several groups have that name.
    """
    if key.user_group_id:
        wanted = id_key(key.user_group_id)
        return next((group for group in groups if id_key(group.user_group_id) == wanted), None)
    found = [group for group in groups if group.name.strip() == key.name]
    if len(found) > 1:
        ids = ", ".join(group.user_group_id for group in found)
        raise Conflict(
            f"Alteryx Server has {len(found)} of the {key} ({ids}); nothing was changed. Name the one that is meant by "
            "its `user_group_id`.",
            vendor="Alteryx Server",
        )
    return found[0] if found else None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.capitalize() for part in rest)

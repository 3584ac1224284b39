"""What Alteryx Server's API v3 takes and answers for user groups.

Published at https://help.alteryx.com/current/en/server/api-overview/alteryx-server-api-v3/server-api-v3-objects/
user-group-endpoints.html; the sharing routes are in the server's own Swagger document.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.models.connection import ConnectionFields
from airflow_segments_provider.models.given import Given, with_result
from airflow_segments_provider.models.user_ids import OnInvalid

MAX_ID_LENGTH = 255

Role = Literal["NoAccess", "Viewer", "Member", "Artisan", "Curator", "Evaluated"]
IfExists = Literal["reuse", "update", "fail"]
IfMissing = Literal["skip", "fail"]
OnRefused = Literal["fail", "skip"]
ResourceType = Literal["collection", "credential", "data_connection"]

RESOURCES: dict[str, str] = {
    "collection": "collections",
    "credential": "credentials",
    "data_connection": "serverDataConnections",
}

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Id = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_ID_LENGTH)]
_ID = re.compile(r"[0-9a-fA-F]{24}")


class AlteryxServerConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``alteryx_server``."""

    client_auth: Literal["basic", "body"] = "basic"
    gallery_url: str | None = None
    users_per_request: int = Field(1000, ge=1, le=100_000)


class CreateUserGroup(Given):
    """What a create is given, without the people."""

    name: Name
    role: Role = "Evaluated"
    if_exists: IfExists = "reuse"
    on_invalid: OnInvalid = "fail"
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


class ChangeUsers(UserGroupKey):
    """What a change of members is given, without the people."""

    on_invalid: OnInvalid = "fail"
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


class UserGroup(BaseModel):
    """A user group as Alteryx Server shows it.

    :param members: users' ids; None where the server lists groups without them. Never shown.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_group_id: str
    name: str
    role: str
    members: frozenset[str] | None = Field(None, repr=False, exclude=True)


class User(BaseModel):
    """A user of Alteryx Server: a person, so nothing of it belongs into a log or an XCom."""

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_id: str = Field(repr=False)
    email: str | None = Field(None, repr=False)
    first_name: str | None = Field(None, repr=False)
    last_name: str | None = Field(None, repr=False)
    role: str | None = None
    is_active: bool | None = None


class UserGroupChange(BaseModel):
    """What a create, update, delete or change of members did: the small result of its task.

    :param users_added: users that the server says it added; those who were members are not among them.
    :param users_refused: users that the server refused to add, by its reason.
    :param users_rejected: ids that were left out before any call, by reason (``on_invalid="skip"``).
    :param requests: calls to the API, repeats and look-ups included.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    user_group_id: str | None
    name: str | None = None
    role: str | None = None
    outcome: Literal["created", "reused", "updated", "deleted", "missing"]
    users_sent: int = 0
    users_added: int = 0
    users_removed: int = 0
    users_refused: dict[str, int] = Field(default_factory=dict)
    users_rejected: dict[str, int] = Field(default_factory=dict)
    requests: int = 0
    changed_at: datetime


def parse_group(entry: Any) -> UserGroup:
    """A user group in an answer.

    :raises UnexpectedReply: it has no id or name.
    """
    if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str) or not isinstance(entry.get("name"), str):
        raise UnexpectedReply("Alteryx Server's answer holds a user group without id or name.")
    members = entry.get("members")
    ids = None
    if isinstance(members, list):
        ids = frozenset(
            str(member["userId"]) for member in members if isinstance(member, Mapping) and "userId" in member
        )
    return UserGroup(user_group_id=entry["id"], name=entry["name"], role=str(entry.get("role", "")), members=ids)


def parse_groups(answer: Any) -> list[UserGroup]:
    """The user groups of a list answer.

    :raises UnexpectedReply: it is no array: a group missed would be created twice.
    """
    if not isinstance(answer, list):
        raise UnexpectedReply("Alteryx Server's list of user groups is not an array.")
    return [parse_group(entry) for entry in answer]


def parse_created_id(answer: Any) -> str | None:
    """The id of a created group: a bare JSON string, or the same without quotes; None where it must be looked up.

    Anything else than the 24 hexadecimal digits of every published id may be one that was cut short.
    """
    return answer if isinstance(answer, str) and _ID.fullmatch(answer) else None


def parse_users(answer: Any) -> list[User]:
    """The users of a list answer, of either view."""
    if not isinstance(answer, list) or not all(isinstance(entry, Mapping) and entry.get("id") for entry in answer):
        raise UnexpectedReply("Alteryx Server's list of users is not an array of users with ids.")
    return [
        User(
            user_id=str(entry["id"]),
            email=entry.get("email"),
            first_name=entry.get("firstName"),
            last_name=entry.get("lastName"),
            role=entry.get("role"),
            is_active=entry.get("isActive"),
        )
        for entry in answer
    ]


def select(groups: list[UserGroup], key: UserGroupKey) -> UserGroup | None:
    """The group that ``key`` names, or None.

    :raises Conflict: several groups have that name.
    """
    if key.user_group_id:
        return next((group for group in groups if group.user_group_id == key.user_group_id), None)
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

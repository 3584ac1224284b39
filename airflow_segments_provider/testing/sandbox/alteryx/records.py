"""What the sandbox knows of users, groups and shares; times are seconds by its clock."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_segments_provider.testing.sandbox.alteryx.constants import Kind, Role


@dataclass(frozen=True)
class UserRecord:
    """A user of the server."""

    id: str
    number: int
    first_name: str
    last_name: str
    email: str
    role: Role
    is_active: bool
    created_at: float


@dataclass(frozen=True)
class GroupRecord:
    """A custom group; ``users`` and ``ad_groups`` are the numbers of its members."""

    id: str
    name: str
    role: Role
    created_at: float
    users: int
    ad_groups: int


@dataclass(frozen=True)
class MemberRecord:
    """A user in a group; the user may be gone."""

    user_id: str
    added_at: float
    added_by: str
    user: UserRecord | None


@dataclass(frozen=True)
class ObjectRecord:
    """A collection, a credential or a server data connection."""

    id: str
    kind: Kind
    name: str
    created_at: float


@dataclass(frozen=True)
class ShareRecord:
    """An object that a group may use; permissions and expiration are a collection's, else None."""

    object_id: str
    kind: Kind
    group_id: str
    permissions: dict[str, bool] | None
    expires: str | None

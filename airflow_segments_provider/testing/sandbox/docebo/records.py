"""What the sandbox knows of users, branches, groups and jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

GroupType = Literal["manual", "automatic"]
Relation = Literal["manual", "automatic"]
JobKind = Literal["add", "remove", "recalculate"]


@dataclass(frozen=True)
class UserRecord:
    """A user; ``userid`` is the username, ``branch`` the number of the one branch the user is in."""

    idst: int
    userid: str
    firstname: str
    lastname: str
    email: str
    branch: int
    active: bool
    level: str


@dataclass(frozen=True)
class BranchRecord:
    """A branch; the root has no parent."""

    idst: int
    name: str
    parent: int | None


@dataclass(frozen=True)
class Group:
    """A group; ``idst`` is the number it has in the former groups service, times are by the sandbox's clock.

    ``pending`` tells that a recalculation is not done yet.
    """

    idst: int
    uuid: str
    slug: str
    name: str
    description: str
    type: GroupType
    exclude_deactivated_users: bool
    ruleset: dict[str, Any] | None
    created_at: float
    updated_at: float
    deleted_at: float | None
    created_by: int
    updated_by: int
    pending: bool


@dataclass(frozen=True)
class GroupRecord(Group):
    """A group with the number of its true members; a deleted one stays on record, without members."""

    members: int


@dataclass(frozen=True)
class JobRecord:
    """Work that is or was done in the background; ``status`` is running, completed or aborted."""

    hash: str
    kind: JobKind
    group: str
    total: int
    status: str
    created_at: float
    due_at: float
    author: int

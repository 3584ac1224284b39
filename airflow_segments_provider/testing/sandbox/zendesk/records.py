"""What the sandbox knows of people, segments and content; times are seconds by the sandbox's clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["end-user", "agent", "admin"]
UserType = Literal["signed_in_users", "staff"]
SIGNED_IN: UserType = "signed_in_users"
STAFF: UserType = "staff"


@dataclass(frozen=True)
class Record:
    """Anything that Zendesk gives a number."""

    id: int


@dataclass(frozen=True)
class UserRecord(Record):
    """A person; ``guide_admin`` is who Zendesk calls a Help Center manager."""

    name: str
    email: str
    created_at: float
    updated_at: float
    external_id: str | None = None
    role: Role = "end-user"
    guide_admin: bool = False
    organization_ids: list[int] = field(default_factory=list)
    group_ids: list[int] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    @property
    def is_staff(self) -> bool:
        """Whether this is an agent or an administrator."""
        return self.role != "end-user"


@dataclass(frozen=True)
class OrganizationRecord(Record):
    """An organization, whose tags count as those of its people."""

    name: str
    created_at: float
    updated_at: float
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class GroupRecord(Record):
    """A group of agents."""

    name: str
    created_at: float
    updated_at: float


@dataclass(frozen=True)
class SegmentRecord(Record):
    """A user segment: the rules by which people belong to it, never a list of all its people."""

    name: str | None
    user_type: UserType
    created_at: float
    updated_at: float
    built_in: bool = False
    tags: list[str] = field(default_factory=list)
    or_tags: list[str] = field(default_factory=list)
    organization_ids: list[int] = field(default_factory=list)
    group_ids: list[int] = field(default_factory=list)
    added_user_ids: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class ContentRecord(Record):
    """An article, a topic or a section; without a segment everybody sees it, anonymous visitors too."""

    name: str
    created_at: float
    updated_at: float
    section_id: int | None = None
    user_segment_ids: list[int] = field(default_factory=list)

    @property
    def user_segment_id(self) -> int | None:
        """The first segment; that it stands for several is an assumption."""
        return self.user_segment_ids[0] if self.user_segment_ids else None

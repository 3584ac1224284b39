"""One Alteryx Server: users, groups and shares, and what an administrator can see and change."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from airflow_segments_provider.testing.sandbox.alteryx.constants import PEOPLE, PREFIX, Kind, Role
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.control import ControlRefused, control, only, revised
from airflow_segments_provider.testing.sandbox.vendor import Vendor

_ID = re.compile(r"[0-9a-fA-F]{24}")


@dataclass(frozen=True)
class UserRecord:
    """A user of the server; times are seconds by the sandbox's clock."""

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
    users: int = 0
    ad_groups: int = 0


@dataclass(frozen=True)
class MemberRecord:
    """A user in a group; the user may be deleted."""

    group_id: str
    user_id: str
    added_at: float
    added_by: str


@dataclass(frozen=True)
class AdGroup:
    """An Active Directory group in a group."""

    group_id: str
    sid: str


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


class Alteryx(Vendor[AlteryxSettings]):
    """Alteryx Server with one installation. Members and shares are sets; users have the same IDs in every sandbox."""

    name, prefix, conn_type = "alteryx", PREFIX, "alteryx_server"
    credentials = ("api_key", "api_secret")
    make_settings = AlteryxSettings

    def create_tables(self) -> None:
        """Create the tables of the state."""
        self.user_table = self.table("users", UserRecord, "number", indexes=["id"])
        self.member_table = self.table("members", MemberRecord, "group_id", "user_id", indexes=["user_id"])
        self.ad_group_table = self.table("ad_groups", AdGroup, "group_id", "sid")
        counts = {
            "users": "(SELECT count(*) FROM alteryx_members WHERE group_id = id)",
            "ad_groups": "(SELECT count(*) FROM alteryx_ad_groups WHERE group_id = id)",
        }
        self.group_table = self.table("groups", GroupRecord, "id", computed=counts)
        self.object_table = self.table("objects", ObjectRecord, "id")
        kind = {"kind": "(SELECT kind FROM alteryx_objects WHERE id = object_id)"}
        self.share_table = self.table("shares", ShareRecord, "object_id", "group_id", computed=kind)

    def seed(self) -> None:
        """Add the users of the start; the first one is the caller, the last one is not active."""
        for position, (first_name, last_name, role) in enumerate(PEOPLE):
            email = f"{first_name}.{last_name}@example.com".lower().replace("'", "").replace("ë", "e")
            active = position != len(PEOPLE) - 1
            self.create_user(email, first_name=first_name, last_name=last_name, role=role, is_active=active)

    def caller_id(self) -> str:
        """Return the ID of the user that owns the key pair: the first one."""
        return str(next(iter(self.user_table.column("id", "1 ORDER BY number LIMIT 1")), ""))

    def find_group(self, group_id: str) -> GroupRecord | None:
        """Return a group."""
        return self.group_table.one("id = ?", group_id)

    def new_group(self, name: str, role: Role) -> str:
        """Create a group, and return its ID."""
        group = GroupRecord(secrets.token_hex(12), name, role, self.clock.now())
        self.group_table.put(group)
        return group.id

    def remove_group(self, group_id: str) -> None:
        """Delete a group, its members and its shares."""
        for table in (self.member_table, self.ad_group_table, self.share_table):
            table.delete("group_id = ?", group_id)
        self.group_table.remove([[group_id]])

    def put_members(self, group_id: str, user_ids: Iterable[str], added_by: str) -> None:
        """Add users to a group."""
        now = self.clock.now()
        self.member_table.add(MemberRecord(group_id, user_id, now, added_by) for user_id in user_ids)

    def known(self, user_ids: Iterable[str]) -> set[str]:
        """Return those of the IDs that are a user's."""
        return {user.id for user in self.user_table.among("id", user_ids)}

    # What an administrator can see and change; the API's limits do not apply.

    @control
    def users(self) -> list[UserRecord]:
        """Return all users in the order of their creation; the first is the caller, a handful always exists."""
        return self.user_table.find()

    @control
    def groups(self) -> list[GroupRecord]:
        """Return the groups in the order of their creation."""
        return self.group_table.find()

    @control
    def members(self, group: str) -> set[str]:
        """Return the IDs of the users in a group."""
        return set(self.member_table.column("user_id", "group_id = ?", self._group(group).id))

    @control
    def ad_groups(self, group: str) -> set[str]:
        """Return the SIDs of the Active Directory groups in a group."""
        return set(self.ad_group_table.column("sid", "group_id = ?", self._group(group).id))

    @control
    def shares(self, group: str | None = None) -> list[ShareRecord]:
        """Return what groups may use, in the order in which it was shared.

        :param group: None for those of all groups
        """
        if group is None:
            return self.share_table.find()
        return self.share_table.find("group_id = ?", self._group(group).id)

    @control
    def seed_users(self, count: Annotated[int, Field(ge=0)]) -> list[str]:
        """Add users named user000007@example.com and so on, and return their IDs."""
        first, now = self._next_number(), self.clock.now()
        numbers = range(first, first + count)
        self.user_table.put_all(
            UserRecord(_user_id(n), n, "User", f"Number {n}", f"user{n:06d}@example.com", "Evaluated", True, now)
            for n in numbers
        )
        return [_user_id(number) for number in numbers]

    @control
    def create_user(self, /, email: str, **fields: Any) -> str:
        """Add a user by hand, and return the ID.

        :param fields: first_name, last_name, role, is_active
        """
        number = self._next_number()
        user = UserRecord(_user_id(number), number, "New", "User", email, "Evaluated", True, self.clock.now())
        self.user_table.put(revised(user, fields, {"id", "number", "email", "created_at"}))
        return user.id

    @control
    def change_user(self, /, user_id: str, **fields: Any) -> None:
        """Change a user by hand.

        :param fields: email, first_name, last_name, role
        """
        self.user_table.change(revised(self._user(user_id), fields, {"id", "number", "is_active", "created_at"}))

    @control
    def deactivate_user(self, user_id: str) -> None:
        """Make a user inactive by hand, which removes the user from every group."""
        self.user_table.change(self._user(user_id), is_active=False)
        self.member_table.delete("user_id = ?", user_id)

    @control
    def delete_user(self, user_id: str) -> None:
        """Delete a user by hand, in every group too."""
        self.user_table.remove([[self._user(user_id).number]])
        self.member_table.delete("user_id = ?", user_id)

    @control
    def create_group(self, name: str, role: Role = "Evaluated", user_ids: Iterable[str] = ()) -> str:
        """Create a group by hand, and return its ID."""
        group_id = self.new_group(name, role)
        self.add_members(group_id, user_ids)
        return group_id

    @control
    def delete_group(self, group: str) -> None:
        """Delete a group by hand, whatever its members."""
        self.remove_group(self._group(group).id)

    @control
    def add_members(self, group: str, user_ids: Iterable[str]) -> None:
        """Add users to a group by hand."""
        ids = list(user_ids)
        known = self.known(ids)
        if unknown := [user_id for user_id in ids if user_id not in known]:
            raise ControlRefused(404, f"{len(unknown)} unknown users, such as {unknown[0]!r}")
        self.put_members(self._group(group).id, ids, self.caller_id())

    @control
    def remove_members(self, group: str, user_ids: Iterable[str]) -> None:
        """Remove users from a group by hand."""
        group_id = self._group(group).id
        self.member_table.remove((group_id, user_id) for user_id in user_ids)

    @control
    def create_object(self, kind: Kind, name: str) -> str:
        """Create a collection, a credential or a server data connection by hand, and return its ID."""
        made = ObjectRecord(secrets.token_hex(12), kind, name, self.clock.now())
        self.object_table.put(made)
        return made.id

    @control
    def share(self, object_id: str, group: str) -> None:
        """Let a group use a collection, credential or data connection, by hand."""
        self.put_share(self._object(object_id), self._group(group).id)

    @control
    def unshare(self, object_id: str, group: str) -> None:
        """Take a collection, credential or data connection from a group, by hand."""
        self.share_table.remove([(self._object(object_id).id, self._group(group).id)])

    def put_share(
        self,
        found: ObjectRecord,
        group_id: str,
        permissions: Mapping[str, bool] | None = None,
        expires: str | None = None,
    ) -> None:
        """Let a group use an object."""
        allowed = None if permissions is None else dict(permissions)
        self.share_table.put(ShareRecord(found.id, found.kind, group_id, allowed, expires))

    def _group(self, text: str) -> GroupRecord:
        by_id = self.find_group(text.lower())
        return by_id or only(self.group_table.find("name = ?", text), "groups", text)

    def _object(self, object_id: str) -> ObjectRecord:
        return only(self.object_table.find("id = ?", object_id.lower()), "objects", object_id)

    def _user(self, user_id: str) -> UserRecord:
        return only(self.user_table.find("id = ?", user_id), "users", user_id)

    def _next_number(self) -> int:
        return int(self.user_table.column("coalesce(max(number), 0) + 1")[0])


def read_id(text: str) -> str | None:
    """Return the ID that a text spells; None for any other text. That case does not matter is an assumption."""
    return text.lower() if _ID.fullmatch(text) else None


def _user_id(number: int) -> str:
    return f"5f{number:022x}"

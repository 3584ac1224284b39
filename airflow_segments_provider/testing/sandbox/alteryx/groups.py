"""Custom groups and their members, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.alteryx import ids
from airflow_segments_provider.testing.sandbox.alteryx.constants import Role
from airflow_segments_provider.testing.sandbox.alteryx.records import GroupRecord, MemberRecord
from airflow_segments_provider.testing.sandbox.alteryx.users import user_record
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alteryx_groups (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL, role TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS alteryx_members (
    number INTEGER PRIMARY KEY, group_id TEXT NOT NULL, user_id TEXT NOT NULL, added_at REAL NOT NULL,
    added_by TEXT NOT NULL, UNIQUE (group_id, user_id)
);
CREATE TABLE IF NOT EXISTS alteryx_ad_groups (
    number INTEGER PRIMARY KEY, group_id TEXT NOT NULL, sid TEXT NOT NULL, UNIQUE (group_id, sid)
);
"""
_SELECT = """
SELECT id, name, role, created_at,
       (SELECT count(*) FROM alteryx_members WHERE group_id = id),
       (SELECT count(*) FROM alteryx_ad_groups WHERE group_id = id)
FROM alteryx_groups
"""
_MEMBERS = """
SELECT m.user_id, m.added_at, m.added_by,
       u.id, u.number, u.first_name, u.last_name, u.email, u.role, u.is_active, u.created_at
FROM alteryx_members m LEFT JOIN alteryx_users u ON u.id = m.user_id
WHERE m.group_id = ? ORDER BY m.number
"""


class GroupStore:
    """Members are sets: adding twice or removing a stranger changes nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def create(self, name: str, role: Role) -> str:
        """Add a group, and return its id."""
        group_id = ids.new()
        self._database.run(
            "INSERT INTO alteryx_groups (id, name, role, created_at) VALUES (?, ?, ?, ?)",
            (group_id, name, role, self._clock.now()),
        )
        return group_id

    def update(self, group_id: str, name: str, role: Role) -> None:
        """Give a group another name and role."""
        self._database.run("UPDATE alteryx_groups SET name = ?, role = ? WHERE id = ?", (name, role, group_id))

    def delete(self, group_id: str) -> None:
        """Delete a group with its members."""
        with self._database.transaction():
            self._database.run("DELETE FROM alteryx_members WHERE group_id = ?", (group_id,))
            self._database.run("DELETE FROM alteryx_ad_groups WHERE group_id = ?", (group_id,))
            self._database.run("DELETE FROM alteryx_groups WHERE id = ?", (group_id,))

    def all(self) -> list[GroupRecord]:
        """Return all groups in the order of their creation."""
        return self._records("ORDER BY number", ())

    def find(self, group_id: str) -> GroupRecord | None:
        """Return a group."""
        found = self._records("WHERE id = ?", (group_id,))
        return found[0] if found else None

    def named(self, name: str) -> list[GroupRecord]:
        """Return the groups of exactly this name."""
        return self._records("WHERE name = ? ORDER BY number", (name,))

    def members(self, group_id: str) -> list[MemberRecord]:
        """Return the users in the order in which they were added."""
        rows: list[tuple[Any, ...]] = self._database.rows(_MEMBERS, (group_id,))
        return [
            MemberRecord(user_id, added_at, added_by, None if user[0] is None else user_record(user))
            for user_id, added_at, added_by, *user in rows
        ]

    def member_ids(self, group_id: str) -> list[str]:
        """Return the users' ids in the order in which they were added."""
        rows = self._database.rows(
            "SELECT user_id FROM alteryx_members WHERE group_id = ? ORDER BY number", (group_id,)
        )
        return [str(row[0]) for row in rows]

    def members_among(self, group_id: str, user_ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are members."""
        rows = self._database.rows(
            "SELECT user_id FROM alteryx_members WHERE group_id = ? AND user_id IN (SELECT value FROM json_each(?))",
            (group_id, json.dumps(list(user_ids))),
        )
        return {str(row[0]) for row in rows}

    def add(self, group_id: str, user_ids: Iterable[str], added_by: str) -> None:
        """Add users."""
        now = self._clock.now()
        self._database.run_many(
            "INSERT OR IGNORE INTO alteryx_members (group_id, user_id, added_at, added_by) VALUES (?, ?, ?, ?)",
            ((group_id, user_id, now, added_by) for user_id in user_ids),
        )

    def remove(self, group_id: str, user_ids: Iterable[str]) -> None:
        """Remove users."""
        self._database.run_many(
            "DELETE FROM alteryx_members WHERE group_id = ? AND user_id = ?",
            ((group_id, user_id) for user_id in user_ids),
        )

    def leave_all(self, user_id: str) -> None:
        """Remove a user from every group."""
        self._database.run("DELETE FROM alteryx_members WHERE user_id = ?", (user_id,))

    def ad_groups(self, group_id: str) -> list[str]:
        """Return the SIDs of the Active Directory groups in a group."""
        rows = self._database.rows("SELECT sid FROM alteryx_ad_groups WHERE group_id = ? ORDER BY number", (group_id,))
        return [str(row[0]) for row in rows]

    def add_ad_group(self, group_id: str, sid: str) -> None:
        """Add an Active Directory group."""
        self._database.run("INSERT OR IGNORE INTO alteryx_ad_groups (group_id, sid) VALUES (?, ?)", (group_id, sid))

    def remove_ad_group(self, group_id: str, sid: str) -> None:
        """Remove an Active Directory group."""
        self._database.run("DELETE FROM alteryx_ad_groups WHERE group_id = ? AND sid = ?", (group_id, sid))

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM alteryx_members")
        self._database.run("DELETE FROM alteryx_ad_groups")
        self._database.run("DELETE FROM alteryx_groups")

    def _records(self, condition: str, parameters: Sequence[object]) -> list[GroupRecord]:
        rows: list[tuple[Any, ...]] = self._database.rows(_SELECT + condition, parameters)
        return [GroupRecord(*row) for row in rows]

"""Groups and the history of their rules, in SQLite."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.records import Group, GroupRecord, GroupType
from airflow_segments_provider.testing.sandbox.docebo.sql import Page, contains, select

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docebo_groups (
    idst INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, slug TEXT NOT NULL, name TEXT NOT NULL,
    description TEXT NOT NULL, type TEXT NOT NULL, exclude_deactivated_users INTEGER NOT NULL, ruleset TEXT,
    created_at REAL NOT NULL, updated_at REAL NOT NULL, deleted_at REAL, created_by INTEGER NOT NULL,
    updated_by INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS docebo_history (
    number INTEGER PRIMARY KEY, audience INTEGER NOT NULL, at REAL NOT NULL, author INTEGER NOT NULL,
    ruleset TEXT NOT NULL
);
"""
_COLUMNS = """
idst, uuid, slug, name, description, type, exclude_deactivated_users, ruleset, created_at, updated_at, deleted_at,
created_by, updated_by, EXISTS (
    SELECT 1 FROM docebo_jobs WHERE audience = docebo_groups.idst AND kind = 'recalculate' AND status = 'running'
)
"""
_COUNT = "(SELECT count(*) FROM docebo_members WHERE audience = docebo_groups.idst)"
_CHANGES = {
    "name": "UPDATE docebo_groups SET name = ? WHERE idst = ?",
    "description": "UPDATE docebo_groups SET description = ? WHERE idst = ?",
    "exclude_deactivated_users": "UPDATE docebo_groups SET exclude_deactivated_users = ? WHERE idst = ?",
}


class GroupStore:
    """Groups go by their uuid; names need not differ."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def create(
        self, idst: int, name: str, description: str, kind: GroupType, exclude_deactivated: bool, author: int
    ) -> str:
        """Add a group without rules or members, and return its uuid."""
        now, new = self._clock.now(), str(uuid.uuid4())
        slug = f"{re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')}-{idst}".lstrip("-")
        self._database.run(
            "INSERT INTO docebo_groups VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, NULL, ?, ?)",
            (idst, new, slug, name, description, kind, exclude_deactivated, now, now, author, author),
        )
        return new

    def update(self, idst: int, changes: Mapping[str, object], author: int) -> None:
        """Change name, description or the exclusion of deactivated users."""
        for column in sorted(changes.keys() & _CHANGES.keys()):
            self._database.run(_CHANGES[column], (changes[column], idst))
        self._database.run(
            "UPDATE docebo_groups SET updated_at = ?, updated_by = ? WHERE idst = ?",
            (self._clock.now(), author, idst),
        )

    def set_ruleset(self, idst: int, ruleset: Mapping[str, Any], author: int) -> None:
        """Put other rules in the place of all, and note them in the history."""
        text = json.dumps(ruleset)
        self._database.run("UPDATE docebo_groups SET ruleset = ? WHERE idst = ?", (text, idst))
        self._database.run(
            "INSERT INTO docebo_history (audience, at, author, ruleset) VALUES (?, ?, ?, ?)",
            (idst, self._clock.now(), author, text),
        )

    def history(self, idst: int, page: Page) -> tuple[list[tuple[float, int, dict[str, Any]]], int]:
        """Return a page of the rules that a group has had, the latest first, and the number of all."""
        ((total,),) = self._database.rows("SELECT count(*) FROM docebo_history WHERE audience = ?", (idst,))
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT at, author, ruleset FROM docebo_history WHERE audience = ? ORDER BY number DESC LIMIT ? OFFSET ?",
            (idst, page.size, (page.number - 1) * page.size),
        )
        return [(at, author, json.loads(ruleset)) for at, author, ruleset in rows], int(str(total))

    def delete(self, idst: int) -> None:
        """Delete a group; its members and jobs are deleted by their own stores."""
        self._database.run("UPDATE docebo_groups SET deleted_at = ? WHERE idst = ?", (self._clock.now(), idst))

    def name_taken(self, name: str, but: int | None = None) -> bool:
        """Tell whether a group has this name."""
        found = self._groups("name = ? AND deleted_at IS NULL", (name,))
        return any(group.idst != but for group in found)

    def by_uuid(self, text: str) -> Group | None:
        """Return a group that is not deleted."""
        found = self._groups("uuid = ? AND deleted_at IS NULL", (text.lower(),))
        return found[0] if found else None

    def by_number(self, idst: int) -> Group | None:
        """Return a group, not deleted, by its number."""
        found = self._groups("idst = ? AND deleted_at IS NULL", (idst,))
        return found[0] if found else None

    def automatic(self) -> list[Group]:
        """Return the groups that have rules."""
        return self._groups("ruleset IS NOT NULL AND deleted_at IS NULL ORDER BY idst", ())

    def page(self, page: Page, older_than: float) -> tuple[list[Group], int]:
        """Return a page of the groups that a search finds, and the number of all that it finds.

        :param older_than: seconds since the creation
        """
        condition, found = contains(page.search, ("uuid", "slug", "name", "description"))
        condition = f"{condition} AND deleted_at IS NULL AND created_at <= ?"
        parameters = [*found, self._clock.now() - older_than]
        ((total,),) = self._database.rows(select("count(*)", "docebo_groups", condition), parameters)
        return self._groups(condition + page.order, parameters), int(str(total))

    def all(self) -> list[GroupRecord]:
        """Return every group, deleted ones too, in the order of their creation."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            select(f"{_COLUMNS}, {_COUNT}", "docebo_groups", "1 ORDER BY idst")
        )
        return [GroupRecord(*_values(row)) for row in rows]

    def search(self, text: str) -> list[Group]:
        """Return the groups, not deleted, whose uuid, else name is this text."""
        for column, wanted in (("uuid", text.lower()), ("name", text)):
            found = self._groups(f"{column} = ? AND deleted_at IS NULL ORDER BY idst", (wanted,))
            if found:
                return found
        return []

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM docebo_groups")
        self._database.run("DELETE FROM docebo_history")

    def _groups(self, condition: str, parameters: Sequence[object]) -> list[Group]:
        rows: list[tuple[Any, ...]] = self._database.rows(select(_COLUMNS, "docebo_groups", condition), parameters)
        return [Group(*_values(row)) for row in rows]


def _values(row: Sequence[Any]) -> tuple[Any, ...]:
    ruleset = None if row[7] is None else json.loads(row[7])
    return (*row[:6], bool(row[6]), ruleset, *row[8:13], bool(row[13]), *row[14:])

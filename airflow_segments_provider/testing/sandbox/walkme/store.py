"""Segments and their members, in SQLite."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, Literal

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.walkme import guids
from airflow_segments_provider.testing.sandbox.walkme.records import SegmentRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS walkme_segments (
    number INTEGER PRIMARY KEY, guid TEXT NOT NULL UNIQUE, system TEXT NOT NULL, external_id TEXT, name TEXT NOT NULL,
    created_at REAL NOT NULL, deleted_at REAL
);
CREATE TABLE IF NOT EXISTS walkme_members (
    segment TEXT NOT NULL, user_id TEXT NOT NULL, PRIMARY KEY (segment, user_id)
) WITHOUT ROWID;
"""
_RECORD = """
SELECT guid, system, external_id, name, created_at, deleted_at,
       (SELECT count(*) FROM walkme_members WHERE segment = guid)
FROM walkme_segments
"""
Action = Literal["add", "remove", "override"]


class SegmentStore:
    """Members are a set: adding twice or removing a stranger changes nothing. Ids are compared exactly."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def create(self, system: str, name: str, external_id: str | None, user_ids: Sequence[str]) -> str:
        """Add a segment, and return its GUID."""
        guid = uuid.uuid4().hex
        with self._database.transaction():
            self._database.run(
                "INSERT INTO walkme_segments (guid, system, external_id, name, created_at) VALUES (?, ?, ?, ?, ?)",
                (guid, system, external_id, name, self._clock.now()),
            )
            self.change_members(guid, "add", user_ids)
        return guid

    def change_members(self, guid: str, action: Action, user_ids: Sequence[str]) -> None:
        """Add or remove members, or put others in the place of all."""
        rows = ((guid, user_id) for user_id in user_ids)
        with self._database.transaction():
            if action == "remove":
                self._database.run_many("DELETE FROM walkme_members WHERE segment = ? AND user_id = ?", rows)
                return
            if action == "override":
                self._database.run("DELETE FROM walkme_members WHERE segment = ?", (guid,))
            self._database.run_many("INSERT OR IGNORE INTO walkme_members VALUES (?, ?)", rows)

    def delete(self, guid: str) -> None:
        """Delete a segment and its members; its external id is free again."""
        with self._database.transaction():
            self._database.run("DELETE FROM walkme_members WHERE segment = ?", (guid,))
            self._database.run("UPDATE walkme_segments SET deleted_at = ? WHERE guid = ?", (self._clock.now(), guid))

    def external_id_taken(self, system: str, external_id: str) -> bool:
        """Tell whether a segment of the system has this external id."""
        return bool(
            self._database.rows(
                "SELECT 1 FROM walkme_segments WHERE system = ? AND external_id = ? AND deleted_at IS NULL",
                (system, external_id),
            )
        )

    def find(self, system: str, guid: str) -> SegmentRecord | None:
        """Return a segment that is not deleted."""
        found = self._records("WHERE system = ? AND guid = ? AND deleted_at IS NULL", (system, guid))
        return found[0] if found else None

    def of_system(self, system: str, older_than: float = 0.0) -> list[SegmentRecord]:
        """Return a system's segments in the order of their creation, but for deleted and for too young ones.

        :param older_than: seconds since the creation
        """
        latest = self._clock.now() - older_than
        return self._records(
            "WHERE system = ? AND deleted_at IS NULL AND created_at <= ? ORDER BY number", (system, latest)
        )

    def all(self) -> list[SegmentRecord]:
        """Return every segment of every system, deleted ones too."""
        return self._records("ORDER BY number", ())

    def search(self, text: str) -> list[SegmentRecord]:
        """Return the segments, not deleted, whose GUID, else external id, else name is this text."""
        for column, wanted in (("guid", guids.from_anything(text)), ("external_id", text), ("name", text)):
            found = self._records(f"WHERE {column} = ? AND deleted_at IS NULL ORDER BY number", (wanted,))
            if found:
                return found
        return []

    def members(self, guid: str, after: str, limit: int) -> list[str]:
        """Return a page of members in the order of their code points.

        :param after: the last id of the page before; an empty text for the first page
        """
        rows = self._database.rows(
            "SELECT user_id FROM walkme_members WHERE segment = ? AND user_id > ? ORDER BY user_id LIMIT ?",
            (guid, after, limit),
        )
        return [str(row[0]) for row in rows]

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM walkme_members")
        self._database.run("DELETE FROM walkme_segments")

    def _records(self, condition: str, parameters: Sequence[object]) -> list[SegmentRecord]:
        rows: list[tuple[Any, ...]] = self._database.rows(_RECORD + condition, parameters)
        return [SegmentRecord(*row) for row in rows]

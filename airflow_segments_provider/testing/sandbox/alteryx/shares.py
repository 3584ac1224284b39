"""Collections, credentials and server data connections, and the groups that may use them, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.alteryx import ids
from airflow_segments_provider.testing.sandbox.alteryx.constants import Kind
from airflow_segments_provider.testing.sandbox.alteryx.records import ObjectRecord, ShareRecord
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alteryx_objects (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
    created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS alteryx_shares (
    number INTEGER PRIMARY KEY, object_id TEXT NOT NULL, group_id TEXT NOT NULL, permissions TEXT, expires TEXT,
    UNIQUE (object_id, group_id)
);
"""
_SELECT = """
SELECT s.object_id, o.kind, s.group_id, s.permissions, s.expires
FROM alteryx_shares s JOIN alteryx_objects o ON o.id = s.object_id
"""


class ShareStore:
    """Sharing twice changes the permissions at most; taking away what was not shared changes nothing."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def create(self, kind: Kind, name: str) -> str:
        """Add an object, and return its id."""
        object_id = ids.new()
        self._database.run(
            "INSERT INTO alteryx_objects (id, kind, name, created_at) VALUES (?, ?, ?, ?)",
            (object_id, kind, name, self._clock.now()),
        )
        return object_id

    def find(self, object_id: str) -> ObjectRecord | None:
        """Return an object of any kind."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT id, kind, name, created_at FROM alteryx_objects WHERE id = ?", (object_id,)
        )
        return ObjectRecord(*rows[0]) if rows else None

    def share(
        self, object_id: str, group_id: str, permissions: Mapping[str, bool] | None = None, expires: str | None = None
    ) -> None:
        """Let a group use an object."""
        spelled = None if permissions is None else json.dumps(permissions)
        self._database.run(
            "INSERT INTO alteryx_shares (object_id, group_id, permissions, expires) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET permissions = excluded.permissions, expires = excluded.expires",
            (object_id, group_id, spelled, expires),
        )

    def unshare(self, object_id: str, group_id: str) -> None:
        """Take an object from a group."""
        self._database.run("DELETE FROM alteryx_shares WHERE object_id = ? AND group_id = ?", (object_id, group_id))

    def drop_group(self, group_id: str) -> None:
        """Take everything from a group."""
        self._database.run("DELETE FROM alteryx_shares WHERE group_id = ?", (group_id,))

    def all(self) -> list[ShareRecord]:
        """Return every share in the order of their making."""
        return self._records("ORDER BY s.number", ())

    def of_object(self, object_id: str) -> list[ShareRecord]:
        """Return an object's shares."""
        return self._records("WHERE s.object_id = ? ORDER BY s.number", (object_id,))

    def of_group(self, group_id: str) -> list[ShareRecord]:
        """Return what a group may use."""
        return self._records("WHERE s.group_id = ? ORDER BY s.number", (group_id,))

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM alteryx_shares")
        self._database.run("DELETE FROM alteryx_objects")

    def _records(self, condition: str, parameters: Sequence[object]) -> list[ShareRecord]:
        rows: list[tuple[Any, ...]] = self._database.rows(_SELECT + condition, parameters)
        return [
            ShareRecord(object_id, kind, group_id, None if permissions is None else json.loads(permissions), expires)
            for object_id, kind, group_id, permissions, expires in rows
        ]

"""The server's users, in SQLite."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.alteryx import ids
from airflow_segments_provider.testing.sandbox.alteryx.constants import PEOPLE, Role
from airflow_segments_provider.testing.sandbox.alteryx.records import UserRecord
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alteryx_users (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, first_name TEXT NOT NULL, last_name TEXT NOT NULL,
    email TEXT NOT NULL, role TEXT NOT NULL, is_active INTEGER NOT NULL, created_at REAL NOT NULL
);
"""
_SELECT = "SELECT id, number, first_name, last_name, email, role, is_active, created_at FROM alteryx_users "
_INSERT = "INSERT INTO alteryx_users VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


class UserStore:
    """Holds at least the people of the start; who they are, and their ids, is the same in every sandbox."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)
        if not database.rows("SELECT 1 FROM alteryx_users LIMIT 1"):
            self._seed_people()

    def all(self) -> list[UserRecord]:
        """Return all users in the order of their creation."""
        return self._records("ORDER BY number", ())

    def find(self, user_id: str) -> UserRecord | None:
        """Return a user."""
        found = self._records("WHERE id = ?", (user_id,))
        return found[0] if found else None

    def caller(self) -> UserRecord | None:
        """Return the user to whom the sandbox's API key belongs: the first."""
        found = self._records("ORDER BY number LIMIT 1", ())
        return found[0] if found else None

    def known(self, user_ids: Iterable[str]) -> set[str]:
        """Return those of the ids that are a user's."""
        rows = self._database.rows(
            "SELECT id FROM alteryx_users WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(user_ids)),)
        )
        return {str(row[0]) for row in rows}

    def create(self, first_name: str, last_name: str, email: str, role: Role, is_active: bool) -> str:
        """Add a user, and return the id."""
        number = self._next_number()
        self._database.run(
            _INSERT, (number, ids.of_number(number), first_name, last_name, email, role, is_active, self._clock.now())
        )
        return ids.of_number(number)

    def seed(self, count: int) -> list[str]:
        """Add numbered users, and return their ids."""
        first, now = self._next_number(), self._clock.now()
        numbers = range(first, first + count)
        rows = (
            (n, ids.of_number(n), "User", f"Number {n}", f"user{n:06d}@example.com", "Evaluated", True, now)
            for n in numbers
        )
        with self._database.transaction():
            self._database.run_many(_INSERT, rows)
        return [ids.of_number(number) for number in numbers]

    def deactivate(self, user_id: str) -> None:
        """Make a user inactive."""
        self._database.run("UPDATE alteryx_users SET is_active = 0 WHERE id = ?", (user_id,))

    def delete(self, user_id: str) -> None:
        """Forget a user; memberships are another's business."""
        self._database.run("DELETE FROM alteryx_users WHERE id = ?", (user_id,))

    def clear(self) -> None:
        """Return to the people of the start."""
        self._database.run("DELETE FROM alteryx_users")
        self._seed_people()

    def _seed_people(self) -> None:
        last = len(PEOPLE) - 1
        with self._database.transaction():
            for position, (first_name, last_name, role) in enumerate(PEOPLE):
                email = f"{first_name}.{last_name}@example.com".lower().replace("'", "").replace("ë", "e")
                self.create(first_name, last_name, email, role, is_active=position != last)

    def _next_number(self) -> int:
        rows: list[tuple[Any, ...]] = self._database.rows("SELECT coalesce(max(number), 0) + 1 FROM alteryx_users")
        return int(rows[0][0])

    def _records(self, condition: str, parameters: Sequence[object]) -> list[UserRecord]:
        return [user_record(row) for row in self._database.rows(_SELECT + condition, parameters)]


def user_record(row: Sequence[Any]) -> UserRecord:
    """Return the record of a row: id, number, names, email, role, activity, creation."""
    user_id, number, first_name, last_name, email, role, is_active, created_at = row
    return UserRecord(user_id, number, first_name, last_name, email, role, bool(is_active), created_at)

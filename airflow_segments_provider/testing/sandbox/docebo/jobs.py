"""What is done in the background: changes of many members, and recalculations, in SQLite."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.records import JobKind, JobRecord

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docebo_jobs (
    number INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, audience INTEGER NOT NULL,
    total INTEGER NOT NULL, status TEXT NOT NULL, created_at REAL NOT NULL, due_at REAL NOT NULL,
    author INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS docebo_jobs_due ON docebo_jobs (status, due_at);
CREATE INDEX IF NOT EXISTS docebo_jobs_audience ON docebo_jobs (audience);
CREATE TABLE IF NOT EXISTS docebo_job_users (
    job INTEGER NOT NULL, idst INTEGER NOT NULL, PRIMARY KEY (job, idst)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class DueJob:
    """A job whose moment has come."""

    number: int
    kind: JobKind
    audience: int
    user_ids: list[int]


class JobStore:
    """Jobs wait for their moment by the sandbox's clock, over a restart too."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def add(self, kind: JobKind, audience: int, user_ids: Sequence[int], delay: float, author: int) -> None:
        """Have a job done later."""
        now = self._clock.now()
        self._database.run(
            "INSERT INTO docebo_jobs (hash, kind, audience, total, status, created_at, due_at, author)"
            " VALUES (?, ?, ?, ?, 'running', ?, ?, ?)",
            (secrets.token_hex(20), kind, audience, len(user_ids), now, now + delay, author),
        )
        ((number,),) = self._database.rows("SELECT last_insert_rowid()")
        self._database.run_many(
            "INSERT OR IGNORE INTO docebo_job_users VALUES (?, ?)", ((number, idst) for idst in user_ids)
        )

    def due(self) -> list[DueJob]:
        """Return what is to be done now, in the order of the moments."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT number, kind, audience FROM docebo_jobs WHERE status = 'running' AND due_at <= ?"
            " ORDER BY due_at, number",
            (self._clock.now(),),
        )
        return [DueJob(number, kind, audience, self._users(number)) for number, kind, audience in rows]

    def finish(self, number: int, status: str) -> None:
        """Note how a job ended."""
        self._database.run("UPDATE docebo_jobs SET status = ? WHERE number = ?", (status, number))
        self._database.run("DELETE FROM docebo_job_users WHERE job = ?", (number,))

    def cancel(self, audience: int, kind: JobKind | None = None) -> None:
        """Abort what waits for a group."""
        self._database.run(
            "UPDATE docebo_jobs SET status = 'aborted'"
            " WHERE audience = ? AND status = 'running' AND kind = coalesce(?, kind)",
            (audience, kind),
        )
        self._database.run(
            "DELETE FROM docebo_job_users"
            " WHERE job IN (SELECT number FROM docebo_jobs WHERE audience = ? AND status = 'aborted')",
            (audience,),
        )

    def all(self) -> list[JobRecord]:
        """Return all jobs in the order of their creation."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT hash, kind, (SELECT uuid FROM docebo_groups WHERE idst = audience), total, status, created_at,"
            " due_at, author FROM docebo_jobs ORDER BY number"
        )
        return [JobRecord(*row) for row in rows]

    def clear(self) -> None:
        """Forget everything."""
        self._database.run("DELETE FROM docebo_jobs")
        self._database.run("DELETE FROM docebo_job_users")

    def _users(self, number: int) -> list[int]:
        rows = self._database.rows("SELECT idst FROM docebo_job_users WHERE job = ? ORDER BY idst", (number,))
        return [int(str(row[0])) for row in rows]

"""Background jobs, which the sandbox's clock drives row by row."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings

_SCHEMA = """
CREATE TABLE IF NOT EXISTS zendesk_jobs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, over INTEGER NOT NULL, job TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class JobRecord:
    """One job: what is asked of each row, and the results of the rows done so far."""

    id: str
    created_at: float
    starts_at: float
    seconds_per_row: float
    rows: list[dict[str, Any]]
    fails: bool = False
    results: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ends_at(self) -> float:
        """When the last row is done."""
        return self.starts_at + self.seconds_per_row * len(self.rows)

    def due_rows(self, now: float) -> int:
        """Return how many rows are done by a moment; none by the one of its creation."""
        if now < self.starts_at:
            return 0
        if now >= self.ends_at:
            return len(self.rows)
        return min(len(self.rows), int((now - self.starts_at) / self.seconds_per_row))


Apply = Callable[[int, Mapping[str, Any], float], dict[str, Any]]


class JobStore:
    """Jobs in the order of their creation."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.create(_SCHEMA)

    def start(self, rows: list[dict[str, Any]], now: float, settings: ZendeskSettings) -> JobRecord:
        """Queue a job."""
        job = JobRecord(
            id=f"V3-{uuid.uuid4().hex}",
            created_at=now,
            starts_at=now + settings.job_queue_seconds,
            seconds_per_row=settings.job_seconds_per_row,
            rows=rows,
            fails=settings.job_outcome == "failed",
        )
        self._database.run("INSERT INTO zendesk_jobs (id, over, job) VALUES (?, 0, ?)", (job.id, json.dumps(vars(job))))
        return job

    def settle(self, now: float, apply: Apply) -> None:
        """Do the rows whose moment has come, of all jobs in the order of those moments.

        :param apply: takes a row's number, the row and its moment, and returns its result
        """
        running = self._jobs("WHERE over = 0")
        due = [
            (job.starts_at + job.seconds_per_row * (number + 1), order, number)
            for order, job in enumerate(running)
            if not job.fails
            for number in range(len(job.results), job.due_rows(now))
        ]
        for moment, order, number in sorted(due):
            running[order].results.append(apply(number, running[order].rows[number], moment))
        for job in running:
            over = int(now >= job.ends_at)
            if over or job.due_rows(now):
                self._database.run(
                    "UPDATE zendesk_jobs SET over = ?, job = ? WHERE id = ?", (over, json.dumps(vars(job)), job.id)
                )

    def running(self) -> list[str]:
        """Return the ids of the jobs that were not over when last settled."""
        return [job.id for job in self._jobs("WHERE over = 0")]

    def find(self, ids: Iterable[str]) -> list[JobRecord]:
        """Return the jobs with these ids, as far as there are any."""
        return [job for number in dict.fromkeys(ids) for job in self._jobs("WHERE id = ?", number)]

    def all(self) -> list[JobRecord]:
        """Return all jobs."""
        return self._jobs("ORDER BY number")

    def clear(self) -> None:
        """Forget all jobs."""
        self._database.run("DELETE FROM zendesk_jobs")

    def _jobs(self, condition: str, *parameters: object) -> list[JobRecord]:
        rows: list[tuple[Any, ...]] = self._database.rows(f"SELECT job FROM zendesk_jobs {condition}", parameters)  # noqa: S608
        return [JobRecord(**json.loads(row[0])) for row in rows]


def queued(job: JobRecord) -> JobRecord:
    """Return the job as the call that makes it shows it, however little time it takes."""
    return replace(job, starts_at=float("inf"))


def job_object(job: JobRecord, now: float, url: str) -> dict[str, object]:
    """Return the object that stands for a job at a moment."""
    shown: dict[str, object] = {
        "id": job.id,
        "job_type": "Bulk Update User",
        "url": url,
        "total": len(job.rows),
        "progress": None,
        "status": "queued",
        "message": None,
        "results": None,
    }
    done = job.due_rows(now)
    if now >= job.ends_at:
        ended = datetime.fromtimestamp(job.ends_at, UTC).strftime("%Y-%m-%d %H:%M:%S +0000")
        shown |= {"status": "completed", "progress": len(job.rows), "message": f"Completed at {ended}"}
        shown["results"] = job.results
        if job.fails:
            shown |= {"status": "failed", "message": f"Failed at {ended}", "results": None}
    elif now >= job.starts_at:
        shown |= {"status": "working", "progress": done, "message": f"Updating user #{done}"}
    return shown

"""A complete Airflow for one test, on either version and either database, and the commands of a user."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import sqlalchemy

from tests.assets.conftest import AIRFLOW_2
from tests.sync.kill.deployment import Deployment, wait_until

UNFINISHED = {"None", "scheduled", "queued", "running", "restarting", "up_for_retry", "deferred", "up_for_reschedule"}


class Scheduler(Deployment):
    """An Airflow that runs DAGs by its scheduler.

    :param url: The URL of its database; empty for SQLite.
    """

    def __init__(self, home: Path, migrated: Path, environment: dict[str, str], url: str = "") -> None:
        if AIRFLOW_2 and not url:
            environment = {**environment, "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor"}
        # SQLite: commands and the scheduler write to one file, and each waits for the other.
        found = url or f"sqlite:///{home / 'airflow.db'}?timeout=120"
        patient = {
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": found,
            "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "5",
            "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "1",
        }
        super().__init__(home, migrated, environment | patient)
        self._engine = sqlalchemy.create_engine(found)
        if url:
            self.command("db", "migrate")

    def __enter__(self) -> Self:
        if not AIRFLOW_2:
            return super().__enter__()
        self._log = (self.home / "log.txt").open("ab")
        try:
            self.command("dags", "reserialize")
            self._start("scheduler", "--skip-serve-logs")
        except BaseException:
            self._stop()
            raise
        return self

    def command(self, *arguments: str) -> None:
        """Run a command; repeat it while SQLite refuses to let two transactions that have read both write."""
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "airflow", *arguments],
                check=False,
                env=self.environment,
                capture_output=True,
                text=True,
            )
            if "database is locked" not in done.stderr:
                break
        assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]

    def read(self, query: str) -> list[Any]:
        """Read from the database."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sqlalchemy.text(query))]

    def runs(self, task: str) -> list[tuple[str, str, int]]:
        """Return the type, the state and the number of tries of a task in each run, in the order of creation."""
        query = (
            "SELECT dag_run.run_type, coalesce(task_instance.state, 'None'), task_instance.try_number "
            "FROM task_instance JOIN dag_run ON dag_run.dag_id = task_instance.dag_id "
            "AND dag_run.run_id = task_instance.run_id WHERE task_id = '{}' ORDER BY dag_run.id"
        )
        return self.read(query.format(task))

    def settle(self, task: str, until: Callable[[list[tuple[str, str, int]]], object]) -> list[tuple[str, str, int]]:
        """Wait until a task's runs are as expected and all DAG runs are finished, and return the task's runs."""

        def settled() -> bool:
            runs = self.runs(task)
            finished = not self.read("SELECT 1 FROM dag_run WHERE state NOT IN ('success', 'failed')")
            return bool(until(runs)) and finished and not UNFINISHED & {state for _, state, _ in runs}

        wait_until(settled, or_fail=self.check_alive)
        return self.runs(task)

    def finish(self, runs: int) -> None:
        """Wait until this many DAG runs are finished."""

        def finished() -> bool:
            states = [state for (state,) in self.read("SELECT state FROM dag_run")]
            return len(states) == runs and set(states) <= {"success", "failed"}

        wait_until(finished, or_fail=self.check_alive)

    def trigger(self, dag_id: str, logical_date: datetime | None = None) -> None:
        """Trigger a run manually."""
        option = "-e" if AIRFLOW_2 else "-l"
        self.command("dags", "trigger", dag_id, *([option, logical_date.isoformat()] if logical_date else []))

    def clear(self, dag_id: str, logical_date: datetime) -> None:
        """Clear the run of a date."""
        date = logical_date.isoformat()
        self.command("tasks", "clear", "-s", date, "-e", date, "-y", dag_id)

    def backfill(self, dag_id: str, first: datetime, last: datetime) -> None:
        """Run the dates from the first to the last again, without scheduled runs in between."""
        dates = (first.isoformat(), last.isoformat())
        scheduler = self._processes.pop()
        scheduler.terminate()
        scheduler.wait(120)
        if AIRFLOW_2:
            self.command("dags", "backfill", "-s", dates[0], "-e", dates[1], "--reset-dagruns", "-y", dag_id)
        else:
            self.command(
                *("backfill", "create", "--dag-id", dag_id, "--from-date", dates[0], "--to-date", dates[1]),
                *("--reprocess-behavior", "completed", "--max-active-runs", "1"),
            )
        self._start("scheduler", "--skip-serve-logs")

"""A complete Airflow for one test: home, database, task API and scheduler, as processes; tasks run by LocalExecutor."""

from __future__ import annotations

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import requests

PATIENCE = 600.0


def wait_until(holds: Callable[[], object], *, or_fail: Callable[[], object] = lambda: None) -> None:
    """Wait for a condition that will hold, on however slow a machine.

    :param or_fail: Called at each check; raises if the condition can no longer hold.
    """
    end = time.monotonic() + PATIENCE
    while not holds():
        or_fail()
        if time.monotonic() > end:
            raise TimeoutError(f"waited for {PATIENCE:.0f} s")
        time.sleep(0.1)


class Deployment:
    """An Airflow that runs a DAG folder.

    :param migrated: A migrated database to copy.
    """

    def __init__(self, home: Path, migrated: Path, environment: Mapping[str, str]) -> None:
        self.home = home
        self.port = _free_port()
        self.database = home / "airflow.db"
        self._log: IO[bytes] | None = None
        self._processes: list[subprocess.Popen[bytes]] = []
        (home / "dags").mkdir(parents=True)
        shutil.copy(migrated, self.database)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        self.environment = kept | _settings(home, self.port) | dict(environment)

    def __enter__(self) -> Self:
        self._log = (self.home / "log.txt").open("ab")
        try:
            subprocess.run(
                [sys.executable, "-m", "airflow", "dags", "reserialize"],
                check=True,
                env=self.environment,
                stdout=self._log,
                stderr=self._log,
            )
            self._start("api-server", "--apps", "execution", "--port", str(self.port), "--host", "127.0.0.1")
            wait_until(self._answers, or_fail=self.check_alive)
            self._start("scheduler", "--skip-serve-logs")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def check_alive(self) -> None:
        """Check that every process is running."""
        for process in self._processes:
            assert process.poll() is None, (self.home / "log.txt").read_text()[-5000:]

    def states(self) -> dict[str, str | None]:
        """Return the state of each task instance."""
        with closing(sqlite3.connect(self.database, timeout=60)) as database:
            return dict(database.execute("SELECT task_id, state FROM task_instance"))

    def _start(self, *arguments: str) -> None:
        # A process group of its own, so that all its children can be ended with it.
        self._processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                env=self.environment,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        )

    def _answers(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False
            try:
                return session.get(f"http://127.0.0.1:{self.port}/execution/health", timeout=10).ok
            except requests.RequestException:
                return False

    def _stop(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._log:
            self._log.close()


def _settings(home: Path, port: int) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": "only-for-this-test-only-for-this-test-only-for-this-test-0123456789",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
    }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port

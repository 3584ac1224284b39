"""An Airflow for the demo: its home, settings and database. The user's Airflow is not changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

DAGS = Path(__file__).resolve().parents[1]


def use(home: Path, log_level: str) -> None:
    """Set ``home`` for this process and its children; call it before Airflow is imported."""
    for name in list(os.environ):
        if name.startswith(("AIRFLOW_", "_AIRFLOW_")):
            del os.environ[name]
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
            "AIRFLOW__SEGMENTS__LEDGER_PATH": str(home / "segments_ledger"),
            "AIRFLOW__LOGGING__LOGGING_LEVEL": log_level,
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            # The sandbox is on loopback, so no proxy is used.
            "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"])),
        }
    )


def forget_ledger() -> None:
    """Delete the ledger: each sandbox is new, and so are its segments."""
    shutil.rmtree(os.environ["AIRFLOW__SEGMENTS__LEDGER_PATH"], ignore_errors=True)


def connect(conn_id: str, connection: dict[str, object]) -> None:
    """Define an Airflow connection for this process."""
    os.environ[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(connection)


def migrate() -> None:
    """Create or upgrade Airflow's database."""
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, stdin=subprocess.DEVNULL)


@contextmanager
def output_to(log: IO[bytes]) -> Iterator[TextIO]:
    """Send all output of this process and its children to ``log``, and return the terminal."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    terminal = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace", buffering=1)
    try:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        yield terminal
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)
        terminal.close()

"""On a successful first day in a complete Airflow, no error line is logged by the provider or because of it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import airflow
import pytest

from tests.conftest import RETRY
from tests.demo.conftest import EXAMPLES
from tests.operators.scheduler import Scheduler
from tests.operators.test_error_lines import DAY, errors

pytestmark = [
    pytest.mark.scheduler,
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(airflow.__version__[:4] not in ("2.11", "3.3."), reason="the oldest and the newest are enough"),
]

HEAD = """
from datetime import datetime, timezone
from airflow.providers.common.compat.sdk import DAG
from airflow_segments_provider.operators.walkme import *
from airflow_segments_provider.sensors.walkme import *

with DAG("day", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=timezone.utc)):
"""
AT_ONCE = {"propagation_seconds": 0}
# The steps of a new user: a preview, a first sync, the same sync again, and several segments.
RUNS = [
    ("walkme_sync", {**AT_ONCE, "plan_only": True}),
    ("walkme_sync", AT_ONCE),
    ("walkme_sync", AT_ONCE),
    ("walkme_sync_many", AT_ONCE),
    ("four_vendors", {"name": "At all vendors"}),
    ("day", {}),
]


@pytest.fixture
def services(walkme_sandbox, docebo_sandbox, alteryx_sandbox, zendesk_sandbox, tmp_path):
    """Return the environment with a connection to each vendor, and to a database of users that all vendors have."""
    users = [f"user{number}@example.com" for number in range(5)]
    database = tmp_path / "people.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE people (user_id TEXT, email TEXT, plan TEXT, segment TEXT)")
        rows = [(user, user, "trial", f"Segment {number % 2}") for number, user in enumerate(users)]
        connection.executemany("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    for user in users:
        docebo_sandbox.add_user(user, email=user)
        alteryx_sandbox.create_user(user)
        zendesk_sandbox.create_user(user, user)
    found = {
        "WALKME_DEFAULT": walkme_sandbox.connection_json(retry=RETRY),
        "DOCEBO_DEFAULT": docebo_sandbox.connection_json(retry=RETRY),
        "ALTERYX_SERVER_DEFAULT": alteryx_sandbox.connection_json(retry=RETRY),
        "ZENDESK_HELP_CENTER_DEFAULT": zendesk_sandbox.connection_json(retry=RETRY),
        "PEOPLE_DB": json.dumps({"conn_type": "sqlite", "host": str(database)}),
    }
    return {f"AIRFLOW_CONN_{name}": value for name, value in found.items()}


def test_no_error_is_logged_on_a_successful_first_day_in_a_whole_airflow(services, postgres, migrated_db, tmp_path):
    home = tmp_path / "airflow"
    environment = services | {
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__SEGMENTS__LEDGER_PATH": str(tmp_path / "ledger"),
        "AIRFLOW__SEGMENTS__LEDGER_PATH_IS_SHARED": "True",
    }
    scheduler = Scheduler(home, migrated_db, environment, f"postgresql+psycopg2://segments@/postgres?host={postgres}")
    for name in {name for name, _ in RUNS} - {"day"}:
        shutil.copy(EXAMPLES / f"{name}.py", home / "dags")
    day = DAY.format(ledger=str(tmp_path / "ledger")).replace("propagation_delay=1,", "propagation_delay=20,")
    (home / "dags" / "day.py").write_text(HEAD + "".join(f"    {line}\n" for line in day.strip().splitlines()))

    with scheduler:
        scheduler._start("triggerer", "--skip-serve-logs")
        for name, conf in RUNS:  # The runs of each DAG, one after the other.
            scheduler.command("dags", "trigger", name, "--conf", json.dumps(conf))
        scheduler.finish(len(RUNS))
    ended = scheduler.read("SELECT task_id, state FROM task_instance WHERE state NOT IN ('success', 'skipped')")
    assert ended == []
    assert [path for path in logs(home) if "Pausing task as DEFERRED" in path.read_text()]
    assert {str(path): errors(path.read_text()) for path in logs(home) if errors(path.read_text())} == {}


def logs(home: Path) -> list[Path]:
    """Return the logs of tasks, and the output of Airflow's processes."""
    return [home / "log.txt", *(path for path in (home / "logs").rglob("*.log") if path.is_file())]

"""Runs of a real scheduler: catch-up, cleared runs, a backfill, and manual runs with and without a logical date."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import airflow
import pytest

from tests.assets.conftest import AIRFLOW_2
from tests.conftest import RETRY
from tests.operators.scheduler import Scheduler

pytestmark = [
    pytest.mark.scheduler,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(airflow.__version__[:4] not in ("2.11", "3.3."), reason="the oldest and the newest are enough"),
]

DAG_FILE = """
from datetime import datetime, timedelta, timezone

from airflow.providers.common.compat.sdk import DAG, Asset, task

with DAG(
    "daily",
    schedule=timedelta(days=1),
    start_date=datetime.fromisoformat("{start}"),
    catchup=True,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={{"retries": 5, "retry_delay": timedelta(seconds=1)}},
) as dag:

    @task.sync_members(target={{"vendor": "walkme", "name": "Trial users", "create": True}}, ledger_path="{ledger}")
    def sync(dag_run=None, data_interval_end=None, logical_date=None):
        automatic = dag_run.run_type in ("scheduled", "backfill")
        moment = data_interval_end if automatic else logical_date or dag_run.run_after
        return ["everybody", moment.strftime("%Y-%m-%d %H:%M")]

    sync()
"""


@pytest.fixture
def start():
    """Return the logical date of the first of three scheduled runs; the next one is hours away."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now - timedelta(days=3, hours=12)


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.slow) for name in ("sqlite", "postgresql")])
def scheduler(request, start, walkme_sandbox, migrated_db, tmp_path):
    url = ""
    if request.param == "postgresql":
        folder = request.getfixturevalue("postgres")
        url = f"postgresql+psycopg2://segments@/postgres?host={folder}"
    environment = {"AIRFLOW_CONN_WALKME_DEFAULT": walkme_sandbox.connection_json(retry=RETRY)}
    made = Scheduler(tmp_path / "airflow", migrated_db, environment, url)
    content = DAG_FILE.format(start=start.isoformat(), ledger=tmp_path / "ledger")
    (tmp_path / "airflow" / "dags" / "daily.py").write_text(content)
    with made:
        yield made


def test_runs_of_a_scheduler_never_send_older_data_after_newer(scheduler, start, walkme_sandbox):
    days = [start + timedelta(days=number) for number in range(4)]
    newest = days[-1].strftime("%Y-%m-%d %H:%M")
    # Airflow 3 makes no intervals of a timedelta: a run's logical date is the time when it starts.
    dates = days[:3] if AIRFLOW_2 else days

    def members():
        return walkme_sandbox.members("Trial users")

    def states(until):
        return [state for _, state, _ in scheduler.settle("sync", until)]

    # Catch-up: in the order of the intervals.
    assert states(lambda runs: len(runs) == len(dates)) == ["success"] * len(dates)
    assert members() == {"everybody", newest}
    sent = walkme_sandbox.counts()["walkme.update"]

    # A run with older data is skipped, whether it is cleared or triggered, and does not block others.
    scheduler.clear("daily", dates[0])
    assert states(lambda runs: runs[0][1] == "skipped")[1:] == ["success"] * (len(dates) - 1)
    scheduler.trigger("daily", days[1] + timedelta(hours=6))
    assert states(lambda runs: len(runs) == len(dates) + 1)[-1] == "skipped"
    tries = scheduler.runs("sync")[len(dates) - 1][2]
    scheduler.clear("daily", dates[-1])
    repeated = scheduler.settle("sync", lambda runs: runs[len(dates) - 1][2] > tries)
    assert repeated[len(dates) - 1][1] == "success"

    # A backfill: its data is as old as that of the scheduled runs.
    scheduler.backfill("daily", dates[0], dates[-1])
    backfilled = scheduler.settle("sync", lambda runs: sum(kind == "backfill" for kind, _, _ in runs) == len(dates))
    by_kind = [state for kind, state, _ in backfilled if kind == "backfill"]
    assert by_kind == ["skipped"] * (len(dates) - 1) + ["success"]

    assert (members(), walkme_sandbox.counts()["walkme.update"]) == ({"everybody", newest}, sent)

    # A manual run, without a logical date on Airflow 3, has the newest data.
    scheduler.trigger("daily")
    count = len(backfilled) + 1
    assert scheduler.settle("sync", lambda runs: len(runs) == count)[-1][:2] == ("manual", "success")
    assert members() > {"everybody"}
    assert newest not in members()

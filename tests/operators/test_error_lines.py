"""On a successful day, no error line is logged, neither by a task nor by Airflow because of one."""

from __future__ import annotations

import re
from datetime import timedelta

import airflow
import pytest

from tests.assets.conftest import Airflow

# The sandbox has an unknown host, so no task has the address of a page of WalkMe.
DAY = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment

LEDGER = {ledger!r}
TARGET = WalkMeSegment("Synced", create=True)
preview = SyncMembersOperator(task_id="preview", target=TARGET, source=["ada"], ledger_path=LEDGER, plan_only=True)
nothing = WalkMeSegmentPropagationSensor(task_id="nothing", segment=preview.output, deferrable=True)
sync = SyncMembersOperator(task_id="sync", target=TARGET, source=["ada", "grace"], ledger_path=LEDGER)
wait = WalkMeSegmentPropagationSensor(task_id="wait", segment=sync.output, propagation_delay=1, deferrable=True)
create = WalkMeCreateSegmentOperator(task_id="create", name="Trial users", user_ids=["ada"])
change = WalkMeUpdateSegmentOperator(task_id="change", segment=create.output, action="remove", user_ids=["ada"])
listed = WalkMeListSegmentsOperator(task_id="listed")
delete = WalkMeDeleteSegmentOperator(task_id="delete", segment=create.output)
preview >> sync >> create >> change >> listed >> delete
"""
# The forms in which Airflow 2 and 3 print and store an error.
ERROR = re.compile(r"\b(ERROR|CRITICAL)\b|\[(error|critical) *\]|\"level\": ?\"(error|critical)\"|Traceback")


# Airflow 3.1 logs each look-up of a variable that does not exist as an error; it has no other way to look for one.
EXPECTED = "Variable not found" if airflow.__version__.startswith("3.1.") else None


def errors(text: str) -> list[str]:
    """Return the error lines of a log."""
    lines = [line for line in text.splitlines() if ERROR.search(line)]
    return [line for line in lines if EXPECTED is None or EXPECTED not in line]


@pytest.fixture
def ran(connect, dag_file, tmp_path, monkeypatch, capfd, airflow_db):
    """Run the DAG of a day; return the states of its tasks, and the output."""
    connect()
    monkeypatch.setattr("airflow_segments_provider.sensors.walkme.SHORTEST_DEFERRAL", timedelta(0))
    dag = dag_file(DAY.format(ledger=str(tmp_path / "ledger")))
    Airflow(airflow_db).parse()
    capfd.readouterr()
    dag_run = dag.test()
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}, "".join(capfd.readouterr())


def test_no_error_is_logged_on_a_day_on_which_all_tasks_succeed(ran):
    states, printed = ran
    assert states == dict.fromkeys(states, "success") | {"nothing": "skipped"}
    assert errors(printed) == []

"""What a sync takes from its task instance: the time that its data represents."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_segments_provider.operators import sync as sync_context
from airflow_segments_provider.sync.ledger.timing import Timing
from airflow_segments_provider.sync.target import Limits, SegmentKey
from tests.assets.conftest import AIRFLOW_2

START, END, LATER = (datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 9))
FUTURE = datetime(2036, 1, 1, tzinfo=UTC)


def context(run_type, *, logical_date=None, interval_end=None, **run):
    """Return a context as Airflow makes it: without keys of dates that a run does not have."""
    dates = {"logical_date": logical_date, "data_interval_end": interval_end}
    found = {name: date for name, date in dates.items() if date}
    return {**found, "dag_run": SimpleNamespace(run_type=run_type, **run)}


def milliseconds(moment):
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (context("scheduled", logical_date=START, interval_end=END, run_after=END), END),
        (context("backfill", logical_date=START, interval_end=END, run_after=END), END),
        # A timetable of points in time, such as Airflow 3's for a cron expression.
        (context("scheduled", logical_date=END, interval_end=END, run_after=END), END),
        # For a manual run, Airflow's interval ends when the run was created.
        (context("manual", logical_date=START, interval_end=LATER, run_after=LATER), START),
        (context("operator_triggered", logical_date=START, interval_end=LATER, run_after=LATER), START),
        (context("manual", run_after=LATER), LATER),
        (context("asset_triggered", run_after=LATER), LATER),
        # Airflow 2.11: the interval covers the intervals of the runs that wrote the dataset.
        (context("dataset_triggered", logical_date=END, interval_end=LATER), END),
        # The run of a partition may start long after it.
        (context("asset_triggered", run_after=LATER, partition_date=END), END),
        (context("manual", run_after=LATER, partition_date=None), LATER),
    ],
)
def test_a_run_represents_the_end_of_its_interval_or_its_logical_date(given, expected):
    assert sync_context.as_of(given) == milliseconds(expected)


@pytest.mark.parametrize(
    "given",
    [
        context("scheduled", logical_date=START, interval_end=FUTURE),
        context("manual", logical_date=FUTURE),
        context("asset_triggered", run_after=FUTURE),
    ],
)
def test_a_run_with_a_date_in_the_future_represents_the_present(given):
    before = int(time.time() * 1000)
    assert before <= (sync_context.as_of(given) or 0) <= before + 60_000


def test_a_context_without_a_run_represents_no_time():
    assert sync_context.as_of({}) is None


REPORT = """
@task
def report(dag_run=None, **context):
    from airflow_segments_provider.operators.sync import as_of
    return [str(dag_run.run_type), as_of({"dag_run": dag_run, **context})]

report()
"""


def test_a_manual_run_of_airflow_represents_its_logical_date(dag_file):
    date = {"execution_date" if AIRFLOW_2 else "logical_date": END}
    (ti,) = dag_file(REPORT).test(**date).get_task_instances()
    kind, moment = ti.xcom_pull(task_ids="report")
    assert kind.rpartition(".")[2].lower() == "manual"
    assert moment == milliseconds(END)


@pytest.mark.skipif(AIRFLOW_2, reason="all runs of Airflow 2 have a logical date")
def test_a_run_without_a_logical_date_represents_the_time_when_it_could_start(dag_file):
    (ti,) = dag_file(REPORT).test(logical_date=None, run_after=LATER).get_task_instances()
    assert ti.xcom_pull(task_ids="report")[1] == milliseconds(LATER)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (SimpleNamespace(triggering_user_name="ada"), "ada, who triggered the run, by `approve`"),
        (SimpleNamespace(triggering_user_name=None), "`approve`"),
        # Airflow 2.11 does not record it.
        (SimpleNamespace(), "`approve`"),
        (None, "`approve`"),
    ],
)
def test_the_approver_by_argument_is_the_user_who_triggered_the_run(run, expected):
    assert sync_context.approver({"dag_run": run}) == expected


@pytest.mark.parametrize(
    ("run_id", "named"),
    [
        ("manual__2026-01-01T00:00:00.5+00:00", "manual__2026-01-01T00:00:00.5+00:00"),
        ("by ada@example.com\x1b[2J/..", "by%20ada%40example.com%1B%5B2J%2F.."),
    ],
)
def test_special_characters_of_a_run_id_are_escaped_in_the_ledger(tmp_path, run_id, named):
    ti: Any = SimpleNamespace(dag_id="dag", task_id="task", run_id=run_id, map_index=-1, try_number=1)
    target: Any = SimpleNamespace(limits=Limits(1, 1, 1))
    key = SegmentKey("walkme", "https://api.walkme.com", "system", "segment")
    ledger = sync_context.ledger_of({"ti": ti}, target, key, str(tmp_path), Timing())
    assert ledger.writer.run == f"dag/{named}/task/-1"

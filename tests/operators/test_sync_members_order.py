"""Runs in another order than that of their data: older data does not replace newer data."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tests.assets.conftest import AIRFLOW_2
from tests.operators.runs import OPERATOR

SYNC = (
    OPERATOR.replace("OPTIONS", "retries=3")
    + """
@task
def after():
    pass

dag.get_task("sync") >> after()
"""
)
SUPERSEDED = "Nothing was sent, and no action is needed"
LATER = pytest.mark.skipif(AIRFLOW_2, reason="all runs of Airflow 2 have a logical date")
KINDS = [pytest.param(True, id="logical date"), pytest.param(False, id="no logical date", marks=LATER)]


@pytest.fixture
def sync(runs):
    return runs(SYNC)


@pytest.mark.parametrize("dated", KINDS)
def test_a_run_with_older_data_is_skipped_and_does_not_block_later_runs(sync, dated):
    assert sync.run(["a", "b"], day=1).state == "success"
    assert sync.run(["b", "c"], day=7, dated=dated).state == "success"

    older = sync.run(["a", "b"], day=2, dated=dated)
    assert (older.state, older.others) == ("skipped", ["skipped"])
    assert SUPERSEDED in older.printed
    assert (sync.members, sync.events, sync.sent) == ({"b", "c"}, 2, 3)

    assert sync.run(["b", "c", "d"], day=8, dated=dated).state == "success"
    assert sync.members == {"b", "c", "d"}


def test_a_run_with_older_data_fails_or_applies_it_if_on_older_says_so(sync):
    sync.run(["b", "c"], day=7)
    failed = sync.run(["a", "b"], day=1, on_older="fail")
    assert (failed.state, SUPERSEDED in failed.printed) == ("failed", True)
    assert sync.members == {"b", "c"}
    assert sync.run(["a", "b"], day=1, on_older="apply").state == "success"
    assert sync.members == {"a", "b"}


def test_a_repeated_run_with_the_newest_data_changes_nothing(sync):
    for _ in range(2):
        assert sync.run(["b", "c"], day=7).state == "success"
    assert (sync.events, sync.sent) == (1, 1)


def test_a_run_with_a_date_in_the_future_does_not_block_a_later_one(sync):
    assert sync.run(["a"], day=datetime(2036, 1, 1, tzinfo=UTC)).state == "success"
    assert sync.run(["a", "b"], day=datetime.now(UTC)).state == "success"
    assert sync.members == {"a", "b"}


def test_a_refused_run_can_be_repeated_after_a_manual_run_applied_its_approved_plan(sync):
    everybody, few = [f"user{number}" for number in range(200)], ["user1", "user2"]
    assert sync.run(everybody, day=1).state == "success"
    refused = sync.run(few, day=2)
    assert refused.state == "failed"
    (digest,) = set(re.findall(r"^\W*(sha256:[0-9a-f]{64})$", refused.printed, re.MULTILINE))

    # Whatever the source returns then, exactly the approved plan is applied.
    approved = sync.run(everybody, day=2.5, approve=digest)
    assert (approved.state, approved.result["outcome"]) == ("success", "changed"), approved.printed[-3000:]
    # Airflow records who triggered a run since 3.1.
    assert re.search("Approved by ([a-z_]+, who triggered the run, by )?`approve`[.]", approved.printed)
    assert sync.members == set(few)
    repeated = sync.run(few, day=2)
    assert (repeated.state, repeated.result["outcome"]) == ("success", "unchanged")
    assert (sync.members, sync.events) == (set(few), 2)


def test_a_manual_run_can_request_a_replacement(sync, hook):
    sync.run(["a", "b"], day=1)
    hook.update_segment(action="add", name="Trial users", user_ids=["by hand"])
    assert sync.run(["a", "b"], day=2).result["outcome"] == "unchanged"
    assert sync.members == {"a", "b", "by hand"}
    assert sync.run(["a", "b"], day=3, replace=True).result["outcome"] == "changed"
    assert sync.members == {"a", "b"}
    assert sync.run(["a", "b"], day=4, replace=False).result["outcome"] == "unchanged"

"""A ledger that is lost or restored from an older copy is detected; a run without changes emits no event."""

from __future__ import annotations

import pytest

from tests.assets.conftest import AIRFLOW_2
from tests.operators.runs import OPERATOR

LOST = "is not the one that an earlier run left"
LATER = pytest.mark.skipif(AIRFLOW_2, reason="all runs of Airflow 2 have a logical date")


@pytest.mark.parametrize(
    ("options", "undated", "dry"),
    [
        pytest.param("", (), False, id="logical dates"),
        pytest.param("", (0, 1, 2, 3, 4), False, id="no logical dates", marks=LATER),
        pytest.param("", (2, 3, 4), False, id="logical dates before none", marks=LATER),
        pytest.param("", (0, 1), False, id="none before logical dates", marks=LATER),
        pytest.param("do_xcom_push=False", (), False, id="no XComs"),
        pytest.param("", (), True, id="dry run"),
    ],
)
def test_a_lost_or_restored_ledger_of_a_task_is_detected(runs, options, undated, dry):
    sync = runs(OPERATOR.replace("OPTIONS", options))

    def run(people, day, **conf):
        return sync.run(people, day=day, dated=day not in undated, **conf)

    assert run(["a", "b"], 0).state == "success"
    sync.back_up()
    assert run(["a", "b", "c"], 1).state == "success"
    assert run(["a", "b", "c"], 2).state == "success"
    if dry:
        assert run(["a"], 2.1, plan_only=True).result["outcome"] == "planned"
    assert (sync.members, sync.events, sync.sent) == ({"a", "b", "c"}, 2, 2)

    sync.lose()
    lost = run(["a", "b"], 3)
    assert (lost.state, LOST in lost.printed) == ("failed", True)
    sync.restore()
    restored = run(["a", "b"], 4)
    assert (restored.state, LOST in restored.printed) == ("failed", True)
    assert (sync.members, sync.events, sync.sent) == ({"a", "b", "c"}, 2, 2)


TRIED_TWICE = """
import shutil

@task.sync_members(target=TARGET, retries=1, retry_delay=timedelta(0), **ARGUMENTS)
def sync(dag_run=None, ti=None):
    if ti.try_number == 2 and dag_run.conf["lose"]:
        shutil.rmtree(ARGUMENTS["ledger_path"])
    return dag_run.conf["people"]

sync()
"""


@pytest.mark.parametrize("lose", [True, False])
def test_a_lost_ledger_of_a_task_whose_first_try_failed_is_detected(runs, walkme_sandbox, lose):
    sync = runs(TRIED_TWICE)
    walkme_sandbox.fault("walkme.update", "status", status=503, times=3)
    ran = sync.run(["a", "b"], day=0, lose=lose)
    assert (ran.state, LOST in ran.printed) == ("failed" if lose else "success", lose), ran.printed[-3000:]
    assert (sync.members, sync.events) == (set() if lose else {"a", "b"}, not lose)


MAPPED = """
@task
def targets(dag_run=None):
    return [{"vendor": "walkme", "name": name, "create": True} for name in dag_run.conf["names"]]

SyncMembersOperator.partial(source=PEOPLE, **ARGUMENTS).expand(target=targets())
"""


def test_a_lost_ledger_of_mapped_tasks_whose_indexes_shift_is_detected(runs, walkme_sandbox):
    sync = runs(MAPPED)

    def run(names, day):
        ran = sync.run(["a", "b"], day=day, names=names)
        outcomes = [result["outcome"] if result else None for _, result in sorted(ran.results.items())]
        return [state for _, state in sorted(ran.states.items())], outcomes

    assert run(["Trial users", "Paid users"], 0) == (["success"] * 2, ["changed"] * 2)
    assert run(["New users", "Trial users", "Paid users"], 1) == (
        ["success"] * 3,
        ["changed", "unchanged", "unchanged"],
    )
    assert sync.events == 1
    sync.lose()
    assert run(["Other users", "New users", "Trial users"], 2)[0] == ["success", "failed", "failed"]
    assert (sync.events, sync.sent) == (1, 4)


FAILING = """
SyncMembersOperator(
    target=TARGET, source=PEOPLE, max_refused="{{ dag_run.conf.get('max_refused', 0) }}", OPTIONS **ARGUMENTS
)
"""


@pytest.mark.parametrize("options", ["", "do_xcom_push=False,"])
def test_a_change_by_a_run_that_failed_is_reported_once_by_a_later_run(runs, walkme_sandbox, options):
    walkme_sandbox.settings(refused_user_ids=["bad"])
    sync = runs(FAILING.replace("OPTIONS", options))
    assert sync.run(["a", "bad"], day=0).state == "failed"
    assert (sync.members, sync.events) == ({"a"}, 0)
    for day in (1, 2):
        assert sync.run(["a"], day=day).state == "success"
        assert sync.events == 1


@pytest.mark.parametrize("undated", [(), pytest.param((0, 1, 2), marks=LATER)])
def test_a_first_run_without_users_emits_no_event(runs, undated):
    sync = runs(OPERATOR.replace("OPTIONS", "allow_empty=True"))
    for day in (0, 1):
        assert sync.run([], day=day, dated=day not in undated).state == "success"
    assert sync.events == 0
    assert sync.run(["a"], day=2, dated=2 not in undated).state == "success"
    assert sync.events == 1

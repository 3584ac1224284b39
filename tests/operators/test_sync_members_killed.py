"""A sync that Airflow ends at any moment sends no further request."""

from __future__ import annotations

import time
from threading import Thread

import pytest

from airflow_segments_provider.decorators.sync_members import SyncMembersDecoratedOperator
from airflow_segments_provider.errors import Stopped
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.operators.task import context as new_context

PEOPLE = [f"user{number}" for number in range(100)]


@pytest.fixture
def context(connect):
    connect(users_per_request=10)
    return new_context()


@pytest.fixture
def arguments(tmp_path):
    return {
        "task_id": "sync",
        "target": WalkMeSegment("Trial users", create=True),
        "ledger_path": str(tmp_path / "ledger"),
    }


def sent(sandbox):
    counts = sandbox.counts()
    return counts.get("walkme.create", 0) + counts.get("walkme.update", 0)


def test_a_sync_that_is_killed_before_its_execution_sends_no_request(context, arguments, walkme_sandbox):
    sync = SyncMembersOperator(source=PEOPLE, **arguments)
    sync.on_kill()
    with pytest.raises(Stopped):
        sync.execute(context)
    assert walkme_sandbox.counts() == {}


def test_a_sync_that_is_killed_while_its_source_is_read_sends_no_change(context, arguments, walkme_sandbox):
    def source():
        yield from PEOPLE[:50]
        sync.on_kill()
        yield from PEOPLE[50:]

    sync = SyncMembersOperator(source=source(), **arguments)
    with pytest.raises(Stopped):
        sync.execute(context)
    assert sent(walkme_sandbox) == 0


@pytest.mark.parametrize("at", ["return", "yield"])
def test_a_sync_that_is_killed_while_its_function_runs_sends_no_change(context, arguments, walkme_sandbox, at):
    def people():
        sync.on_kill()
        return PEOPLE

    def yielded():
        yield from people()

    function = people if at == "return" else yielded
    sync = SyncMembersDecoratedOperator(python_callable=function, **arguments)
    with pytest.raises(Stopped):
        sync.execute(context)
    assert sent(walkme_sandbox) == 0


def test_a_sync_that_is_killed_while_it_sends_ends_after_the_request_under_way(context, arguments, walkme_sandbox):
    sync = SyncMembersOperator(source=PEOPLE, **arguments)

    def kill():
        while walkme_sandbox.counts().get("walkme.update", 0) < 2:
            time.sleep(0.01)
        sync.on_kill()

    walkme_sandbox.fault("walkme.update", "latency", times=None, seconds=0.3)
    thread = Thread(target=kill, daemon=True)
    thread.start()
    with pytest.raises(Stopped):
        sync.execute(context)
    thread.join()
    requests = walkme_sandbox.counts()["walkme.update"]
    assert requests < 10

    walkme_sandbox.clear_faults()
    context["ti"].try_number = 2
    assert SyncMembersOperator(source=PEOPLE, **arguments).execute(context)["outcome"] == "changed"
    assert walkme_sandbox.members("Trial users") == set(PEOPLE)
    # Acknowledged requests are not repeated; at most the request under way is sent again.
    assert walkme_sandbox.counts()["walkme.update"] - requests <= 10 - requests + 1


def test_a_killed_operator_can_be_executed_again(context, arguments, walkme_sandbox):
    sync = SyncMembersOperator(source=PEOPLE, **arguments)
    sync.on_kill()
    with pytest.raises(Stopped):
        sync.execute(context)
    assert sync.execute(context)["outcome"] == "changed"
    sync.on_kill()  # Too late.
    assert sync.execute(context)["outcome"] == "unchanged"

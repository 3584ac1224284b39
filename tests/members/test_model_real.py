"""The model's schedules with real files, sockets and processes that are killed.

A schedule is named by its seed, as the model's.
"""

from __future__ import annotations

import os
import uuid

import pytest

from tests.conftest import RETRY
from tests.members.model.broken import BROKEN
from tests.members.model.one_run import Order, carry_out
from tests.members.model.real import forked, fresh, run_real_schedule

SCHEDULES, PARTS = 40, 4
SLOW_SCHEDULES = 1_000
FRESH = 5
SLOW_FRESH = 30

pytestmark = [
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture
def run(segments_sandbox, monkeypatch, tmp_path):
    """Run schedules, each with a sandbox and a folder of its own, and tell how many runs were killed."""
    client = segments_sandbox.client

    def connect(seed):
        client.reset()
        client.settings(client_id=f"schedule-{seed}-{uuid.uuid4().hex[:8]}")
        connection = client.connection_json(users_per_request=1 + seed % 5, retry=RETRY)
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", connection)

    def run(seeds, start=forked):
        # Here once, so that a child does not import all of it anew.
        connect(0)
        carry_out(Order(str(tmp_path), 1, ("p000",)))
        killed = 0
        for seed in seeds:
            connect(seed)
            folder = tmp_path / str(seed)
            folder.mkdir()
            try:
                killed += run_real_schedule(seed, client, folder, start).killed
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
        return killed

    return run


@pytest.mark.parametrize("part", range(PARTS))
def test_no_schedule_diverges(run, part):
    """In parts, because several processes share the tests."""
    assert run(range(part, SCHEDULES, PARTS)) > 0


def test_nor_with_a_fresh_interpreter(run):
    assert run(range(FRESH), fresh)


@pytest.mark.slow
def test_nor_does_any_of_many(run):
    assert run(range(SCHEDULES, SCHEDULES + SLOW_SCHEDULES)) > SLOW_SCHEDULES / 4


@pytest.mark.slow
def test_nor_with_many_fresh_interpreters(run):
    assert run(range(FRESH, FRESH + SLOW_FRESH), fresh) > SLOW_FRESH / 4


def test_a_broken_engine_is_caught(run, monkeypatch):
    BROKEN["takes what was begun for done"](monkeypatch)
    with pytest.raises(AssertionError, match=r"^seed \d+: [ABC]"):
        run(range(SCHEDULES))

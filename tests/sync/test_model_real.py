"""The model's schedules with real files, sockets and processes that are killed.

A schedule is identified by its seed, as in the model.
"""

from __future__ import annotations

import os

import pytest

from tests.conftest import RETRY
from tests.sync.model.many_real import Many, run_many

SCHEDULES, PARTS = 8, 4
SLOW_SCHEDULES = 1_000
FRESH = 2
SLOW_FRESH = 30

pytestmark = [
    pytest.mark.timeout(7200),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork"),
]


@pytest.fixture
def run(emptied_segments_sandbox, tmp_path, tell):
    """Run schedules, each with a sandbox and a folder of its own, and report how many runs were killed."""

    def run(seeds, **how):
        killed = run_many(Many(emptied_segments_sandbox.url, tmp_path, RETRY, seeds, **how))
        tell(f"{len(seeds):,} schedules, {killed:,} runs killed, 0 divergences")
        return killed

    return run


@pytest.mark.parametrize("part", range(PARTS))
def test_schedules_with_killed_processes_do_not_diverge_from_the_model(run, part):
    """In parts, because several processes share the tests."""
    assert run(range(part, SCHEDULES, PARTS)) > 0


def test_schedules_with_killed_fresh_interpreters_do_not_diverge_from_the_model(run):
    assert run(range(FRESH), fresh=True)


@pytest.mark.slow
def test_many_schedules_with_killed_processes_do_not_diverge_from_the_model(run):
    assert run(range(SCHEDULES, SCHEDULES + SLOW_SCHEDULES)) > SLOW_SCHEDULES / 4


@pytest.mark.slow
def test_many_schedules_with_killed_fresh_interpreters_do_not_diverge_from_the_model(run):
    assert run(range(FRESH, FRESH + SLOW_FRESH), fresh=True) > SLOW_FRESH / 4


def test_schedules_with_killed_processes_find_a_broken_engine(run):
    with pytest.raises(AssertionError, match=r"^seed \d+: [ABC]"):
        run(range(40), broken="takes what was begun for done")

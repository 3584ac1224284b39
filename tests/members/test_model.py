"""The real engine under random schedules of crashes, lost answers, late requests, incomplete lists and overtaken runs.

A schedule is named by its seed: ``run_schedule(seed, databases())`` repeats it.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import duckdb
import pytest

from tests.members.model.broken import BROKEN
from tests.members.model.one_run import small_database
from tests.members.model.schedule import Diverged, run_schedule

SCHEDULES, LONGEST = 2_000, 2
SLOW_SCHEDULES, SLOW_LONGEST = 20_000, 7
MOST_TO_CATCH = 400


def databases() -> list[duckdb.DuckDBPyConnection]:
    return [small_database() for _ in range(2)]


def run_many(seeds: range, longest: int) -> tuple[int, list[str]]:
    """Run these schedules; return how many runs they had, and what diverged."""
    own, runs, diverged = databases(), 0, []
    for seed in seeds:
        try:
            runs += run_schedule(seed, own, longest=longest)
        except Diverged as error:
            diverged.append(f"seed {seed}: {error}")
    for database in own:
        database.close()
    return runs, diverged


def run_all(count: int, longest: int) -> str:
    parts = [range(start, min(start + 50, count)) for start in range(0, count, 50)]
    # Not forked: the test's own DuckDB threads would not be there in the child.
    runs = 0
    with ProcessPoolExecutor(min(4, os.cpu_count() or 1), mp_context=get_context("spawn")) as pool:
        for had, diverged in pool.map(partial(run_many, longest=longest), parts):
            runs += had
            if diverged:
                pool.shutdown(wait=False, cancel_futures=True)
                pytest.fail("\n".join(diverged[:5]))
    return f"{count:,} schedules, {runs:,} runs, 0 divergences"


@pytest.mark.timeout(1800)
def test_no_schedule_diverges(tell):
    tell(run_all(SCHEDULES, LONGEST))


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_nor_does_any_of_many(tell):
    tell(run_all(SLOW_SCHEDULES, SLOW_LONGEST))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_engine_is_caught(name, monkeypatch):
    BROKEN[name](monkeypatch)
    own = databases()
    for seed in range(MOST_TO_CATCH):
        try:
            run_schedule(seed, own)
        except Diverged:
            return
    pytest.fail(f"an engine that {name} passed {MOST_TO_CATCH} schedules")

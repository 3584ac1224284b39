"""Removal of users from an Alteryx Server group, one per request: concurrent and sequential requests."""

from __future__ import annotations

import json
from statistics import median

from tests.benchmarks.one import measure
from tests.benchmarks.report import Figure, progress, spread
from tests.benchmarks.server import LocalServer

USERS = 2_000
DELAY = 0.020
AT_ONCE = 16
# Twelve times faster.
GOAL = 0.083
ROUNDS = 3


def connection(url: str, concurrency: int) -> dict[str, str]:
    """Return the environment variable with the hook's connection."""
    fields = {"conn_type": "alteryx_server", "host": url, "login": "key", "password": "a-secret-of-the-benchmarks"}
    return {"AIRFLOW_CONN_ALTERYX_BENCH": json.dumps(fields | {"extra": {"max_concurrency": concurrency}})}


def figures() -> list[Figure]:
    """Return the time with 16 requests at once over that with one."""
    progress(
        f"removal: {ROUNDS} rounds of {USERS:,} users, {DELAY * 1000:g} ms a call, {AT_ONCE} at once and one at a time"
    )
    seconds: dict[int, list[float]] = {AT_ONCE: [], 1: []}
    with LocalServer(DELAY) as local:
        for _ in range(ROUNDS):
            for concurrency in seconds:
                found = measure("one_removal", str(USERS), env=connection(local.url, concurrency))
                seconds[concurrency].append(found["seconds"])
                seen = local.seen().segment_requests
                if seen != USERS:
                    raise RuntimeError(f"the server was sent {seen} removals, not {USERS}")
    for concurrency, times in seconds.items():
        progress(f"removal: {concurrency} at once: {spread(times, ' s')}")
    how = (
        f"seconds of AlteryxServerHook.remove_users for {USERS:,} users at {DELAY * 1000:g} ms a call with "
        f"max_concurrency={AT_ONCE}, over those with 1; fresh process each, medians of {ROUNDS}; 0.083: 12 times faster"
    )
    return [Figure("removal_16_to_1", median(seconds[AT_ONCE]) / median(seconds[1]), GOAL, how)]

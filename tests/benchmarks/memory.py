"""Peak memory of a push of a million user IDs, compared with a push of 50,000."""

from __future__ import annotations

from statistics import median

from tests.benchmarks.one import measure
from tests.benchmarks.one_push import connection
from tests.benchmarks.report import Figure, progress, spread
from tests.benchmarks.server import LocalServer

MANY = 1_000_000
FEW = 50_000
GOAL = 1.05
ROUNDS = 3


def figures() -> list[Figure]:
    """Return the peak at a million IDs over that at 50,000."""
    progress(f"memory: {ROUNDS} rounds of {MANY:,} ids and of {FEW:,}, made as they are read, no delay")
    peaks: dict[int, list[float]] = {MANY: [], FEW: []}
    grown: dict[int, list[float]] = {MANY: [], FEW: []}
    with LocalServer(0) as local:
        for _ in range(ROUNDS):
            for count in (MANY, FEW):
                found = measure("one_push", "hook", local.url, str(count), "made", env=connection(local.url))
                peaks[count].append(found["peak_mib"])
                grown[count].append(found["peak_mib"] - found["peak_before_mib"])
    for count in (MANY, FEW):
        progress(
            f"memory: {count:,} ids: {spread(peaks[count], ' MiB', 1)}, of that {spread(grown[count], ' MiB', 1)} more "
            "than before the push"
        )
    how = (
        f"peak resident size of a fresh process that pushes {MANY:,} ids from a generator with "
        f"WalkMeHook.create_segment, Airflow included, over that of one that pushes {FEW:,}; medians of {ROUNDS} each"
    )
    return [Figure("memory_1m_to_50k", median(peaks[MANY]) / median(peaks[FEW]), GOAL, how)]

"""The plan of ten million users against ten million, beside DuckDB's own join of the same files, and of a tenth."""

from __future__ import annotations

import tempfile
from pathlib import Path
from statistics import median

from airflow_segments_provider.sync.workspace import MEMORY_LIMIT
from tests.benchmarks.one import measure
from tests.benchmarks.one_plan import CHANGED, JOIN_MEMORY
from tests.benchmarks.report import Figure, progress, spread

MANY = 10_000_000
FEW = 1_000_000
GOAL = 1.3
PEAK_GOAL = 650
GROWTH_GOAL = 12
ROUNDS = 3


def figures() -> list[Figure]:
    """Return the engine's time over the join's, its peak, and how both grow."""
    progress(
        f"plan: {ROUNDS} rounds of {MANY:,} and {FEW:,} people, one in {CHANGED} new; the join under {JOIN_MEMORY}"
    )
    found: dict[tuple[str, int], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="segments-bench-") as directory:
        for count in (MANY, FEW):
            folder = Path(directory) / str(count)
            folder.mkdir()
            measure("one_plan", "files", str(folder), str(count))
        for number in range(ROUNDS):
            for what in ("engine", "join") if number % 2 else ("join", "engine"):
                for count in (MANY, FEW):
                    folder = Path(directory) / str(count)
                    one = measure("one_plan", what, str(folder), str(count))
                    found.setdefault((what, count), []).append(one)
    for (what, count), runs in found.items():
        seconds, peaks = [one["seconds"] for one in runs], [one["peak_mib"] for one in runs]
        progress(f"plan: {what}, {count:,} people: {spread(seconds, ' s')}, peak {spread(peaks, ' MiB', 0)}")
    engine, join, tenth = found["engine", MANY], found["join", MANY], found["engine", FEW]
    ratios = [one["seconds"] / other["seconds"] for one, other in zip(engine, join, strict=True)]
    growth = [one["seconds"] / other["seconds"] for one, other in zip(engine, tenth, strict=True)]
    how = (
        f"seconds to open a committed state of {MANY:,} people, compare it with a file of {MANY:,} of whom one in "
        f"{CHANGED} is new, count and take the digest, under DuckDB's memory limit of {MEMORY_LIMIT}"
    )
    each = f"fresh process each, medians of {ROUNDS} rounds"
    return [
        Figure(
            "plan_10m_to_join",
            median(ratios),
            GOAL,
            f"{how}; over DuckDB's full join of the same files under {JOIN_MEMORY}; {each}",
        ),
        Figure(
            "plan_10m_peak_mib",
            median(one["peak_mib"] for one in engine),
            PEAK_GOAL,
            f"peak resident size of the same, in MiB; {each}",
        ),
        Figure("plan_10m_to_1m", median(growth), GROWTH_GOAL, f"{how}; over those for {FEW:,}; {each}"),
    ]

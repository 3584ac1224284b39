"""Staging of ten million user IDs from Parquet, CSV and a query, beside the plain reader of each."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from statistics import median

from airflow_segments_provider.sync.workspace import MEMORY_LIMIT
from tests.benchmarks.one import measure
from tests.benchmarks.one_staging import READER_MEMORY
from tests.benchmarks.report import Figure, progress, spread

COUNT = 10_000_000
PEAK_GOAL = 650
ROUNDS = 3
GOALS = {"parquet": 1.5, "csv": 1.5, "query": 1.5}


def figures() -> list[Figure]:
    """Return the engine's time over the reader's, and its peak, for each kind of source."""
    progress(f"staging: {ROUNDS} rounds of {COUNT:,} users from {', '.join(GOALS)}")
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="segments-bench-") as folder:
        connection = {"conn_type": "sqlite", "host": str(Path(folder) / "users.db")}
        os.environ["AIRFLOW_CONN_USERS_DB"] = json.dumps(connection)
        measure("one_staging", "files", "all", folder, str(COUNT))
        for number in range(ROUNDS):
            for kind in GOALS:
                whats = ["engine", "reader"] if kind == "query" else ["engine", "reader", "copy"]
                for what in whats if number % 2 else reversed(whats):
                    one = measure("one_staging", what, kind, folder, str(COUNT))
                    found.setdefault((what, kind), []).append(one)
    result = []
    for kind, goal in GOALS.items():
        engine, reader = found["engine", kind], found["reader", kind]
        for what in ("engine", "reader", "copy"):
            if not (runs := found.get((what, kind))):
                continue
            seconds, peaks = [one["seconds"] for one in runs], [one["peak_mib"] for one in runs]
            progress(f"staging: {what}, {kind}: {spread(seconds, ' s')}, peak {spread(peaks, ' MiB', 0)}")
        plain = "the driver's rows in a table" if kind == "query" else "DuckDB's COPY of the column's distinct values"
        how = (
            f"seconds to stage {COUNT:,} users from a {kind}, checked and without repeats, under DuckDB's memory limit "
            f"of {MEMORY_LIMIT}; over those of {plain} under {READER_MEMORY}; fresh process each, medians of {ROUNDS}"
        )
        ratios = [one["seconds"] / other["seconds"] for one, other in zip(engine, reader, strict=True)]
        result.append(Figure(f"staging_10m_{kind}", median(ratios), goal, how))
        peak = median(one["peak_mib"] for one in engine)
        result.append(Figure(f"staging_10m_{kind}_peak_mib", peak, PEAK_GOAL, "peak resident size of the same, in MiB"))
    return result

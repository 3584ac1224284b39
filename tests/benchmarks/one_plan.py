"""One measurement: the plan of two large files, by the engine or by a bare full join of DuckDB; time and memory.

Arguments: ``files`` (create them), ``engine`` or ``join``; the folder of the files; how many users each has.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import duckdb

from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.manifest import DataFile, State
from airflow_segments_provider.sync.ledger.parquet import file_digest
from airflow_segments_provider.sync.ledger.state import Members
from airflow_segments_provider.sync.plan import Plan, make_plan, write_actions
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.staging import Staged
from airflow_segments_provider.sync.target import Limits, SegmentKey
from airflow_segments_provider.sync.workspace import Workspace
from tests.benchmarks.one_push import peak_mib

CHANGED = 100  # One of this many users leaves, and as many are added.
JOIN_MEMORY = "512MB"
NOW = 1_700_000_000_000
KNOWN = "state/000000000001-00000000-snapshot.parquet"  # as in a ledger


def files(folder: Path, count: int) -> None:
    """Create both files: the owned users, as a ledger stores them, and the wanted users, in another order."""
    (folder / KNOWN).parent.mkdir()
    person = "'person' || lpad(n::VARCHAR, 9, '0') || '@example.com'"
    with duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(folder / "spill")}) as database:
        database.execute(
            f"COPY (SELECT {person} AS id, true AS owned, NULL::BIGINT AS uncertain, NULL::VARCHAR AS pending, "
            "NULL::BIGINT AS rejected, NULL::INTEGER AS size, NULL::VARCHAR AS reason "
            f"FROM range({count}) AS t(n) ORDER BY hash(n)) "
            f"TO '{folder / KNOWN}' (FORMAT parquet, COMPRESSION zstd)"
        )
        first = count // CHANGED
        database.execute(
            f"COPY (SELECT {person} AS id FROM range({first}, {count + first}) AS t(n) ORDER BY hash(n + 1)) "
            f"TO '{folder / 'wanted.parquet'}' (FORMAT parquet, COMPRESSION zstd)"
        )


def engine(folder: Path, count: int) -> tuple[int, int]:
    """Plan as a run does: the state of the last commit, the comparison, the counts and the digest."""
    snapshot = DataFile(name=KNOWN, rows=count, sha256=file_digest(folder / KNOWN))
    key = SegmentKey("walkme", "https://vendor.example", "system", "segment")
    with Workspace() as workspace:
        workspace.run(f"CREATE VIEW wanted AS SELECT id FROM read_parquet('{folder / 'wanted.parquet'}')")
        members = Members(workspace)
        members.load(LocalStore(folder), State(snapshot=snapshot))
        staged = Staged(rows=count, wanted=count, duplicates=0)
        draft = Plan(key, "mirror", 1, NOW)
        plan = make_plan(members, staged, draft, Settings(), Limits(25_000, 25_000, 100), now=NOW)
        plan = write_actions(workspace, plan)
    return plan.counts["add"], plan.counts["remove"]


def join(folder: Path, count: int) -> tuple[int, int]:
    """Run DuckDB's full join of both files, the smallest possible work, in the same memory."""
    settings: dict[str, Any] = {
        "memory_limit": JOIN_MEMORY,
        "temp_directory": str(folder / "spill"),
        "preserve_insertion_order": False,
    }
    with duckdb.connect(config=settings) as database:
        found = database.execute(
            f"""
            SELECT count(*) FILTER (known.id IS NULL), count(*) FILTER (wanted.id IS NULL)
            FROM read_parquet('{folder / "wanted.parquet"}') AS wanted
            FULL JOIN read_parquet('{folder / KNOWN}') AS known USING (id)
            """
        ).fetchone()
    assert found is not None
    return found[0], found[1]


def main(what: str, folder: Path, count: int) -> dict[str, float]:
    """Run the measurement; return the seconds and the peak."""
    if what == "files":
        files(folder, count)
        return {}
    began = time.perf_counter()
    changes = {"engine": engine, "join": join}[what](folder, count)
    seconds = time.perf_counter() - began
    assert changes == (count // CHANGED, count // CHANGED), changes
    return {"seconds": seconds, "peak_mib": peak_mib()}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))))

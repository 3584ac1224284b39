"""One measurement: a first sync of user IDs to the local server by the engine, and then the same again.

Arguments: how many IDs; and, to measure the memory of one run whose IDs are made while they are read, the folder of the
ledger and the number of the run.
"""

from __future__ import annotations

import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.benchmarks.one_push import NAME, peak_mib, people
from tests.benchmarks.server import EXTERNAL_ID


class Clock:
    """The seconds of a run, and of some of its steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return the step with its time measured."""

        def timed(*given: Any) -> Any:
            began = time.perf_counter()
            try:
                return step(*given)
            finally:
                self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began

        return timed


def run(ids: Iterable[str], ledgers: Path, try_number: int) -> dict[str, float]:
    """Run the engine once, as the operator does."""
    from airflow_segments_provider.sync.engine import Sync
    from airflow_segments_provider.sync.ledger.ledger import Ledger
    from airflow_segments_provider.sync.ledger.local_store import LocalStore
    from airflow_segments_provider.sync.ledger.manifest import Writer
    from airflow_segments_provider.sync.settings import Settings
    from airflow_segments_provider.sync.workspace import Workspace
    from airflow_segments_provider.targets.walkme import WalkMeSegment

    clock = Clock()
    target = WalkMeSegment(NAME, external_id=EXTERNAL_ID, walkme_conn_id="walkme_bench").open()
    # The bare loop reads the connection before the clock starts, too.
    target.hook.client.token()
    writer = Writer(token=str(try_number), owner="dag.task", run="run", try_number=try_number)

    def ledger(key: Any) -> Ledger:
        return Ledger(LocalStore(ledgers / key.folder), key.folder, writer, target.limits.request_timeout)

    began = time.perf_counter()
    with Workspace() as workspace:
        sync = Sync(target, ids, ledger, workspace, Settings(first_sync="add", max_added_fraction=None))
        for name in ("stage", "plan"):
            setattr(sync, name, clock(name, getattr(sync, name)))
        done = sync.run()
    clock.seconds["whole"] = time.perf_counter() - began
    return clock.seconds | {"applied": done.counts["applied"], "wanted": done.counts["wanted"]}


def main(count: int) -> dict[str, Any]:
    """Sync twice."""
    import duckdb  # noqa: F401
    import requests  # noqa: F401

    from airflow_segments_provider.hooks.walkme import WalkMeHook
    from airflow_segments_provider.operators.sync import SyncMembersOperator  # noqa: F401

    # Before the clock starts, too: only the changes of members are compared.
    WalkMeHook("walkme_bench").create_segment(NAME, external_id=EXTERNAL_ID)
    ids = list(people(count))
    gc.collect()
    with tempfile.TemporaryDirectory(prefix="segments-bench-") as directory:
        first = run(ids, Path(directory), 1)
        again = run(ids, Path(directory), 2)
    assert first["wanted"] == again["wanted"] == count
    return {"first": first, "again": again, "peak_mib": peak_mib()}


def whole(count: int, ledgers: Path, number: int) -> dict[str, float]:
    """Run once with IDs that are made while they are read."""
    from airflow_segments_provider.hooks.walkme import WalkMeHook

    if number == 1:
        WalkMeHook("walkme_bench").create_segment(NAME, external_id=EXTERNAL_ID)
    found = run(people(count), ledgers, number)
    assert found["wanted"] == count
    return found | {"peak_mib": peak_mib()}


if __name__ == "__main__":
    size = int(sys.argv[1])
    print(json.dumps(whole(size, Path(sys.argv[2]), int(sys.argv[3])) if len(sys.argv) > 2 else main(size)))

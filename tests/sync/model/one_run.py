"""One run of the engine in a process that may be killed, with a ledger in a folder and a WalkMe over a socket.

``python -m tests.sync.model.one_run ORDER.json`` runs it in a fresh interpreter.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.http.transport import Transport
from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import Timing, now_ms
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.workspace import Workspace
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.databases import small_database

SEGMENT = "People on trial"
FAILED = 3


@dataclass(frozen=True)
class Order:
    """The parameters of a process.

    :param folder: The folder of the ledger and of the result.
    :param later: How many milliseconds its clock is ahead.
    :param retry: Retry rejected users at once; otherwise never.
    :param die_at: The step at which it kills itself; 0 for never. A step is before and after each request, each flush
        of a file, and each creation or deletion of a name.
    """

    folder: str
    number: int
    wanted: tuple[str, ...]
    later: int = 0
    keep_days: int = 30
    retry: bool = True
    die_at: int = 0

    @property
    def answer(self) -> Path:
        return Path(self.folder) / "answer.json"


def carry_out(order: Order) -> int:
    """Run; write the result to ``order.answer``, and return the exit status."""
    if order.die_at:
        _become_mortal(order.die_at)
    try:
        answer = _synced(order)
    except SegmentsError as error:
        answer = {"failed": f"{type(error).__name__}: {error}"}
    order.answer.write_text(json.dumps(answer))
    return FAILED if "failed" in answer else 0


def _synced(order: Order) -> Mapping[str, Any]:
    target = WalkMeSegment(SEGMENT, create=True).open()
    timing = Timing(keep=timedelta(days=order.keep_days))
    writer = Writer(token=str(order.number), owner="dag.task", run="run", try_number=order.number)
    settings = Settings(
        retry_rejected_after=timedelta(days=0 if order.retry else 365),
        max_removed_fraction=1,
        max_added_fraction=None,
        allow_empty=True,
        first_sync="add",
    )

    def ledger(key: Any) -> Ledger:
        store = LocalStore(Path(order.folder) / "ledger" / key.folder)
        return Ledger(
            store, key.folder, writer, target.limits.request_timeout, timing, clock=lambda: now_ms() + order.later
        )

    with closing(small_database()) as database, Workspace(database=database) as workspace:
        done = Sync(target, order.wanted, ledger, workspace, settings).run()
        refused = [person for (person,) in workspace.rows("SELECT id FROM known WHERE rejected IS NOT NULL")]
    return {"outcome": done.outcome, "counts": done.counts, "refused": refused}


def _become_mortal(die_at: int) -> None:
    """Let this process kill itself with SIGKILL at a step; only for a process without other tasks."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        if steps == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def stepping(work: Callable[..., Any]) -> Callable[..., Any]:
        def work_between_steps(*given: Any, **named: Any) -> Any:
            step()
            done = work(*given, **named)
            step()
            return done

        return work_between_steps

    Transport.send = stepping(Transport.send)  # type: ignore[method-assign]
    os.fsync = stepping(os.fsync)
    os.link = stepping(os.link)
    os.unlink = stepping(os.unlink)


def as_json(order: Order) -> str:
    return json.dumps(asdict(order))


if __name__ == "__main__":
    sys.exit(carry_out(Order(**json.loads(Path(sys.argv[1]).read_text()))))

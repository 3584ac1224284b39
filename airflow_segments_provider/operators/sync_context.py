"""What a sync takes from Airflow: who writes to the ledger, and which time the data represents."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import conf

from airflow_segments_provider.members.ledger.timing import now_ms

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.members.ledger.ledger import Ledger
    from airflow_segments_provider.members.ledger.timing import Timing
    from airflow_segments_provider.members.target import SegmentKey, Target

# The types of the runs that a timetable creates, as Airflow 2.11 and 3 name them.
_AUTOMATED = ("scheduled", "backfill")
# What Airflow's default pattern for run IDs permits.
_PLAIN = "~:+"


def previews_only() -> bool:
    """Return whether ``[segments] plan_only`` makes every sync of this deployment a preview."""
    return bool(conf.getboolean("segments", "plan_only", fallback=False))


def ledger_of(context: Context, target: Target, key: SegmentKey, path: str | None, timing: Timing) -> Ledger:
    """Return the ledger of a segment, written by this task instance.

    :param path: in place of ``[segments] ledger_path``.
    """
    from airflow_segments_provider.members.ledger.ledger import Ledger
    from airflow_segments_provider.members.ledger.manifest import Writer
    from airflow_segments_provider.members.ledger.places import ledger_path, open_store
    from airflow_segments_provider.operators.ledger_variable import LedgerVariable

    ti = context["ti"]
    writer = Writer(
        token=uuid.uuid4().hex,
        owner=f"{ti.dag_id}.{ti.task_id}",
        run=f"{ti.dag_id}/{quote(ti.run_id, safe=_PLAIN)}/{ti.task_id}/{ti.map_index}",
        try_number=ti.try_number,
    )
    return Ledger(
        open_store(path or ledger_path(), key.folder),
        key.folder,
        writer,
        target.limits.request_timeout,
        timing,
        witness=LedgerVariable(key.folder),
    )


def approver(context: Context) -> str:
    """Return who approves a plan by the argument ``approve``, as far as Airflow records it."""
    user = getattr(context.get("dag_run"), "triggering_user_name", None)
    return f"{user}, who triggered the run, by `approve`" if user else "`approve`"


def as_of(context: Context) -> int | None:
    """Return the time that the data of a run represents, in milliseconds since 1970, and never later than now.

    It orders the runs of one segment, in whatever order they are executed:

    - Scheduled runs and backfills: the end of the data interval. Only then is the data of the interval complete.
    - Other runs with a logical date: that date. Airflow gives a manual run an interval that ends when the run is
      created, also where the user asked for a date in the past. On Airflow 2.11 this includes runs that a dataset
      triggered; their logical date is the time of the event.
    - Runs without a logical date: the date of the partition, else the time from which the run may start. These remain
      the same when the run is cleared a week later.

    Later than now would be wrong: one run with a date in the year 2036 would make all other runs look outdated.

    :return: None outside of a DAG run, for example in a unit test.
    """
    run: Any = context.get("dag_run")
    moment: Any = context.get("logical_date")
    if getattr(run, "run_type", None) in _AUTOMATED:
        moment = context.get("data_interval_end") or moment
    moment = moment or getattr(run, "partition_date", None) or getattr(run, "run_after", None)
    return min(int(moment.timestamp() * 1000), now_ms()) if moment else None

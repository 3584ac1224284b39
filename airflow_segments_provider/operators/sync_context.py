"""What a sync takes from the task instance that runs it: who writes, which data it shows, what earlier runs left."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import conf

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_segments_provider.members.ledger.ledger import Ledger
    from airflow_segments_provider.members.ledger.timing import Timing
    from airflow_segments_provider.members.sync import Synced
    from airflow_segments_provider.members.target import SegmentKey, Target

# The XCom that tells later runs how this one left the ledger.
WITNESS = "ledger"


def previews_only() -> bool:
    """Whether ``[segments] plan_only`` makes every sync of this deployment a preview."""
    return bool(conf.getboolean("segments", "plan_only", fallback=False))


def ledger_of(context: Context, target: Target, key: SegmentKey, path: str | None, timing: Timing) -> Ledger:
    """The ledger of a segment, written by this task instance.

    :param path: in place of ``[segments] ledger_path``.
    """
    from airflow_segments_provider.members.ledger.ledger import Ledger
    from airflow_segments_provider.members.ledger.manifest import Writer
    from airflow_segments_provider.members.ledger.places import ledger_path, open_store

    ti = context["ti"]
    writer = Writer(
        token=uuid.uuid4().hex,
        owner=f"{ti.dag_id}.{ti.task_id}",
        run=f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}",
        try_number=ti.try_number,
    )
    return Ledger(
        open_store(path or ledger_path(), key.folder),
        key.folder,
        writer,
        target.limits.request_timeout,
        timing,
        witness=_witness(context, key.folder),
    )


def interval_end(context: Context) -> int | None:
    """The end of the data interval in milliseconds; a run that was started by hand has none on newer versions."""
    end = context.get("data_interval_end")
    return int(end.timestamp() * 1000) if end else None


def is_news(context: Context, result: Mapping[str, Any]) -> bool:
    """Whether the segment has changed since a run of this task last succeeded.

    An earlier try may have changed it and then failed: Airflow records the events of tasks that succeed.
    """
    if result["outcome"] != "unchanged":
        return bool(result["outcome"] == "changed")
    succeeded = _told_before(context, "return_value")
    if succeeded and succeeded.get("segment") == result["segment"] and succeeded.get("changed_in"):
        return bool(succeeded["changed_in"] < result["changed_in"])
    return context["ti"].try_number > 1 or _told_before(context, WITNESS) is not None


def _witness(context: Context, folder: str) -> tuple[int, str] | None:
    """What the newest earlier run of this task said of the ledger; it is kept where the ledger is not.

    That of a mapped task may have been about another segment.
    """
    found = _told_before(context, WITNESS)
    return (int(found["generation"]), str(found["digest"])) if found and found.get("folder") == folder else None


def _told_before(context: Context, key: str) -> Mapping[str, Any] | None:
    """An XCom of the newest earlier run of this task that has it."""
    ti = context["ti"]
    found: Any = ti.xcom_pull(
        task_ids=ti.task_id, key=key, include_prior_dates=True, map_indexes=ti.map_index, default=None
    )
    found = found[0] if isinstance(found, (list, tuple)) and found else found
    return found if isinstance(found, Mapping) else None


def keep_witness(context: Context, synced: Synced) -> None:
    """Tell later runs how this one left the ledger."""
    if synced.witness:
        generation, digest = synced.witness
        value = {"folder": synced.plan.key.folder, "generation": generation, "digest": digest}
        context["ti"].xcom_push(key=WITNESS, value=value)

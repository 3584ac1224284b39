"""What a sync tells: its progress in the log, and its result."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import SyncIncomplete

if TYPE_CHECKING:
    from airflow_segments_provider.members.apply import Progress
    from airflow_segments_provider.members.sync import Synced

# Seconds between two lines of progress.
PROGRESS_EVERY = 5.0


def progress_log(log: Any) -> Callable[[Progress], None]:
    """Say every few seconds how far a run is, how fast, and how much longer it takes.

    :param log: an operator's; its class differs between Airflow versions.
    """
    began = said = time.monotonic()

    def tell(progress: Progress) -> None:
        nonlocal said
        now = time.monotonic()
        if progress.done < progress.total and now - said < PROGRESS_EVERY:
            return
        said, rate = now, progress.done / max(now - began, 0.001)
        log.info(
            "%s of %s people sent, %s a second, about %d s left.",
            f"{progress.done:,}",
            f"{progress.total:,}",
            f"{rate:,.0f}",
            (progress.total - progress.done) / rate if rate else 0.0,
        )

    return tell


def log_result(log: Any, synced: Synced) -> None:
    """Say what came of a run."""
    plan, counts = synced.plan, synced.counts
    if synced.outcome == "planned":
        said = "; it would be refused: " + "; ".join(synced.breaches) if synced.breaches else ""
        log.info("Only planned, nothing was sent%s.", said)
    else:
        log.info(
            "%s is in sync: %s people wanted, %s changes applied, %s refused.",
            plan.key,
            f"{counts['wanted']:,}",
            f"{counts['applied']:,}",
            f"{counts['rejected']:,}",
        )
    for reason, count in {**plan.invalid, **synced.rejected}.items():
        log.warning("People left out, %s: %s.", reason, f"{count:,}")
    for notice in synced.notices:
        log.warning("%s", notice)
    if synced.report:
        log.info("The plan, and the rows that were left out, are written down in %s.", synced.report)


def result(synced: Synced) -> dict[str, Any]:
    """The task's result; see the operator."""
    key = synced.plan.key
    return {
        "vendor": key.vendor,
        "system": key.system,
        "segment": key.segment,
        "outcome": synced.outcome,
        "counts": synced.counts,
        "rejected": synced.rejected,
        "invalid": synced.plan.invalid,
        "digest": synced.plan.digest,
        "breaches": list(synced.breaches),
        "changed_in": synced.changed_in,
        "report": synced.report,
        "changed_at": synced.changed_at and datetime.fromtimestamp(synced.changed_at / 1000, UTC).isoformat(),
    }


def check_complete(synced: Synced, *, max_invalid: int | None, max_refused: int | None) -> None:
    """Nobody was left out beyond what is allowed.

    :raises SyncIncomplete: somebody was.
    """
    counts = synced.counts
    invalid, refused = counts["invalid"], sum(counts.get(kind, 0) for kind in ("rejected", "waiting", "deferred"))
    problems = []
    if max_invalid is not None and invalid > max_invalid:
        problems.append(f"{invalid:,} rows of the source are invalid, the limit is {max_invalid:,} (`max_invalid`)")
    if max_refused is not None and refused > max_refused:
        problems.append(f"{refused:,} people were refused by the vendor, the limit is {max_refused:,} (`max_refused`)")
    if problems:
        raise SyncIncomplete(
            f"{synced.plan.key} is in sync but for some: {'; '.join(problems)}. The others were sent, and that is "
            "written down. Correct the source, or raise the limit."
        )

"""``ledger list``: a line for each segment."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_segments_provider.cli.ledger.ledgers import KeptLedger
from airflow_segments_provider.errors import LedgerBusy, LedgerError
from airflow_segments_provider.sync.ledger.lease import moment, read_release
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.workspace import Workspace

COLUMNS = (
    "segment",
    "generation",
    "data as of",
    "owned",
    "uncertain",
    "rejected",
    "task",
    "under way",
    "replacement",
)
NUMBERS = frozenset({"generation", "owned", "uncertain", "rejected"})
NOTHING = "-"
UNSETTLED = "a request of unknown outcome has to settle"


def overview(ledgers: Sequence[KeptLedger]) -> tuple[int, list[str]]:
    """Return a table; status 1 where one of them cannot be read."""
    rows, damaged = list[Sequence[str]]([COLUMNS]), list[str]()
    for kept in ledgers:
        try:
            rows.append(_row(kept))
        except LedgerError as error:
            damaged.append(f"{kept.folder}: {error}")
    return (1 if damaged else 0), [*_aligned(rows), *damaged]


def known_counts(workspace: Workspace) -> tuple[int, int, int]:
    """Return how many users of the view ``known`` are owned, uncertain, and rejected."""
    owned, uncertain, rejected = workspace.one(
        "SELECT count(*) FILTER (owned), count(uncertain), count(rejected) FROM known"
    )
    return owned, uncertain, rejected


def under_way(ledger: Ledger) -> str:
    """Return since when a run is sending, or that one was interrupted; empty for neither.

    :param ledger: one that was looked at.
    """
    manifest = ledger.head.manifest
    if manifest is None or manifest.intent is None:
        return ""
    begun = moment(manifest.written_at)
    try:
        ledger.check_free()
    except LedgerBusy:
        return f"since {begun}"
    return f"interrupted, begun {begun}"


def replacement(ledger: Ledger) -> str:
    """Return whether a replacement is pending, and what it waits for; empty for neither.

    :param ledger: one that was looked at.
    """
    pending = "pending" if ledger.state.replacement is not None else ""
    sent = ledger.state.replacement_sent
    waits = ""
    if sent is not None and (until := sent + ledger.settling) > ledger.clock():
        waits = f"{UNSETTLED} until {moment(until)}"
    elif pending and _is_unanswered(ledger):
        waits = UNSETTLED
    return ", ".join(part for part in (pending, waits) if part)


def _is_unanswered(ledger: Ledger) -> bool:
    """Whether the newest intent can have sent a replacing request that is not acknowledged."""
    if ledger.head.intent is None or not ledger.head.intent.replacing:
        return False
    released = read_release(ledger.store, ledger.head.generation)
    return released is None or released.replacing


def _row(kept: KeptLedger) -> tuple[str, ...]:
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
        counts = [f"{count:,}" for count in known_counts(workspace)]
    manifest, as_of = ledger.head.manifest, ledger.state.as_of
    return (
        kept.folder,
        str(ledger.head.generation),
        NOTHING if as_of is None else moment(as_of),
        *counts,
        (manifest and manifest.writer.owner) or NOTHING,
        under_way(ledger) or NOTHING,
        replacement(ledger) or NOTHING,
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join(
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]

"""``ledger list``: a line for each segment."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members.ledger.lease import moment
from airflow_segments_provider.members.workspace import Workspace

COLUMNS = ("segment", "generation", "committed", "members", "in doubt", "refused", "kept by", "under way")
NEVER = "-"


def overview(ledgers: Sequence[KeptLedger]) -> tuple[int, list[str]]:
    """A table; status 1 where one of them cannot be read."""
    rows, damaged = list[Sequence[str]]([COLUMNS]), list[str]()
    for kept in ledgers:
        try:
            rows.append(_row(kept))
        except LedgerError as error:
            damaged.append(f"{kept.folder}: {error}")
    return (1 if damaged else 0), [*_aligned(rows), *damaged]


def known_counts(workspace: Workspace) -> tuple[int, int, int]:
    """How many are vouched for, in doubt, and refused, of the table ``known``."""
    vouched, doubt, rejected = workspace.one(
        "SELECT count(*) FILTER (vouched), count(doubt), count(rejected) FROM known"
    )
    return vouched, doubt, rejected


def _row(kept: KeptLedger) -> tuple[str, ...]:
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
        counts = [f"{count:,}" for count in known_counts(workspace)]
    history = ledger.history
    committed = moment(history.committed.written_at) if history.committed else NEVER
    owner = history.newest.writer.owner if history.newest else NEVER
    under_way = f"since {moment(history.open[0].written_at)}" if history.open else NEVER
    return (kept.folder, str(history.generation), committed, *counts, owner, under_way)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    numbers = {COLUMNS.index(name) for name in ("generation", "members", "in doubt", "refused")}
    return [
        "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]

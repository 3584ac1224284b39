"""``ledger export``: the users that a ledger has, as CSV. These are people's IDs."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import IO

from airflow_segments_provider.cli.ledger.ledgers import KeptLedger
from airflow_segments_provider.errors import InvalidInput, LedgerUnavailable
from airflow_segments_provider.sources.ids import INVISIBLE
from airflow_segments_provider.sync.ledger.lease import moment
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.workspace import Workspace

COLUMNS = ("id", "owned", "uncertain", "pending", "rejected", "reason")
FETCHED_AT_ONCE = 25_000
# What begins a formula, also in full width, after white space and quotes that a spreadsheet drops.
_FORMULA = re.compile(rf"[\s\"{INVISIBLE}]*['=+\-@|%\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def export(ledger: KeptLedger, into: Path | IO[str]) -> str:
    """Write each user, by ID; times are UTC, and what was begun and not committed is accounted for.

    :param into: a file, which only its owner may then read, or an open one.
    :return: how many there were, as a sentence.
    :raises InvalidInput: the file cannot be written.
    :raises LedgerError: the ledger is damaged.
    """
    with Workspace() as workspace:
        ledger.ledger().look(workspace)
        if not isinstance(into, Path):
            rows = _write(workspace, into)
        else:
            path = workspace.folder / "export.csv"
            with workspace.writing(), path.open("w", encoding="utf-8", newline="") as file:
                rows = _write(workspace, file)
            _publish(path, into)
    return f"{rows:,} users of {ledger.folder} written to {into}."


def escaped(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula: an apostrophe before it says that it is text."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unescaped(cell: str) -> str | None:
    """Return the text of a cell of :func:`escaped`; None where its apostrophe may be a part of the text."""
    text = cell.removeprefix("'")
    return text if cell in (text, escaped(text)) else None


def _publish(path: Path, into: Path) -> None:
    """Copy a file that only its owner may read to that name, whole or not at all."""
    if not into.parent.is_dir() or (into.exists() and not into.is_file()):
        raise InvalidInput(f"{into} cannot be written: it is not a file in a folder that exists.")
    try:
        LocalStore(into.parent).put(into.name, path)
    except LedgerUnavailable as error:
        reason = type(error.__cause__).__name__
        raise InvalidInput(f"{into} cannot be written ({reason}). What was there before is unchanged.") from None


def _write(workspace: Workspace, file: IO[str]) -> int:
    csv.writer(file, lineterminator="\n").writerow(COLUMNS)
    # In quotes, a cell stays one where another character separates columns.
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    written = 0
    for rows in workspace.stream(f"SELECT {', '.join(COLUMNS)} FROM known ORDER BY id", FETCHED_AT_ONCE):  # noqa: S608  # columns of our own
        writer.writerows(
            (
                escaped(user),
                "true" if owned else "false",
                uncertain and moment(uncertain),
                pending,
                rejected and moment(rejected),
                escaped(reason or ""),
            )
            for user, owned, uncertain, pending, rejected, reason in rows
        )
        written += len(rows)
    return written

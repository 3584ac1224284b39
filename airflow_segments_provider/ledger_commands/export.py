"""``ledger export``: the users that a ledger has, as CSV. These are people's IDs."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import IO

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members.ledger.lease import moment
from airflow_segments_provider.members.workspace import Workspace

COLUMNS = ("id", "owned", "uncertain", "pending", "rejected", "reason")
FETCHED_AT_ONCE = 25_000


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
            with _private(into) as file:
                rows = _write(workspace, file)
    return f"{rows:,} users of {ledger.folder} written to {into}."


def _private(path: Path) -> IO[str]:
    """Make a new file of that name that only its owner may read."""
    try:
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written ({type(error).__name__}).") from None
    return os.fdopen(descriptor, "w", encoding="utf-8", newline="")


def _write(workspace: Workspace, file: IO[str]) -> int:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    written = 0
    for rows in workspace.stream(f"SELECT {', '.join(COLUMNS)} FROM known ORDER BY id", FETCHED_AT_ONCE):  # noqa: S608  # columns of our own
        writer.writerows(
            (
                user,
                "true" if owned else "false",
                uncertain and moment(uncertain),
                pending,
                rejected and moment(rejected),
                reason,
            )
            for user, owned, uncertain, pending, rejected, reason in rows
        )
        written += len(rows)
    return written

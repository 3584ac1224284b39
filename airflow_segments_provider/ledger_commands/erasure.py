"""``ledger erase-person``: deletes users from every file of the ledgers, and searches the files that are left."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from airflow_segments_provider.errors import InvalidInput, LedgerError
from airflow_segments_provider.ledger_commands.arguments import DECLINED, DONE
from airflow_segments_provider.ledger_commands.holding import files_holding
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members.ledger import retention
from airflow_segments_provider.members.ledger.history import read_head
from airflow_segments_provider.members.ledger.timing import milliseconds, now_ms
from airflow_segments_provider.members.workspace import Workspace, remove_leftovers

OUTSIDE = (
    "Copies elsewhere (backups, older versions that an object store keeps, exports, what killed runs left on other "
    "machines) are not touched."
)

MEMBERS = (
    "Take them out of the source, run the task, and erase them then. With --anyway they stay in the segment, and no "
    "sync will remove them."
)

NOTHING_KNOWN = (
    "SELECT unnest(?::VARCHAR[]) AS id, false AS owned, NULL AS uncertain, NULL AS pending, NULL AS rejected, "
    "NULL AS size, NULL AS reason"
)


def given_ids(named: Sequence[str], from_file: str | None) -> list[str]:
    """Return the IDs of a command line and a file, without the spaces around them, each once.

    :param from_file: ``-`` for the standard input.
    :raises InvalidInput: there are none, or the file cannot be read.
    """
    lines = list(named)
    if from_file is not None:
        try:
            text = sys.stdin.read() if from_file == "-" else Path(from_file).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{from_file} cannot be read ({type(error).__name__}).") from None
        lines += text.split("\n")
    ids = list(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not ids:
        raise InvalidInput("No id was given.")
    return ids


def erase(ledgers: Sequence[KeptLedger], ids: Sequence[str], *, anyway: bool) -> tuple[int, list[str]]:
    """Delete these users from the ledgers that contain them anywhere.

    :param anyway: also where the segment may hold them.
    :raises LedgerBusy: a run holds one of the ledgers; those before it are done.
    :raises LedgerError: one is damaged, or a file still contains them.
    """
    _delete_leftovers(ledgers)
    concerned = [kept for kept in ledgers if files_holding(kept.store, ids)]
    if not concerned:
        return DONE, [f"None of {_ledgers(len(ledgers))} contains them."]
    members = [line for kept in concerned if (line := _members(kept, ids))]
    if members and not anyway:
        return DECLINED, ["No user was erased, because segments may hold some of them:", *members, MEMBERS]
    for kept in concerned:
        _erase(kept, ids)
    erased = [f"{kept.folder}: erased, and every file that is left was searched." for kept in concerned]
    return DONE, [*erased, OUTSIDE]


def _delete_leftovers(ledgers: Sequence[KeptLedger]) -> None:
    """Delete what killed runs left half written, and their working directories: no list of files shows either."""
    # The clock of a file server may be ahead.
    before = now_ms() + milliseconds(timedelta(days=1))
    for kept in ledgers:
        kept.store.delete_unfinished(before)
    remove_leftovers()


def _members(kept: KeptLedger, ids: Sequence[str]) -> str:
    """Return how many of them the segment may hold, as a line; empty for none."""
    with Workspace() as workspace:
        kept.ledger().look(workspace)
        owned, uncertain = workspace.one(
            "SELECT count(*) FILTER (owned), count(*) FILTER (NOT owned AND uncertain IS NOT NULL) FROM known "
            "WHERE id IN (SELECT unnest(?::VARCHAR[]))",
            [list(ids)],
        )
    return f"{kept.folder}: {owned:,} owned, {uncertain:,} uncertain." if owned or uncertain else ""


def _erase(kept: KeptLedger, ids: Sequence[str]) -> None:
    if manifest := read_head(kept.store, kept.folder).manifest:
        ledger = kept.ledger(manifest.writer.owner)
        with Workspace() as workspace:
            # What acknowledgements and notes say is part of the members from here on: their files can go.
            members = ledger.open(workspace, as_of=ledger.clock(), any_age=True)
            members.put(NOTHING_KNOWN, [list(ids)])
            ledger.rewrite(members, counts={"erased": len(ids)})
        retention.delete_replaced(kept.store, ledger.head, now=ledger.clock())
    else:
        # Nothing was ever begun: plans and reports of a first sync are all there is.
        for folder in kept.store.folders(""):
            if folder != retention.FORGOTTEN:
                kept.store.delete_folder(folder)
    if left := files_holding(kept.store, ids):
        raise LedgerError(
            f"{len(left)} files of {kept.folder} still contain them, or cannot be read, such as {left[0]}: another run "
            "wrote meanwhile, or the file could not be deleted. Run the command again."
        )


def _ledgers(count: int) -> str:
    return "1 ledger" if count == 1 else f"{count:,} ledgers"

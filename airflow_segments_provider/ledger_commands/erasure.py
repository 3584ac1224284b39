"""``ledger erase-person``: deletes people from every file of the ledgers, and looks whether they are gone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from airflow_segments_provider.errors import InvalidInput, LedgerError
from airflow_segments_provider.ledger_commands.arguments import DECLINED, DONE
from airflow_segments_provider.ledger_commands.holding import files_holding
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members.ledger import retention, state
from airflow_segments_provider.members.ledger.history import newest_generation
from airflow_segments_provider.members.workspace import Workspace

OUTSIDE = "Copies elsewhere (backups, older versions that an object store keeps, exports) are not touched."

MEMBERS = (
    "Take them out of the source, run the task, and erase them then. With --anyway they stay in the segment, and "
    "nobody will remove them."
)


def given_ids(named: Sequence[str], from_file: str | None) -> list[str]:
    """The ids of a command line and a file, without the spaces around them, each once.

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
    """Delete these people from the ledgers that name them anywhere.

    :param anyway: also where the segment may hold them.
    :raises LedgerBusy: a run holds one of the ledgers; those before it are done.
    :raises LedgerError: one is damaged, or a file still names them.
    """
    concerned = [kept for kept in ledgers if files_holding(kept.store, ids)]
    if not concerned:
        return DONE, [f"None of {_ledgers(len(ledgers))} names them."]
    members = [line for kept in concerned if (line := _members(kept, ids))]
    if members and not anyway:
        return DECLINED, ["Nobody was erased, because segments may hold some of them:", *members, MEMBERS]
    for kept in concerned:
        _erase(kept, ids)
    erased = [f"{kept.folder}: erased, and looked for in every file that is left." for kept in concerned]
    return DONE, [*erased, OUTSIDE]


def _members(kept: KeptLedger, ids: Sequence[str]) -> str:
    """How many of them the segment may hold, as a line."""
    with Workspace() as workspace:
        kept.ledger().look(workspace)
        vouched, doubt = workspace.one(
            "SELECT count(*) FILTER (vouched), count(*) FILTER (NOT vouched AND doubt IS NOT NULL) FROM known "
            "WHERE id IN (SELECT unnest(?::VARCHAR[]))",
            [list(ids)],
        )
    return f"{kept.folder}: {vouched:,} vouched for, {doubt:,} in doubt." if vouched or doubt else ""


def _erase(kept: KeptLedger, ids: Sequence[str]) -> None:
    if newest_generation(kept.store):
        ledger = kept.ledger(kept.owner())
        with Workspace() as workspace:
            ledger.open(workspace)
            erased = (
                "SELECT unnest(?::VARCHAR[]) AS id, false AS vouched, NULL AS doubt, NULL AS rejected, NULL AS reason"
            )
            state.replace(workspace, erased, [list(ids)])
            ledger.rewrite(workspace, counts={"erased": len(ids)})
        retention.delete_replaced(kept.store, ledger.history, now=ledger.clock())
    else:
        # Nothing was ever begun: plans and reports of a first sync are all there is.
        for folder in kept.store.folders(""):
            kept.store.delete_folder(folder)
    if left := files_holding(kept.store, ids):
        raise LedgerError(
            f"{len(left)} files of {kept.folder} still name them, such as {left[0]}: another run wrote meanwhile, or "
            "they cannot be read. Run the command again."
        )


def _ledgers(count: int) -> str:
    return "1 ledger" if count == 1 else f"{count:,} ledgers"

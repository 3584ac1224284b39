"""``ledger approve`` and ``ledger forget``: decisions that only a person takes."""

from __future__ import annotations

import re

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.ledger_commands.arguments import DECLINED, DONE
from airflow_segments_provider.ledger_commands.details import can_be_approved
from airflow_segments_provider.ledger_commands.ledgers import KeptLedger
from airflow_segments_provider.members import approvals
from airflow_segments_provider.members.ledger import retention
from airflow_segments_provider.members.ledger.history import Head, read_head
from airflow_segments_provider.members.workspace import Workspace

_DIGEST = re.compile("(sha256:)?[0-9a-f]{8,64}")


def approve(kept: KeptLedger, digest: str) -> tuple[int, list[str]]:
    """Let the next run apply a refused plan.

    :param digest: the plan's, or its first 8 hexadecimal digits or more.
    :raises LedgerError: the ledger is damaged.
    """
    if not _DIGEST.fullmatch(digest):
        return DECLINED, [f"{digest!r} is no digest of a plan, nor the first 8 digits of one or more."]
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
    digits = digest.removeprefix("sha256:")
    plans = [stored.plan for stored in approvals.kept(kept.store)]
    matching = [plan for plan in plans if plan.digest.removeprefix("sha256:").startswith(digits)]
    current = [plan for plan in matching if can_be_approved(ledger, plan.generation, plan.notes)]
    if len(current) == 1:
        approvals.approve(ledger, current[0].digest)
        return DONE, [f"The next run of {kept.folder} applies the plan {current[0].digest}, once."]
    if current:
        return DECLINED, [f"{len(current)} refused plans begin with {digits}: give more of its digits."]
    if matching:
        since = "" if matching[-1].generation != ledger.head.generation else ", with a later note of a late request"
        said = (
            f"The plan {matching[-1].digest} is of generation {matching[-1].generation}, and the ledger is at "
            f"{ledger.head.generation}{since}: what it would do is no longer true. Run the task again, and approve the "
            "new plan."
        )
        return DECLINED, [said]
    return DECLINED, [f"No refused plan of {kept.folder} begins with {digits}; `ledger show` names those there are."]


def forget(kept: KeptLedger, *, yes: bool) -> tuple[int, list[str]]:
    """Delete a ledger, also one that is damaged or lost.

    :raises LedgerBusy: a run holds it.
    """
    if not yes:
        said = (
            f"This would delete all that is stored of {kept.folder}. The segment keeps its members, but no ledger will "
            "say which of them the source added: the next run is a first sync. Add --yes if that is meant."
        )
        return DECLINED, [said]
    ledger = kept.ledger()
    ledger.head = _readable_head(kept)
    ledger.check_free()
    retention.forget(kept.store)
    return DONE, [f"{kept.folder} is forgotten; its next run is a first sync."]


def _readable_head(kept: KeptLedger) -> Head:
    """Read the newest generation; a damaged one is why ledgers are forgotten, and counts as none."""
    try:
        return read_head(kept.store, kept.folder)
    except LedgerError:
        return Head()

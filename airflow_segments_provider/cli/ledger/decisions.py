"""``ledger approve``, ``withdraw``, ``approvals`` and ``forget``: decisions that only a person takes."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Sequence

from airflow_segments_provider.cli.ledger.arguments import DECLINED, DONE
from airflow_segments_provider.cli.ledger.ledgers import KeptLedger, can_be_approved
from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger import retention
from airflow_segments_provider.sync.ledger.history import Head, read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import Plan
from airflow_segments_provider.sync.workspace import Workspace

_DIGEST = re.compile("(sha256:)?[0-9a-f]{8,64}")


def approve(kept: KeptLedger, digest: str, by: str | None) -> tuple[int, list[str]]:
    """Let the next run apply a refused plan.

    :param digest: the plan's, or its first 8 hexadecimal digits or more.
    :param by: who approves it; None for the user of the operating system.
    :raises LedgerError: the ledger is damaged.
    """
    ledger, plan, problem = _refused_plan(kept, digest)
    if plan is None:
        return DECLINED, [problem]
    approval = approvals.approve(ledger, plan.digest, by or _user())
    said = f"The next run of {kept.folder} applies the plan {plan.digest}, once."
    return DONE, [f"{said} Approved by {approval.by} at {moment(approval.at)}."]


def withdraw(kept: KeptLedger, digest: str, by: str | None) -> tuple[int, list[str]]:
    """Let no run apply a plan, also not by its argument ``approve``, until it is approved again.

    The parameters and errors are those of :func:`approve`.
    """
    ledger, plan, problem = _refused_plan(kept, digest)
    if plan is None:
        return DECLINED, [problem]
    ended = approvals.withdraw(ledger, plan.digest, by or _user())
    if ended.withdrawn:
        said = f"No run of {kept.folder} applies the plan {plan.digest}, unless it is approved again."
        return DONE, [f"{said} Withdrawn by {ended.by} at {moment(ended.at)}."]
    return DECLINED, [
        f"The run {ended.by} began to apply the plan {plan.digest} at {moment(ended.at)}: it is too late."
    ]


def approvals_of(ledgers: Sequence[KeptLedger]) -> tuple[int, list[str]]:
    """Return the approvals of ledgers, a line each; status 1 where some cannot be read."""
    lines, damaged = list[str](), list[str]()
    for kept in ledgers:
        try:
            lines += _approvals(kept)
        except LedgerError as error:
            damaged.append(f"{kept.folder}: {error}")
    return (DECLINED if damaged else DONE), [*(lines or ["No plan is approved."]), *damaged]


def _approvals(kept: KeptLedger) -> list[str]:
    lines, plans = list[str](), {stored.plan.digest: stored.plan for stored in approvals.kept(kept.store)}
    ledger = _looked_at(kept)
    for name in approvals.approved(kept.store):
        approval, ended = approvals.read_approval(kept.store, name), approvals.read_ending(kept.store, name)
        if approval is None:
            continue
        plan = plans.get(approval.digest)
        if ended:
            fate = f"{'withdrawn' if ended.withdrawn else 'taken'} by {ended.by} at {moment(ended.at)}"
        elif plan and can_be_approved(ledger, plan.generation, plan.notes):
            fate = "the next run applies it"
        else:
            fate = "no longer true"
        lines.append(f"{kept.folder}  {approval.digest}  by {approval.by} at {moment(approval.at)}: {fate}")
    return lines


def _refused_plan(kept: KeptLedger, digest: str) -> tuple[Ledger, Plan | None, str]:
    """Return the only refused plan that has this digest and still holds; without one, the problem as a sentence."""
    ledger = kept.ledger()
    if not _DIGEST.fullmatch(digest):
        return ledger, None, f"{digest!r} is no digest of a plan, nor the first 8 digits of one or more."
    ledger = _looked_at(kept)
    digits = digest.removeprefix("sha256:")
    plans = [stored.plan for stored in approvals.kept(kept.store)]
    matching = [plan for plan in plans if plan.digest.removeprefix("sha256:").startswith(digits)]
    current = [plan for plan in matching if can_be_approved(ledger, plan.generation, plan.notes)]
    if len(current) == 1:
        return ledger, current[0], ""
    if current:
        return ledger, None, f"{len(current)} refused plans begin with {digits}: give more of its digits."
    if not matching:
        listed = "`ledger show` names those there are"
        return ledger, None, f"No refused plan of {kept.folder} begins with {digits}; {listed}."
    since = "" if matching[-1].generation != ledger.head.generation else ", with a later note of a late request"
    problem = (
        f"The plan {matching[-1].digest} is of generation {matching[-1].generation}, and the ledger is at "
        f"{ledger.head.generation}{since}: what it would do is no longer true, so no run applies it. Run the task "
        "again, and approve the new plan."
    )
    return ledger, None, problem


def _looked_at(kept: KeptLedger) -> Ledger:
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
    return ledger


def _user() -> str:
    """Return the user of the operating system, which the environment cannot change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


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

"""The ``ledger`` commands; each returns its exit status and the lines to print."""

from __future__ import annotations

import argparse
import os
import pwd
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from airflow_segments_provider.cli.ledger.arguments import DECLINED, DONE
from airflow_segments_provider.cli.ledger.erasure import Scope, erase
from airflow_segments_provider.cli.ledger.id_list import export, named_ids
from airflow_segments_provider.cli.ledger.ledgers import (
    KeptLedger,
    can_be_approved,
    choose,
    details,
    find,
    overview,
    read_each,
)
from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger import retention
from airflow_segments_provider.sync.ledger.history import Head, read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.location import ledger_path, store_at
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import Plan
from airflow_segments_provider.sync.workspace import Workspace

_DIGEST = re.compile("(sha256:)?[0-9a-f]{8,64}")

Result = tuple[int, list[str]]


class _Declined(Exception):
    """A command that changed nothing; the message is the reason."""


def run(options: argparse.Namespace) -> Result:
    """Run the command of a command line.

    :param options: with ``stdout`` besides the parsed arguments.
    """
    try:
        return _COMMANDS[options.command](options)
    except _Declined as reason:
        return DECLINED, [str(reason)]


def _list(options: argparse.Namespace) -> Result:
    path = options.ledger_path or ledger_path()
    ledgers = find(path)
    return overview(ledgers) if ledgers else (DONE, [f"There are no ledgers below {path}."])


def _show(options: argparse.Namespace) -> Result:
    return DONE, details(_chosen(options))


def _export(options: argparse.Namespace) -> Result:
    if options.output is None and options.stdout.isatty():
        raise _Declined("The output would be user IDs: name a file by --output, or - to show them here.")
    if options.output in (None, "-"):
        export(_chosen(options), options.stdout)
        return DONE, []
    return DONE, [export(_chosen(options), Path(options.output))]


def _approve(options: argparse.Namespace) -> Result:
    """Let the next run apply a refused plan."""
    kept = _chosen(options)
    ledger, plan = _refused_plan(kept, options.digest)
    approval = approvals.approve(ledger, plan.digest, options.by or _user())
    effect = f"The next run of {kept.folder} applies the plan {plan.digest}, once."
    return DONE, [f"{effect} Approved by {approval.by} at {moment(approval.at)}."]


def _withdraw(options: argparse.Namespace) -> Result:
    """Let no run apply a plan, also not by its argument ``approve``, until it is approved again."""
    kept = _chosen(options)
    ledger, plan = _refused_plan(kept, options.digest)
    ended = approvals.withdraw(ledger, plan.digest, options.by or _user())
    if not ended.withdrawn:
        raise _Declined(
            f"The run {ended.by} began to apply the plan {plan.digest} at {moment(ended.at)}: it is too late."
        )
    effect = f"No run of {kept.folder} applies the plan {plan.digest}, unless it is approved again."
    return DONE, [f"{effect} Withdrawn by {ended.by} at {moment(ended.at)}."]


def _approvals(options: argparse.Namespace) -> Result:
    lines, damaged = read_each([_chosen(options)] if options.segment else find(options.ledger_path), _approvals_of)
    return (DECLINED if damaged else DONE), [*(lines or ["No plan is approved."]), *damaged]


def _approvals_of(kept: KeptLedger) -> list[str]:
    lines, plans = list[str](), {stored.plan.digest: stored.plan for stored in approvals.kept(kept.store)}
    ledger = _looked_at(kept)
    for name in approvals.approved(kept.store):
        approval, ended = approvals.read_approval(kept.store, name), approvals.read_ending(kept.store, name)
        if approval is None:
            continue
        plan = plans.get(approval.digest)
        if ended:
            status = f"{'withdrawn' if ended.withdrawn else 'taken'} by {ended.by} at {moment(ended.at)}"
        else:
            holds = plan and can_be_approved(ledger, plan)
            status = "the next run applies it" if holds else "outdated"
        lines.append(f"{kept.folder}  {approval.digest}  by {approval.by} at {moment(approval.at)}: {status}")
    return lines


def _refused_plan(kept: KeptLedger, digest: str) -> tuple[Ledger, Plan]:
    """Return the only refused plan with this digest, or these first digits of one, that still holds."""
    if not _DIGEST.fullmatch(digest):
        raise _Declined(f"{digest!r} is not the digest of a plan, nor its first 8 digits or more.")
    ledger = _looked_at(kept)
    digits = digest.removeprefix("sha256:")
    plans = [stored.plan for stored in approvals.kept(kept.store)]
    matching = [plan for plan in plans if plan.digest.removeprefix("sha256:").startswith(digits)]
    current = [plan for plan in matching if can_be_approved(ledger, plan)]
    if len(current) == 1:
        return ledger, current[0]
    if current:
        raise _Declined(f"{len(current)} refused plans begin with {digits}: pass more digits.")
    if not matching:
        raise _Declined(f"No refused plan of {kept.folder} begins with {digits}; `ledger show` lists all.")
    since = "" if matching[-1].generation != ledger.head.generation else ", with a later note of a late request"
    raise _Declined(
        f"The plan {matching[-1].digest} is of generation {matching[-1].generation}, and the ledger is at "
        f"{ledger.head.generation}{since}: it no longer holds, so no run applies it. Run the task again, and approve "
        "the new plan."
    )


def _forget(options: argparse.Namespace) -> Result:
    """Delete a ledger, also one that is damaged or lost."""
    kept = choose(options.ledger_path, options.segment, must_exist=False)
    if not options.yes:
        raise _Declined(
            f"This would delete all that is stored of {kept.folder}. The segment keeps its members, but it is no "
            "longer recorded which of them the source added: the next run is a first sync. Add --yes to do it."
        )
    ledger = kept.ledger()
    try:
        ledger.head = read_head(kept.store, kept.folder)
    except LedgerError:  # damage is a reason to forget a ledger
        ledger.head = Head()
    ledger.check_free()
    with Workspace() as workspace, suppress(LedgerError):
        ledger.check_settled(workspace)
    unknown = "" if kept.store.folders("") else " There was no file of it: if it was not lost, check the spelling."
    retention.forget(kept.store)
    return DONE, [f"{kept.folder} is forgotten; its next run is a first sync.{unknown}"]


def _erase(options: argparse.Namespace) -> Result:
    ids = named_ids(options.ids, options.from_file)
    path = options.ledger_path or ledger_path()
    scope = Scope([_chosen(options)]) if options.segment else Scope(find(path), store_at(path))
    return erase(scope, ids, anyway=options.anyway, wait=options.wait)


def _chosen(options: argparse.Namespace) -> KeptLedger:
    return choose(options.ledger_path, options.segment)


def _looked_at(kept: KeptLedger) -> Ledger:
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
    return ledger


def _user() -> str:
    """Return the user of the operating system; environment variables cannot change it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


_COMMANDS: dict[str, Callable[[argparse.Namespace], Result]] = {
    "list": _list,
    "show": _show,
    "export": _export,
    "approve": _approve,
    "approvals": _approvals,
    "withdraw": _withdraw,
    "forget": _forget,
    "erase-person": _erase,
}

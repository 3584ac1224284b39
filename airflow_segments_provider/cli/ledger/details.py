"""``ledger show``: what is stored of one segment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow_segments_provider.cli.ledger.ledgers import KeptLedger
from airflow_segments_provider.cli.ledger.overview import known_counts, replacement, under_way
from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.sync.approvals import kept
from airflow_segments_provider.sync.ledger.history import generations, manifest_name
from airflow_segments_provider.sync.ledger.lease import moment
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Manifest, parse_manifest
from airflow_segments_provider.sync.ledger.names import REPORT
from airflow_segments_provider.sync.ledger.retention import REPORTS
from airflow_segments_provider.sync.workspace import Workspace

# The counts of a plan that say what changes.
SHOWN = ("wanted", "baseline", "add", "again", "remove", "remove_again", "gone", "applied", "rejected", "erased")


def details(ledger: KeptLedger) -> list[str]:
    """Return its counts, what is pending, its generations, newest first, refused plans and reports.

    :raises LedgerError: it is damaged.
    """
    opened = ledger.ledger()
    with Workspace() as workspace:
        opened.look(workspace)
        owned, uncertain, rejected = known_counts(workspace)
    manifest = opened.head.manifest
    task = (manifest and manifest.writer.owner) or "none yet"
    return [
        ledger.folder,
        f"task {task}: {owned:,} owned, {uncertain:,} uncertain, {rejected:,} rejected",
        *_pending(opened),
        *_section("generations", _generations(ledger)),
        *_section("refused plans", _plans(opened)),
        *_section("reports", _reports(ledger)),
    ]


def can_be_approved(ledger: Ledger, generation: int, notes: tuple[str, ...]) -> bool:
    """Whether a plan is still true.

    :param ledger: one that was looked at.
    :param generation: the one that the plan was made at; ``notes``: the notes that it accounts for.
    """
    return generation == ledger.head.generation and notes == ledger.state.notes


def _pending(ledger: Ledger) -> list[str]:
    lines = []
    if ledger.state.as_of is not None:
        by = f", committed by {ledger.state.as_of_run}" if ledger.state.as_of_run else ""
        lines.append(f"data as of {moment(ledger.state.as_of)}{by}")
    if run := under_way(ledger):
        lines.append(f"run under way: {run}")
    if waits := replacement(ledger):
        asked = f", asked for by {ledger.state.replacement}" if ledger.state.replacement else ""
        lines.append(f"replacement: {waits}{asked}")
    if ledger.state.unknown:
        lines.append("the ledger was lost: the members may be others than those it owns, until they are replaced")
    return lines


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines or ["none"])]


def _generations(ledger: KeptLedger) -> list[str]:
    lines = []
    for generation in reversed(generations(ledger.store)):
        name = manifest_name(generation)
        content = ledger.store.read(name)
        if content is None:
            continue
        try:
            manifest = parse_manifest(content, name, ledger.folder)
        except LedgerError as error:
            lines.append(f"{generation}  {error}")
            continue
        lines.append(
            f"{generation}  {moment(manifest.written_at)}  {manifest.writer.run}  {_kind(manifest)}: "
            f"{_counts(manifest.counts)}"
        )
    return lines


def _reports(ledger: KeptLedger) -> list[str]:
    names = [name for name in ledger.store.folders(REPORTS) if re.fullmatch(REPORT, name)]
    return [f"{ledger.store}/{REPORTS}/{name}" for name in names]


def _kind(manifest: Manifest) -> str:
    if manifest.intent:
        return f"intent, {manifest.mode}, accepted by {manifest.intent.accepted}"
    if not manifest.counts:
        return "wait for a replacing request to settle"
    return "erasure" if "erased" in manifest.counts else f"commit, {manifest.mode}"


def _plans(ledger: Ledger) -> list[str]:
    lines = []
    for stored in reversed(kept(ledger.store)):
        plan = stored.plan
        still = "can be approved" if can_be_approved(ledger, plan.generation, plan.notes) else "no longer true"
        lines.append(f"{plan.digest}  {plan.mode}, of generation {plan.generation}, {still}: {_counts(plan.counts)}")
        lines += [f"  - {breach}" for breach in stored.breaches]
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]:,}" for name in SHOWN if counts.get(name)) or "no users"

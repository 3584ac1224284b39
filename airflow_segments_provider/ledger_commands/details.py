"""``ledger show``: what is still there of one segment."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.ledger_commands.ledgers import AnyStore, KeptLedger
from airflow_segments_provider.ledger_commands.overview import known_counts
from airflow_segments_provider.members.kept_plans import kept
from airflow_segments_provider.members.ledger.history import History, manifest_name
from airflow_segments_provider.members.ledger.lease import moment
from airflow_segments_provider.members.ledger.manifest import Intent, parse_manifest
from airflow_segments_provider.members.ledger.retention import REPORTS, generations
from airflow_segments_provider.members.workspace import Workspace

# Those of a plan's counts that say what changes.
TOLD = ("wanted", "baseline", "add", "again", "override", "remove", "applied", "rejected", "erased")


def details(ledger: KeptLedger) -> list[str]:
    """Its generations, newest first, refused plans and reports.

    :raises LedgerError: it is damaged.
    """
    opened = ledger.ledger()
    with Workspace() as workspace:
        opened.look(workspace)
        vouched, doubt, rejected = known_counts(workspace)
    newest = opened.history.newest
    owner = newest.writer.owner if newest else "nobody yet"
    return [
        ledger.folder,
        f"kept by {owner}: {vouched:,} members vouched for, {doubt:,} in doubt, {rejected:,} refused",
        *_section("generations", _generations(ledger)),
        *_section("refused plans", _plans(ledger.store, opened.history)),
        *_section("reports", [f"{ledger.store}/{REPORTS}/{name}" for name in ledger.store.folders(REPORTS)]),
    ]


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
        body = manifest.body
        kind = f"intent, {body.mode}, let through by {body.accepted}" if isinstance(body, Intent) else "commit"
        lines.append(
            f"{generation}  {moment(manifest.written_at)}  {manifest.writer.run}  {kind}: {_told(body.counts)}"
        )
    return lines


def _plans(store: AnyStore, history: History) -> list[str]:
    lines = []
    for stored in reversed(kept(store)):
        plan = stored.plan
        still = "can be approved" if plan.generation == history.generation else "no longer true"
        lines.append(f"{plan.digest}  {plan.mode}, of generation {plan.generation}, {still}: {_told(plan.counts)}")
        lines += [f"  - {breach}" for breach in stored.breaches]
    return lines


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]:,}" for name in TOLD if counts.get(name)) or "nobody"

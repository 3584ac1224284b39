"""The report of a run beside the ledger: its plan, and which rows of the source are invalid; no IDs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from airflow_segments_provider.members.ledger.lease import moment
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.retention import REPORTS
from airflow_segments_provider.members.plan import Plan
from airflow_segments_provider.members.plan_text import markdown
from airflow_segments_provider.members.workspace import Workspace

DIGITS = 12


def write(
    ledger: Ledger,
    workspace: Workspace,
    plan: Plan,
    *,
    verdict: str,
    breaches: Sequence[str] = (),
    rejects: Path | None = None,
) -> str:
    """Write the report of a plan, over an earlier one of the same plan, and return its folder.

    :param verdict: what becomes of the plan.
    :param breaches: the limits that it exceeds.
    :param rejects: a file with a line for each invalid row.
    """
    folder = f"{REPORTS}/{plan.generation:012d}-{plan.digest.rpartition(':')[2][:DIGITS]}"
    now = ledger.clock()
    about = {"verdict": verdict, "run": ledger.writer.run, "written_at": moment(now)}
    described = json.dumps(
        {**about, "written_ms": now, "breaches": list(breaches), **plan.to_json()}, indent=1, ensure_ascii=False
    )
    for name, text in (("plan.json", described), ("plan.md", _page(plan, about, breaches))):
        ledger.store.put(f"{folder}/{name}", workspace.write(name, f"{text}\n".encode()))
    if rejects:
        ledger.store.put(f"{folder}/rejects.jsonl", rejects)
    return f"{ledger.store}/{folder}"


def write_rejects(ledger: Ledger, workspace: Workspace, problem: str, rejects: Path) -> str:
    """Write why a source was refused, and which of its rows are invalid; return the file of the latter."""
    folder, now = f"{REPORTS}/{ledger.head.generation:012d}-invalid", ledger.clock()
    about = {"verdict": "Refused", "run": ledger.writer.run, "written_at": moment(now), "written_ms": now}
    described = json.dumps({**about, "breaches": [problem]}, indent=1)
    ledger.store.put(f"{folder}/plan.json", workspace.write("plan.json", f"{described}\n".encode()))
    ledger.store.put(f"{folder}/rejects.jsonl", rejects)
    return f"{ledger.store}/{folder}/rejects.jsonl"


def _page(plan: Plan, about: dict[str, str], breaches: Sequence[str]) -> str:
    made = f"Made by {about['run']} at {about['written_at']}, when the ledger was at generation {plan.generation}."
    lines = [
        f"# Plan for {plan.key}",
        "",
        f"{about['verdict']}. {made}",
        "",
        *(f"- {breach}" for breach in breaches),
        *([""] if breaches else []),
        markdown(plan),
    ]
    if plan.invalid:
        lines += ["", "| invalid in the source | rows |", "|---|---:|"]
        lines += [f"| {reason} | {rows:,} |" for reason, rows in plan.invalid.items()]
    return "\n".join(lines)

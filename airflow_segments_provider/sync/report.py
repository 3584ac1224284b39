"""A plan as text: for the log, and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.names import REPORTS
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import CHANGES, LOOKED_AT, Plan
from airflow_segments_provider.sync.workspace import Workspace

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

    :param verdict: whether the plan is applied, and why.
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


_ROWS = {
    "wanted": "wanted",
    "duplicates": "repeated in the source",
    "invalid": "invalid in the source",
    "changed": "stripped or normalised",
    "baseline": "members before, as far as known",
    "add": "to add",
    "again": "to add again, rejected before",
    "remove": "to remove",
    "remove_again": "to remove again, rejected before",
    "gone": "members who leave by the replacement",
    "adopt": "members already, kept from now on",
    "waiting": "rejected before, not tried yet",
    "skipped": "removals left out",
    "looked_up": "looked up",
    "unmatched": "not found by the vendor",
    "strangers": "members not wanted, added by no sync",
    "missing": "owned members not listed",
}
_ALWAYS = ("wanted", "to add", "to remove")


def markdown(plan: Plan) -> str:
    """Return the counts as a table, the requests, and the patterns of the IDs."""
    rows = [(label, plan.counts.get(name, 0)) for name, label in _ROWS.items()]
    rows = [(label, count) for label, count in rows if count or label in _ALWAYS]
    wide, width = max(len(label) for label, _ in rows), max(len(f"{count:,}") for _, count in rows)
    lines = [f"| {'users':<{wide}} | {'':>{width}} |", f"|{'-' * (wide + 2)}|{'-' * (width + 1)}:|"]
    lines += [f"| {label:<{wide}} | {count:>{width},} |" for label, count in rows]
    removed = ""
    # The users of a source of removals need not be members.
    if plan.mode == "mirror":
        share = plan.leaving / plan.counts["baseline"] if plan.counts["baseline"] else 0.0
        removed = f"; {share:.1%} of the members would be removed"
    takes = f", about {plan.duration} at the connection's rate" if plan.duration else ""
    requests = f"{plan.requests:,} request{'' if plan.requests == 1 else 's'}"
    lines += ["", f"{plan.mode}, {requests}{takes}{removed}. Digest {plan.digest}", *_replacement(plan)]
    if plan.approved_by:
        lines.append(f"Approved by {plan.approved_by}.")
    for kind, patterns in plan.samples.items():
        looked_at = min(LOOKED_AT, sum(plan.counts.get(action, 0) for action in CHANGES[kind]))
        lines += ["", f"| patterns of the IDs to {kind} | of {looked_at:,} |", "|---|---:|"]
        # A bar would end the table's cell.
        lines += [f"| `{pattern.replace('|', '?').replace('`', '?')}` | {ids:,} |" for pattern, ids in patterns.items()]
    return "\n".join(lines)


def _replacement(plan: Plan) -> list[str]:
    """Return the effect of a replacement on members until it is done."""
    if not plan.replacement:
        return []
    if not plan.replacing:
        return ["Replacement: every listed member who is not wanted is removed."]
    lines = ["Replacement: the first request makes its users the only members."]
    if plan.outside:
        lines.append(
            f"Up to {plan.outside:,} users who are wanted may be outside the segment until the other "
            f"{plan.requests - 1:,} requests are done."
        )
    if plan.unknown:
        lines.append("The ledger was lost: how many members leave is unknown.")
    return lines

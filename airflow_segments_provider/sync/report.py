"""A plan and its refusal as text: short lines for the log, and a page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from airflow_segments_provider.errors import PlanRefused
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.names import REPORTS
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import CHANGES, LOOKED_AT, Plan
from airflow_segments_provider.sync.workspace import Workspace

DIGITS = 12
# Airflow's log view wraps longer lines in a window of 1,280 pixels.
WIDTH = 88
# Enough of a digest to name a plan at a terminal: sha256: and 12 digits.
SHOWN = 19
# Characters of an ID that is unique, such as a GUID.
UNIQUE = 20


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
        "```text",
        summary(plan),
        "```",
    ]
    return "\n".join(lines)


_ROWS = {
    "wanted": "wanted",
    "duplicates": "repeated in the source",
    "invalid": "invalid in the source",
    "changed": "stripped or normalised",
    "looked_up": "looked up",
    "unmatched": "not found by the vendor",
    "baseline": "members before, as far as known",
    "add": "to add",
    "resent": "of these sent before, with an unknown outcome",
    "again": "to add again, rejected before",
    "remove": "to remove",
    "remove_again": "to remove again, rejected before",
    "gone": "members who leave by the replacement",
    "adopt": "members already, kept from now on",
    "waiting": "rejected before, not tried yet",
    "skipped": "removals left out",
    "strangers": "members not wanted, added by no sync",
    "missing": "owned members not listed",
}
_ALWAYS = ("wanted", "to add", "to remove")


def summary(plan: Plan) -> str:
    """Return the plan as lines for the log: the change, the counts, the requests, the patterns of IDs, the digest."""
    lines = [f"Plan for {plan.key}", *([f"Segment {plan.key.segment}"] if plan.key.segment else [])]
    if plan.approved_by:
        made = f"This is the plan of {moment(plan.kept_at)}, not today's source, which was not read."
        lines += _wrapped(f"{made} Approved by {plan.approved_by}.")
    lines += ["", f"  {_change(plan)}", "", *_counted(plan), "", *_sent(plan), *_replacement(plan)]
    for kind, patterns in plan.samples.items():
        looked_at = min(LOOKED_AT, sum(plan.counts.get(action, 0) for action in CHANGES[kind]))
        lines.append(f"Patterns of {looked_at:,} IDs to {kind}:")
        lines += [f"  {ids:>{DIGITS},}  {_plain(pattern)}" for pattern, ids in patterns.items()]
    return "\n".join([*lines, "Digest:", plan.digest])


def refused(
    plan: Plan, breaches: Sequence[str], *, kept: bool, report: str | None = None, notices: Sequence[str] = ()
) -> PlanRefused:
    """Return the error of a rejected plan, with the lines that show the limits and the next steps.

    :param kept: the plan can be approved; False where there is no ledger to keep it in.
    :param report: the folder of its report.
    :param notices: sentences about an approval that did not apply.
    """
    nothing = "nothing was sent" if kept else "nothing was created or sent"
    lines = [f"The plan was refused, {nothing}.", f"{plan.key}", "", f"  {_change(plan)}", "", "Exceeded limits:"]
    lines += [line for breach in breaches for line in _wrapped(f"{breach}.", "  - ")]
    lines += [line for notice in notices for line in _wrapped(notice)]
    lines += ["", "Next: look at the source; an outage is the usual reason for such a change."]
    if kept:
        lines += [
            "If the plan is right, run the task with this digest as `approve`:",
            plan.digest,
            "or let the next run apply it:",
            "  python -m airflow_segments_provider ledger approve \\",
            f"    {_shortest(plan.key.folder)} {plan.digest[:SHOWN]}",
        ]
    lines += ["The plan is in", f"  {report}/plan.md"] if report else []
    lines.append("To change a limit for good, set the parameter that is named beside it.")
    return PlanRefused(
        f"The plan for {plan.key} was refused and {nothing}: {'; '.join(breaches)}.",
        digest=plan.digest if kept else "",
        breaches=breaches,
        details="\n".join(lines),
    )


def _shortest(folder: str) -> str:
    """Return what names a ledger in a command: the segment's own ID, if no other folder can have it."""
    segment = folder.rpartition("/")[2]
    return segment if len(segment) >= UNIQUE else folder


def _wrapped(sentence: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        sentence, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent), break_on_hyphens=False
    )


def _change(plan: Plan) -> str:
    """Return the change in one line: users to add, to remove, and the members after it."""
    counts = plan.counts
    # The users of a source of removals need not be members.
    if plan.mode == "remove":
        return f"-{plan.leaving:,} (remove)"
    change = f"+{counts['after'] - counts['baseline'] + plan.leaving:,} -{plan.leaving:,}"
    share = plan.leaving / counts["baseline"] if counts["baseline"] else 0.0
    leave = f", {share:.1%} of {counts['baseline']:,} leave" if plan.mode == "mirror" else ""
    return f"{change} ={counts['after']:,} members{leave} ({plan.mode})"


def _counted(plan: Plan) -> Iterator[str]:
    rows = [(label, plan.counts.get(name, 0)) for name, label in _ROWS.items()]
    for label, count in rows:
        if count or label in _ALWAYS:
            yield f"{count:>{DIGITS},}  {label}"
        if count and label == _ROWS["invalid"]:
            yield from (f"{'':>{DIGITS}}  - {rows:,} {reason}" for reason, rows in plan.invalid.items())


def _sent(plan: Plan) -> list[str]:
    takes = f", about {plan.duration} at the connection's rate" if plan.duration else ""
    return [f"{plan.requests:,} request{'' if plan.requests == 1 else 's'}{takes}."]


def _plain(pattern: str) -> str:
    """Return a pattern without the character that would end a block of Markdown."""
    return pattern.replace("`", "?")


def _replacement(plan: Plan) -> list[str]:
    """Return the effect of a replacement on members until it is done."""
    if not plan.replacement:
        return []
    if not plan.replacing:
        return ["Replacement: every listed member who is not wanted is removed."]
    lines = ["Replacement: the first request makes its users the only members."]
    if plan.outside:
        lines += _wrapped(
            f"Up to {plan.outside:,} users who are wanted may be outside the segment until the other "
            f"{plan.requests - 1:,} requests are done."
        )
    if plan.unknown:
        lines.append("The ledger was lost: how many members leave is unknown.")
    return lines

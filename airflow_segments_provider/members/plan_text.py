"""A plan as Markdown, for the log and for people."""

from __future__ import annotations

from airflow_segments_provider.members.plan import Plan
from airflow_segments_provider.members.shapes import KINDS, LOOKED_AT

_ROWS = {
    "wanted": "wanted",
    "duplicates": "repeated in the source",
    "invalid": "invalid in the source",
    "baseline": "members before, as far as known",
    "add": "to add",
    "again": "to add again, refused before",
    "override": "to make the only members",
    "remove": "to remove",
    "adopt": "members already, kept from now on",
    "waiting": "refused before, not tried yet",
    "skipped": "removals left out",
}
_ALWAYS = ("wanted", "to add", "to remove")


def markdown(plan: Plan) -> str:
    """The counts as a table, what it would take, and what the ids look like."""
    rows = [(label, plan.counts[name]) for name, label in _ROWS.items() if plan.counts[name] or label in _ALWAYS]
    wide, width = max(len(label) for label, _ in rows), max(len(f"{count:,}") for _, count in rows)
    lines = [f"| {'people':<{wide}} | {'':>{width}} |", f"|{'-' * (wide + 2)}|{'-' * (width + 1)}:|"]
    lines += [f"| {label:<{wide}} | {count:>{width},} |" for label, count in rows]
    removed = ""
    # Whom a source of removals names need not be a member.
    if plan.mode == "mirror":
        share = plan.leaving / plan.counts["baseline"] if plan.counts["baseline"] else 0.0
        removed = f"; {share:.1%} of the members would be removed"
    takes = f", about {plan.duration} at the connection's rate" if plan.duration else ""
    lines.append("")
    lines.append(
        f"{plan.mode}, {plan.requests:,} request{'' if plan.requests == 1 else 's'}{takes}{removed}. Digest "
        f"{plan.digest}"
    )
    for kind, shapes in plan.samples.items():
        looked_at = min(LOOKED_AT, sum(plan.counts[action] for action in KINDS[kind]))
        lines += ["", f"| ids to {kind} look like | of {looked_at:,} |", "|---|---:|"]
        # A bar would end the cell.
        lines += [f"| `{shape.replace('|', '?').replace('`', '?')}` | {ids:,} |" for shape, ids in shapes.items()]
    return "\n".join(lines)

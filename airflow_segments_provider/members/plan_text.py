"""A plan as Markdown, for the log and for people."""

from __future__ import annotations

from airflow_segments_provider.members.plan import Plan

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
    """The counts as a table, and what it would take."""
    rows = [(label, plan.counts[name]) for name, label in _ROWS.items()]
    width = max(len(f"{count:,}") for _, count in rows)
    lines = [f"| people | {'':>{width}} |", f"|---|{'-' * (width + 1)}:|"]
    lines += [f"| {label} | {count:>{width},} |" for label, count in rows if count or label in _ALWAYS]
    share = plan.counts["remove"] / plan.counts["baseline"] if plan.counts["baseline"] else 0.0
    takes = f", about {plan.duration} at the connection's rate" if plan.duration else ""
    lines.append("")
    lines.append(
        f"{plan.mode}, {plan.requests:,} request{'' if plan.requests == 1 else 's'}{takes}; {share:.1%} of the members "
        f"would be removed. Digest {plan.digest}"
    )
    return "\n".join(lines)

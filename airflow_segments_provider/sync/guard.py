"""The limits that a plan exceeds."""

from __future__ import annotations

from airflow_segments_provider.sources.limits import breach_of_removals, exceeds
from airflow_segments_provider.sync.ledger.manifest import Manifest
from airflow_segments_provider.sync.plan import Plan
from airflow_segments_provider.sync.settings import Settings

GROWTH_BASELINE = 1_000


def breaches(
    plan: Plan, settings: Settings, interrupted: Manifest | None = None, latest: Manifest | None = None
) -> list[str]:
    """Return each limit that the plan exceeds, as a sentence with its numbers and its parameter.

    Users that an accepted plan has begun to change do not count as removed or added.

    :param interrupted: the intent of an accepted plan that was not committed.
    :param latest: the newest generation: users whom its plan removed may still be uncertain after the commit.
    """
    known = not plan.new["add"] and not plan.new["remove"]
    finishes = interrupted is not None and known
    emptied = known and latest is not None and latest.mode == "mirror" and not latest.counts.get("wanted", 1)
    found = [_removals(plan, settings)]
    if plan.mode == "mirror":
        found += ["" if emptied and (finishes or not plan.replacement) else _empty(plan, settings)]
        found += [_unknown(plan), _removed(plan, settings), _added(plan, settings)]
    if plan.mode != "remove" and not finishes:
        found.append(_members(plan, settings))
    if not finishes:
        found.append(_duration(plan, settings))
    return [breach for breach in found if breach]


def _empty(plan: Plan, settings: Settings) -> str:
    if plan.counts["wanted"] or settings.allow_empty:
        return ""
    if plan.first or plan.replacement:
        return "the source has no users, and this would leave the segment empty (`allow_empty=True` allows it)"
    if not plan.counts["baseline"]:
        return ""
    return (
        f"the source has no users, and all {plan.counts['baseline']:,} members would be removed (`allow_empty=True` "
        "allows it)"
    )


def _unknown(plan: Plan) -> str:
    if not plan.unknown:
        return ""
    return (
        f"the ledger was lost, so it is unknown how many members besides the {plan.counts['wanted']:,} users of the "
        "source a replacement would remove (`approve`)"
    )


def _removed(plan: Plan, settings: Settings) -> str:
    return breach_of_removals(plan.new["remove"], plan.counts["baseline"], settings.max_removed_fraction)


def _removals(plan: Plan, settings: Settings) -> str:
    removed, limit = plan.new["remove"], settings.max_removals
    if limit is None or removed <= limit:
        return ""
    return f"{removed:,} users would be removed, the limit is {limit:,} (`max_removals`)"


def _added(plan: Plan, settings: Settings) -> str:
    added, baseline, limit = plan.new["add"], plan.counts["baseline"], settings.max_added_fraction
    if limit is None or baseline < GROWTH_BASELINE or not exceeds(added, limit, baseline):
        return ""
    return (
        f"{added:,} users would be added to {baseline:,} members ({added / baseline:.1%}), the limit is {limit:.1%} "
        "(`max_added_fraction`)"
    )


def _members(plan: Plan, settings: Settings) -> str:
    if settings.max_members is None or plan.counts["wanted"] <= settings.max_members:
        return ""
    return f"{plan.counts['wanted']:,} users are wanted, the limit is {settings.max_members:,} (`max_members`)"


def _duration(plan: Plan, settings: Settings) -> str:
    longest = settings.max_duration
    if not longest or not plan.duration or plan.duration <= longest:
        return ""
    return f"it would take {plan.duration}, the limit is {longest} (`max_duration`)"

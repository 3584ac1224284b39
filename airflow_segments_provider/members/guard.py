"""Step 5, guard: which limits a plan passes. Nothing was sent yet."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_segments_provider.members.plan import Plan

SMALL_BASELINE = 100
SMALL_REMOVALS = 10
SMALL_FRACTION = 0.5
GROWTH_BASELINE = 1_000


@dataclass(frozen=True)
class Guard:
    """The limits of a plan; each is passed only by more than it says.

    :param max_removed_fraction: of a baseline of 100 or more. Below 100, more than 10 and more than half is too many.
    :param max_removals: people, at any size and in any mode.
    :param max_added_fraction: of a baseline of 1,000 or more: joining a group can enrol people for good.
    :param max_members: people wanted.
    :param allow_empty: let a source without anybody empty the segment.
    """

    max_removed_fraction: float = 0.2
    max_removals: int | None = None
    max_added_fraction: float | None = 1.0
    max_members: int | None = None
    allow_empty: bool = False

    def breaches(self, plan: Plan, *, accepted_removals: bool = False, accepted_adds: bool = False) -> list[str]:
        """Each limit that the plan passes, as a sentence with its numbers and its parameter.

        :param accepted_removals: all of its removals are left over from a plan that was let through before.
        :param accepted_adds: the same of its additions.
        """
        found = []
        if plan.mode == "mirror" and not accepted_removals:
            found += [self._empty(plan), self._removed(plan)]
        if not accepted_removals:
            found.append(self._removals(plan))
        if plan.mode == "mirror" and not accepted_adds:
            found.append(self._added(plan))
        if plan.mode != "remove":
            found.append(self._members(plan))
        return [breach for breach in found if breach]

    def _empty(self, plan: Plan) -> str:
        if plan.counts["wanted"] or self.allow_empty or not plan.counts["baseline"]:
            return ""
        return (
            f"the source has nobody, and all {plan.counts['baseline']:,} members would be removed "
            "(`allow_empty=True` allows it)"
        )

    def _removed(self, plan: Plan) -> str:
        removed, baseline = plan.leaving, plan.counts["baseline"]
        share = removed / baseline if baseline else 0.0
        if baseline >= SMALL_BASELINE:
            limit = self.max_removed_fraction
            if removed <= limit * baseline:
                return ""
            return (
                f"{removed:,} of {baseline:,} members ({share:.1%}) would be removed, the limit is {limit:.1%} "
                "(`max_removed_fraction`)"
            )
        fraction = max(SMALL_FRACTION, self.max_removed_fraction)
        if removed <= SMALL_REMOVALS or removed <= fraction * baseline:
            return ""
        return (
            f"{removed:,} of {baseline:,} members ({share:.1%}) would be removed; of fewer than {SMALL_BASELINE} "
            f"members, more than {SMALL_REMOVALS} and more than {fraction:.0%} is too many (`max_removed_fraction`)"
        )

    def _removals(self, plan: Plan) -> str:
        removed = plan.leaving
        if self.max_removals is None or removed <= self.max_removals:
            return ""
        return f"{removed:,} people would be removed, the limit is {self.max_removals:,} (`max_removals`)"

    def _added(self, plan: Plan) -> str:
        added = plan.counts["add"] + plan.counts["again"]
        baseline, limit = plan.counts["baseline"], self.max_added_fraction
        if limit is None or baseline < GROWTH_BASELINE or added <= limit * baseline:
            return ""
        return (
            f"{added:,} people would be added to {baseline:,} members ({added / baseline:.1%}), the limit is "
            f"{limit:.1%} (`max_added_fraction`)"
        )

    def _members(self, plan: Plan) -> str:
        if self.max_members is None or plan.counts["wanted"] <= self.max_members:
            return ""
        return f"{plan.counts['wanted']:,} people are wanted, the limit is {self.max_members:,} (`max_members`)"

"""Makes the members of a segment follow a source: the steps, in their order.

What the whole promises: when a run succeeds, the segment holds everybody who is wanted, less those whom the vendor
refused, and nobody else for whom the ledger ever vouched, whatever happened before. At no instant of a run is a person
missing who belongs both before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

from airflow_segments_provider.errors import InvalidInput, LedgerError, PlanRefused, VendorError
from airflow_segments_provider.members import kept_plans, report
from airflow_segments_provider.members.apply import Progress, apply, planned_batches
from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.ledger import making, state
from airflow_segments_provider.members.ledger.ledger import Ledger, now_ms
from airflow_segments_provider.members.ledger.manifest import Acknowledgement
from airflow_segments_provider.members.plan import Plan, Rules, make_plan
from airflow_segments_provider.members.staging import Staged, stage
from airflow_segments_provider.members.target import SegmentKey, Target
from airflow_segments_provider.members.workspace import Workspace

Outcome = Literal["planned", "unchanged", "changed"]


@dataclass(frozen=True)
class Settings:
    """How a sync behaves.

    :param on_guard: what happens to a plan that passes a limit: ``fail``, or ``skip_removals`` and add only.
    :param plan_only: end before anything is sent.
    :param approve: the digest of a plan that was refused: apply that one.
    :param first_sync: for a segment that may have members and whose vendor lists none: ``add`` leaves them there,
        ``override`` removes them.
    :param max_duration: refuse a plan that takes longer at the vendor's rate.
    :param data_until: the end of the data interval that the source shows, in milliseconds since 1970.
    :param allow_older: let it be before the one that was committed last.
    :param takeover: go on with a segment that another task kept so far.
    """

    rules: Rules = field(default_factory=Rules)
    guard: Guard = field(default_factory=Guard)
    on_guard: Literal["fail", "skip_removals"] = "fail"
    plan_only: bool = False
    approve: str | None = None
    first_sync: Literal["add", "override"] | None = None
    max_duration: timedelta | None = None
    data_until: int | None = None
    allow_older: bool = False
    takeover: bool = False


@dataclass(frozen=True)
class Synced:
    """What came of a run.

    :param counts: those of the plan, and what became of them: ``applied + rejected`` are all that was sent.
    :param rejected: how many the vendor refused, by reason.
    :param breaches: the limits that a plan passes which was only looked at.
    :param report: the folder with what the plan says, and the rows that were invalid; None where it says nothing new.
    :param witness: generation and digest of the ledger as this run left it.
    :param changed_in: the generation in which what it knows of anybody last changed; 0 for none.
    :param changed_at: when that was, in milliseconds since 1970.
    """

    plan: Plan
    outcome: Outcome
    counts: dict[str, int]
    rejected: dict[str, int] = field(default_factory=dict)
    breaches: tuple[str, ...] = ()
    witness: tuple[int, str] | None = None
    changed_in: int = 0
    changed_at: int | None = None
    report: str | None = None


class Sync:
    """One run.

    :param ledger_of: the ledger of a segment.
    :param tell: told after each batch how far it is.
    :param show: shown a plan before anything is decided about it.
    """

    def __init__(
        self,
        target: Target,
        source: Any,
        ledger_of: Callable[[SegmentKey], Ledger],
        workspace: Workspace,
        settings: Settings = Settings(),
        *,
        tell: Callable[[Progress], None] = lambda progress: None,
        show: Callable[[Plan], None] = lambda plan: None,
    ) -> None:
        self.target = target
        self.source = source
        self.ledger_of = ledger_of
        self.workspace = workspace
        self.settings = settings
        self.tell = tell
        self.show = show

    def run(self) -> Synced:
        """Carry it out.

        :raises PlanRefused: the guard refused the plan; nothing was sent.
        """
        staged = self.stage()
        if not self.target.key().segment and (preview := self.make(staged)):
            return preview
        ledger = self.open()
        first = ledger.history.commit is None
        rules = self.compare(ledger.history.generation, staged)
        plan = self.approved(ledger) or self.plan(ledger.history.generation, ledger.clock(), staged, rules)
        self.show(plan)
        if self.settings.plan_only:
            return self.preview(ledger, staged, plan)
        plan, accepted = self.guard(ledger, staged, rules, plan)
        told = self.report(ledger, staged, plan) if plan.changes or staged.invalid else None
        acknowledged = self.send(ledger, plan, accepted) if plan.changes else {}
        done = self.commit(ledger, plan, acknowledged)
        if first and self.target.made_as:
            making.withdraw(self.system().store, self.target.made_as)
        return replace(done, report=told)

    def stage(self) -> Staged:
        """1. Read everybody who is wanted."""
        limits = self.target.limits
        return stage(self.workspace, self.source, max_length=limits.max_length, normalise=self.target.normalise)

    def make(self, staged: Staged) -> Synced | None:
        """Make the segment that is not there yet; before that, look at the plan where one is asked for, or limited.

        There is no ledger yet to keep a plan in.

        :return: the plan, where nothing may be made.
        :raises PlanRefused: the guard refused the plan; nothing was made or sent.
        """
        settings = self.settings
        if settings.plan_only or settings.guard.max_members is not None or settings.max_duration:
            state.load(self.workspace, None, None)
            plan = self.plan(0, now_ms(), staged, settings.rules)
            breaches = self.breaches(plan)
            if breaches or settings.plan_only:
                self.show(plan)
            if settings.plan_only:
                return Synced(plan, "planned", plan.counts, breaches=tuple(breaches))
            if breaches:
                raise PlanRefused(kept_plans.refusal(plan, breaches), digest=plan.digest, breaches=breaches)
        system, name = self.system(), self.target.made_as
        # An earlier run may have made it, and the vendor not list it yet: then its word still holds.
        announced = making.announced(system.store, name, system.clock())
        if not announced:
            making.announce(system.store, name, system.clock())
        try:
            self.target.make()
        except VendorError as error:
            if not (announced or error.maybe_done):
                making.withdraw(system.store, name)
            raise
        if not (announced or self.target.ours):
            making.withdraw(system.store, name)
        return None

    def system(self) -> Ledger:
        """The place of what is written down of segments that have no ledger of their own yet."""
        return self.ledger_of(replace(self.target.key(), segment=""))

    def ours(self) -> bool:
        """Whether nobody but us can have put members into a segment without a ledger."""
        name = self.target.made_as
        if self.target.ours or not name:
            return self.target.ours
        system = self.system()
        return making.announced(system.store, name, system.clock())

    def open(self) -> Ledger:
        """2. Read what is known of the members."""
        ledger = self.ledger_of(self.target.key())
        ledger.open(self.workspace, takeover=self.settings.takeover)
        committed = ledger.history.commit
        last, this = committed and committed.data_until, self.settings.data_until
        if last and this and this < last and not self.settings.allow_older:
            raise LedgerError(
                "This run is for an older data interval than the one that the segment shows now, and would bring "
                "former members back. Nothing was sent. If that is meant, set `allow_older=True`."
            )
        if self.target.lists:
            self.workspace.fill("live", self.target.members())
        return ledger

    def compare(self, generation: int, staged: Staged) -> Rules:
        """3. Decide how the difference is taken where nobody can list the members."""
        rules, limit = self.settings.rules, self.target.limits.adds
        if self.target.lists or rules.mode != "mirror":
            return rules
        override, problem = rules.removals == "all", ""
        if generation == 0 and not self.ours():
            if self.settings.first_sync is None and not override:
                problem = "it was there before any sync, and nobody can list the members that it may have: set "
                problem += '`first_sync="add"` to leave them in it, or `first_sync="override"` to remove them.'
            override = override or self.settings.first_sync == "override"
        if override and staged.wanted > limit:
            problem = f"{staged.wanted:,} people are wanted, and only {limit:,} can be made the only members, in one "
            problem += "request. Leave the others in the segment, or empty it by hand first."
        if problem:
            raise InvalidInput(f"The sync of {self.target.key()}", [problem])
        return replace(rules, override=override and staged.wanted > 0)

    def approved(self, ledger: Ledger) -> Plan | None:
        """The plan that somebody approved, while it is still true."""
        return kept_plans.load(ledger, self.workspace, self.settings.approve)

    def plan(self, generation: int, now: int, staged: Staged, rules: Rules) -> Plan:
        """4. Compare."""
        return make_plan(
            self.workspace,
            self.target.key(),
            staged,
            rules,
            self.target.limits,
            generation=generation,
            listed=self.target.lists,
            now=now,
        )

    def preview(self, ledger: Ledger, staged: Staged, plan: Plan) -> Synced:
        """End with the plan, and with what the guard would say to it."""
        breaches = self.breaches(plan)
        told = self.report(ledger, staged, plan, "Only planned", breaches)
        return Synced(plan, "planned", plan.counts, breaches=tuple(breaches), **_last_change(ledger), report=told)

    def guard(self, ledger: Ledger, staged: Staged, rules: Rules, plan: Plan) -> tuple[Plan, str]:
        """5. Let the plan through, or a smaller one, or the one that somebody approved; else refuse it."""
        if plan.approved:
            return plan, plan.digest
        breaches = self.breaches(plan)
        if not breaches:
            return plan, "limits"
        if self.settings.on_guard == "skip_removals" and rules.mode == "mirror" and not rules.override:
            smaller = self.plan(plan.generation, ledger.clock(), staged, replace(rules, skip_removals=True))
            self.show(smaller)
            if not (breaches := self.breaches(smaller)):
                return smaller, "limits"
            plan = smaller
        kept_plans.keep(ledger, self.workspace, plan, breaches)
        written = self.report(ledger, staged, plan, "Refused", breaches)
        raise PlanRefused(kept_plans.refusal(plan, breaches, written), digest=plan.digest, breaches=breaches)

    def breaches(self, plan: Plan) -> list[str]:
        """The limits that a plan passes; what was begun before is finished without being asked for again."""
        found = self.settings.guard.breaches(plan)
        if found:
            (removes,) = self.workspace.one(_NEW.format(kinds="'remove', 'override'", adds=False))
            (adds,) = self.workspace.one(_NEW.format(kinds="'add', 'again'", adds=True))
            found = self.settings.guard.breaches(plan, accepted_removals=not removes, accepted_adds=not adds)
        longest = self.settings.max_duration
        if longest and plan.duration and plan.duration > longest:
            found.append(f"it would take {plan.duration}, the limit is {longest} (`max_duration`)")
        return found

    def report(
        self, ledger: Ledger, staged: Staged, plan: Plan, verdict: str = "", breaches: Sequence[str] = ()
    ) -> str:
        """Write for people what the plan says and what becomes of it."""
        verdict = verdict or ("Approved" if plan.approved else "Within the limits")
        return report.write(ledger, self.workspace, plan, verdict=verdict, breaches=breaches, rejects=staged.rejects)

    def send(self, ledger: Ledger, plan: Plan, accepted: str) -> dict[str, Acknowledgement]:
        """6. and 7. Write down what is intended, then do it."""
        batches = ledger.keep(planned_batches(self.workspace, self.target.limits, plan.counts))
        ledger.begin(mode=plan.mode, digest=plan.digest, accepted=accepted, batches=batches, counts=plan.counts)
        acknowledged = apply(self.target, ledger, batches, tell=self.tell)
        ledger.fold(self.workspace, batches, acknowledged, in_doubt=ledger.clock(), touched=True)
        return acknowledged

    def commit(self, ledger: Ledger, plan: Plan, acknowledged: dict[str, Acknowledgement]) -> Synced:
        """8. Write down what is known now, if that is anything new."""
        rejected = Counter(reason for answer in acknowledged.values() for reason in answer.rejected.values())
        refused = rejected.total()
        counts = {**plan.counts, "applied": plan.changes - refused, "rejected": refused}
        if plan.counts["adopt"] or plan.counts["forget"] or plan.counts["gone"]:
            ledger.settle(self.workspace)
        witness = ledger.commit(self.workspace, data_until=self.settings.data_until, digest=plan.digest, counts=counts)
        outcome: Outcome = "changed" if plan.changes else "unchanged"
        return Synced(plan, outcome, counts, dict(rejected), witness=witness, **_last_change(ledger))


def _last_change(ledger: Ledger) -> dict[str, Any]:
    commit = ledger.history.commit
    return {"changed_in": commit.changed_in, "changed_at": commit.changed_at} if commit else {}


_NEW = "SELECT count(*) FROM actions WHERE action IN ({kinds}) AND id NOT IN (SELECT id FROM begun WHERE adds = {adds})"

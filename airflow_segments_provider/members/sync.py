"""Makes the members of a segment follow a source: the steps, in their order.

What the whole promises: when a mirror run succeeds, the segment holds every user who is wanted, less those whom the
vendor rejected, and no other whom the ledger ever owned, whatever happened before. At no instant of a run, unless it is
a replacement, is a user missing who belongs both before and after.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from airflow_segments_provider.errors import InvalidInput, PlanRefused, Stopped
from airflow_segments_provider.members import approvals, report
from airflow_segments_provider.members.apply import TOUCHED, Progress, Sending, check_hope, planned_batches
from airflow_segments_provider.members.guard import breaches
from airflow_segments_provider.members.ledger import making, state
from airflow_segments_provider.members.ledger.ledger import Ledger, now_ms
from airflow_segments_provider.members.ledger.manifest import Acknowledgement, Batch, Manifest
from airflow_segments_provider.members.ledger.state import Members
from airflow_segments_provider.members.plan import ACTIONS, SETTLED, Known, Plan, make_plan, write_actions
from airflow_segments_provider.members.settings import Settings
from airflow_segments_provider.members.staging import Staged, stage
from airflow_segments_provider.members.target import SegmentKey, Target
from airflow_segments_provider.members.workspace import Workspace

__all__ = ["Settings", "Sync", "Synced"]

Outcome = Literal["planned", "unchanged", "changed"]

FIRST_SYNC = "the first sync"
# Fewer rows are too few for a share of them to mean anything.
FEW_ROWS = 100


@dataclass(frozen=True)
class Synced:
    """The result of a run.

    :param counts: those of the plan, and what became of them: ``applied + rejected + deferred`` are all that was
        planned; ``deferred`` are retries that the budget of a run left for later.
    :param rejected: how many users the vendor rejected, by reason.
    :param breaches: the limits that a plan exceeds which was only looked at.
    :param report: the folder with what the plan says, and the rows that were invalid; None where it says nothing new.
    :param changed_in: the generation in which members were last changed; 0 for none.
    :param changed_at: when that was, in milliseconds since 1970.
    :param notices: what whoever runs it should know, a sentence each.
    """

    plan: Plan
    outcome: Outcome
    counts: dict[str, int]
    rejected: dict[str, int] = field(default_factory=dict)
    breaches: tuple[str, ...] = ()
    changed_in: int = 0
    changed_at: int | None = None
    report: str | None = None
    notices: tuple[str, ...] = ()


class Sync:
    """One run.

    :param ledger_of: the ledger of a segment.
    :param as_of: the time that the source's data represents, in milliseconds since 1970; None for now.
    :param stopped: whether Airflow ended the task; asked while the source is read, and before each request.
    :param tell: called after each request with the progress.
    :param show: called with a plan before anything is decided about it.
    """

    def __init__(
        self,
        target: Target,
        source: Any,
        ledger_of: Callable[[SegmentKey], Ledger],
        workspace: Workspace,
        settings: Settings | None = None,
        *,
        as_of: int | None = None,
        stopped: Callable[[], bool] = lambda: False,
        tell: Callable[[Progress], None] = lambda progress: None,
        show: Callable[[Plan], None] = lambda plan: None,
    ) -> None:
        self.target = target
        self.source = source
        self.ledger_of = ledger_of
        self.workspace = workspace
        self.settings = settings or Settings()
        self.as_of = as_of
        self.stopped = stopped
        self.tell = tell
        self.show = show

    def run(self) -> Synced:
        """Carry it out.

        :raises PlanRefused: the guard refused the plan; nothing was sent.
        :raises RejectedRequest: the vendor accepted no request; the ledger says so.
        """
        self.check()
        if self.settings.removals == "all" and not self.target.lists:
            problem = (
                '`removals="all"` needs a vendor that lists members, and this one does not. Set `replace=True` for one '
                "run to remove members whom no sync has added."
            )
            raise InvalidInput("The sync", [problem])
        staged = None
        if not self.target.key().segment:
            staged = self.stage()
            if preview := self.make(staged):
                return preview
        ledger, members = self.open()
        plan, notices = self.approved(ledger)
        if plan is None:
            staged = staged or self.stage(ledger)
            if self.target.lists:
                self.workspace.fill("live", self.target.members())
            plan = self.plan(members, staged, self.known(ledger))
        self.show(plan)
        if self.settings.plan_only:
            return self.preview(ledger, staged, plan, notices)
        if not plan.approved and staged is not None:
            plan = self.guard(ledger, members, staged, plan, notices)
        told = self.report(ledger, staged, plan) if plan.sends or plan.invalid else None
        self.check()
        done = self.send(ledger, members, plan)
        return replace(done, report=told, notices=notices)

    def check(self) -> None:
        """Check that Airflow has not ended the task.

        :raises Stopped: it has.
        """
        if self.stopped():
            raise Stopped(
                "Airflow ended this task. No further request was begun, and what was acknowledged is written down. Run "
                "the task again: it goes on from there."
            )

    def stage(self, ledger: Ledger | None = None) -> Staged:
        """Read every user who is wanted.

        :param ledger: where the invalid rows are listed if there are too many; None where there is none yet.
        :raises InvalidInput: too many rows are no users.
        """
        staged = stage(
            self.workspace,
            self.source,
            max_length=self.target.limits.max_length,
            normalise=self.target.normalise,
            check=self.check,
        )
        invalid, limit = sum(staged.invalid.values()), self.settings.max_invalid_fraction
        too_many = staged.rows >= FEW_ROWS and invalid / staged.rows > limit
        if too_many or (invalid and not staged.wanted):
            reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in staged.invalid.items())
            share = f"the limit is {limit:.1%} (`max_invalid_fraction`)" if staged.wanted else "none is valid"
            problem = f"{invalid:,} of {staged.rows:,} rows are no valid user IDs ({reasons}); {share}."
            if ledger and staged.rejects:
                listed = report.write_rejects(ledger, self.workspace, problem, staged.rejects)
                problem += f" Their numbers are in {listed}."
            raise InvalidInput(f"The source of {self.target.key()}", [problem])
        return staged

    def make(self, staged: Staged) -> Synced | None:
        """Make the segment that is not there yet, after the guard has seen the plan.

        There is no ledger yet to keep a plan in.

        :return: the plan, where nothing may be made.
        :raises PlanRefused: the guard refused the plan; nothing was made or sent.
        """
        known = Known(self.target.key(), 0, self._as_of(now_ms()), now_ms(), first=True)
        plan = self.plan(Members(self.workspace), staged, known)
        found = breaches(plan, self.settings)
        if not staged.wanted and self.settings.mode != "mirror" and not self.settings.allow_empty:
            found.append(
                "the source has no users, and a segment would be made for nobody (`allow_empty=True` allows it)"
            )
        if found or self.settings.plan_only:
            self.show(plan)
        if self.settings.plan_only:
            return Synced(plan, "planned", plan.counts, breaches=tuple(found))
        if found:
            raise PlanRefused(approvals.refusal(plan, found), digest=plan.digest, breaches=found)
        self.check()
        making.make(self.target, self.system())
        return None

    def system(self) -> Ledger:
        """The place of what is written down of segments that have no ledger of their own yet."""
        return self.ledger_of(replace(self.target.key(), segment=""))

    def open(self) -> tuple[Ledger, Members]:
        """Open the ledger: a run that may not go on ends here, before it reads its source.

        :raises InvalidInput: it is not said what becomes of the members of a segment that was there before.
        """
        settings, lists = self.settings, self.target.lists
        ledger = self.ledger_of(self.target.key())
        # Before a row is read: what changes while the source is read is newer.
        self.as_of = self._as_of(ledger.clock())
        members = ledger.open(
            self.workspace,
            as_of=self.as_of,
            asked=ledger.writer.run if settings.replace else None,
            first=FIRST_SYNC if settings.first_sync == "replace" else None,
            takeover=settings.takeover,
            any_age=settings.on_older == "apply",
            look_only=settings.plan_only,
        )
        new = ledger.head.manifest is None and not lists and settings.mode == "mirror"
        if new and not (settings.first_sync or settings.replace or making.is_ours(self.target, self.system)):
            problem = (
                "it was there before any sync, and nobody can list the members that it may have: set "
                '`first_sync="add"` to leave them in it, or `first_sync="replace"` to remove them.'
            )
            raise InvalidInput(f"The sync of {self.target.key()}", [problem])
        return ledger, members

    def _as_of(self, now: int) -> int:
        """The time that the data represents, which cannot be later than now."""
        return now if self.as_of is None else min(self.as_of, now)

    def known(self, ledger: Ledger) -> Known:
        """What the plan is made from."""
        mirror = self.settings.mode == "mirror"
        return Known(
            self.target.key(),
            ledger.head.generation,
            self._as_of(ledger.clock()),
            ledger.clock(),
            live="live" if self.target.lists else None,
            notes=ledger.state.notes,
            replacement=(ledger.state.replacement or "") if mirror else "",
            unknown=ledger.state.unknown,
            first=ledger.head.manifest is None,
        )

    def approved(self, ledger: Ledger) -> tuple[Plan | None, tuple[str, ...]]:
        """Return the plan that somebody approved, while it is still true, and what to say of an approval that is not.

        The source is not read for it.
        """
        if self.settings.plan_only:
            return None, ()
        digest = self.settings.approve
        plan = approvals.load(ledger, self.workspace, digest)
        if plan is not None or digest is None:
            return plan, ()
        notice = (
            f"`approve` names {digest}, and no plan of that digest is kept for the ledger's generation "
            f"{ledger.head.generation}: it was applied already, or the ledger has changed since, or it is misspelt."
        )
        return None, (notice,)

    def plan(self, members: Members, staged: Staged, known: Known, *, skip_removals: bool = False) -> Plan:
        """Compare."""
        limits = self.target.limits
        plan = make_plan(members, staged, known, self.settings, limits, skip_removals=skip_removals)
        return write_actions(self.workspace, plan)

    def preview(self, ledger: Ledger, staged: Staged | None, plan: Plan, notices: tuple[str, ...]) -> Synced:
        """End with the plan, and with what the guard would say to it."""
        found = breaches(plan, self.settings, _interrupted(ledger))
        approvals.delete_old(ledger)
        told = self.report(ledger, staged, plan, "Only planned", found)
        return Synced(
            plan, "planned", plan.counts, breaches=tuple(found), report=told, notices=notices, **_last_change(ledger)
        )

    def guard(
        self, ledger: Ledger, members: Members, staged: Staged, plan: Plan, notices: tuple[str, ...] = ()
    ) -> Plan:
        """Let the plan through, or a smaller one; else refuse it.

        :raises PlanRefused: it exceeds a limit.
        """
        interrupted = _interrupted(ledger)
        found = breaches(plan, self.settings, interrupted)
        if not found:
            return plan
        if self.settings.on_guard == "skip_removals" and plan.mode == "mirror" and not plan.replacement:
            plan = self.plan(members, staged, self.known(ledger), skip_removals=True)
            self.show(plan)
            found = breaches(plan, self.settings, interrupted)
            if not found:
                return plan
        approvals.keep(ledger, self.workspace, plan, found)
        written = self.report(ledger, staged, plan, "Refused", found)
        message = approvals.refusal(plan, found, written, " ".join(notices))
        raise PlanRefused(message, digest=plan.digest, breaches=found)

    def report(
        self, ledger: Ledger, staged: Staged | None, plan: Plan, verdict: str = "", found: Sequence[str] = ()
    ) -> str:
        """Write for people what the plan says and what becomes of it."""
        verdict = verdict or ("Approved" if plan.approved else "Within the limits")
        rejects = staged.rejects if staged else None
        return report.write(ledger, self.workspace, plan, verdict=verdict, breaches=found, rejects=rejects)

    def send(self, ledger: Ledger, members: Members, plan: Plan) -> Synced:
        """Write down what is intended, do it, and write down what is known then."""
        batches, sending = list[Batch](), Sending(self.target, ledger, plan.replacing, self.check, self.tell)
        if plan.sends:
            if plan.replacement:
                state.begin_replacement(members, ACTIONS)
            batches = ledger.keep(planned_batches(members, self.target.limits, plan))
            ledger.begin(
                members,
                batches,
                accepted=plan.digest if plan.approved else "limits",
                replacement=plan.replacement or None,
                replacing=plan.replacing,
                **_described(plan),
            )
        try:
            if plan.sends:
                answers = sending.run(batches)
                ledger.account(answers)
                state.fold(members, ledger.store, batches, answers, settling=ledger.settling, sent=TOUCHED)
            if any(plan.counts[kind] for kind in SETTLED):
                state.settle(members, ACTIONS)
            done = self.commit(ledger, members, plan, sending.acknowledged)
        except Exception:
            if plan.sends:
                ledger.release(replacing=sending.uncertain)
            raise
        check_hope(batches, sending.acknowledged)
        return done

    def commit(
        self,
        ledger: Ledger,
        members: Members,
        plan: Plan,
        acknowledged: Sequence[Acknowledgement],
    ) -> Synced:
        """Write down what is known now."""
        rejected = Counter[str]()
        for answer in acknowledged:
            if answer.refused is not None:
                rejected[answer.refused] += answer.users
            rejected.update(answer.rejected.values())
        sent, refused = sum(answer.users for answer in acknowledged), rejected.total()
        counts = {**plan.counts, "applied": sent - refused, "rejected": refused, "deferred": plan.changes - sent}
        replaced = bool(plan.replacement) and not plan.replacing
        ledger.commit(members, as_of=plan.as_of, replaced=replaced, **(_described(plan) | {"counts": counts}))
        if plan.first and self.target.made_as:
            making.withdraw(self.system().store, self.target.made_as)
        changed = any(answer.kind == "replace" and answer.refused is None for answer in acknowledged) or sent > refused
        outcome: Outcome = "changed" if changed else "unchanged"
        return Synced(plan, outcome, counts, dict(rejected), **_last_change(ledger))


def _described(plan: Plan) -> dict[str, Any]:
    """What a manifest says of a plan."""
    return {"mode": plan.mode, "digest": plan.digest, "counts": plan.counts}


def _interrupted(ledger: Ledger) -> Manifest | None:
    """The accepted plan that was not committed, if any."""
    return ledger.head.manifest if ledger.head.intent else None


def _last_change(ledger: Ledger) -> dict[str, Any]:
    return {"changed_in": ledger.state.changed_in, "changed_at": ledger.state.changed_at}

"""One run of a sync: the steps in their order.

When a mirror run succeeds, the segment has every wanted user that the vendor accepted, and no other user that the
ledger ever owned, whatever happened before. Except in a replacement, a user who is wanted before and after the run is
always a member.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from airflow_segments_provider.errors import InvalidInput, LedgerOvertaken, Stopped
from airflow_segments_provider.sources.ids import as_is
from airflow_segments_provider.sources.limits import breach_of_invalid, breach_of_unmatched
from airflow_segments_provider.sync import approvals, report
from airflow_segments_provider.sync.apply import TOUCHED, Progress, Sending, check_not_all_rejected, planned_batches
from airflow_segments_provider.sync.guard import breaches
from airflow_segments_provider.sync.identify import identify, look_up
from airflow_segments_provider.sync.ledger import creation_marker, state
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Batch, Manifest
from airflow_segments_provider.sync.ledger.state import Members
from airflow_segments_provider.sync.ledger.timing import milliseconds, now_ms
from airflow_segments_provider.sync.listing import (
    LISTED_BEFORE,
    LIVE,
    STILL_MISSING,
    confirm,
    find_drift,
    identify_strangers,
    read_list,
    strangers_to_look_up,
    unconfirmed,
    write_drift,
)
from airflow_segments_provider.sync.plan import ACTIONS, SETTLED, Plan, make_plan, write_actions
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.staging import Staged, stage
from airflow_segments_provider.sync.target import SegmentKey, Target
from airflow_segments_provider.sync.workspace import Workspace

Outcome = Literal["planned", "unchanged", "changed"]

FIRST_SYNC = "the first sync"
# The table of the users whose addition the vendor continued in the background.
BACKGROUND = "in_background"
# `baseline="auto"` compares with the vendor's list if that takes no more requests.
MOST_LISTING = 100
# Milliseconds after which the results of look-ups are stored.
SAVED_AFTER = 5 * 60_000
# Seconds between two lists while a background job is at work.
CONFIRM_AFTER = (2.0, 8.0, 20.0)


@dataclass(frozen=True)
class Synced:
    """The result of a run.

    :param counts: those of the plan, and its outcome: ``applied + rejected + unconfirmed + deferred`` are all that was
        planned; ``unconfirmed`` were acknowledged, and the vendor's list does not show it; ``deferred`` are retries
        beyond the budget of a run.
    :param rejected: how many users the vendor rejected, by reason; ``unmatched``: how many it did not have.
    :param breaches: the limits that a plan exceeds in a preview.
    :param changed_in: the generation in which members were last changed, 0 for none; ``changed_at``: when, in
        milliseconds since 1970.
    :param report: the folder with the plan and the invalid rows; None where the run has neither.
    :param notices: warnings for the user, a sentence each.
    """

    plan: Plan
    outcome: Outcome
    counts: dict[str, int]
    rejected: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)
    breaches: tuple[str, ...] = ()
    changed_in: int = 0
    changed_at: int | None = None
    report: str | None = None
    notices: tuple[str, ...] = ()


@dataclass
class Sync:
    """One run.

    :param ledger_of: opens the ledger of a segment.
    :param as_of: the time that the source's data represents, in milliseconds since 1970; None for now.
    :param approver: the user of the argument ``approve``.
    :param stopped: returns whether Airflow ended the task; called while the source is read, and before each request.
    :param on_progress: called after each request.
    :param on_plan: called with each plan before it is checked or sent.
    :param on_look_up: called before users are looked up: how many, in how many requests, in how much time.
    :param keep_list: copies a list of users, ``unmatched`` or ``drift``, and returns a sentence with its location.
    :param pause: waits for some seconds.
    :ivar live: the plan compares with the vendor's list of members; ``unknown``: how many of them have no known ID.
    :ivar drift: the counts of members that should not be there, and of owned ones that are not listed.
    :ivar notices: warnings of this run.
    """

    target: Target
    source: Any
    ledger_of: Callable[[SegmentKey], Ledger]
    workspace: Workspace
    settings: Settings
    _: KW_ONLY
    as_of: int | None = None
    approver: str = "`approve`"
    stopped: Callable[[], bool] = lambda: False
    on_progress: Callable[[Progress], None] = lambda progress: None
    on_plan: Callable[[Plan], None] = lambda plan: None
    on_look_up: Callable[[int, int, timedelta | None], None] = lambda users, requests, duration: None
    keep_list: Callable[[str, Path], str] = lambda name, path: "No file lists them."
    pause: Callable[[float], None] = time.sleep
    live: bool = field(default=False, init=False)
    unknown: int = field(default=0, init=False)
    drift: dict[str, int] = field(default_factory=dict, init=False)
    notices: list[str] = field(default_factory=list, init=False)
    _first: bool = field(default=True, init=False)
    _since: int = field(default=0, init=False)
    _settled: int | None = field(default=None, init=False)

    def run(self) -> Synced:
        """Make the members follow the source.

        :raises PlanRefused: the guard refused the plan; nothing was sent.
        :raises RejectedRequest: the vendor accepted no request.
        """
        self.check()
        self.check_settings()
        staged, began = None, now_ms()
        if not self.target.key().segment:
            self.as_of = self._as_of(began)
            staged = self.stage()
            if preview := self.make(staged):
                return preview
        ledger, members = self.open()
        if staged is not None:
            self.check_unchanged(ledger, began)
        plan, notices = self.approved(ledger)
        if plan is None:
            staged = self.identify(ledger, members, staged or self.stage(ledger))
            staged = self.read_list(ledger, members, staged)
            plan = self.plan(members, staged, self.draft(ledger), ledger.clock())
        self.on_plan(plan)
        if self.settings.plan_only:
            return self.preview(ledger, staged, plan, (*notices, *self.notices))
        if not plan.approved and staged is not None:
            plan = self.guard(ledger, members, staged, plan, notices)
        written = self.report(ledger, staged, plan) if plan.sends or plan.invalid else None
        self.check()
        unmatched = staged.unmatched if staged else {}
        sent = self.send(ledger, members, plan)
        return replace(sent, report=written, unmatched=unmatched, notices=(*notices, *self.notices))

    def check(self) -> None:
        """Check that Airflow has not ended the task.

        :raises Stopped: it has.
        """
        if self.stopped():
            raise Stopped(
                "Airflow ended this task. No further request was begun, and what was acknowledged is recorded. Run "
                "the task again: it continues from there."
            )

    def check_settings(self) -> None:
        """Check that the target supports what the settings demand.

        :raises InvalidInput: it does not.
        """
        settings, target = self.settings, self.target
        if target.lists:
            return
        if settings.removals == "all":
            problem = (
                '`removals="all"` needs a vendor that lists members, and this one does not. Set `replace=True` for one '
                "run to remove members that no sync has added."
            )
            raise InvalidInput("The sync", [problem])
        if not target.replaces and (settings.replace or settings.first_sync == "replace"):
            problem = (
                "this target can neither list its members nor replace all of them. Where the ledger is lost or "
                'damaged, restore it, or delete it by `ledger forget` and set `first_sync="add"` for one run: members '
                "who have left the source since then stay, and have to be removed by hand."
            )
            raise InvalidInput("The sync", [problem])

    def stage(self, ledger: Ledger | None = None) -> Staged:
        """Read the source.

        :param ledger: for the list of invalid rows if there are too many; None before the segment is created.
        :raises InvalidInput: the source cannot be read exactly, or too many rows are invalid.
        """
        try:
            staged = stage(
                self.workspace,
                self.source,
                max_length=self.target.limits.max_length,
                normalise=self.target.normalise if self.target.identity == "id" else as_is,
                whole_numbers=self.target.whole_numbers and self.target.identity == "id",
                check=self.check,
            )
        except InvalidInput as error:
            raise InvalidInput(f"{error.subject} for {self.target.key()}", error.problems) from None
        invalid = sum(staged.invalid.values())
        if breach := breach_of_invalid(invalid, staged.rows, self.settings.max_invalid_fraction):
            reasons = ", ".join(f"{reason}: {rows:,}" for reason, rows in staged.invalid.items())
            problem = f"{invalid:,} of {staged.rows:,} rows are not valid user IDs ({reasons}); {breach}."
            if ledger and staged.rejects:
                listed = report.write_rejects(ledger, self.workspace, problem, staged.rejects)
                problem += f" Their numbers are in {listed}."
            raise InvalidInput(f"The source of {self.target.key()}", [problem])
        return staged

    def identify(self, ledger: Ledger, members: Members, staged: Staged) -> Staged:
        """Replace the identities of a source by the vendor's IDs.

        :raises InvalidInput: too many users were not found. No member was changed.
        """
        if self.target.identity == "id":
            return staged
        self._since = ledger.clock() - milliseconds(self.settings.identity_max_age)
        looking = self._looking(ledger, members)
        found = identify(members, staged, self.target, self.settings, everyone=self._everyone(ledger), **looking)
        self.remember(ledger, members)
        unmatched = sum(found.unmatched.values())
        if not unmatched or found.unmatched_list is None:
            return found
        reasons = ", ".join(f"{reason}: {count:,}" for reason, count in found.unmatched.items())
        users = found.wanted + unmatched
        problem = f"{unmatched:,} of {users:,} users were not found ({reasons})"
        listed = self.keep_list("unmatched", found.unmatched_list)
        if breach := breach_of_unmatched(unmatched, users, self.settings.max_unmatched_fraction):
            subject = f"The source of {self.target.key()}"
            problem, advice = f"{problem}; {breach}. {listed}", "Check `identity` of the target and the source."
            if self.target.ours:
                sent = "The segment was created, without members, and only look-ups were sent then."
                raise InvalidInput(f"{subject} was refused: {problem} {sent} {advice} {self.target.where}")
            raise InvalidInput(subject, [f"{problem} Only look-ups were sent. {advice}"], self.target.where)
        self.notices.append(f"{problem} and are left out. {listed}")
        return found

    def read_list(self, ledger: Ledger, members: Members, staged: Staged) -> Staged:
        """Read the vendor's list of members, where this run compares with it; add look-ups of members to the counts."""
        if not self.lists(ledger, members):
            return staged
        ledger.date_doubts(members)
        self._settled = ledger.clock() - ledger.settling
        self.live, self.unknown = True, read_list(members, self.target, self._since)
        everyone = self._everyone(ledger)
        if self.unknown and (users := strangers_to_look_up(members, self.target, everyone=everyone)):
            looking = self._looking(ledger, members)
            requests = look_up(members, self.target, self.settings, users, **looking)
            staged = replace(staged, looked_up=staged.looked_up + users, look_ups=staged.look_ups + requests)
            self.unknown = identify_strangers(members, self.target, self._since)
        if self.settings.mode != "mirror":
            return staged
        self.drift = find_drift(members, staged.table)
        if any(self.drift.values()) and not ledger.head.is_new:
            listed = self.keep_list("drift", write_drift(members))
            self.notices.append(
                f"{self.drift['strangers']:,} members are not wanted and were added by no sync; "
                f"{self.drift['missing']:,} owned members are not listed any more. {listed}"
            )
        return staged

    def _everyone(self, ledger: Ledger) -> bool:
        """Return whether all members who are not wanted may be removed."""
        return self.settings.removals == "all" or bool(ledger.state.replacement)

    def _looking(self, ledger: Ledger, members: Members) -> dict[str, Any]:
        """Return the arguments of look-ups; what was found is stored every few minutes."""
        saved = ledger.clock()

        def save() -> None:
            nonlocal saved
            if ledger.clock() - saved >= SAVED_AFTER:
                self.remember(ledger, members)
                saved = ledger.clock()

        return {"now": ledger.clock(), "begin": self.on_look_up, "check": self.check, "save": save}

    def remember(self, ledger: Ledger, members: Members) -> None:
        """Store what look-ups have found, so that a later try need not repeat them."""
        if members.identities.dirty and not self.settings.plan_only:
            ledger.remember(members)

    def lists(self, ledger: Ledger, members: Members) -> bool:
        """Return whether this run compares with the vendor's list: ``auto`` does so unless it takes many requests.

        After a request of unknown outcome that wrote the whole list, each run does.
        """
        settings, target = self.settings, self.target
        if not target.lists:
            return False
        if settings.baseline == "live" or settings.removals == "all" or ledger.state.replacement:
            return True
        if settings.baseline == "ledger":
            # A late write of the whole list may have removed users of whom the ledger is certain.
            return target.limits.together and members.any_uncertain()
        (known,) = members.workspace.one("SELECT count(*) FROM known WHERE owned")
        requests = target.limits.listing(known)
        if requests <= MOST_LISTING:
            return True
        self.notices.append(
            f"The vendor's list of members takes {requests:,} requests, so this run compared with the ledger "
            '(`baseline="live"` compares with the list).'
        )
        return False

    def make(self, staged: Staged) -> Synced | None:
        """Create the segment after the guard has accepted the plan; no ledger exists yet that could store a plan.

        :return: the plan of a preview.
        :raises PlanRefused: the guard refused the plan; nothing was created or sent.
        """
        now = now_ms()
        draft = Plan(self.target.key(), self.settings.mode, 0, self._as_of(now), first=True)
        plan = self.plan(Members(self.workspace), staged, draft, now)
        found = breaches(plan, self.settings)
        if not staged.wanted and self.settings.mode != "mirror" and not self.settings.allow_empty:
            found.append("the source has no users, and the new segment would have none (`allow_empty=True` allows it)")
        self.on_plan(plan)
        if self.settings.plan_only:
            return Synced(plan, "planned", plan.counts, breaches=tuple(found))
        if found:
            raise report.refused(plan, found, kept=False)
        self.check()
        creation_marker.make(self.target, self.system())
        return None

    def system(self) -> Ledger:
        """Open the ledger of creation markers."""
        return self.ledger_of(replace(self.target.key(), segment=""))

    def open(self) -> tuple[Ledger, Members]:
        """Open the ledger, before the source is read.

        :raises InvalidInput: the segment may have members from before, and ``first_sync`` is not set.
        """
        settings, ledger = self.settings, self.ledger_of(self.target.key())
        # Before a row is read: changes while the source is read are newer.
        self.as_of = self._as_of(ledger.clock())
        members = ledger.open(
            self.workspace,
            as_of=self.as_of,
            requested_by=ledger.writer.run if settings.replace else None,
            first=FIRST_SYNC if settings.first_sync == "replace" else None,
            takeover=settings.takeover,
            any_age=settings.on_older == "apply",
            look_only=settings.plan_only,
        )
        self._first = ledger.head.is_new
        new = self._first and not self.target.lists and settings.mode == "mirror"
        if new and not (settings.first_sync or settings.replace or creation_marker.is_ours(self.target, self.system)):
            removes = ', or `first_sync="replace"` to remove them' if self.target.replaces else ""
            problem = (
                "it existed before any sync, and the vendor does not list its members: set "
                f'`first_sync="add"` to keep them{removes}.'
            )
            raise InvalidInput(f"The sync of {self.target.key()}", [problem])
        return ledger, members

    def check_unchanged(self, ledger: Ledger, began: int) -> None:
        """Check that no other run has written the ledger since this one began to read its source.

        The segment did not exist then, so there was no ledger to open before.

        :raises LedgerOvertaken: one has.
        """
        newest = ledger.head.manifest
        if newest and newest.written_at + milliseconds(ledger.timing.skew) >= began:
            raise LedgerOvertaken(
                f"{ledger.title}: another run created this segment while this one read its source, which may be older "
                "by now. No user was sent. Run the task again."
            )

    def _as_of(self, now: int) -> int:
        """Return the time that the data represents; never later than now."""
        return now if self.as_of is None else min(self.as_of, now)

    def draft(self, ledger: Ledger) -> Plan:
        """Return the plan of this run before it is compared."""
        mirror, known = self.settings.mode == "mirror", ledger.state
        replacing = mirror and bool(known.replacement) and not self.target.lists
        return Plan(
            self.target.key(),
            self.settings.mode,
            ledger.head.generation,
            self._as_of(ledger.clock()),
            notes=known.notes,
            replacement=(known.replacement or "") if mirror else "",
            replacing=replacing,
            pending=bool(known.replacement),
            unknown=known.unknown and replacing,
            first=self._first,
        )

    def approved(self, ledger: Ledger) -> tuple[Plan | None, tuple[str, ...]]:
        """Return the approved plan if it still holds, and a notice if ``approve`` matches no plan.

        The source is not read for it.
        """
        if self.settings.plan_only:
            return None, ()
        digest = self.settings.approve
        plan = approvals.load(ledger, self.workspace, self.target.key(), digest, self.approver)
        if plan is not None and plan.mode != self.settings.mode:
            modes = f'`mode="{plan.mode}"`, and this run has `mode="{self.settings.mode}"`'
            return None, (f"The approved plan {plan.digest} is not applied: it was made with {modes}.",)
        if plan is not None or digest is None:
            return plan, ()
        notice = (
            f"`approve` names {digest}, and no plan of that digest is kept for the ledger's generation "
            f"{ledger.head.generation}: it was applied, the ledger has changed since, the digest is misspelt, the "
            "approval was withdrawn, or the plan does not have the replacement that is due now."
        )
        return None, (notice,)

    def plan(self, members: Members, staged: Staged, draft: Plan, now: int, *, skip_removals: bool = False) -> Plan:
        """Compare the source with what is known."""
        plan = make_plan(
            members,
            staged,
            draft,
            self.settings,
            self.target.limits,
            now=now,
            live=LIVE if self.live else None,
            drift=self.drift,
            unknown=self.unknown,
            settled=self._settled,
            skip_removals=skip_removals,
        )
        return write_actions(self.workspace, plan)

    def preview(self, ledger: Ledger, staged: Staged | None, plan: Plan, notices: tuple[str, ...]) -> Synced:
        """End with the plan, and with the limits that it exceeds."""
        found = breaches(plan, self.settings, *_accepted(ledger))
        approvals.delete_old(ledger)
        written = self.report(ledger, staged, plan, "Only planned", found)
        changed = _last_change(ledger)
        unmatched = staged.unmatched if staged else {}
        return Synced(
            plan,
            "planned",
            plan.counts,
            unmatched=unmatched,
            breaches=tuple(found),
            report=written,
            notices=notices,
            **changed,
        )

    def guard(self, ledger: Ledger, members: Members, staged: Staged, plan: Plan, notices: tuple[str, ...]) -> Plan:
        """Return the plan, or one without removals, if it exceeds no limit.

        :raises PlanRefused: it does.
        """
        accepted = _accepted(ledger)
        found = breaches(plan, self.settings, *accepted)
        skips = self.settings.on_guard == "skip_removals" and plan.mode == "mirror" and not plan.replacement
        if found and skips:
            plan = self.plan(members, staged, self.draft(ledger), ledger.clock(), skip_removals=True)
            self.on_plan(plan)
            found = breaches(plan, self.settings, *accepted)
        if not found:
            return plan
        approvals.keep(ledger, self.workspace, plan, found)
        written = self.report(ledger, staged, plan, "Refused", found)
        raise report.refused(plan, found, kept=True, report=written, notices=notices)

    def report(
        self, ledger: Ledger, staged: Staged | None, plan: Plan, verdict: str = "", found: Sequence[str] = ()
    ) -> str:
        """Write the report of a plan, and return its folder."""
        verdict = verdict or (f"Approved by {plan.approved_by}" if plan.approved else "Within the limits")
        rejects = staged.rejects if staged else None
        return report.write(ledger, self.workspace, plan, verdict=verdict, breaches=found, rejects=rejects)

    def send(self, ledger: Ledger, members: Members, plan: Plan) -> Synced:
        """Write the intent, send its requests, and commit the outcome."""
        batches = list[Batch]()
        sending = Sending(
            self.target, ledger, plan.replacing, self.check, self.on_progress, lambda: state.held(members)
        )
        if plan.sends:
            if plan.replacement:
                state.begin_replacement(members, ACTIONS)
            batches = ledger.keep(planned_batches(members, self.target.limits, plan))
        if plan.approved:
            approvals.take(ledger, plan)
        if plan.sends:
            ledger.begin(
                members,
                batches,
                accepted=plan.digest if plan.approved else "limits",
                replacement=plan.replacement or None,
                replacing=plan.replacing,
                whole=self.target.limits.together,
                **_described(plan),
            )
        try:
            if plan.sends:
                answers = sending.run(batches)
                ledger.account(answers, whole=self.target.limits.together)
                if plan.listed:
                    self.workspace.run(
                        f"CREATE OR REPLACE TABLE {BACKGROUND} AS SELECT id FROM {TOUCHED} "
                        "WHERE list_contains(?::INTEGER[], batch)",
                        [sorted(sending.background)],
                    )
                state.fold(members, ledger.store, batches, answers, settling=ledger.settling, sent=TOUCHED)
            if any(plan.counts[kind] for kind in SETTLED):
                state.settle(members, ACTIONS)
            missing = self.confirm(members, sending) if plan.sends and plan.listed else 0
            done = self.commit(ledger, members, plan, sending.acknowledged, missing)
        except Exception:
            if plan.sends:
                ledger.release(replacing=sending.uncertain)
            raise
        check_not_all_rejected(batches, sending.acknowledged)
        return done

    def confirm(self, members: Members, sending: Sending) -> int:
        """Compare what was acknowledged with the vendor's list; return how many changes it does not show.

        Where the vendor continues in the background, the list is read again for a while.
        """
        waits, background = deque(CONFIRM_AFTER), sending.background and self.live
        if background:
            self.workspace.run(f"CREATE OR REPLACE TABLE {LISTED_BEFORE} AS FROM {LIVE}")
        read_list(members, self.target, self._since)
        while (found := unconfirmed(members, ACTIONS)) and sending.background and waits:
            self.pause(waits.popleft())
            self.check()
            read_list(members, self.target, self._since)
        confirm(members, ACTIONS, BACKGROUND if background else None)
        if self.drift.get("missing") and self.target.shows == "identity" and not sending.background:
            members.identities.expire(self.target.identity, STILL_MISSING)
        return found

    def commit(
        self, ledger: Ledger, members: Members, plan: Plan, answers: Sequence[Acknowledgement], unconfirmed: int
    ) -> Synced:
        """Commit what is known now."""
        rejected = Counter[str]()
        for answer in answers:
            if answer.refused is not None:
                rejected[answer.refused] += answer.users
            rejected.update(answer.rejected.values())
        sent, refused = sum(answer.users for answer in answers), rejected.total()
        counts = {
            **plan.counts,
            "applied": sent - refused - unconfirmed,
            "rejected": refused,
            "unconfirmed": unconfirmed,
            "deferred": plan.changes - sent,
        }
        replaced = bool(plan.replacement) and not plan.replacing
        made, begun = bool(self.target.made_as) and not ledger.state.as_of_run, not ledger.head.is_new
        if made and begun:
            # Also where another run began. Before the commit: no later run would do it.
            creation_marker.withdraw(self.system(), self.target.made_as)
        ledger.commit(members, as_of=plan.as_of, replaced=replaced, **(_described(plan) | {"counts": counts}))
        if made and not begun:
            creation_marker.withdraw(self.system(), self.target.made_as)
        changed = sent > refused or any(answer.kind == "replace" and answer.refused is None for answer in answers)
        return Synced(plan, "changed" if changed else "unchanged", counts, dict(rejected), **_last_change(ledger))


def _described(plan: Plan) -> dict[str, Any]:
    """Return what a manifest contains of a plan."""
    return {"mode": plan.mode, "digest": plan.digest, "counts": plan.counts}


def _accepted(ledger: Ledger) -> tuple[Manifest | None, Manifest | None]:
    """Return the accepted plan that was not committed, if any, and the newest generation."""
    newest = ledger.head.manifest
    return (newest if newest and newest.unfinished else None), newest


def _last_change(ledger: Ledger) -> dict[str, Any]:
    return {"changed_in": ledger.state.changed_in, "changed_at": ledger.state.changed_at}

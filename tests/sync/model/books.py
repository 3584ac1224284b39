"""The test's own records of a run, kept outside the engine, and the claims checked on it; see :mod:`~.schedule`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from math import inf
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import PlanRefused
from airflow_segments_provider.sync import engine as sync
from airflow_segments_provider.sync.engine import Synced
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Manifest
from airflow_segments_provider.sync.ledger.ownership import RELEASED
from airflow_segments_provider.sync.plan import ACTIONS, Plan
from tests.sync.model.engine import FEW_USERS, GROWTH_BASELINE, SMALL_BASELINE, SMALL_REMOVALS
from tests.sync.model.world import LEASE, MINUTE, REQUEST_TIMEOUT, START, Written

if TYPE_CHECKING:
    from tests.sync.model.worker import Worker

Users = frozenset[str]

# The actions of a plan that add or remove members, including removals that need no request.
ADDS, REMOVES = ("add", "again"), ("remove", "remove_again", "gone")

# The order of the requests of a plan.
STAGES = {"add": 1, "remove": 2, "again": 3, "remove_again": 4}


@dataclass(frozen=True)
class Aim:
    """The source and the circumstances of a plan.

    :param wanted: All users in the source.
    :param key: The time that the data represents, and the number of the reading.
    :param since: When the run began that made the plan.
    :param any_age: The data may be older than the committed data.
    :param listed: The members that the vendor listed; ``missed``: the list was incomplete; ``strangers``: the strangers
        at that time.
    """

    wanted: Users
    key: tuple[int, int]
    since: int
    invalid: int
    any_age: bool
    listed: Users = frozenset()
    missed: bool = False
    strangers: Users = frozenset()


@dataclass(frozen=True)
class Kept:
    """A plan that the guard refused."""

    plan: Plan
    aim: Aim
    adds: Users
    removes: Users


@dataclass(frozen=True)
class Known:
    """The users' states according to the ledger."""

    owned: Users
    uncertain: Users
    rejected: Users


class Books:
    """The records of one run.

    :ivar plan: The last plan that the run made or applied by approval, with its ``adds`` and ``removes``.
    :ivar dropped: Members that its requests removed and that no accepted plan before it covered; ``joined`` likewise.
    :ivar removed: Members whose removal was acknowledged; ``confirmed``: the last list was read after the requests.
    :ivar known_all: No lost ledger had members that this one does not have.
    :ivar astray: The run sent a request later than other runs assume, and has not written its note.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.world = worker.world
        self.since = worker.world.now
        self.wanted: Users | None = None
        self.reading = self.read_at = 0
        self.members: Users = frozenset()
        self.missed = False
        self.strangers: Users = frozenset()
        self.plan: Plan | None = None
        self.aim: Aim | None = None
        self.adds: Users = frozenset()
        self.removes: Users = frozenset()
        self.stages: dict[str, int] = {}
        self.stage = self.until = 0
        self.known_all = True
        self.begun = self.committed = self.astray = self.blind = self.confirmed = self.undisturbed = False
        self.removed: set[str] = set()
        self.dropped: set[str] = set()
        self.joined: set[str] = set()
        self.before: Users = frozenset()
        self.before_adds: Users = frozenset()
        self.rejected: Users = frozenset()
        self.uncertain: Users = frozenset()
        self.unsure: Callable[[], None] | None = None

    # What the run reads --------------------------------------------------------------------------------------------

    def read(self) -> Users:
        worker, world = self.worker, self.world
        as_of = world.now if worker.task.as_of is None else worker.task.as_of
        self.wanted, self.reading = world.read(as_of)
        self.read_at = world.now
        self.world.note(worker, "wants", sorted(self.wanted), "of", as_of, "reading", self.reading)
        return self.wanted

    def listed(self, members: list[str]) -> None:
        vendor = self.world.vendor
        self.members = frozenset(members)
        self.missed = self.members != vendor.members
        self.strangers = frozenset(vendor.strangers)
        self.confirmed = self.begun
        self.world.seen["lists that missed a member"] += self.missed

    def planned(self, plan: Plan) -> None:
        """Record a plan that the run has made, or that was approved."""
        world, worker = self.world, self.worker
        actions = worker.workspace.rows(f"SELECT id, action FROM {ACTIONS}")
        self.plan = plan
        approved = "approved" if plan.approved else ""
        world.note(worker, "plans", approved, plan.mode, sorted(actions), plan.replacement and "replaces")
        self.stages = {user: STAGES[action] for user, action in actions if action in STAGES}
        self.adds = frozenset(user for user, action in actions if action in ADDS)
        self.removes = frozenset(user for user, action in actions if action in REMOVES)
        minute = (plan.as_of - START) // MINUTE
        begun = world.now if plan.approved else self.read_at
        world.claim("T: data of a time to come", minute <= begun + worker.ahead, minute, begun)
        if plan.approved:
            self._find(plan, minute)
            return
        world.claim("R: another mode", plan.mode == worker.options.mode, plan.mode)
        assert self.wanted is not None
        key, options = (minute, self.reading), worker.options
        read = (self.members, self.missed, self.strangers)
        self.aim = Aim(self.wanted, key, self.since, options.invalid, options.any_age, *read)

    def _find(self, plan: Plan, minute: int) -> None:
        """Find the source of an approved plan; if equal plans were made from several sources, keep the last one."""
        world = self.world
        same = [kept for kept in world.refused if kept.plan.digest == plan.digest]
        same = [kept for kept in same if (kept.adds, kept.removes) == (self.adds, self.removes)]
        world.claim("G: not approved", (plan.digest, self.adds, self.removes) in world.granted, plan)
        self.aim = same[-1].aim
        # By the clock of the run that applies it, the data is of a future time.
        capped = minute == world.now + self.worker.ahead and minute < self.aim.key[0]
        world.claim("T: not the time of the plan", minute == self.aim.key[0] or capped, minute, self.aim.key)
        self.aim = replace(self.aim, key=(minute, self.aim.key[1]))

    def _right(self) -> tuple[Plan, Aim]:
        assert self.plan is not None
        assert self.aim is not None
        return self.plan, self.aim

    def known(self) -> Known:
        rows = self.worker.workspace.rows("SELECT id, owned, uncertain, rejected FROM known")
        return Known(
            frozenset(row[0] for row in rows if row[1]),
            frozenset(row[0] for row in rows if row[2] is not None),
            frozenset(row[0] for row in rows if row[3] is not None),
        )

    @property
    def exact(self) -> bool:
        """Return whether the members must be exactly the wanted users afterwards."""
        plan, _ = self._right()
        return plan.mode == "mirror" and not plan.counts["skipped"]

    @property
    def included(self) -> Users:
        """Return the users who must be members afterwards."""
        plan, aim = self._right()
        return aim.wanted if plan.mode != "remove" else frozenset()

    # What it writes ------------------------------------------------------------------------------------------------

    def generation(self, manifest: Manifest, content: bytes) -> None:
        """Record a generation at the moment at which it is created."""
        world = self.world
        digest = hashlib.sha256(content).hexdigest()
        fence = manifest.intent is None and (not manifest.mode or manifest.unfinished)
        # The ledger was lost after the worker's check a moment ago; the worker knows all that was lost before.
        if world.restores != self.worker.restores and manifest.previous == world.last:
            world.lost = False
        world.last = digest
        commit = manifest.intent is None and not fence
        pending = manifest.state.replacement is not None
        kind = "fence" if fence else "commit" if commit else f"intent, {manifest.intent and manifest.intent.accepted}"
        pending_now = f"replacement {manifest.state.replacement!r}, done {manifest.state.replaced!r}"
        world.note(self.worker, "generation", manifest.generation, kind, pending_now, manifest.counts)
        world.claim("D: a dry run wrote a generation", not self.worker.options.plan_only)
        world.written.append(Written(digest, commit, pending))
        if fence:
            world.seen["fences"] += 1
            world.lost = world.lost and not manifest.state.unknown
            world.blind = world.blind or manifest.state.unknown
            return
        act = partial(self._commit if commit else self._begin, manifest)
        if world.restores == self.worker.witness_restores:
            act()
        else:
            self.unsure = act

    def witnessed(self) -> None:
        """Record the pending generation of a run that has checked its restored ledger again and continues."""
        act, self.unsure = self.unsure, None
        if act:
            self.world.seen["ledgers restored while a generation was written"] += 1
            act()

    def leased(self, name: str) -> None:
        """Record the release of a lease, or its renewal."""
        until = name.rpartition("/")[2].removesuffix(".json")
        if until == RELEASED:
            self.world.seen["leases released"] += 1
            return
        looked_at = int(until) - LEASE * MINUTE
        self.world.claim("K: renews a lease that has ended", looked_at < self.until)
        self.world.seen["leases renewed"] += 1
        self.until = int(until)

    def acknowledged(self, answer: Acknowledgement) -> None:
        """Record an acknowledgement at the moment at which it is written."""
        self.world.seen["batches rejected when the budget was spent"] += bool(answer.refused) and answer.users > 1

    def noted(self) -> None:
        self.world.written.append(Written())
        self.astray = False
        self.world.astray.discard(self.worker)
        self.world.seen["notes"] += 1
        self.world.note(self.worker, "a note")

    def _begin(self, manifest: Manifest) -> None:
        world, vendor = self.world, self.world.vendor
        plan, aim = self._right()
        self._check_accepted(manifest)
        world.claim("F: begins with older data", aim.key >= world.newest or aim.any_age, aim.key, world.newest)
        world.claim("W: begins on a lost ledger", not world.lost or plan.replacement)
        if plan.replacement:
            world.lost = False
            vendor.leaving |= aim.strangers & vendor.strangers if world.weather.lists else vendor.strangers
        known = self.known()
        self.begun = True
        self.until = manifest.intent.lease_until if manifest.intent else 0
        self.before = frozenset(world.removals)
        self.before_adds = known.owned | known.uncertain | aim.listed | world.additions
        world.removals |= self.removes
        world.additions |= self.adds
        world.begun = set(self.removes)
        self.blind = world.blind
        self._count(plan, aim)

    def _count(self, plan: Plan, aim: Aim) -> None:
        """Count the kinds of plans that were begun."""
        seen, options = self.world.seen, self.worker.options
        seen["intents"] += 1
        listed = "listed" if self.world.weather.lists else "not listed"
        seen[f"replacements begun where members are {listed}"] += bool(plan.replacement)
        seen["replacements begun of a first sync"] += plan.replacement == sync.FIRST_SYNC
        seen["removals begun of everybody who is listed"] += options.everybody and bool(self.removes)
        seen["plans begun for nobody"] += plan.mode == "mirror" and not aim.wanted
        seen["plans begun without their removals"] += bool(plan.counts["skipped"])
        seen["approvals applied as a parameter"] += plan.approved and bool(options.approve)
        seen["approvals applied by a file"] += plan.approved and not options.approve

    def _check_accepted(self, manifest: Manifest) -> None:
        """Check the conditions that a plan needs an approval to violate."""
        world, worker, options = self.world, self.worker, self.worker.options
        plan, aim = self._right()
        if plan.approved:
            return
        rows = len(aim.wanted) + aim.invalid
        few = rows < FEW_USERS
        usable = not aim.invalid or (aim.wanted and (few or Decimal(aim.invalid) / rows <= Decimal("0.2")))
        world.claim("I: too many rows are invalid", usable, aim.invalid, rows)
        if aim.wanted or options.allow_empty or plan.mode != "mirror":
            return
        found = worker.opened.manifest
        emptied = found and found.mode == "mirror" and not found.counts["wanted"]
        known = found and (found.unfinished or not plan.replacement)
        finishes = emptied and known and self.removes <= world.removals
        harmless = not self.removes and not plan.replacement
        world.claim("N: the source has no users", finishes or harmless, manifest.counts)

    def _commit(self, manifest: Manifest) -> None:
        _, aim = self._right()
        self.committed = True
        if not self.begun:
            self._check_accepted(manifest)
        as_of = ((manifest.state.as_of or 0) - START) // MINUTE
        self.world.claim("T: another time than that of the data", as_of == aim.key[0], as_of, aim.key)
        self._succeed()

    def _succeed(self) -> None:
        """Check the claims of a successful run, at the moment of its success."""
        world, vendor, worker = self.world, self.world.vendor, self.worker
        plan, aim = self._right()
        known = self.known()
        self.rejected, self.uncertain = known.rejected, known.uncertain
        world.claim("F: ends with older data", aim.key >= world.newest or aim.any_age, aim.key, world.newest)
        world.claim("W: ends on a lost ledger", not world.lost or plan.replacement)
        world.newest = aim.key
        included = self.included
        world.removals -= included
        world.begun = world.begun & (known.owned | known.uncertain) - included
        world.additions &= included
        if plan.replacement and aim.missed:
            # Members whom the list did not show cannot be removed.
            hidden = vendor.members - known.owned - known.uncertain - aim.wanted
            vendor.strangers, vendor.leaving = vendor.strangers | hidden, set()
        vendor.strangers = vendor.strangers - known.owned
        self.known_all = not world.blind
        world.lost, world.blind = False, world.blind and plan.mode != "mirror"
        if plan.listed and plan.sends:
            world.claim("V: not listed after the requests", self.confirmed)
            shown = self.removed & self.members
            world.seen["removed members that the list still showed"] += len(shown)
            world.claim("V: forgets a member whom the list shows", shown <= known.owned, sorted(shown))
        others = [minute for other, minute in world.touched.items() if other is not worker]
        disturbed = max(world.late_at, world.removed_by_hand_at, *others, -1)
        self.undisturbed = disturbed < aim.since and not world.astray
        if self.undisturbed:
            world.seen["claims A checked"] += 1
            world.claim("A", *self.holds())

    @property
    def hidden(self) -> Users:
        """Return the users added by hand since the run began."""
        _, aim = self._right()
        return frozenset(user for user, minute in self.world.added_by_hand.items() if minute >= aim.since)

    def holds(self) -> tuple[bool, str]:
        """Return whether the members are the result that the run must have, and the details."""
        vendor = self.world.vendor
        plan, aim = self._right()
        members, unseen, rejected = vendor.members, vendor.unseen, self.rejected
        if plan.mode == "remove":
            hidden = self.hidden
            if self.world.weather.lists:
                hidden |= vendor.strangers | (set() if self.known_all else members - aim.listed)
            holds = not aim.wanted & members - hidden - rejected
        elif self.exact:
            holds = members - vendor.strangers - rejected == aim.wanted - rejected - unseen
            holds = holds and not vendor.leaving & members - aim.wanted - rejected
        else:
            holds = aim.wanted - rejected - unseen <= members
        about = {
            "members": members,
            "strangers": vendor.strangers,
            "leaving": vendor.leaving,
            "unseen": unseen,
            "wanted": aim.wanted,
            "rejected": rejected,
        }
        told = ", ".join(f"{name} {sorted(users)}" for name, users in about.items())
        return holds, f"{plan.mode} {plan.replacement and 'replacement'}: {told}"

    def succeeded(self, done: Synced) -> None:
        """Record the result of a run that has not failed."""
        plan, _ = self._right()
        world, counts = self.world, done.counts
        if done.outcome == "planned":
            world.seen["dry runs"] += 1
            world.claim("D: a dry run sent something", not self.begun)
            return
        if not self.committed:
            self._succeed()
        world.seen["runs that succeeded"] += 1
        world.seen[f"runs that succeeded: {plan.mode}"] += 1
        world.seen["approvals out of date"] += bool(done.notices)
        outcomes = ("applied", "rejected", "unconfirmed", "deferred")
        world.claim("counts", min(counts[name] for name in outcomes) >= 0, counts)
        world.claim("counts", sum(counts[name] for name in outcomes) == plan.changes, counts)
        world.seen["changes that the list did not show"] += counts["unconfirmed"]
        if not plan.listed or (self.undisturbed and not self.hidden and not self.missed):
            world.claim("V: unconfirmed", not counts["unconfirmed"], counts)

    # What it sends -------------------------------------------------------------------------------------------------

    def send(self, kind: str, ids: set[str]) -> str:
        """Send a request; a change that is carried out now is attributed to this run."""
        world, vendor, worker = self.world, self.world.vendor, self.worker
        self._check_request(kind, ids)
        late = world.now > worker.listed_at + REQUEST_TIMEOUT
        if late:
            world.claim("K: a request long after the last look", world.weather.gaps)
            self.astray = True
            world.astray.add(worker)
            world.seen["requests sent too late"] += 1
        before, own = vendor.members, vendor.members - vendor.strangers
        fate = vendor.request(kind, ids)
        world.seen[f"requests {fate}"] += 1
        world.seen["requests refused after a lost try"] += fate == "refused" and vendor.lost == (kind, ids)
        world.note(worker, kind, sorted(ids), fate, "too late" if late else "", "members", sorted(vendor.members))
        world.seen[f"replacing requests {fate}"] += kind == "replace"
        world.seen["removals rejected"] += kind == "remove" and fate == "refused"
        world.seen["users rejected of an accepted request"] += fate == "done" and bool(vendor.rejects(kind, ids))
        if kind == "remove" and fate == "done":
            self.removed |= ids - vendor.rejects(kind, ids)
        world.seen["retries accepted"] += fate == "done" and self.stage > 2
        if vendor.members != before or fate == "done":
            world.touched[worker] = world.now
        if not late:
            plan, _ = self._right()
            self.dropped |= own - vendor.members - self.included - self.before
            self.joined |= vendor.members - before - self.before_adds
            self._check_guard(plan)
        return fate

    def _check_request(self, kind: str, ids: set[str]) -> None:
        """Check the claims about any request, whenever it is carried out."""
        world = self.world
        world.claim("R: a request without an intent", self.begun)
        world.claim("R: more users than a request takes", len(ids) <= world.weather.limit, len(ids))
        plan, aim = self._right()
        if kind == "remove":
            right = aim.wanted if plan.mode == "remove" else self.removes - aim.wanted if self.exact else frozenset()
        else:
            right = aim.wanted if plan.mode != "remove" else frozenset()
        world.claim("R: not what is wanted", ids <= right, plan.mode, kind, sorted(ids), sorted(aim.wanted))
        stage = max((self.stages.get(user, 0) for user in ids), default=0)
        world.claim("R: too late in the order", stage >= self.stage or plan.replacing, kind, sorted(ids))
        self.stage = stage
        world.claim("R: replaces all members", kind != "replace" or plan.replacing)

    def _check_guard(self, plan: Plan) -> None:
        """Check claim G."""
        world = self.world
        if self.blind:
            return
        if plan.approved:
            world.claim("G: not approved", self.dropped <= self.removes and self.joined <= self.adds)
            return
        most = self.most_removals(plan)
        world.claim("G: removes too many", len(self.dropped) <= most, sorted(self.dropped), most)
        world.claim("G: adds too many", len(self.joined) <= self.most_additions(plan), sorted(self.joined))

    def most_removals(self, plan: Plan) -> float:
        """Return how many members a plan may remove."""
        weather, baseline = self.world.weather, plan.counts["baseline"]
        most: float = inf if weather.max_removals is None else weather.max_removals
        if plan.mode == "mirror":
            large = baseline >= SMALL_BASELINE
            share = weather.removed if large else max(0.5, weather.removed)
            most = min(most, max(float(Decimal(str(share)) * baseline), 0 if large else SMALL_REMOVALS))
        return most if self.exact or plan.mode == "remove" else 0

    def most_additions(self, plan: Plan) -> float:
        """Return how many members a plan may add."""
        weather, baseline = self.world.weather, plan.counts["baseline"]
        limited = plan.mode == "mirror" and weather.added is not None and baseline >= GROWTH_BASELINE
        return float(Decimal(str(weather.added)) * baseline) if limited else inf

    def refused(self, error: PlanRefused) -> None:
        """Record the refusal by the guard, and check claim H."""
        world = self.world
        plan, aim = self._right()
        world.seen["plans refused"] += 1
        world.refused.append(Kept(plan, aim, self.adds, self.removes))
        if world.weather.loss or world.weather.gaps or world.head() != self.worker.opened.digest:
            return
        other = [breach for breach in error.breaches if "max_remov" not in breach]
        world.claim(
            "H",
            other or len(self.removes - world.begun) > self.most_removals(plan),
            error.breaches,
            sorted(self.removes),
            sorted(world.begun),
        )

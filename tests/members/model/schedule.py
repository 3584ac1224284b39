"""One random schedule of runs, crashes and faults, with the claims that must hold after each run that succeeds.

A: when no timed-out request was carried out late, the members, less those whom no ledger ever vouched for, are the
   wanted less the refused.
B: whatever was carried out late, one more run of the same people, after the settling time, makes A true.
C: from then on a run of the same people sends nothing.
"""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

from airflow_segments_provider.errors import LedgerError, VendorError
from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.ledger.ledger import Ledger, Timing
from airflow_segments_provider.members.ledger.manifest import Writer
from airflow_segments_provider.members.plan import Rules
from airflow_segments_provider.members.sync import Settings, Sync, Synced
from airflow_segments_provider.members.workspace import Workspace
from tests.members.model.memory import KEY, Crash, MemoryStore, MemoryTarget, Vendor

PEOPLE = 12
SETTLE = timedelta(minutes=10)
DAY = 24 * 60 * 60 * 1000
NO_GUARD = Guard(max_removed_fraction=1, max_added_fraction=None, allow_empty=True)


class Diverged(AssertionError):
    """A claim does not hold."""


class World:
    """One segment, its ledger, and the time."""

    def __init__(self, seed: int, databases) -> None:
        self.rng = random.Random(seed)
        self.databases = databases
        self.now = 1_700_000_000_000
        self.die = 0.0
        self.overtake = 0.0
        self.targets: list[MemoryTarget] = []
        self.overtaken = False
        self.runs = 0
        self.vouched: set[str] = set()
        self.refused: set[str] = set()
        self.store = MemoryStore(self.step)
        self.vendor = Vendor(self.rng)
        self.lists = self.rng.random() < 0.5
        everybody = [str(number) for number in range(PEOPLE)]
        self.vendor.members = {person for person in everybody if self.rng.random() < 0.15}
        self.vendor.foreign = set(self.vendor.members)
        self.vendor.bad = {person for person in everybody if self.rng.random() < 0.08} - self.vendor.members

    def step(self) -> None:
        """A moment at which the process may die, or a later try of the same task do all its work meanwhile."""
        self.now += 1
        if self.rng.random() < self.die:
            raise Crash
        if self.overtake and len(self.targets) == 1 and self.rng.random() < self.overtake:
            with suppress(Crash, VendorError):
                self.sync(_people(self.rng), self.rng.randint(1, 5))
            self.targets[0].stale = True

    def sync(self, wanted: set[str], limit: int, *, skip_removals: bool = False, retry: bool = True) -> Synced:
        """A run; one that follows a crash waits until it may take over."""
        self.runs += 1
        number = self.runs
        self.now += 60_000
        if self.rng.random() < 0.3:
            self.settle()
        target = MemoryTarget(self.vendor, limit, lists=self.lists, step=self.step)
        retry_after = timedelta(0) if retry else timedelta(days=365)
        rules = Rules(skip_removals=skip_removals, retry_rejected_after=retry_after)
        settings = Settings(rules=rules, guard=NO_GUARD)
        self.targets.append(target)
        try:
            with Workspace(database=self.databases[len(self.targets) - 1]) as workspace:
                done = Sync(target, sorted(wanted), lambda key: self.ledger(number), workspace, settings).run()
                known = workspace.rows("SELECT id, vouched, rejected FROM known")
        finally:
            self.targets.remove(target)
            self.overtaken = target.stale
        self.vouched = {person for person, vouched, _ in known if vouched}
        self.refused = {person for person, _, rejected in known if rejected is not None}
        self.vendor.foreign -= self.vouched
        return done

    def ledger(self, number: int) -> Ledger:
        """The ledger of a run: each is a later try of the same task, so it may take over at once."""
        writer = Writer(token=str(number), owner="dag.task", run="run", try_number=number)
        timing = Timing(settle_after=SETTLE, lease=timedelta(minutes=15))
        return Ledger(self.store, KEY.folder, writer, timedelta(seconds=10), timing, clock=lambda: self.now)

    def settle(self) -> None:
        """Let the settling time pass: what was under way is carried out, or never."""
        self.vendor.land(1.0)
        self.now += 11 * 60 * 1000
        self.vendor.was_late = False

    def check(self, wanted: set[str], claim: str) -> None:
        """Claim A, after a run that succeeded."""
        vendor, refused = self.vendor, self.refused
        right = vendor.members - vendor.foreign == wanted - refused and wanted - refused <= vendor.members
        if not right:
            raise Diverged(
                f"{claim}: members {sorted(vendor.members)}, foreign {sorted(vendor.foreign)}, "
                f"wanted {sorted(wanted)}, refused {sorted(refused)}, vouched {sorted(self.vouched)}"
            )


def run_schedule(seed: int, databases) -> int:
    """Run it; return how many runs it had.

    :param databases: two of DuckDB, one for a run that takes over from another.
    """
    world = World(seed, databases)
    rng, vendor = world.rng, world.vendor
    die = rng.choice([0, 0.01, 0.03, 0.08])
    overtake = rng.choice([0, 0, 0.02])
    for _ in range(rng.randint(1, 8)):
        wanted = _people(rng)
        skip = rng.random() < 0.15
        if rng.random() < 0.5:
            world.settle()
        if rng.random() < 0.2:
            _by_hand(world)
        limit = rng.randint(1, 5)
        world.die, world.overtake = die, overtake
        try:
            done = world.sync(wanted, limit, skip_removals=skip)
        except (Crash, VendorError, LedgerError):
            continue
        finally:
            world.die = world.overtake = 0.0
        _check_counts(done)
        # The other run came after all that this one had to do.
        if skip or world.overtaken:
            continue
        if not vendor.was_late and not vendor.late:
            world.check(wanted, "A")
        if rng.random() < 0.5:
            world.settle()
            vendor.faulty = False
            world.sync(wanted, limit)
            world.check(wanted, "B")
            before = vendor.requests
            again = world.sync(wanted, limit, retry=False)
            if vendor.requests != before or again.outcome != "unchanged":
                raise Diverged(f"C: {vendor.requests - before} requests, {again.counts}")
            vendor.faulty = True
    return world.runs


def _people(rng: random.Random) -> set[str]:
    return {str(number) for number in range(PEOPLE) if rng.random() < rng.choice([0.1, 0.5, 0.9])}


def _by_hand(world: World) -> None:
    """Somebody changes the segment without telling anybody."""
    vendor, person = world.vendor, str(world.rng.randrange(PEOPLE))
    if person not in vendor.members and person not in vendor.bad:
        vendor.members = vendor.members | {person}
        vendor.foreign.add(person)
    elif world.lists:
        vendor.members = vendor.members - {person}


def _check_counts(done: Synced) -> None:
    counts = done.counts
    planned = sum(counts[kind] for kind in ("add", "again", "remove", "override"))
    if planned != counts["applied"] + counts["rejected"]:
        raise Diverged(f"counts do not add up: {counts}")


__all__ = ["Diverged", "LedgerError", "run_schedule"]

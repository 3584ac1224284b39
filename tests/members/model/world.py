"""One segment, its ledger and the time, in which runs, crashes and faults happen at random."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from airflow_segments_provider.errors import LedgerError, VendorError
from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.ledger.ledger import Ledger, Timing
from airflow_segments_provider.members.ledger.manifest import Writer
from airflow_segments_provider.members.plan import Mode, Rules
from airflow_segments_provider.members.sync import Settings, Sync, Synced
from airflow_segments_provider.members.workspace import Workspace
from tests.members.model.memory import KEY, Crash, MemoryStore, MemoryTarget, Vendor
from tests.members.model.weather import drawn

EVERYBODY = frozenset(str(number) for number in range(12))
SETTLE = timedelta(minutes=10)
# Where a list misses some, more than all of those in it may have to go.
NO_GUARD = Guard(max_removed_fraction=99, max_added_fraction=None, allow_empty=True)


class Diverged(AssertionError):
    """A claim does not hold."""


class SourceBroke(Exception):
    """The query fails half-way."""


@dataclass(frozen=True)
class Run:
    """What one run is asked to do.

    :param breaks: its source fails after half of the people.
    """

    wanted: frozenset[str]
    mode: Mode = "mirror"
    skip_removals: bool = False
    limit: int = 5
    breaks: bool = False

    @property
    def exact(self) -> bool:
        """Whether the members are exactly the wanted afterwards."""
        return self.mode == "mirror" and not self.skip_removals

    def source(self) -> Iterator[str]:
        people = sorted(self.wanted)
        if self.breaks:
            yield from people[: len(people) // 2]
            raise SourceBroke
        yield from people


def drawn_run(rng: random.Random, before: Run, undo: float) -> Run:
    """Any run; most are those that a task does every day.

    :param undo: the chance that it wants exactly those whom the one before did not.
    """
    mode: Mode = rng.choices(("mirror", "add", "remove"), (8, 1, 1))[0]
    wanted = EVERYBODY - before.wanted if rng.random() < undo else people(rng)
    return Run(wanted, mode, rng.random() < 0.1, rng.randint(1, 5), rng.random() < 0.04)


def people(rng: random.Random) -> frozenset[str]:
    """Some of all."""
    return frozenset(person for person in sorted(EVERYBODY) if rng.random() < rng.choice([0.1, 0.5, 0.9]))


class World:
    """The segment, and all that happens to it.

    :param databases: two of DuckDB, one for a run that takes over from another.
    """

    def __init__(self, seed: int, databases) -> None:
        self.rng = random.Random(seed)
        self.databases = databases
        self.now = 1_700_000_000_000
        self.weather = drawn(self.rng)
        self.rough = False
        self.overtaken_in = 0
        self.targets: list[MemoryTarget] = []
        self.overtaken = False
        self.runs = 0
        self.vouched: set[str] = set()
        self.refused: set[str] = set()
        self.store = MemoryStore(self.step)
        self.vendor = Vendor(self.rng, weather=self.weather, clock=lambda: self.now)
        self.lists = self.rng.random() < 0.4
        self.keep = self.rng.choice([timedelta(0), timedelta(0), timedelta(minutes=20), timedelta(days=30)])
        everybody = sorted(EVERYBODY)
        self.vendor.members = {person for person in everybody if self.rng.random() < 0.15}
        self.vendor.foreign = set(self.vendor.members)
        self.vendor.bad = {person for person in everybody if self.rng.random() < 0.08} - self.vendor.members

    def step(self) -> None:
        """A moment at which the process may die, or a later try of the same task do all its work meanwhile."""
        self.now += 1
        if not self.rough:
            return
        if self.rng.random() < self.weather.die:
            raise Crash
        self.overtaken_in -= len(self.targets) == 1
        if self.overtaken_in == 0 and len(self.targets) == 1:
            with suppress(Crash, VendorError, LedgerError):
                self.sync(Run(people(self.rng), limit=self.rng.randint(1, 5)))
            self.targets[0].stale = True

    def expect_the_worst(self) -> None:
        """From now on, a run may die or be overtaken; most is lost by what happens before it has written its intent."""
        self.rough = True
        overtaken = self.rng.random() < self.weather.overtake
        self.overtaken_in = self.rng.randint(1, self.rng.choice([6, 40])) if overtaken else 0

    def sync(self, run: Run, *, retry: bool = True) -> Synced:
        """A run, a minute after the one before; one that follows a crash waits until it may take over."""
        self.runs += 1
        number = self.runs
        self.now += 60_000
        self.vendor.land(0.0)
        target = MemoryTarget(
            self.vendor, run.limit, lists=self.lists, step=self.step, check=lambda kind, ids: _check(run, kind, ids)
        )
        retry_after = timedelta(0) if retry else timedelta(days=365)
        rules = Rules(run.mode, skip_removals=run.skip_removals, retry_rejected_after=retry_after)
        settings = Settings(rules=rules, guard=NO_GUARD)
        self.targets.append(target)
        try:
            with Workspace(database=self.databases[len(self.targets) - 1]) as workspace:
                done = Sync(target, run.source(), lambda key: self.ledger(number), workspace, settings).run()
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
        timing = Timing(settle_after=SETTLE, lease=timedelta(minutes=15), keep=self.keep)
        return Ledger(self.store, KEY.folder, writer, timedelta(seconds=10), timing, clock=lambda: self.now)

    def settle(self) -> None:
        """Let the settling time pass: what was under way is carried out, or never."""
        self.vendor.land(1.0)
        self.now += 11 * 60 * 1000
        self.vendor.was_late = False

    def by_hand(self) -> None:
        """Somebody changes the segment without telling anybody."""
        vendor, person = self.vendor, self.rng.choice(sorted(EVERYBODY))
        if person not in vendor.members and person not in vendor.bad:
            vendor.members = vendor.members | {person}
            vendor.foreign.add(person)
        elif self.lists:
            vendor.members = vendor.members - {person}


def _check(run: Run, kind: str, ids: set[str]) -> None:
    """What no request may do, whenever it is carried out."""
    if len(ids) > run.limit:
        raise Diverged(f"E: {len(ids)} ids in a request, the limit is {run.limit}")
    if kind == "add":
        right = run.wanted if run.mode != "remove" else frozenset()
    else:
        right = run.wanted if run.mode == "remove" else EVERYBODY - run.wanted if run.exact else frozenset()
    if wrong := ids - right:
        raise Diverged(f"E: a {run.mode} run would {kind} {sorted(wrong)}, wanted {sorted(run.wanted)}")

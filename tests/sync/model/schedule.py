"""One random schedule of workers, faults and changes by hand, and the claims that must hold in it.

A schedule is identified by its seed and its lengths. ``python -m tests.sync.model.repeat SEED`` prints the events of
one of those that `make test` runs, which are the seeds 0 to 1,999, or `make test-all`, up to 19,999; with ``long``
after it, one of the 1,000 longer ones.

D is the source of a run; R, the users whom the vendor rejected; strangers are members whom no ledger owned. All claims
are on ``mirror`` runs unless they say otherwise. A run is undisturbed if, since it began, no request was carried out
late, no other run sent one, and no member was removed by hand.

A: After an undisturbed run that succeeds, the members are D without R, and strangers; after a replacement, no stranger
   from before it (if the vendor lists members: none whom its list showed). After ``add``, and a run without its
   removals: D without R are members. After ``remove``: no user of D is a member, except R, users added by hand since
   the run began, and strangers whom a list did not show.
B: After the settling time, one run without faults makes A true, whatever happened before.
C: Once all uncertain users are settled, another run of the same source sends no request. This does not apply to
   ``remove`` if the vendor lists no members: it sends all of D each time.
D: A dry run sends no request, and writes no generation.
E: Users whom the vendor accepts, and who were rejected together with others, are members after some more runs.
F: No run begins or succeeds with older data than that of a successful run: older by the time that it represents, or
   read earlier for the same time. This does not apply to ``on_older="apply"``.
G: Besides the changes covered by an accepted plan, no run removes or adds more members than the limits allow; a run
   that applies an approved plan makes only the changes of that plan. Runs without removals remove no member.
H: Removals that an accepted plan has begun do not count again for the guard.
I: A source with too many invalid rows is refused.
K: An ended lease is not renewed, and each request is sent shortly after a check of the newest generation; the exception
   is a worker that was suspended between the last check and the sending.
L: A run without faults succeeds, or names a remedy with which it does: wait, approve, ``replace=True``, run again.
N: An empty source removes no member without ``allow_empty`` or an approval, unless it completes an accepted plan that
   did.
R: A request is part of an accepted plan, adds only wanted users and removes only others, is not too large, and has its
   place in the order: additions, removals, retries.
T: The committed time is that of the data, and not later than its reading.
V: If the vendor lists members, they are listed again after the requests. A removed user whom that list shows stays
   owned, and if the list is complete, no change is unconfirmed.
W: An older or lost ledger is used only for a replacement.
Z: Workers that resume after all this change nothing.
X: The engine raises only its own errors.

A schedule is excused, and ends, if a worker sends late and dies before its note, or if a note, or a commit that the
witness has not recorded, is lost with the ledger: the claims do not cover that.

Not covered: a segment that the sync creates; several tasks or mapped instances on one segment, and ``takeover``;
``max_members``, ``max_duration`` and the limits on what a run may report; IDs that need normalising, repeated or too
long; single files that are damaged or deleted, other than by a restored copy of all of them; a newer copy of a ledger
that is restored after an older one; forgotten, erased or rewritten ledgers; a witness that loses its value; requests
carried out later than ``settle_after``, in several parts at several times, or by half in a replacement; clocks that
jump or differ by more than the skew; errors of DuckDB or of the disk; steps within a read or within SQL.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import duckdb

from airflow_segments_provider.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerLost,
    PlanRefused,
    RejectedRequest,
    SyncIncomplete,
)
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.names import APPROVALS
from airflow_segments_provider.sync.settings import Mode
from tests.sync.model.engine import set_up
from tests.sync.model.memory import KEY, SETTLE, MemoryStore
from tests.sync.model.worker import AT_ONCE, NEVER, Options, Task, Worker
from tests.sync.model.world import LEASE, MINUTE, REQUEST_TIMEOUT, SKEW, START, Diverged, World

__all__ = ["Diverged", "Schedule", "run_schedule"]

MOST_AT_ONCE = 3
# The maximum number of runs that follow the remedies named by messages.
MOST_TRIES, MOST_RUNS = 14, 40
# The probability that after a check of a mirror, another mode is checked.
OTHER_MODES = 0.1


@dataclass(frozen=True)
class Lengths:
    """The lengths of schedules.

    :param fewest: The number of turns, up to ``most``.
    :param checked: The probability, at each turn, of a check of what must hold after the settling time.
    """

    fewest: int = 3
    most: int = 11
    checked: float = 0.02


SHORT, LONG = Lengths(), Lengths(fewest=8, most=40, checked=0.04)


def run_schedule(
    seed: int, databases: Sequence[duckdb.DuckDBPyConnection], *, lengths: Lengths = SHORT, **chosen: Any
) -> World:
    """Run a schedule, and return its world.

    :param databases: One for each concurrent worker, and one more.
    :param chosen: Fields of the weather that are not chosen at random.
    :raises Diverged: A claim does not hold.
    """
    schedule = Schedule(World(seed, chosen), list(databases))
    try:
        schedule.run(lengths)
    finally:
        schedule.end()
    return schedule.world


class Schedule:
    """The order of all events.

    :ivar active: Workers that have not ended.
    :ivar tries: The number of tries of each task.
    """

    def __init__(self, world: World, databases: list[duckdb.DuckDBPyConnection]) -> None:
        self.world = world
        self.databases = databases
        self.active: list[Worker] = []
        self.tries: Counter[str] = Counter()
        self.last: Task | None = None
        self.approve: str | None = None
        set_up(world.weather)

    def run(self, lengths: Lengths) -> None:
        world, rng = self.world, self.world.rng
        weather = world.weather
        for _ in range(rng.randint(lengths.fewest, lengths.most)):
            world.advance(rng.choice(weather.pauses))
            dice = rng.random()
            if len(self.active) < MOST_AT_ONCE and (not self.active or dice < 0.3):
                self.start()
            elif dice < 0.3 + weather.by_hand:
                world.by_hand()
            elif dice < 0.3 + weather.by_hand + lengths.checked:
                self.check()
            if weather.loss and rng.random() < weather.restored and not world.restore():
                return
            awake = [worker for worker in self.active if worker.wake <= world.now]
            if awake:
                self.let_go_on(rng.choice(awake))
            if world.excused:
                return
        self.check()
        self.wake_all()

    def end(self) -> None:
        """End every worker at its current step."""
        for worker in self.active:
            worker.kill()

    # Workers -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        world, rng = self.world, self.world.rng
        weather = world.weather
        if self.last is None or rng.random() >= weather.again:
            as_of: int | None = world.now
            if world.sources and rng.random() < weather.older:
                as_of = rng.choice(sorted(world.sources))
            elif rng.random() < weather.future:
                as_of = world.now + 1000
            elif rng.random() < 0.1:
                as_of = None
            self.last = Task(f"r{len(self.tries)}", as_of, rng.random() < weather.asks)
        earlier = [worker for worker in self.active if worker.task == self.last]
        world.seen["tries that began while an earlier one was at work"] += bool(earlier)
        self.active.append(self.worker(self.last, self.options()))
        world.seen[f"{len(self.active)} workers at once"] += 1

    def worker(self, task: Task, options: Options, *, calm: bool = False) -> Worker:
        self.tries[task.name] += 1
        world = self.world
        world.seen["runs"] += 1
        world.seen["runs with a time to come"] += task.as_of is not None and task.as_of > world.now
        return Worker(world, task, self.tries[task.name], options, self.databases.pop(), calm=calm)

    def options(self) -> Options:
        """Return random options, most of which are the usual ones."""
        rng, weather = self.world.rng, self.world.weather
        mode: Mode = rng.choice(["add", "remove"]) if rng.random() < weather.other_mode else "mirror"
        approve, self.approve = self.approve, None
        first = "replace" if rng.random() < weather.first else rng.choice(["add", "add", "add", None])
        return Options(
            mode,
            skips=rng.random() < weather.skips,
            retry_after=rng.choice([AT_ONCE, NEVER]),
            allow_empty=rng.random() < 0.5,
            first_sync=first,
            approve=approve,
            plan_only=rng.random() < weather.dry,
            any_age=rng.random() < weather.any_age,
            everybody=weather.lists and rng.random() < 0.1,
            invalid=rng.choice([1, 4]) if rng.random() < weather.invalid else 0,
            breaks=rng.random() < weather.breaks,
            stopped_at=rng.randint(1, 12) if rng.random() < weather.stopped else 0,
        )

    def let_go_on(self, worker: Worker) -> None:
        """Let a worker do some steps."""
        world, rng = self.world, self.world.rng
        worker.go_on(rng.choice(world.weather.turns))
        if worker.end:
            self.ended(worker)

    def ended(self, worker: Worker) -> None:
        world, rng = self.world, self.world.rng
        if worker in self.active:
            self.active.remove(worker)
        self.databases.append(worker.database)
        if isinstance(worker.error, PlanRefused) and rng.random() < world.weather.approves:
            self.grant(len(world.refused) - 1)
        elif world.refused and rng.random() < world.weather.stale:
            self.grant(rng.randrange(len(world.refused)))

    def grant(self, number: int) -> None:
        """Approve a refused plan, by a file beside the ledger or by a parameter of the next run."""
        world = self.world
        kept = world.refused[number]
        digest = kept.plan.digest
        world.granted.add((digest, kept.adds, kept.removes))
        if world.rng.random() < 0.5:
            self.approve = digest
        else:
            store = MemoryStore(lambda: None, world.files)
            held = Ledger(store, KEY.folder, Writer(token="x", owner="", run=""), timedelta(minutes=REQUEST_TIMEOUT))
            held.head = read_head(store, KEY.folder)
            approvals.approve(held, digest, "somebody")
        world.seen["approvals"] += 1
        world.note("somebody", "approves", digest)

    # Claims --------------------------------------------------------------------------------------------------------

    def drive(self, as_of: int, *, mode: Mode = "mirror", retry: bool = True) -> Worker:
        """Run without faults, repeatedly as the messages advise; return the run that succeeded."""
        world, rng = self.world, self.world.rng
        task = Task(f"d{len(self.tries)}", as_of)
        options = Options(
            mode,
            retry_after=AT_ONCE if retry else NEVER,
            allow_empty=rng.random() < 0.8,
            first_sync=rng.choice(["add", "replace"]),
        )
        for _ in range(MOST_TRIES):
            worker = self.worker(task, options, calm=True)
            with world.calm():
                worker.run()
            self.databases.append(worker.database)
            if worker.end == "ok":
                return worker
            options = replace(options, approve=None)
            error = worker.error
            if isinstance(error, PlanRefused):
                kept = world.refused[-1]
                world.granted.add((kept.plan.digest, kept.adds, kept.removes))
                options = replace(options, approve=error.digest)
            elif isinstance(error, LedgerBusy):
                world.advance(max(0, -(-(error.until - START) // MINUTE) - world.now))
            elif isinstance(error, (LedgerLost, LedgerDamaged)) and not task.asks:
                task = Task(f"d{len(self.tries)}", as_of, asks=True)
            else:
                world.claim("L", isinstance(error, (SyncIncomplete, RejectedRequest)), worker.end, error)
        raise world.diverged("L: no end", task)

    def check(self) -> None:
        """Check what must hold after the settling time: one run makes it so, and further runs send fewer requests."""
        world = self.world
        rejects = world.vendor.bad | world.vendor.stuck
        self.approve = None
        for name in MemoryStore(lambda: None, world.files).names(APPROVALS):
            del world.files[f"{APPROVALS}/{name}"]
        self.wait_for_notes()
        if world.excused:
            return
        world.advance(LEASE + 2 * REQUEST_TIMEOUT + SETTLE + 3 * SKEW)
        as_of, runs, settled = world.now, 0, False
        world.seen["checks"] += 1
        while not settled:
            books = self.drive(as_of).books
            world.claim("B", *books.holds())
            world.settled = True
            world.advance(REQUEST_TIMEOUT + SETTLE + 2 * SKEW)
            settled, runs = books.rejected <= rejects and books.uncertain <= books.rejected, runs + 1
            world.claim("E", settled or runs < MOST_RUNS, sorted(books.rejected), sorted(books.uncertain))
        self.check_again(as_of)
        if world.rng.random() < OTHER_MODES:
            self.check_mode("add" if world.rng.random() < 0.5 else "remove")
        world.settled = False

    def check_again(self, as_of: int, mode: Mode = "mirror") -> None:
        """Check that another run sends nothing, and changes nothing."""
        world = self.world
        before = world.vendor.requests
        worker = self.drive(as_of, mode=mode, retry=False)
        if mode != "remove" or world.weather.lists:
            world.claim("C", world.vendor.requests == before, world.vendor.requests - before, worker.done)
        world.claim("B after C", *worker.books.holds())

    def check_mode(self, mode: Mode) -> None:
        """Check a run of another mode with a current source."""
        world = self.world
        world.advance(SKEW + 1)
        as_of = world.now
        world.claim("B", *self.drive(as_of, mode=mode).books.holds())
        self.check_again(as_of, mode)

    def wait_for_notes(self) -> None:
        """Let workers that have sent too late write their notes; no claim is made before."""
        world = self.world
        while waiting := [worker for worker in self.active if worker.books.astray]:
            self.let_go_on(waiting[0])
            if world.excused:
                return
        world.astray.clear()

    def wake_all(self) -> None:
        """Resume the suspended workers: they change nothing, or one more run after their notes corrects the change."""
        world = self.world
        for worker in [worker for worker in self.active if self.may_be_newest(worker)]:
            worker.kill()
            self.ended(worker)
        before = world.vendor.members
        while self.active:
            self.let_go_on(self.active[0])
            if world.excused:
                return
        world.advance(SETTLE + 1)
        if world.weather.gaps:
            self.check()
        else:
            world.claim("Z", world.vendor.members == before, sorted(before), sorted(world.vendor.members))

    def may_be_newest(self, worker: Worker) -> bool:
        """Return whether a worker that has not begun yet may rightly change the result of the newest run."""
        as_of = worker.task.as_of
        return as_of is None or as_of > self.world.now or worker.options.any_age

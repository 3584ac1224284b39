"""One run of the engine in a thread of its own, which proceeds only while the schedule lets it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import duckdb

from airflow_segments_provider.errors import PlanRefused, SegmentsError
from airflow_segments_provider.sync.engine import Sync, Synced
from airflow_segments_provider.sync.ledger.history import Head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Manifest, Writer
from airflow_segments_provider.sync.ledger.names import ACKNOWLEDGED, GENERATIONS, LEASES, NOTES
from airflow_segments_provider.sync.ledger.ownership import Seen
from airflow_segments_provider.sync.ledger.timing import Timing
from airflow_segments_provider.sync.settings import Mode, Settings
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.model.books import Books
from tests.sync.model.memory import KEY, SETTLE, Crash, MemoryStore, MemoryTarget
from tests.sync.model.world import LEASE, MINUTE, REQUEST_TIMEOUT, SKEW, Diverged, World

AT_ONCE, NEVER = timedelta(0), timedelta(days=3650)


# Parts of messages, and the events that they report.
ENDS = {
    "hold on the segment's ledger ended": "workers whose lease had ended",
    "was not sent within": "workers that did not send, as it was too late",
    "took this segment over": "workers that saw that they were overtaken",
    "may still be carried out, and would undo": "runs that waited for a replacement of unknown outcome",
    "an earlier try of that request": "runs that waited after a replacement that was tried twice",
    "or it was killed. Nothing was sent now": "runs that found another at work",
    "every request that would have replaced": "replacements that the vendor rejected",
    "rejected each of": "runs in which the vendor accepted nothing",
    "not valid user IDs": "sources with too many invalid rows",
    "first_sync": "first syncs that did not say what becomes of members",
    "`replace=True` for one run": "ledgers that were lost or damaged",
    "the ledger was lost": "replacements of unknown members that were refused",
}


class SourceBroke(Exception):
    """Reading the source fails half-way."""


@dataclass(frozen=True)
class Task:
    """A task instance, whose tries are runs.

    :param as_of: The minute that its data represents; None for now.
    :param asks: It requests a replacement.
    """

    name: str
    as_of: int | None
    asks: bool = False


@dataclass(frozen=True)
class Options:
    """The options of a run.

    :param invalid: The number of invalid rows of its source.
    :param breaks: Reading its source fails half-way.
    :param stopped_at: The check at which Airflow has ended the task; 0 for never.
    """

    mode: Mode = "mirror"
    skips: bool = False
    retry_after: timedelta = AT_ONCE
    allow_empty: bool = True
    first_sync: str | None = "add"
    approve: str | None = None
    plan_only: bool = False
    any_age: bool = False
    everybody: bool = False
    invalid: int = 0
    breaks: bool = False
    stopped_at: int = 0


class Store(MemoryStore):
    """The ledger's files, as one worker accesses them."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(worker.step, worker.world.files)
        self.worker = worker

    def create(self, name: str, content: bytes) -> bool:
        self.step()
        if name in self.files:
            return False
        self.files[name] = content
        self.worker.created(name, content)
        self.step()
        unsure = self.worker.world.rng.random() < self.worker.world.weather.unsure
        self.worker.world.seen["files written whose answer was lost"] += unsure
        return not unsure

    def names(self, folder: str) -> list[str]:
        self.step()
        if folder == GENERATIONS:
            self.worker.listed_at, self.worker.restores = self.worker.world.now, self.worker.world.restores
        return super().names(folder)

    def read(self, name: str) -> bytes | None:
        if name.startswith(GENERATIONS):
            self.step()
        return super().read(name)


class Target(MemoryTarget):
    """The vendor, as one worker accesses it."""

    ours = False

    def __init__(self, worker: Worker) -> None:
        world = worker.world
        timeout = timedelta(minutes=REQUEST_TIMEOUT)
        lists, limit = world.weather.lists, world.weather.limit
        super().__init__(world.vendor, limit, lists=lists, step=worker.step, request_timeout=timeout)
        self.worker = worker
        self.gap = worker.in_gap

    @property
    def before_try(self) -> Callable[[], None]:
        return self._try

    @before_try.setter
    def before_try(self, check: Callable[[], None]) -> None:
        self._check = check

    def _try(self) -> None:
        self.step()
        self._check()

    def request(self, kind: str, ids: set[str]) -> str:
        return self.worker.books.send(kind, ids)

    def members(self) -> Iterator[Sequence[str]]:
        self.step()
        listed = self.vendor.listed()
        self.worker.books.listed(listed)
        yield listed
        self.step()


class Remembered:
    """The witness, as one worker accesses it."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    def read(self) -> Seen | None:
        self.worker.step()
        self.worker.witness_restores = self.worker.world.restores
        return self.worker.world.witness

    def write(self, seen: Seen) -> None:
        self.worker.books.witnessed()
        self.worker.step()
        world = self.worker.world
        if world.witness is None or seen.generation >= world.witness.generation:
            world.witness = seen
        world.witnessed.add(seen.digest)
        self.worker.step()


class Worker:
    """A run, and the machine that executes it.

    :param calm: The run has no faults and is not interrupted.
    :ivar end: How it ended: ``ok``, ``planned``, ``died``, or the name of an error; empty while it runs.
    :ivar wake: The minute until which it is suspended.
    :ivar listed_at: When it last listed the ledger's generations, and ``restores``, how often the ledger was restored
        by then; ``witness_restores``: the same when it last read the witness.
    """

    def __init__(
        self,
        world: World,
        task: Task,
        number: int,
        options: Options,
        database: duckdb.DuckDBPyConnection,
        *,
        calm: bool,
    ) -> None:
        self.world = world
        self.task = task
        self.number = number
        self.options = options
        self.database = database
        self.calm = calm
        self.ahead = world.rng.randint(0, SKEW)
        self.end = ""
        self.error: Exception | None = None
        self.done: Synced | None = None
        self.wake = self.listed_at = self.restores = self.witness_restores = 0
        self.turns = 0
        self.looks = 0
        self.dead = False
        self.books = Books(self)
        self._mine, self._others = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._others.acquire()
        self._thread: threading.Thread | None = None

    def __str__(self) -> str:
        return f"{self.task.name}.{self.number}"

    # The thread ----------------------------------------------------------------------------------------------------

    def go_on(self, turns: int) -> None:
        """Let the worker do this many steps, or fewer if it is suspended or ends."""
        self.turns = turns
        self._resume()
        if self.world.divergence:
            raise self.world.divergence

    def kill(self) -> None:
        """End the worker at its current step."""
        if not self.end and self._thread:
            self.dead = True
            self._resume()
        self.end = self.end or "died"

    def _resume(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
        else:
            self._mine.release()
        self._others.acquire()
        if self.end:
            self._thread.join()

    def run(self) -> None:
        """Run to the end, in the calling thread."""
        self._carry_out()
        if self.world.divergence:
            raise self.world.divergence

    def _work(self) -> None:
        try:
            self._carry_out()
        finally:
            self._others.release()

    def _pause(self) -> None:
        self._others.release()
        self._mine.acquire()
        if self.dead:
            raise Crash

    def step(self) -> None:
        """At each step the worker may die, be suspended, or let another worker proceed."""
        if self.dead or self.world.divergence:
            raise Crash
        world = self.world
        rng, weather = world.rng, world.weather
        if rng.random() < weather.tick:
            world.advance(1)
        if self.calm:
            return
        if weather.loss and rng.random() < weather.copied:
            world.back_up()
        dice = rng.random()
        if dice < weather.die:
            self.die()
        if dice < weather.die + weather.hang:
            self._suspend()
            return
        self.turns -= 1
        if self.turns <= 0:
            self._pause()

    def die(self) -> None:
        self.dead = True
        self.world.seen["workers died"] += 1
        if self.books.astray:
            self.world.excused = "a worker sent too late, and died before its note"
        self.world.note(self, "dies")
        raise Crash

    def in_gap(self) -> None:
        """Pass the moment between the last check before a try and the sending."""
        weather, rng = self.world.weather, self.world.rng
        if not weather.gaps or self.calm:
            return
        if rng.random() < 5 * weather.hang:
            self._suspend()
        else:
            self.step()

    def _suspend(self) -> None:
        self.wake = self.world.now + self.world.rng.randint(1, 60)
        self.world.seen["workers suspended"] += 1
        self.world.note(self, "is suspended until", self.wake)
        self._pause()

    # The run -------------------------------------------------------------------------------------------------------

    def clock(self) -> int:
        return self.world.moment(self.world.now + self.ahead)

    def running(self) -> int:
        return self.world.now * MINUTE

    def stopped(self) -> bool:
        self.looks += 1
        return self.looks == self.options.stopped_at

    def ledger(self, *_: object) -> Ledger:
        keep = timedelta(minutes=self.world.weather.keep)
        timing = Timing(timedelta(minutes=SETTLE), timedelta(minutes=LEASE), timedelta(minutes=SKEW), keep)
        writer = Writer(
            token=f"{self.task.name}.{self.number}",
            owner="dag.task",
            run=f"dag/{self.task.name}/task/-1",
            try_number=self.number,
        )
        timeout = timedelta(minutes=REQUEST_TIMEOUT)
        self._held = Ledger(
            Store(self), KEY.folder, writer, timeout, timing, Remembered(self), clock=self.clock, running=self.running
        )
        return self._held

    @property
    def opened(self) -> Head:
        """Return the generation of the ledger on which the run is based."""
        return self._held.head

    def settings(self) -> Settings:
        weather, options = self.world.weather, self.options
        given: dict[str, Any] = {
            "mode": options.mode,
            "removals": "all" if options.everybody and options.mode == "mirror" else "owned",
            "replace": self.task.asks and options.mode == "mirror",
            "first_sync": options.first_sync if options.mode == "mirror" else None,
            "max_removals": weather.max_removals,
            "max_removed_fraction": weather.removed,
            "max_added_fraction": weather.added,
            "allow_empty": options.allow_empty,
            "on_guard": "skip_removals" if options.skips else "fail",
            "approve": options.approve,
            "plan_only": options.plan_only,
            "retry_rejected_after": options.retry_after,
            "on_older": "apply" if options.any_age else "skip",
        }
        return Settings(**given)

    def source(self) -> Iterator[str]:
        self.step()
        users = sorted(self.books.read())
        half = len(users) // 2
        yield from users[:half]
        self.step()
        yield from [""] * self.options.invalid
        if self.options.breaks:
            raise SourceBroke
        yield from users[half:]

    def _carry_out(self) -> None:
        self.world.note(self, "begins", "calm" if self.calm else "", self.task, self.options)
        try:
            self._sync()
        except Diverged:
            self.end = "diverged"
        except Crash:
            self.end = "died"
        except Exception as error:  # noqa: BLE001  # whatever else the engine raises is a divergence
            self.end, self.error = type(error).__name__, error
            if not self.world.divergence:
                self.world.divergence = Diverged(f"X: {type(error).__name__}: {error}")
                self.world.divergence.__cause__ = error
        self._count()

    def _count(self) -> None:
        """Count how runs end."""
        seen, text = self.world.seen, str(self.error or "")
        self.world.note(self, "ends", self.end, text)
        seen[f"ended: {self.end}"] += 1
        for part, name in ENDS.items():
            seen[name] += part in text

    def _sync(self) -> None:
        as_of = None if self.task.as_of is None else self.world.moment(self.task.as_of)
        try:
            with Workspace(database=self.database) as self.workspace:
                self.done = Sync(
                    Target(self),
                    self.source(),
                    self.ledger,
                    self.workspace,
                    self.settings(),
                    as_of=as_of,
                    stopped=self.stopped,
                    on_plan=self.books.planned,
                ).run()
                self.books.succeeded(self.done)
            self.end = "planned" if self.options.plan_only else "ok"
        except PlanRefused as error:
            self.end, self.error = "PlanRefused", error
            self.books.refused(error)
        except (SegmentsError, SourceBroke) as error:
            self.end, self.error = type(error).__name__, error

    def created(self, name: str, content: bytes) -> None:
        """Record a file written to the ledger, at the moment of the write."""
        folder = name.partition("/")[0]
        if folder == NOTES:
            self.books.noted()
        elif folder == ACKNOWLEDGED:
            self.books.acknowledged(Acknowledgement.model_validate_json(content))
        elif folder == LEASES:
            self.books.leased(name)
        elif folder == GENERATIONS:
            manifest = Manifest.model_validate_json(content)
            # If the number was free because its generation was deleted as old, the engine detects it, too.
            if manifest.generation == self.world.newest_generation():
                self.books.generation(manifest, content)

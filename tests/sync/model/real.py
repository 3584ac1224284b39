"""Random schedules with real files, sockets and processes: a ledger in a folder, WalkMe's sandbox.

The claims are those of the model: the members are the wanted users without the rejected ones, and the members added by
hand. This holds after a successful run while no request is late, and, whatever happened before, after a run without
faults; then a further run sends no request.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.sync.model.one_run import FAILED, SEGMENT, Order, as_json, carry_out
from tests.sync.model.world import Diverged

ROOT = Path(__file__).parents[3]
PEOPLE = 12
BY_HAND = {"f001", "f002"}
# In seconds: the time after which an open intent has settled, longer than the request time-out and `settle_after`.
SETTLE = 30 * 60
LAST_STEP = 90

Start = Callable[[Order], int]


def forked(order: Order) -> int:
    """Carry out an order in a child of this process, and return the exit code."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = carry_out(order)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def fresh(order: Order) -> int:
    """Carry out an order in a new interpreter, and return the exit code."""
    path = Path(order.folder) / "order.json"
    path.write_text(as_json(order))
    done = subprocess.run(
        [sys.executable, "-m", "tests.sync.model.one_run", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, FAILED, -signal.SIGKILL), done.stderr
    return done.returncode


class RealWorld:
    """A segment in the sandbox, and its ledger in a folder.

    :ivar killed: The number of runs that were killed so far.
    """

    def __init__(self, seed: int, sandbox, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.sandbox = sandbox
        self.later = 0
        self.late = False
        self.killed = 0
        self.runs = 0
        self.bad = {person for person in self.everybody if self.rng.random() < 0.08}
        sandbox.create_segment(SEGMENT, user_ids=sorted(BY_HAND))
        sandbox.settings(refused_user_ids=sorted(self.bad))
        self.order = Order(str(folder), 0, (), keep_days=self.rng.choice([0, 30]))

    @property
    def everybody(self) -> list[str]:
        return [f"p{number:03}" for number in range(PEOPLE)]

    def drawn(self) -> tuple[str, ...]:
        return tuple(person for person in self.everybody if self.rng.random() < self.rng.choice([0.1, 0.5, 0.9]))

    def advance(self, seconds: int) -> None:
        self.sandbox.advance(seconds)
        self.later += seconds * 1000

    def settle(self) -> None:
        """Let the time pass after which no request can be late."""
        self.sandbox.clear_faults()
        self.advance(SETTLE)
        self.late = False

    def break_requests(self) -> None:
        """Let some of the next requests fail."""
        rng = self.rng
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            kind, given = rng.choice(FAULTS)
            given = {**given, "seconds": rng.randint(30, 500)} if kind == "late" else given
            self.late = self.late or kind == "late"
            times = rng.choice([1, 1, 3])
            self.sandbox.fault("walkme.update", kind, times=times, skip=rng.randint(0, 4), **given)

    def run(
        self, wanted: tuple[str, ...], start: Start = carry_out, *, die_at: int = 0, retry: bool = True
    ) -> Mapping[str, Any] | None:
        """Run a minute after the previous run; return None if the run was killed or failed."""
        self.runs += 1
        self.advance(60)
        order = replace(self.order, number=self.runs, wanted=wanted, later=self.later, retry=retry, die_at=die_at)
        code = start(order)
        if code == -signal.SIGKILL:
            self.killed += 1
            return None
        if code == FAILED:
            return None
        if code:
            raise Diverged(f"a run ended with {code}")
        answer: Mapping[str, Any] = json.loads(order.answer.read_text())
        return answer

    def writes(self) -> int:
        return int(self.sandbox.counts().get("walkme.update", 0))

    def check(self, wanted: tuple[str, ...], answer: Mapping[str, Any], claim: str) -> None:
        members, refused = self.sandbox.members(SEGMENT), set(answer["refused"])
        if members != (set(wanted) - refused) | BY_HAND or not refused <= self.bad:
            raise Diverged(f"{claim}: members {sorted(members)}, wanted {wanted}, refused {sorted(refused)}")


FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("lost", {}),
    ("late", {}),
    ("status", {"status": 429}),
    ("status", {"status": 503}),
    ("reset", {"effect": True}),
    ("reset", {}),
    ("truncate", {}),
]


def run_real_schedule(seed: int, sandbox, folder: Path, start: Start = forked) -> RealWorld:
    """Run a schedule.

    :param start: Starts the runs that may be killed; the others run in this process.
    """
    world = RealWorld(seed, sandbox, folder)
    rng = world.rng
    wanted: tuple[str, ...] = ()
    for _ in range(rng.randint(1, 3) if start is forked else 1):
        wanted = world.drawn()
        world.break_requests()
        dies = rng.random() < 0.7 or start is fresh
        answer = world.run(wanted, start, die_at=rng.randint(1, LAST_STEP)) if dies else world.run(wanted)
        if answer and not world.late:
            world.check(wanted, answer, "A")
        if rng.random() < 0.3:
            world.settle()
    for claim in ("B", "B again"):
        world.settle()
        answer = world.run(wanted)
        if answer is None:
            raise Diverged(f"{claim}: {(folder / 'answer.json').read_text()}")
        world.check(wanted, answer, claim)
    before = world.writes()
    answer = world.run(wanted, retry=False)
    if answer is None or answer["outcome"] != "unchanged" or world.writes() != before:
        raise Diverged(f"C: {world.writes() - before} requests, {answer}")
    return world

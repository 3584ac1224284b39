"""A store and a vendor in memory, both of which can fail, and kill the run, at every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from airflow_segments_provider.errors import RateLimited, RejectedRequest, VendorError, VendorUnavailable
from airflow_segments_provider.members.target import Applied, Limits, SegmentKey
from tests.members.model.weather import CALM, Weather

KEY = SegmentKey("memory", "https://vendor.example", "system", "segment")

# The longest after it was sent that a request is carried out, in milliseconds; the engine waits a little longer.
LATEST = 9 * 60 * 1000


class Crash(BaseException):
    """The process dies here. Nothing may catch it."""


class MemoryStore:
    """Files as a dict; calls ``step`` before and after each write."""

    def __init__(self, step: Callable[[], None]) -> None:
        self.files: dict[str, bytes] = {}
        self.step = step

    def create(self, name: str, content: bytes) -> bool:
        self.step()
        if name in self.files:
            return False
        self.files[name] = content
        self.step()
        return True

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def names(self, folder: str) -> list[str]:
        prefix = f"{folder}/" if folder else ""
        return sorted(
            name.removeprefix(prefix)
            for name in self.files
            if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
        )

    def folders(self, folder: str) -> list[str]:
        prefix = f"{folder}/" if folder else ""
        inside = {name.removeprefix(prefix) for name in self.files if name.startswith(prefix)}
        return sorted({name.partition("/")[0] for name in inside if "/" in name})

    def put(self, name: str, content: Path) -> None:
        self.step()
        self.files[name] = content.read_bytes()
        self.step()

    def fetch(self, name: str, into: Path) -> bool:
        if name not in self.files:
            return False
        into.write_bytes(self.files[name])
        return True

    def delete(self, name: str) -> None:
        self.step()
        self.files.pop(name, None)
        self.step()

    def delete_folder(self, folder: str) -> None:
        for name in [name for name in self.files if name.startswith(f"{folder}/")]:
            self.delete(name)

    def delete_unfinished(self, before: int) -> None:
        pass


class Vendor:
    """A segment with everything that can go wrong.

    A request may be carried out, or in part, and its answer lost, be lost, be carried out later, after others, or be
    put off; a list may miss members, or fail; a batch with a bad id is refused whole.

    :param clock: milliseconds.
    :param foreign: members whom no ledger vouches for.
    :param blind: lists may miss members, also while nothing else goes wrong.
    """

    def __init__(
        self,
        rng: random.Random,
        *,
        faulty: bool = True,
        weather: Weather = CALM,
        clock: Callable[[], int] = lambda: 0,
    ) -> None:
        self.rng = rng
        self.faulty = self.blind = faulty
        self.weather = weather
        self.clock = clock
        self.members: set[str] = set()
        self.foreign: set[str] = set()
        self.bad: set[str] = set()
        self.late: list[tuple[int, str, set[str]]] = []
        self.requests = 0
        self.was_late = False

    def carry_out(self, kind: str, ids: set[str]) -> None:
        self.members = self.members | ids if kind == "add" else self.members - ids
        self.foreign -= ids

    def land(self, chance: float) -> None:
        """Requests that timed out earlier may be carried out now, in any order, and those of long ago are."""
        latest = self.clock() - LATEST
        due = [request for request in self.late if request[0] <= latest or self.rng.random() < chance]
        for request in self.rng.sample(due, len(due)):
            self.late.remove(request)
            self.carry_out(*request[1:])
            self.was_late = True

    def request(self, kind: str, ids: set[str]) -> str:
        """``done``, ``refused``, ``lost``, or ``busy``: put off."""
        self.requests += 1
        self.land(self.weather.land)
        fate = self.rng.random() if self.faulty else 1.0
        lost = fate < self.weather.lost
        if not lost and fate < self.weather.lost + self.weather.busy:
            return "busy"
        if kind == "add" and ids & self.bad:
            return "lost" if lost else "refused"
        if not lost:
            self.carry_out(kind, ids)
            return "done"
        self._lose(kind, ids)
        return "lost"

    def _lose(self, kind: str, ids: set[str]) -> None:
        """Carry out now some, all or nobody of a request without an answer, and the rest later, or never."""
        fate, now = self.rng.random(), set(ids)
        if fate < self.weather.late:
            now = set()
        elif fate < self.weather.late + self.weather.partly:
            now = {person for person in sorted(ids) if self.rng.random() < 0.5}
        self.carry_out(kind, now)
        if (rest := ids - now) and self.rng.random() < 0.8:
            self.late.append((self.clock(), kind, rest))

    def listed(self) -> list[str]:
        if self.faulty and self.rng.random() < self.weather.busy:
            raise VendorUnavailable("no list", status=503)
        miss = 0.3 if self.blind and self.rng.random() < 0.5 else 0.0
        return [member for member in sorted(self.members) if self.rng.random() >= miss]


class MemoryTarget:
    """The vendor as the engine sees it.

    :param stale: set when another run has taken over: whatever this one still sends comes late.
    :param check: told each request's kind and ids.
    """

    ours = True
    made_as = ""
    stale = False

    def __init__(
        self,
        vendor: Vendor,
        limit: int,
        *,
        lists: bool,
        step: Callable[[], None],
        check: Callable[[str, set[str]], None] = lambda kind, ids: None,
    ) -> None:
        self.vendor = vendor
        self.lists = lists
        self.limits = Limits(limit, limit, max_length=10, request_timeout=timedelta(seconds=10))
        self.step = step
        self.check = check

    def key(self) -> SegmentKey:
        return KEY

    def make(self) -> None:
        raise NotImplementedError

    def normalise(self, ids: Sequence[str]) -> Sequence[str]:
        return ids

    def add(self, ids: Sequence[str]) -> Applied:
        return self._send("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        return self._send("remove", ids)

    def override(self, ids: Sequence[str]) -> Applied:
        raise NotImplementedError

    def members(self) -> Iterator[Sequence[str]]:
        self.step()
        yield self.vendor.listed()

    def _send(self, kind: str, ids: Sequence[str]) -> Applied:
        self.check(kind, set(ids))
        lost, error = False, VendorError("not sent")
        for _ in range(self.vendor.weather.tries):
            self.step()
            self.vendor.was_late = self.vendor.was_late or self.stale
            fate = self.vendor.request(kind, set(ids))
            self.step()
            if fate == "done":
                return Applied(in_doubt=lost)
            lost = lost or fate == "lost"
            if fate == "refused":
                error = RejectedRequest("refused", status=400)
                break
            error = VendorUnavailable("lost") if fate == "lost" else RateLimited("busy", status=429)
        error.maybe_done = lost
        raise error

"""A store and a vendor in memory, both of which can fail, and end the run, at every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from airflow_segments_provider.errors import (
    PermissionDenied,
    RateLimited,
    RejectedRequest,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.sync.target import Applied, Limits, SegmentKey, Target
from tests.sync.model.weather import CALM, Weather

KEY = SegmentKey("memory", "https://vendor.example", "system", "segment")

# In minutes: a request is carried out at most this long after it was sent.
SETTLE = 6


class Crash(BaseException):
    """The process dies here. No code may catch this exception."""


class MemoryStore:
    """Files as a dict; calls ``step`` before and after each write."""

    def __init__(self, step: Callable[[], None], files: dict[str, bytes] | None = None) -> None:
        self.files = {} if files is None else files
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
        start = len(prefix)
        return sorted(name[start:] for name in self.files if name.startswith(prefix) and "/" not in name[start:])

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
    """A segment at a vendor with all kinds of faults.

    A request may be carried out, completely or in part, without a response; it may be lost, be carried out later, after
    others, be rejected by a rate limit, or be denied. A batch with a rejected ID is rejected as a whole, or its
    rejected IDs are named. A list may miss members, or fail.

    :param clock: in minutes.
    :ivar strangers: members whom no ledger owned.
    :ivar unseen: users whom somebody removed by hand, and no list shows it.
    :ivar leaving: strangers whom a replacement has to remove.
    :ivar bad: users whom it does not add; ``stuck``: whom it does not remove.
    :ivar late: requests without an answer that may still be carried out, and until when; ``lost``: the last one.
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
        self.faulty = faulty
        self.weather = weather
        self.clock = clock
        self.members: set[str] = set()
        self.strangers: set[str] = set()
        self.unseen: set[str] = set()
        self.leaving: set[str] = set()
        self.bad: set[str] = set()
        self.stuck: set[str] = set()
        self.late: list[tuple[int, str, set[str]]] = []
        self.lost: tuple[str, set[str]] = ("", set())
        self.requests = 0

    def rejects(self, kind: str, ids: set[str]) -> set[str]:
        """Return the users of a request whom the vendor rejects."""
        return ids & (self.stuck if kind == "remove" else self.bad)

    def carry_out(self, kind: str, ids: set[str]) -> None:
        wrong = self.rejects(kind, ids)
        if wrong and not self.weather.partial:
            return
        ids = ids - wrong
        if kind == "replace":
            self.members, self.strangers, self.unseen, self.leaving = set(ids), set(), set(), set()
            return
        self.members = self.members - ids if kind == "remove" else self.members | ids
        self.strangers, self.unseen, self.leaving = self.strangers - ids, self.unseen - ids, self.leaving - ids

    def land(self, chance: float) -> bool:
        """Carry out requests that timed out earlier: some of them at random, in any order, and all that are due."""
        now = self.clock()
        due = [request for request in self.late if request[0] <= now or self.rng.random() < chance]
        for request in self.rng.sample(due, len(due)):
            self.late.remove(request)
            self.carry_out(*request[1:])
        return bool(due)

    def request(self, kind: str, ids: set[str]) -> str:
        """Return ``done``, ``refused``, ``lost``, ``busy`` or ``denied``."""
        self.requests += 1
        weather, dice = self.weather, self.rng.random() if self.faulty else 1.0
        if self.faulty and weather.moody and self.lost == (kind, ids) and self.rng.random() < weather.moody:
            return "refused"
        if dice < weather.lost:
            self._lose(kind, ids)
            return "lost"
        if dice < weather.lost + weather.busy:
            return "busy"
        if dice < weather.lost + weather.busy + weather.denied:
            return "denied"
        if self.rejects(kind, ids) and not weather.partial:
            return "refused"
        self.carry_out(kind, ids)
        return "done"

    def _lose(self, kind: str, ids: set[str]) -> None:
        """Carry out all, some or none of a request without a response, and the rest later or never."""
        dice, weather = self.rng.random(), self.weather
        self.lost = kind, ids
        late = dice < weather.late
        some = not late and dice < weather.late + weather.partly and kind != "replace" and not self.rejects(kind, ids)
        now = {user for user in sorted(ids) if self.rng.random() < 0.5} if some else ids
        if not late:
            self.carry_out(kind, now)
        if (late or some) and self.rng.random() < 0.7:
            self.late.append((self.clock() + SETTLE, kind, ids if late else ids - now))

    def listed(self) -> list[str]:
        if self.faulty and self.rng.random() < self.weather.busy:
            raise VendorUnavailable("no list", status=503)
        blind = self.weather.blind if self.faulty and self.rng.random() < 0.5 else 0.0
        return [member for member in sorted(self.members) if self.rng.random() >= blind]


class MemoryTarget(Target):
    """The vendor as the engine sees it.

    :ivar gap: Called between the last check before a try and the sending.
    """

    ours = True
    replaces = True
    before_try: Callable[[], None]

    def __init__(
        self,
        vendor: Vendor,
        limit: int,
        *,
        lists: bool,
        step: Callable[[], None],
        request_timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self.vendor = vendor
        self.lists = lists
        self.limits = Limits(limit, limit, max_length=10, request_timeout=request_timeout)
        self.step = self.gap = step

    def key(self) -> SegmentKey:
        return KEY

    def add(self, ids: Sequence[str]) -> Applied:
        return self._send("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        return self._send("remove", ids)

    def replace(self, ids: Sequence[str]) -> Applied:
        return self._send("replace", ids)

    def members(self) -> Iterator[Sequence[str]]:
        self.step()
        yield self.vendor.listed()

    def request(self, kind: str, ids: set[str]) -> str:
        return self.vendor.request(kind, ids)

    def _send(self, kind: str, ids: Sequence[str]) -> Applied:
        lost, error, weather = False, VendorError("not sent"), self.vendor.weather
        for _ in range(weather.replace_tries if kind == "replace" else weather.tries):
            self.before_try()
            self.gap()
            fate = self.request(kind, set(ids))
            self.step()
            if fate == "done":
                rejected = dict.fromkeys(sorted(self.vendor.rejects(kind, set(ids))), "unknown user")
                return Applied(rejected, in_doubt=lost)
            lost = lost or fate == "lost"
            if fate == "refused":
                error = RejectedRequest("refused", status=400)
                break
            if fate == "denied":
                error = PermissionDenied("denied", status=403)
                break
            error = VendorUnavailable("lost") if fate == "lost" else RateLimited("busy", status=429)
        error.maybe_done = error.in_doubt = lost
        raise error

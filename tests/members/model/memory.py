"""A store and a vendor in memory, both of which can fail, and kill the run, at every step."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

from airflow_segments_provider.errors import RejectedRequest, VendorUnavailable
from airflow_segments_provider.members.target import Applied, Limits, SegmentKey

KEY = SegmentKey("memory", "https://vendor.example", "system", "segment")
TRIES = 4


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
        prefix = folder + "/"
        return sorted(
            name.removeprefix(prefix)
            for name in self.files
            if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
        )

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


class Vendor:
    """A segment with everything that can go wrong.

    A request may be carried out and its answer lost, be lost, or be carried out later, after others; a list may miss
    members; a batch with a bad id is refused whole.

    :param foreign: members whom no ledger vouches for.
    """

    def __init__(self, rng: random.Random, *, faulty: bool = True) -> None:
        self.rng = rng
        self.faulty = faulty
        self.members: set[str] = set()
        self.foreign: set[str] = set()
        self.bad: set[str] = set()
        self.late: list[tuple[str, set[str]]] = []
        self.requests = 0
        self.was_late = False

    def carry_out(self, kind: str, ids: set[str]) -> None:
        if kind == "add" and ids & self.bad:
            return
        self.members = self.members | ids if kind == "add" else self.members - ids
        self.foreign -= ids

    def land(self, chance: float) -> None:
        """Requests that timed out earlier may be carried out now."""
        for request in [request for request in self.late if self.rng.random() < chance]:
            self.late.remove(request)
            self.carry_out(*request)
            self.was_late = True

    def request(self, kind: str, ids: set[str]) -> str:
        """``done``, ``refused``, or ``lost``."""
        self.requests += 1
        self.land(0.2)
        fate = self.rng.random() if self.faulty else 1.0
        if fate < 0.08:
            if self.rng.random() < 0.5:
                self.late.append((kind, set(ids)))
            return "lost"
        if kind == "add" and ids & self.bad:
            return "refused"
        self.carry_out(kind, ids)
        return "lost" if fate < 0.16 else "done"

    def listed(self) -> list[str]:
        miss = 0.15 if self.faulty and self.rng.random() < 0.3 else 0.0
        return [member for member in sorted(self.members) if self.rng.random() >= miss]


class MemoryTarget:
    """The vendor as the engine sees it.

    :param stale: set when another run has taken over: whatever this one still sends comes late.
    """

    ours = True
    stale = False

    def __init__(self, vendor: Vendor, limit: int, *, lists: bool, step: Callable[[], None]) -> None:
        self.vendor = vendor
        self.lists = lists
        self.limits = Limits(limit, limit, max_length=10, request_timeout=timedelta(seconds=10))
        self.step = step

    def key(self) -> SegmentKey:
        return KEY

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
        lost = False
        for _ in range(TRIES):
            self.step()
            self.vendor.was_late = self.vendor.was_late or self.stale
            fate = self.vendor.request(kind, set(ids))
            self.step()
            if fate == "done":
                return Applied(in_doubt=lost)
            if fate == "refused":
                error = RejectedRequest("refused", status=400)
                error.maybe_done = lost
                raise error
            lost = True
        raise VendorUnavailable("lost", maybe_done=True)

"""One segment, its ledger, the time, and changes by hand."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.sync.ledger.history import generation_of
from airflow_segments_provider.sync.ledger.names import GENERATIONS
from airflow_segments_provider.sync.ledger.ownership import Seen
from tests.sync.model.memory import Vendor
from tests.sync.model.weather import drawn

if TYPE_CHECKING:
    from tests.sync.model.books import Kept
    from tests.sync.model.worker import Worker

EVERYBODY = tuple(str(number) for number in range(12))

# In minutes, as SETTLE.
REQUEST_TIMEOUT, LEASE, SKEW = 3, 12, 2

MINUTE = 60_000
START = 1_700_000_000_000


class Diverged(AssertionError):
    """A claim does not hold."""


@dataclass(frozen=True)
class Written:
    """A file written to the ledger, in order.

    :param digest: The digest of a generation; empty for a note.
    :param commit: The generation is a commit, not an intent or a fence.
    :param pending: It has a pending replacement.
    """

    digest: str = ""
    commit: bool = False
    pending: bool = False


@dataclass
class World:
    """The segment, and all events that affect it.

    :ivar sources: The wanted users by the time that they represent; ``reads`` numbers each reading.
    :ivar written: The files written to the ledger that no restore has removed; ``witnessed``: the digests of the
        generations written to the witness; ``last``: the last generation, also if a restore has removed it.
    :ivar restores: How often the ledger was restored.
    :ivar newest: The time and the reading of the data of the last successful run.
    :ivar removals: Users whose removal was accepted, by a plan within the limits or approved, and whom no committed
        source has wanted since; ``additions`` likewise; ``begun``: the removals of the last accepted plan that are not
        settled.
    :ivar lost: A ledger that was written and witnessed is gone, and no generation records it yet; ``blind``: no
        replacement has followed yet either.
    :ivar refused: Plans that the guard refused; ``granted``: the digest, additions and removals of those that were
        approved.
    :ivar astray: Workers that sent a request too late, and have not written their note yet.
    :ivar story: The events, one per line, for repeating a schedule.
    :ivar excused: An event that the claims do not cover.
    """

    seed: int
    chosen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(self.seed)
        self.weather = drawn(rng, **self.chosen)
        self.now = 0
        self.seen: Counter[str] = Counter()
        self.divergence: Diverged | None = None
        self.excused = ""
        self.story: list[str] = []
        self.files: dict[str, bytes] = {}
        self.copies: list[tuple[int, dict[str, bytes]]] = []
        self.written: list[Written] = []
        self.last = ""
        self.restores = 0
        self.witness: Seen | None = None
        self.witnessed: set[str] = set()
        self.vendor = vendor = Vendor(rng, weather=self.weather, clock=lambda: self.now)
        vendor.members = {user for user in EVERYBODY if rng.random() < 0.15}
        vendor.strangers = set(vendor.members)
        vendor.bad = {user for user in EVERYBODY if rng.random() < self.weather.bad} - vendor.members
        vendor.stuck = {user for user in EVERYBODY if rng.random() < self.weather.stuck}
        self.sources: dict[int, frozenset[str]] = {}
        self.reads, self.settled = 0, False
        self.newest = (-1, -1)
        self.removals: set[str] = set()
        self.additions: set[str] = set()
        self.begun: set[str] = set()
        self.lost = self.blind = False
        self.late_at = self.removed_by_hand_at = -1
        self.added_by_hand: dict[str, int] = {}
        self.touched: dict[Worker, int] = {}
        self.astray: set[Worker] = set()
        self.granted: set[tuple[str, frozenset[str], frozenset[str]]] = set()
        self.refused: list[Kept] = []

    def claim(self, name: str, holds: object, *about: object) -> None:
        """Check a claim."""
        if not holds:
            raise self.diverged(name, *about)

    def diverged(self, name: str, *about: object) -> Diverged:
        """Record a divergence, because the engine may catch the error, and return the first one."""
        self.divergence = self.divergence or Diverged(f"{name}: {' '.join(map(str, about))}")
        return self.divergence

    def note(self, who: object, *what: object) -> None:
        """Add an event to the story."""
        self.story.append(f"{self.now:4} {who}: {' '.join(map(str, what))}")

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Let the vendor have no faults until the end of the block."""
        self.vendor.faulty = False
        try:
            yield
        finally:
            self.vendor.faulty = True

    # Time ----------------------------------------------------------------------------------------------------------

    def advance(self, minutes: int) -> None:
        """Let time pass, in which late requests are carried out."""
        for _ in range(minutes):
            self.now += 1
            if self.vendor.late and self.vendor.land(self.weather.prompt):
                self.late_at = self.now
                self.note("vendor", "carried out a late request; members", sorted(self.vendor.members))
                self.seen["requests carried out late"] += 1

    def moment(self, minutes: int) -> int:
        """Return a time as milliseconds since 1970."""
        return START + minutes * MINUTE

    # Changes by hand -----------------------------------------------------------------------------------------------

    def by_hand(self) -> None:
        """Change the segment by hand."""
        vendor, user = self.vendor, self.rng.choice(EVERYBODY)
        if user in vendor.members:
            if user not in vendor.strangers and not self.weather.lists:
                vendor.unseen.add(user)
            vendor.members = vendor.members - {user}
            vendor.strangers = vendor.strangers - {user}
            self.removed_by_hand_at = self.now
            self.seen["removed by hand"] += 1
            self.note("somebody", "removed", user)
        elif user not in vendor.bad:
            vendor.members = vendor.members | {user}
            vendor.leaving = vendor.leaving - {user}
            if user not in vendor.unseen:
                vendor.strangers = vendor.strangers | {user}
            vendor.unseen = vendor.unseen - {user}
            self.added_by_hand[user] = self.now
            self.begun.discard(user)
            self.seen["added by hand"] += 1
            self.note("somebody", "added", user)

    def read(self, as_of: int) -> tuple[frozenset[str], int]:
        """Read the source for a time; return the wanted users, and the number of the reading."""
        self.reads += 1
        rng = self.rng
        known = as_of in self.sources
        if not known or (rng.random() < self.weather.corrected and not self.settled):
            self.sources[as_of] = self._changed()
            self.seen["source corrected between two reads"] += known
        return self.sources[as_of], self.reads

    def _changed(self) -> frozenset[str]:
        """Draw the wanted users for the time from now on."""
        rng, weather = self.rng, self.weather
        latest = self.sources[max(self.sources)] if self.sources else frozenset[str]()
        dice = rng.random()
        if dice < weather.empty:
            return frozenset()
        if dice < weather.empty + weather.undo and latest:
            return frozenset(EVERYBODY) - latest
        base = latest if rng.random() < 0.7 else frozenset()
        changed = 0.15 if base else rng.choice([0.1, 0.5, 0.9])
        return base ^ {user for user in EVERYBODY if rng.random() < changed}

    # The ledger's files --------------------------------------------------------------------------------------------

    def head(self) -> str:
        """Return the digest of the newest manifest; empty for a new ledger."""
        names = [name for name in self.files if name.startswith(f"{GENERATIONS}/")]
        return hashlib.sha256(self.files[max(names)]).hexdigest() if names else ""

    def newest_generation(self) -> int:
        prefix = f"{GENERATIONS}/"
        found = [generation_of(name.removeprefix(prefix)) or 0 for name in self.files if name.startswith(prefix)]
        return max(found, default=0)

    def back_up(self) -> None:
        """Copy the ledger, at any moment."""
        self.copies.append((len(self.written), dict(self.files)))

    def restore(self) -> bool:
        """Restore an older copy of the ledger, or an empty one; return whether the claims still apply."""
        rng = self.rng
        kept, files = rng.choice([(0, {}), rng.choice(self.copies)]) if self.copies else (0, dict[str, bytes]())
        self.restores += 1
        gone = self.written[kept:]
        del self.written[kept:]
        self.copies = [copy for copy in self.copies if copy[0] <= kept]
        self.files.clear()
        self.files.update(files)
        self.seen["ledger restored to an older copy" if files else "ledger lost"] += bool(gone)
        self.note("somebody", "restored the ledger to generation", self.newest_generation())
        if any(not entry.digest for entry in gone):
            self.excused = "a note was restored away"
        if any(entry.commit and entry.digest not in self.witnessed for entry in gone):
            self.excused = "a commit that was not witnessed was restored away"
        if any(entry.digest in self.witnessed for entry in gone if entry.digest):
            self.lost = self.blind = True
        elif not any(entry.pending for entry in self.written):
            # A replacement that had sent nothing is lost with the ledger, and must be requested again.
            self.vendor.leaving = set()
        return not self.excused

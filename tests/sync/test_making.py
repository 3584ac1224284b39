"""A segment that a sync creates: no member is a stranger, also for the run that follows a run that died."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    LedgerBusy,
    LedgerOvertaken,
    PermissionDenied,
    RunSuperseded,
    VendorUnavailable,
)
from airflow_segments_provider.sync import engine
from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.workspace import Workspace
from tests.databases import small_database
from tests.sync.conftest import NOW, people
from tests.sync.model.memory import KEY, Crash, MemoryStore, MemoryTarget, Vendor

WANTED = people(0, 5)
# The number of steps (before and after each write and request) of a first sync that creates its segment.
STEPS = 30


class MadeTarget(MemoryTarget):
    """A segment that exists once it was created, by the sync or by hand."""

    ours = False
    made_as = "Trial users"

    def __init__(self, system):
        super().__init__(system.vendor, 10, lists=False, step=system.step)
        self.system = system

    def key(self):
        return replace(KEY, segment="17" if self.system.made else "")

    def make(self):
        self.step()
        if error := self.system.error:
            self.system.made = error.maybe_done
            raise error
        self.ours, self.system.made = not self.system.made, True
        self.step()


class System:
    """A vendor without the segment, and an empty ledger path."""

    def __init__(self):
        self.now = NOW
        self.run = "run"
        self.vendor = Vendor(random.Random(0), faulty=False)
        self.stores = defaultdict(lambda: MemoryStore(self.step))
        self.made = False
        self.error = None
        self.die_at = self.steps = self.runs = 0

    def step(self):
        self.steps += 1
        if self.steps == self.die_at:
            raise Crash

    def ledger(self, key):
        writer = Writer(token=str(self.runs), owner="dag.task", run=self.run, try_number=self.runs)
        return Ledger(self.stores[key.folder], key.folder, writer, timedelta(seconds=10), clock=lambda: self.now)

    def sync(self, source=WANTED, *, as_of=None, **settings):
        self.runs += 1
        self.now += 60_000
        with Workspace(database=small_database()) as workspace:
            return Sync(MadeTarget(self), source, self.ledger, workspace, Settings(**settings), as_of=as_of).run()

    def made_by_hand(self):
        self.made = True
        self.vendor.members = {"by hand"}

    def noted(self):
        return [name for store in self.stores.values() for name in store.files if name.startswith("making/")]


@pytest.fixture
def system():
    return System()


def test_a_sync_creates_its_segment_and_deletes_the_note_of_the_creation(system):
    assert system.sync().outcome == "changed"
    assert system.steps == STEPS
    assert system.vendor.members == set(WANTED)
    assert system.noted() == []


@pytest.mark.parametrize("die_at", range(1, STEPS + 1))
def test_a_run_that_dies_at_any_step_of_a_creation_is_continued_by_the_next_one(system, die_at):
    system.die_at = die_at
    with pytest.raises(Crash):
        system.sync()
    system.sync()
    assert system.vendor.members == set(WANTED)
    # Else one that is made by hand with the same name after this one was deleted would count as a sync's own.
    assert system.noted() == []


def test_a_segment_that_existed_with_members_needs_first_sync(system):
    system.made_by_hand()
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()
    assert system.vendor.requests == 0
    system.sync(first_sync="add")
    assert system.vendor.members == {*WANTED, "by hand"}
    assert system.sync().outcome == "unchanged"


def test_a_segment_that_a_user_creates_at_the_same_moment_needs_first_sync(system, monkeypatch):
    make = MadeTarget.make
    monkeypatch.setattr(MadeTarget, "make", lambda self: (system.made_by_hand(), make(self)))
    for _ in range(2):
        with pytest.raises(InvalidInput, match="first_sync"):
            system.sync()
    assert system.vendor.members == {"by hand"}


@pytest.mark.parametrize(("as_of", "error"), [(NOW, LedgerOvertaken), (None, RunSuperseded)])
def test_a_source_read_before_another_run_created_the_segment_does_not_overwrite_newer_data(
    system, monkeypatch, as_of, error
):
    """There is no ledger before the segment, so the source is read first."""
    monkeypatch.setattr(engine, "now_ms", lambda: system.now)

    def slow():
        yield "old"
        system.sync(["new"], as_of=as_of)

    with pytest.raises(error):
        system.sync(slow(), as_of=as_of)
    assert system.vendor.members == {"new"}


def other_run(system):
    system.run = "other"
    with pytest.raises(LedgerBusy, match="another run is creating this segment") as busy:
        system.sync()
    system.run = "run"
    return busy.value


def test_of_two_runs_that_create_a_segment_at_the_same_moment_one_waits(system, monkeypatch):
    """Docebo would have two groups of that name."""
    busy, make = [], MadeTarget.make

    def slow(self):
        busy.append(other_run(system))
        make(self)

    monkeypatch.setattr(MadeTarget, "make", slow)
    system.sync()
    assert (system.vendor.requests, system.vendor.members) == (1, set(WANTED))
    assert 0 < busy[0].until - system.now <= 15 * 60_000


@pytest.mark.parametrize("die_at", range(1, 6))
def test_another_run_creates_a_segment_after_the_lease_of_one_that_died(system, die_at):
    system.die_at = die_at
    with pytest.raises(Crash):
        system.sync()
    if system.noted() and not system.made:
        system.now = other_run(system).until
    system.run = "other"
    system.sync()
    assert system.vendor.members == set(WANTED)


def test_a_segment_that_a_user_creates_after_the_vendor_refused_the_creation_needs_first_sync(system):
    system.error = PermissionDenied("no", status=403)
    with pytest.raises(PermissionDenied):
        system.sync()
    assert system.noted() == []
    system.made_by_hand()
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()


def test_a_segment_whose_creation_had_no_response_does_not_need_first_sync(system):
    system.error = VendorUnavailable("no answer", maybe_done=True)
    with pytest.raises(VendorUnavailable):
        system.sync()
    system.sync()
    assert system.vendor.members == set(WANTED)


def test_a_created_segment_that_the_vendor_does_not_list_yet_does_not_need_first_sync(system, monkeypatch):
    """The next run creates the segment again, and the response says that it exists."""
    system.error = VendorUnavailable("no answer", maybe_done=True)
    with pytest.raises(VendorUnavailable):
        system.sync()
    system.made, system.error = False, None
    make = MadeTarget.make

    def finds_it(self):
        system.made = True
        make(self)

    monkeypatch.setattr(MadeTarget, "make", finds_it)
    system.sync()
    assert system.vendor.members == set(WANTED)
    assert system.noted() == []


def test_a_segment_whose_creation_had_no_response_needs_first_sync_after_eight_days(system):
    system.error = VendorUnavailable("no answer", maybe_done=True)
    with pytest.raises(VendorUnavailable):
        system.sync()
    system.now += 8 * 24 * 60 * 60 * 1000
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()

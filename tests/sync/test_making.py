"""A segment that a sync makes: its members are known to be nobody's, also by the run that follows one that died."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import InvalidInput, PermissionDenied, VendorUnavailable
from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import NOW, people
from tests.sync.model.memory import KEY, Crash, MemoryStore, MemoryTarget, Vendor

WANTED = people(0, 5)
# Before and after each write and request of a first sync that makes its segment.
STEPS = 26


class MadeTarget(MemoryTarget):
    """A segment that is there once it was made, by whomever."""

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
    """A vendor without the segment, and a ledger path without anything."""

    def __init__(self, database):
        self.database = database
        self.now = NOW
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
        writer = Writer(token=str(self.runs), owner="dag.task", run="run", try_number=self.runs)
        return Ledger(self.stores[key.folder], key.folder, writer, timedelta(seconds=10), clock=lambda: self.now)

    def sync(self, **settings):
        self.runs += 1
        self.now += 60_000
        with Workspace(database=self.database) as workspace:
            return Sync(MadeTarget(self), WANTED, self.ledger, workspace, Settings(**settings)).run()

    def made_by_hand(self):
        self.made = True
        self.vendor.members = {"by hand"}

    def noted(self):
        return [name for store in self.stores.values() for name in store.files if name.startswith("making/")]


@pytest.fixture
def system(database):
    return System(database)


def test_it_is_made_and_nothing_stays_of_the_note(system):
    assert system.sync().outcome == "changed"
    assert system.steps == STEPS
    assert system.vendor.members == set(WANTED)
    assert system.noted() == []


@pytest.mark.parametrize("die_at", range(1, STEPS + 1))
def test_a_run_that_dies_at_any_step_leaves_the_next_nothing_to_ask(system, die_at):
    system.die_at = die_at
    with pytest.raises(Crash):
        system.sync()
    system.sync()
    assert system.vendor.members == set(WANTED)


def test_whose_members_are_in_one_that_was_there_has_to_be_said(system):
    system.made_by_hand()
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()
    assert system.vendor.requests == 0
    system.sync(first_sync="add")
    assert system.vendor.members == {*WANTED, "by hand"}
    assert system.sync().outcome == "unchanged"


def test_also_of_one_that_somebody_makes_at_the_same_moment(system, monkeypatch):
    make = MadeTarget.make
    monkeypatch.setattr(MadeTarget, "make", lambda self: (system.made_by_hand(), make(self)))
    for _ in range(2):
        with pytest.raises(InvalidInput, match="first_sync"):
            system.sync()
    assert system.vendor.members == {"by hand"}


def test_also_of_one_made_by_hand_after_the_vendor_refused_to_make_it(system):
    system.error = PermissionDenied("no", status=403)
    with pytest.raises(PermissionDenied):
        system.sync()
    assert system.noted() == []
    system.made_by_hand()
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()


def test_but_not_of_one_whose_making_was_not_answered(system):
    system.error = VendorUnavailable("no answer", maybe_done=True)
    with pytest.raises(VendorUnavailable):
        system.sync()
    system.sync()
    assert system.vendor.members == set(WANTED)


def test_nor_of_one_that_the_vendor_does_not_list_yet(system, monkeypatch):
    """The next run asks for it to be made again, and is told that it is there."""
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


def test_unless_that_was_long_ago(system):
    system.error = VendorUnavailable("no answer", maybe_done=True)
    with pytest.raises(VendorUnavailable):
        system.sync()
    system.now += 8 * 24 * 60 * 60 * 1000
    with pytest.raises(InvalidInput, match="first_sync"):
        system.sync()

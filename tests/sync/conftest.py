"""Fixtures: a segment in memory, and runs of the sync engine on it."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import Timing
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.workspace import Workspace
from tests.databases import small_database
from tests.sync.model.memory import MemoryStore, MemoryTarget, Vendor

NOW = 1_700_000_000_000


class Remembered:
    """A witness in memory."""

    def __init__(self):
        self.seen = None

    def read(self):
        return self.seen

    def write(self, seen):
        self.seen = max(seen, self.seen or seen, key=lambda seen: seen.generation)


class Segment:
    """A segment at a vendor without faults, its ledger, and the time."""

    def __init__(self, database):
        self.database = database
        self.now = NOW
        self.store = MemoryStore(lambda: None)
        self.vendor = Vendor(random.Random(0), faulty=False)
        self.lists = False
        self.ours = True
        self.limit = 10
        self.keep = timedelta(days=30)
        self.request_timeout = timedelta(seconds=10)
        self.shown = []
        self.witness = Remembered()
        self.runs = 0

    def sync(self, wanted, *, run="run", owner="dag.task", as_of=None, stopped=lambda: False, **settings):
        """Run the engine once; each run is a later try of its task instance."""
        self.runs += 1
        self.now += 60_000
        target = MemoryTarget(self.vendor, self.limit, lists=self.lists, step=lambda: None)
        target.ours = self.ours
        # A run within a request of another run uses a database of its own.
        database, self.database = self.database, None
        try:
            return self._sync(target, wanted, database or small_database(), run, owner, as_of, stopped, settings)
        finally:
            self.database = database

    def _sync(self, target, wanted, database, run, owner, as_of, stopped, settings):
        with Workspace(database=database) as workspace:
            return Sync(
                target,
                wanted,
                lambda key: self.ledger(run=run, owner=owner),
                workspace,
                Settings(**settings),
                as_of=as_of,
                stopped=stopped,
                on_plan=self.shown.append,
            ).run()

    def ledger(self, *, run="run", owner="dag.task"):
        from tests.sync.model.memory import KEY

        writer = Writer(token=str(self.runs), owner=owner, run=run, try_number=self.runs)
        timing = Timing(lease=timedelta(minutes=15), keep=self.keep)
        return Ledger(
            self.store, KEY.folder, writer, self.request_timeout, timing, self.witness, clock=lambda: self.now
        )


@pytest.fixture
def segment(database):
    return Segment(database)


def people(first, last):
    return [f"p{number:03}" for number in range(first, last)]

"""What the random schedules found once in thousands, step by step."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import LedgerError
from tests.members.model.memory import Crash
from tests.members.model.world import Run, World
from tests.members.test_model import databases


def test_an_overtaken_run_does_not_acknowledge_what_it_sent_meanwhile(monkeypatch):
    """Its request comes after the removals of the run that took over, and that one dies before it commits."""
    world = World(0, databases())
    vendor = world.vendor
    world.lists = vendor.faulty = False
    vendor.members, vendor.foreign, vendor.bad = set(), set(), set()
    request, removals = vendor.request, []

    def overtaken(kind, ids):
        if kind == "add":
            with pytest.raises(Crash):
                world.sync(Run(frozenset(), limit=1))
        else:
            removals.append(ids)
            if len(removals) == 2:
                raise Crash
        return request(kind, ids)

    monkeypatch.setattr(vendor, "request", overtaken)
    with pytest.raises(LedgerError, match="took this segment over"):
        world.sync(Run(frozenset({"1", "2"}), limit=1))
    assert vendor.members == {"1"}
    monkeypatch.undo()
    world.settle()
    world.sync(Run(frozenset()))
    assert vendor.members == set()

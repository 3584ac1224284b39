"""Cases that the random schedules found once in thousands, step by step."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import LedgerOvertaken
from tests.sync.model.memory import Crash

FREE = {"max_removed_fraction": 1, "allow_empty": True}
HOUR = 60 * 60 * 1000


def test_an_overtaken_run_does_not_acknowledge_what_it_sent_meanwhile(segment, monkeypatch):
    """Its request comes after the removals of the run that took over, which dies before it commits."""
    segment.limit = 1
    vendor, removals = segment.vendor, []
    request = vendor.request

    def overtaken(kind, ids):
        if kind == "add":
            with pytest.raises(Crash):
                segment.sync([], **FREE)
        else:
            removals.append(ids)
            if len(removals) == 2:
                raise Crash
        return request(kind, ids)

    monkeypatch.setattr(vendor, "request", overtaken)
    with pytest.raises(LedgerOvertaken, match="took this segment over"):
        segment.sync(["1", "2"])
    assert vendor.members == {"1"}
    monkeypatch.undo()
    segment.now += HOUR
    segment.sync([], **FREE)
    assert vendor.members == set()

"""Suspended workers, ended leases, and requests of unknown outcome: what may be sent, and what the ledger says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_segments_provider.errors import ConfigurationError, LedgerBusy, LedgerOvertaken, VendorUnavailable
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import Timing
from tests.sync.conftest import people
from tests.sync.model.memory import KEY, Crash, MemoryStore, MemoryTarget

MINUTE = 60_000
HOUR = 60 * MINUTE
FREE = {"max_removed_fraction": 1, "allow_empty": True}


@pytest.fixture
def segment(segment):
    segment.limit = 1
    segment.request_timeout = timedelta(minutes=5)
    return segment


def at_try(segment, monkeypatch, number, happens):
    """Call a function once, directly before a try of a request."""
    tries, try_it = [], MemoryTarget._send

    def send(self, kind, ids):
        before_try = self.before_try

        def suspended():
            tries.append(kind)
            if len(tries) == number:
                happens()
            before_try()

        self.before_try = suspended
        try:
            return try_it(self, kind, ids)
        finally:
            self.before_try = before_try

    monkeypatch.setattr(MemoryTarget, "_send", send)


def at_sending(segment, monkeypatch, number, happens):
    """Call a function between the last check before a try and the sending."""
    request, sent = segment.vendor.request, []

    def late(kind, ids):
        sent.append(kind)
        if len(sent) == number:
            happens()
        return request(kind, ids)

    monkeypatch.setattr(segment.vendor, "request", late)


def test_a_worker_that_was_suspended_sends_no_further_request(segment, monkeypatch):
    def suspended():
        segment.now += 2 * HOUR

    at_try(segment, monkeypatch, 2, suspended)
    with pytest.raises(LedgerOvertaken, match="not sent within 0:05:00"):
        segment.sync(people(0, 3))
    assert len(segment.vendor.members) == 1
    assert segment.vendor.requests == 1


def test_a_request_is_not_repeated_after_the_request_timeout(segment, monkeypatch):
    segment.vendor.weather = segment.vendor.weather.__class__(tries=9)

    def busy(kind, ids):
        segment.now += 2 * MINUTE
        return "lost"

    monkeypatch.setattr(segment.vendor, "request", busy)
    with pytest.raises(LedgerOvertaken):
        segment.sync(people(0, 1))


def test_an_expired_lease_is_not_renewed(segment, monkeypatch):
    def slow():
        segment.now += 20 * MINUTE

    at_sending(segment, monkeypatch, 1, slow)
    with pytest.raises(LedgerOvertaken, match="hold on the segment's ledger ended"):
        segment.sync(people(0, 2))
    assert segment.vendor.requests == 1


def test_a_suspension_is_noticed_by_the_monotonic_clock_when_the_wall_clock_stood_still(segment):
    """The wall clock was set back meanwhile, or stood still."""
    running = [0]
    writer = Writer(token="1", owner="dag.task", run="run")
    ledger = Ledger(
        segment.store, KEY.folder, writer, timedelta(minutes=5), clock=lambda: segment.now, running=lambda: running[0]
    )
    ledger._checked = (segment.now, running[0])
    ledger.check_try()
    running[0] += 6 * MINUTE
    with pytest.raises(LedgerOvertaken):
        ledger.check_try()


def test_a_late_request_is_noted_and_corrected_by_the_next_run(segment, monkeypatch):
    segment.sync(["kept"])

    def suspended():
        """Let another run take over; the request under way is carried out after all requests of that run."""
        segment.now += 2 * HOUR
        monkeypatch.undo()
        segment.sync(["kept"], run="another", **FREE)

    at_sending(segment, monkeypatch, 1, suspended)
    with pytest.raises(LedgerOvertaken):
        segment.sync(["kept", "p000"])
    assert segment.vendor.members == {"kept", "p000"}
    assert len(segment.store.names("notes")) == 1
    segment.now += HOUR
    segment.sync(["kept"], run="the next", **FREE)
    assert segment.vendor.members == {"kept"}
    for _ in range(2):
        segment.now += HOUR
        assert segment.sync(["kept"], run="the next", **FREE).plan.requests <= 1
    assert segment.sync(["kept"], run="the next").plan.requests == 0


def test_a_late_replacement_makes_another_one_pending(segment, monkeypatch):
    segment.limit = 10
    segment.sync(people(0, 3))

    def suspended():
        segment.now += 2 * HOUR
        monkeypatch.undo()
        for _ in range(2):
            try:
                segment.sync(people(0, 5), run="another", **FREE)
            except LedgerBusy as busy:
                segment.now = busy.until

    at_sending(segment, monkeypatch, 1, suspended)
    with pytest.raises(LedgerOvertaken):
        segment.sync(people(1, 3), replace=True, run="late", **FREE)
    assert segment.vendor.members == set(people(1, 3))
    segment.now += HOUR
    segment.sync(people(0, 5), run="the next", **FREE)
    assert segment.vendor.members == set(people(0, 5))


def test_uncertain_users_of_a_dead_run_are_dated_by_the_beginning_of_the_next_run(segment, monkeypatch):
    """The other worker may still be alive, and send until the request time-out after our generation."""
    segment.sync(["kept"])

    def dies(kind, ids):
        raise Crash

    monkeypatch.setattr(segment.vendor, "request", dies)
    with pytest.raises(Crash):
        segment.sync(["kept", "p000"])
    monkeypatch.undo()
    # So long that a request sent at once can no longer be carried out.
    segment.now += 30 * MINUTE
    segment.sync(["kept"], **FREE)
    began = segment.now
    # A request that the other worker sent at the last moment is carried out at the last moment.
    segment.now = began + 5 * MINUTE + 9 * MINUTE
    segment.vendor.members |= {"p000"}
    segment.now += HOUR
    segment.sync(["kept"], **FREE)
    assert segment.vendor.members == {"kept"}
    assert segment.sync(["kept"], **FREE).plan.requests == 0


@pytest.mark.parametrize(("minutes", "settled"), [(9, False), (10, True)])
def test_an_acknowledgement_settles_only_requests_that_can_no_longer_be_carried_out(
    segment, monkeypatch, minutes, settled
):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(["p000"])
    monkeypatch.undo()
    segment.now += minutes * MINUTE
    segment.sync(["p000"])
    # Uncertain users are sent again.
    assert segment.sync(["p000"]).plan.requests == (0 if settled else 1)


def test_a_failed_run_releases_the_ledger_at_once(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(["p000"], run="failed")
    monkeypatch.undo()
    segment.sync(["p000"], run="another")
    assert segment.vendor.members == {"p000"}


def test_a_settle_after_below_the_request_timeout_is_refused():
    writer = Writer(token="1", owner="dag.task", run="run")

    def ledger(**timing):
        return Ledger(MemoryStore(lambda: None), KEY.folder, writer, timedelta(minutes=20), Timing(**timing))

    assert ledger().settling == 21 * MINUTE
    assert ledger(settle_after=timedelta(minutes=30)).settling == 31 * MINUTE
    with pytest.raises(ConfigurationError, match="settle_after"):
        ledger(settle_after=timedelta(minutes=19))

"""Replacing all members: pending until the vendor acknowledges it, once for each request, whatever the ledger says."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    LedgerBusy,
    PermissionDenied,
    PlanRefused,
    SyncIncomplete,
    VendorUnavailable,
)
from airflow_segments_provider.sync import apply
from airflow_segments_provider.sync.report import summary
from airflow_segments_provider.sync.settings import parse_settings
from tests.sync.conftest import people
from tests.sync.model.memory import Crash, MemoryTarget

DAY = 24 * 3600 * 1000
FORMER = {"former 1", "former 2"}


@pytest.fixture
def segment(segment):
    segment.ours = False
    segment.vendor.members = set(FORMER)
    return segment


def sent(segment):
    """The kinds of the requests from now on."""
    kinds, request = [], segment.vendor.request

    def noted(kind, ids):
        kinds.append(kind)
        return request(kind, ids)

    segment.vendor.request = noted
    return kinds


def fails(error):
    def request(kind, ids):
        raise error

    return request


def waits(segment, *given, **named):
    """Run until the ledger is free, as a deferred task does; return the last run."""
    for _ in range(3):
        try:
            return segment.sync(*given, **named)
        except LedgerBusy as busy:
            segment.now = max(busy.until, segment.now + 1)
    pytest.fail("the ledger stays busy")


def test_the_first_sync_can_remove_the_members_of_before(segment):
    done = segment.sync(people(0, 5), first_sync="replace")
    assert segment.vendor.members == set(people(0, 5))
    assert (done.outcome, done.plan.replacing, done.plan.requests) == ("changed", True, 1)
    kinds = sent(segment)
    assert segment.sync(people(0, 5), first_sync="replace").outcome == "unchanged"
    segment.sync(people(0, 6), first_sync="replace")
    assert kinds == ["add"]


@pytest.mark.parametrize("error", [PermissionDenied("403", status=403), VendorUnavailable("down", status=503)])
def test_it_stays_pending_after_a_request_that_was_not_carried_out(segment, monkeypatch, error):
    monkeypatch.setattr(segment.vendor, "request", fails(error))
    with pytest.raises(type(error)):
        segment.sync(people(0, 5), first_sync="replace")
    monkeypatch.undo()
    # Also for a run that does not ask for it, and needs not wait: nothing is under way.
    segment.sync(people(0, 5), run="the next one")
    assert segment.vendor.members == set(people(0, 5))


def test_it_stays_pending_after_a_crash_and_what_may_be_under_way_is_waited_for(segment, monkeypatch):
    def dies(kind, ids):
        raise Crash

    monkeypatch.setattr(segment.vendor, "request", dies)
    with pytest.raises(Crash):
        segment.sync(people(0, 5), first_sync="replace")
    monkeypatch.undo()
    kinds = sent(segment)
    with pytest.raises(LedgerBusy, match="may still be carried out"):
        segment.sync(people(0, 6))
    assert kinds == []
    waits(segment, people(0, 6))
    assert (kinds, segment.vendor.members) == (["replace"], set(people(0, 6)))


@pytest.mark.parametrize("carried_out", [True, False])
def test_one_of_unknown_outcome_is_waited_for_and_repeated(segment, monkeypatch, carried_out):
    """Whatever is sent before it has settled, it could undo."""

    def lost(kind, ids):
        if carried_out:
            segment.vendor.carry_out(kind, ids)
        return "lost"

    monkeypatch.setattr(segment.vendor, "request", lost)
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 5), replace=True)
    monkeypatch.undo()
    kinds = sent(segment)
    with pytest.raises(LedgerBusy):
        segment.sync(people(1, 7))
    assert kinds == []
    waits(segment, people(1, 7))
    assert (kinds, segment.vendor.members) == (["replace"], set(people(1, 7)))


def test_one_that_was_acknowledged_after_such_a_try_is_waited_for_and_not_repeated(segment, monkeypatch):
    replace = MemoryTarget.replace

    def after_a_lost_try(self, ids):
        return dataclasses.replace(replace(self, ids), in_doubt=True)

    monkeypatch.setattr(MemoryTarget, "replace", after_a_lost_try)
    kinds = sent(segment)
    with pytest.raises(LedgerBusy, match="an earlier try"):
        segment.sync(people(0, 25), replace=True)
    assert kinds == ["replace"]
    waits(segment, people(0, 25), replace=True)
    # Those of the replacing request are added once more: the earlier try is a doubt about them.
    assert (kinds, segment.vendor.members) == (["replace", "add", "add", "add"], set(people(0, 25)))


def test_an_empty_source_does_not_lose_it(segment):
    with pytest.raises(PlanRefused, match="allow_empty"):
        segment.sync([], first_sync="replace")
    assert segment.vendor.members == FORMER
    segment.now += DAY
    segment.sync(people(0, 3), first_sync="replace")
    assert segment.vendor.members == set(people(0, 3))


def test_an_empty_source_that_is_meant_leaves_the_segment_empty(segment):
    segment.sync(people(0, 5), first_sync="add")
    segment.vendor.members |= {"by hand"}
    segment.sync([], replace=True, allow_empty=True, run="by hand")
    assert segment.vendor.members == set()
    kinds = sent(segment)
    segment.sync([], replace=True, allow_empty=True, run="by hand")
    assert kinds == []


def test_it_is_sent_once_for_each_run_that_asks(segment):
    segment.sync(people(0, 5), first_sync="add")
    kinds = sent(segment)
    for run in ("first", "first", "second"):
        segment.vendor.members |= {"by hand"}
        segment.sync(people(0, 5), replace=True, run=run)
    assert kinds == ["replace", "replace"]
    assert segment.vendor.members == set(people(0, 5))


def test_several_requests_replace_first_and_add_then(segment):
    segment.sync(people(0, 25), first_sync="add")
    kinds = sent(segment)
    first, carry_out = [], segment.vendor.carry_out

    def noted(kind, ids):
        first.append(set(ids))
        carry_out(kind, ids)

    segment.vendor.carry_out = noted
    done = segment.sync(people(15, 45), replace=True, max_added_fraction=None, max_removed_fraction=1)
    assert kinds == ["replace", "add", "add"]
    assert segment.vendor.members == set(people(15, 45))
    # Members stay in: they come first.
    assert first[0] == set(people(15, 25))
    assert (done.plan.outside, done.plan.requests) == (20, 3)
    assert "Up to 20 users who are wanted may be outside the segment until the other 2 requests" in " ".join(
        summary(done.plan).split()
    )


def test_the_guard_counts_the_members_who_leave(segment):
    segment.sync(people(0, 200), first_sync="add")
    with pytest.raises(PlanRefused, match=r"150 of 200 members \(75.0%\)") as refused:
        segment.sync(people(150, 200), replace=True, run="by hand")
    assert segment.vendor.members == {*FORMER, *people(0, 200)}
    segment.sync([], approve=refused.value.digest)
    assert segment.vendor.members == set(people(150, 200))


def test_an_accepted_one_that_was_interrupted_needs_no_second_approval(segment, monkeypatch):
    segment.sync(people(0, 200), first_sync="add")
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200), replace=True)
    monkeypatch.setattr(segment.vendor, "request", fails(PermissionDenied("403", status=403)))
    with pytest.raises(PermissionDenied):
        segment.sync([], approve=refused.value.digest)
    monkeypatch.undo()
    segment.sync(people(151, 201))
    assert segment.vendor.members == set(people(151, 201))


def test_a_lost_ledger_is_replaced_with_an_approval_because_nobody_can_count(segment):
    segment.sync(people(0, 5), first_sync="add")
    segment.sync(people(0, 6))
    generation = segment.witness.seen.generation
    segment.store.files.clear()
    with pytest.raises(LedgerBusy):
        segment.sync(people(0, 4), replace=True, run="by hand")
    with pytest.raises(PlanRefused, match="the ledger was lost, so it is unknown how many members") as refused:
        waits(segment, people(0, 4))
    assert segment.vendor.members == {*FORMER, *people(0, 6)}
    segment.sync([], approve=refused.value.digest)
    assert segment.vendor.members == set(people(0, 4))
    assert segment.witness.seen.generation > generation + 1
    segment.sync(people(0, 5))
    assert segment.vendor.members == set(people(0, 5))


def test_rejected_users_do_not_keep_it_from_being_done(segment):
    segment.vendor.bad = {"p000", "p001"}
    done = segment.sync(people(0, 25), first_sync="replace")
    assert (segment.vendor.members, done.counts["rejected"]) == (set(people(2, 25)), 2)


def test_where_each_user_was_rejected_alone_the_segment_is_left_without_members(segment):
    segment.vendor.bad = set(people(0, 5))
    segment.sync(people(0, 5), first_sync="replace")
    assert segment.vendor.members == set()


def test_but_not_where_they_were_rejected_together(segment, monkeypatch):
    monkeypatch.setattr(apply, "SPLIT_BUDGET", 2)
    segment.vendor.bad = set(people(0, 10))
    with pytest.raises(SyncIncomplete, match="the replacement stays pending"):
        segment.sync(people(0, 10), first_sync="replace")
    assert segment.vendor.members == FORMER
    monkeypatch.undo()
    segment.vendor.bad = set(people(0, 9))
    segment.sync(people(0, 10))
    assert segment.vendor.members == {"p009"}


def test_where_the_vendor_lists_members_it_is_the_difference(segment):
    segment.lists = True
    segment.sync(people(0, 5))
    assert segment.vendor.members == {*FORMER, *people(0, 5)}
    kinds = sent(segment)
    segment.sync(people(0, 5), replace=True)
    assert (kinds, segment.vendor.members) == (["remove"], set(people(0, 5)))


@pytest.mark.parametrize("settings", [{"mode": "add", "replace": True}, {"mode": "remove", "first_sync": "replace"}])
def test_only_a_mirror_replaces(settings):
    with pytest.raises(InvalidInput, match='needs `mode="mirror"`'):
        parse_settings(settings)


def test_removing_all_others_needs_a_vendor_that_lists_members(segment):
    with pytest.raises(InvalidInput, match="replace=True"):
        segment.sync(people(0, 5), removals="all", first_sync="add")
    assert segment.vendor.members == FORMER


def test_other_modes_leave_it_pending(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", fails(PermissionDenied("403", status=403)))
    with pytest.raises(PermissionDenied):
        segment.sync(people(0, 5), first_sync="replace")
    monkeypatch.undo()
    segment.sync(people(7, 8), mode="add")
    assert segment.vendor.members == {*FORMER, "p007"}
    segment.sync(people(0, 5))
    assert segment.vendor.members == set(people(0, 5))


@pytest.mark.parametrize("carried_out", [True, False])
def test_they_take_no_member_for_granted_while_its_outcome_is_unknown(segment, monkeypatch, carried_out):
    def lost(kind, ids):
        if carried_out:
            segment.vendor.carry_out(kind, ids)
        return "lost"

    segment.sync(people(0, 9), first_sync="add")
    monkeypatch.setattr(segment.vendor, "request", lost)
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 5), replace=True)
    monkeypatch.undo()
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(3, 8), mode="add")
    segment.now = busy.value.until
    segment.sync(people(3, 8), mode="add")
    assert segment.vendor.members >= set(people(3, 8))


def test_a_preview_leaves_everything_as_it_is(segment):
    done = segment.sync(people(0, 5), first_sync="replace", plan_only=True)
    assert (done.plan.replacing, segment.vendor.members, segment.witness.seen) == (True, FORMER, None)
    assert "the first request makes its users the only members" in " ".join(summary(done.plan).split())


def test_a_preview_on_a_lost_ledger_says_that_it_needs_an_approval(segment):
    segment.sync(people(0, 5), first_sync="add")
    segment.store.files.clear()
    done = segment.sync(people(0, 4), replace=True, plan_only=True)
    assert "unknown how many members" in " ".join(done.breaches)
    assert {name.partition("/")[0] for name in segment.store.files} == {"reports"}


def test_the_wait_is_as_long_as_a_request_can_be_under_way(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 5), replace=True)
    monkeypatch.undo()
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(0, 5))
    least = segment.request_timeout + timedelta(minutes=10) + timedelta(minutes=1)
    assert busy.value.until - segment.now >= least / timedelta(milliseconds=1)

"""Replacing all members: pending until the vendor acknowledges it, and done once for each request."""

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
    """Return a list of the kinds of all further requests."""
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


def test_the_first_sync_with_replace_removes_the_former_members_once(segment):
    done = segment.sync(people(0, 5), first_sync="replace")
    assert segment.vendor.members == set(people(0, 5))
    assert (done.outcome, done.plan.replacing, done.plan.requests) == ("changed", True, 1)
    kinds = sent(segment)
    assert segment.sync(people(0, 5), first_sync="replace").outcome == "unchanged"
    segment.sync(people(0, 6), first_sync="replace")
    assert kinds == ["add"]


@pytest.mark.parametrize("error", [PermissionDenied("403", status=403), VendorUnavailable("down", status=503)])
def test_a_replacement_that_was_not_carried_out_stays_pending_for_the_next_run(segment, monkeypatch, error):
    monkeypatch.setattr(segment.vendor, "request", fails(error))
    with pytest.raises(type(error)):
        segment.sync(people(0, 5), first_sync="replace")
    monkeypatch.undo()
    # Also in a run that does not request it and need not wait: no request is under way.
    segment.sync(people(0, 5), run="the next one")
    assert segment.vendor.members == set(people(0, 5))


def test_a_replacement_stays_pending_after_a_crash_and_a_request_under_way_is_waited_for(segment, monkeypatch):
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
def test_a_replacement_of_unknown_outcome_is_waited_for_and_repeated(segment, monkeypatch, carried_out):
    """Any request sent before it has settled could be undone by it."""

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


def test_a_replacement_that_a_second_try_acknowledged_is_waited_for_and_not_repeated(segment, monkeypatch):
    replace = MemoryTarget.replace

    def after_a_lost_try(self, ids):
        return dataclasses.replace(replace(self, ids), in_doubt=True)

    monkeypatch.setattr(MemoryTarget, "replace", after_a_lost_try)
    kinds = sent(segment)
    with pytest.raises(LedgerBusy, match="an earlier try"):
        segment.sync(people(0, 25), replace=True)
    assert kinds == ["replace"]
    waits(segment, people(0, 25), replace=True)
    # The users of the replacing request are added once more: the earlier try leaves them uncertain.
    assert (kinds, segment.vendor.members) == (["replace", "add", "add", "add"], set(people(0, 25)))


def test_a_replacement_stays_pending_after_an_empty_source_was_refused(segment):
    with pytest.raises(PlanRefused, match="allow_empty"):
        segment.sync([], first_sync="replace")
    assert segment.vendor.members == FORMER
    segment.now += DAY
    segment.sync(people(0, 3), first_sync="replace")
    assert segment.vendor.members == set(people(0, 3))


def test_a_replacement_by_an_empty_source_with_allow_empty_empties_the_segment(segment):
    segment.sync(people(0, 5), first_sync="add")
    segment.vendor.members |= {"by hand"}
    segment.sync([], replace=True, allow_empty=True, run="by hand")
    assert segment.vendor.members == set()
    kinds = sent(segment)
    segment.sync([], replace=True, allow_empty=True, run="by hand")
    assert kinds == []


def test_a_replacement_is_sent_once_for_each_run_that_requests_it(segment):
    segment.sync(people(0, 5), first_sync="add")
    kinds = sent(segment)
    for run in ("first", "first", "second"):
        segment.vendor.members |= {"by hand"}
        segment.sync(people(0, 5), replace=True, run=run)
    assert kinds == ["replace", "replace"]
    assert segment.vendor.members == set(people(0, 5))


def test_an_approved_plan_without_the_replacement_that_was_requested_since_does_not_apply(segment):
    """It would leave the replacement pending."""
    segment.sync(people(0, 40), first_sync="add")
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(0, 10))
    kinds = sent(segment)
    with pytest.raises(PlanRefused) as other:
        segment.sync(people(0, 10), run="by hand", replace=True, approve=refused.value.digest)
    assert "does not have the replacement that is due" in other.value.details.replace("\n", " ")
    assert kinds == []
    segment.sync([], approve=other.value.digest)
    segment.sync(people(0, 11))
    assert (kinds, segment.vendor.members) == (["replace", "add"], set(people(0, 11)))


def test_a_replacement_by_an_approved_plan_is_not_repeated_by_a_retry_of_the_run_that_applied_it(segment):
    segment.sync(people(0, 40), first_sync="add")
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(0, 10), run="refused", replace=True)
    kinds = sent(segment)
    for _ in range(2):
        segment.sync(people(0, 10), run="by hand", replace=True, approve=refused.value.digest)
    assert (kinds, segment.vendor.members) == (["replace"], set(people(0, 10)))


def test_a_replacement_of_several_requests_replaces_first_and_then_adds(segment):
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
    # The replacing request has the current members first, so they stay.
    assert first[0] == set(people(15, 25))
    assert (done.plan.outside, done.plan.requests) == (20, 3)
    assert "Up to 20 users who are wanted may be outside the segment until the other 2 requests" in " ".join(
        summary(done.plan).split()
    )


def test_members_who_leave_by_a_replacement_count_for_the_guard(segment):
    segment.sync(people(0, 200), first_sync="add")
    with pytest.raises(PlanRefused, match=r"150 of 200 members \(75.0%\)") as refused:
        segment.sync(people(150, 200), replace=True, run="by hand")
    assert segment.vendor.members == {*FORMER, *people(0, 200)}
    segment.sync([], approve=refused.value.digest)
    assert segment.vendor.members == set(people(150, 200))


def test_an_accepted_replacement_that_was_interrupted_needs_no_second_approval(segment, monkeypatch):
    segment.sync(people(0, 200), first_sync="add")
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200), replace=True)
    monkeypatch.setattr(segment.vendor, "request", fails(PermissionDenied("403", status=403)))
    with pytest.raises(PermissionDenied):
        segment.sync([], approve=refused.value.digest)
    monkeypatch.undo()
    segment.sync(people(151, 201))
    assert segment.vendor.members == set(people(151, 201))


@pytest.mark.parametrize(("wanted", "limits"), [([], {}), (people(0, 50), {"max_members": 45})])
def test_an_approved_replacement_whose_request_was_lost_needs_no_second_approval(segment, monkeypatch, wanted, limits):
    segment.sync(people(0, 40), first_sync="add")
    with pytest.raises(PlanRefused) as refused:
        segment.sync(wanted, replace=True, **limits)
    monkeypatch.setattr(segment.vendor, "request", lambda kind, ids: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync([], approve=refused.value.digest)
    monkeypatch.undo()
    waits(segment, wanted, **limits)
    assert segment.vendor.members == set(wanted)


def test_a_replacement_after_a_lost_ledger_needs_an_approval(segment):
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


def test_rejected_users_do_not_prevent_a_replacement(segment):
    segment.vendor.bad = {"p000", "p001"}
    done = segment.sync(people(0, 25), first_sync="replace")
    assert (segment.vendor.members, done.counts["rejected"]) == (set(people(2, 25)), 2)


def test_a_replacement_whose_users_are_all_rejected_one_by_one_empties_the_segment(segment):
    segment.vendor.bad = set(people(0, 5))
    segment.sync(people(0, 5), first_sync="replace")
    assert segment.vendor.members == set()


def test_that_waits_for_a_lost_try_of_a_request_that_was_rejected(segment, monkeypatch):
    segment.vendor.weather = dataclasses.replace(segment.vendor.weather, replace_tries=2)
    segment.vendor.bad = set(people(0, 2))
    fates, request = iter(["lost"]), segment.vendor.request
    monkeypatch.setattr(segment.vendor, "request", lambda kind, ids: next(fates, None) or request(kind, ids))
    with pytest.raises(LedgerBusy, match="an earlier try"):
        segment.sync(people(0, 2), replace=True)
    assert segment.vendor.members == set()


def test_a_replacement_whose_users_are_rejected_together_stays_pending(segment, monkeypatch):
    monkeypatch.setattr(apply, "SPLIT_BUDGET", 2)
    segment.vendor.bad = set(people(0, 10))
    with pytest.raises(SyncIncomplete, match="the replacement stays pending"):
        segment.sync(people(0, 10), first_sync="replace")
    assert segment.vendor.members == FORMER
    monkeypatch.undo()
    segment.vendor.bad = set(people(0, 9))
    segment.sync(people(0, 10))
    assert segment.vendor.members == {"p009"}


def test_a_replacement_of_a_vendor_that_lists_members_removes_the_others_only(segment):
    segment.lists = True
    segment.sync(people(0, 5))
    assert segment.vendor.members == {*FORMER, *people(0, 5)}
    kinds = sent(segment)
    segment.sync(people(0, 5), replace=True)
    assert (kinds, segment.vendor.members) == (["remove"], set(people(0, 5)))


@pytest.mark.parametrize("settings", [{"mode": "add", "replace": True}, {"mode": "remove", "first_sync": "replace"}])
def test_a_replacement_needs_mode_mirror(settings):
    with pytest.raises(InvalidInput, match='needs `mode="mirror"`'):
        parse_settings(settings)


def test_removals_all_needs_a_vendor_that_lists_members(segment):
    with pytest.raises(InvalidInput, match="replace=True"):
        segment.sync(people(0, 5), removals="all", first_sync="add")
    assert segment.vendor.members == FORMER


def test_a_run_of_mode_add_leaves_a_replacement_pending(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", fails(PermissionDenied("403", status=403)))
    with pytest.raises(PermissionDenied):
        segment.sync(people(0, 5), first_sync="replace")
    monkeypatch.undo()
    segment.sync(people(7, 8), mode="add")
    assert segment.vendor.members == {*FORMER, "p007"}
    segment.sync(people(0, 5))
    assert segment.vendor.members == set(people(0, 5))


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_run_of_mode_add_sends_all_its_users_after_a_replacement_of_unknown_outcome(
    segment, monkeypatch, carried_out
):
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


def test_a_preview_of_a_replacement_changes_nothing(segment):
    done = segment.sync(people(0, 5), first_sync="replace", plan_only=True)
    assert (done.plan.replacing, segment.vendor.members, segment.witness.seen) == (True, FORMER, None)
    assert "the first request makes its users the only members" in " ".join(summary(done.plan).split())


def test_a_preview_of_a_replacement_on_a_lost_ledger_says_that_it_needs_an_approval(segment):
    segment.sync(people(0, 5), first_sync="add")
    segment.store.files.clear()
    done = segment.sync(people(0, 4), replace=True, plan_only=True)
    assert "unknown how many members" in " ".join(done.breaches)
    assert {name.partition("/")[0] for name in segment.store.files} == {"reports"}


def test_the_wait_for_a_replacement_is_as_long_as_a_request_can_be_under_way(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 5), replace=True)
    monkeypatch.undo()
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(0, 5))
    least = segment.request_timeout + timedelta(minutes=10) + timedelta(minutes=1)
    assert busy.value.until - segment.now >= least / timedelta(milliseconds=1)

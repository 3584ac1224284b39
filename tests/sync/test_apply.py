"""Rejected users: isolated within a budget, retried last, without delaying other changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_segments_provider.errors import (
    LedgerBusy,
    PermissionDenied,
    PlanRefused,
    RateLimited,
    RejectedRequest,
    VendorUnavailable,
)
from airflow_segments_provider.sync import apply
from airflow_segments_provider.sync.ledger.ledger import Ledger
from tests.sync.conftest import people
from tests.sync.model.memory import Crash, MemoryTarget

DAY = 24 * 3600 * 1000
FREE = {"max_removed_fraction": 1, "max_added_fraction": None}


def sent(segment):
    """Return a list of all further requests: kind and users."""
    requests, request = [], segment.vendor.request

    def noted(kind, ids):
        requests.append((kind, frozenset(ids)))
        return request(kind, ids)

    segment.vendor.request = noted
    return requests


@pytest.mark.parametrize("bad", [{"p000"}, {"p127"}, {"p064"}, {"p003", "p004"}, {"p000", "p127"}])
def test_rejected_ids_of_a_batch_are_found_with_two_requests_for_each_halving(segment, bad):
    segment.limit = 128
    segment.vendor.bad = bad
    done = segment.sync(people(0, 128))
    assert segment.vendor.members == set(people(0, 128)) - bad
    assert done.counts["rejected"] == len(bad)
    # A rejected ID costs at most two requests for each halving; a batch of 128 is halved seven times.
    assert segment.vendor.requests <= 1 + 14 * len(bad)


def test_a_batch_of_rejected_ids_only_rejects_each_of_them(segment):
    segment.vendor.bad = set(people(0, 5))
    assert segment.sync(people(0, 5)).counts["rejected"] == 5
    assert segment.vendor.members == set()


def test_a_vendor_that_rejects_every_request_fails_the_run(segment):
    segment.limit = 1_000
    segment.vendor.bad = set(people(0, 1_000))
    with pytest.raises(
        RejectedRequest, match=r"rejected each of \d+ requests, \d+ of them with one user \(status 400\)"
    ):
        segment.sync(people(0, 1_000))


def test_one_accepted_request_lets_a_run_with_many_rejected_users_succeed(segment):
    segment.sync(people(0, 100))
    segment.limit = 1_000
    segment.vendor.bad = set(people(200, 260))
    done = segment.sync([*people(1, 100), *people(200, 260)], max_refused=None)
    assert (done.counts["rejected"], done.counts["applied"]) == (60, 1)
    assert segment.vendor.members == set(people(1, 100))


@pytest.mark.parametrize("kind", ["add", "remove"])
def test_thirty_rejected_users_do_not_delay_other_changes(segment, kind):
    segment.limit = 1_000
    segment.sync(people(100, 300))
    rejected = set(people(0, 30) if kind == "add" else people(100, 130))
    segment.vendor.bad, segment.vendor.stuck = (rejected, set()) if kind == "add" else (set(), rejected)
    wanted = [*people(0, 30), "new", *people(100, 300)] if kind == "add" else people(130, 299)
    assert segment.sync(wanted, **FREE).counts["rejected"] == 30
    for _ in range(3):
        segment.now += DAY
        wanted = wanted[:-1]
        requests = sent(segment)
        done = segment.sync(wanted, **FREE)
        assert segment.vendor.members <= set(wanted) | rejected | {"new"}
        assert done.counts["rejected"] == 30
        # New changes come first.
        assert requests[0][0] == "remove"
        assert not requests[0][1] & rejected


def test_retries_of_rejected_users_begin_with_the_oldest_and_take_few_requests(segment):
    segment.limit = 1_000
    segment.vendor.bad = set(people(0, 1_000))
    with pytest.raises(RejectedRequest):
        segment.sync(people(0, 1_000))
    segment.now += DAY
    segment.vendor.bad = set()
    requests = sent(segment)
    done = segment.sync(people(0, 1_000))
    assert (done.counts["applied"], done.counts["rejected"]) == (1_000, 0)
    assert len(requests[0][1]) <= 2  # At most four users were rejected.
    assert len(requests) < 40
    assert segment.sync(people(0, 1_000)).outcome == "unchanged"


def test_retries_that_are_rejected_again_do_not_fail_the_run(segment):
    segment.limit = 1_000
    segment.vendor.bad = set(people(0, 50))
    segment.sync(people(0, 200))
    for _ in range(3):
        segment.now += DAY
        done = segment.sync(people(0, 200))
        assert (done.outcome, done.counts["again"], done.counts["rejected"]) == ("unchanged", 50, 50)
    assert segment.sync(people(0, 200)).counts["waiting"] == 50


@pytest.mark.parametrize("share", [0.01, 0.1, 1.0])
def test_splitting_rejected_batches_keeps_to_a_budget_of_requests_and_reaches_all_valid_users(
    segment, share, monkeypatch
):
    monkeypatch.setattr(apply, "SPLIT_BUDGET", 50)
    segment.limit = 1_000
    everybody = [f"q{number:04}" for number in range(1_000)]
    segment.vendor.bad = set(everybody[1 :: round(1 / share)]) - {"q0000"}
    segment.sync(["q0000"])
    done = segment.sync(everybody, max_added_fraction=None)
    assert segment.vendor.requests <= 1 + 2 * 50
    assert done.counts["applied"] + done.counts["rejected"] == len(everybody) - 1
    # A user who is not rejected is added eventually: each day, smaller parts are tried.
    for _ in range(20):
        segment.now += DAY
        before = segment.vendor.requests
        segment.sync(everybody, max_added_fraction=None)
        assert segment.vendor.requests - before <= 3 * 50
    if share < 1:
        assert segment.vendor.members == set(everybody) - segment.vendor.bad


def test_the_split_budget_is_the_documented_500_requests():
    assert apply.SPLIT_BUDGET == 500


def test_parts_of_a_split_batch_are_acknowledged_one_by_one_and_not_sent_again_after_a_crash(segment):
    segment.limit = 1_000
    segment.vendor.bad = {"p003"}
    carry_out, calls = segment.vendor.carry_out, []

    def dies_later(kind, ids):
        calls.append(ids)
        if len(calls) == 6:
            raise Crash
        carry_out(kind, ids)

    segment.vendor.carry_out = dies_later
    with pytest.raises(Crash):
        segment.sync(people(0, 1_000))
    segment.vendor.carry_out = carry_out
    acknowledged, requests = set().union(*calls[:5]), sent(segment)
    segment.sync(people(0, 1_000))
    assert not acknowledged & set().union(*(ids for _, ids in requests))
    assert segment.vendor.members == set(people(0, 1_000)) - {"p003"}


def test_mode_remove_skips_rejected_users_for_a_day(segment):
    segment.sync(people(0, 100))
    segment.vendor.stuck = {"p007"}
    assert segment.sync(people(0, 8), mode="remove").counts["rejected"] == 1
    requests = sent(segment)
    assert segment.sync(people(0, 8), mode="remove").counts["waiting"] == 1
    assert requests == [("remove", frozenset(people(0, 8)) - {"p007"})]
    segment.now += DAY
    assert segment.sync(people(0, 8), mode="remove").counts["remove_again"] == 1


def test_a_user_who_is_uncertain_and_then_rejected_is_removed_when_no_longer_wanted(segment):
    """A request of unknown outcome, then a rejection: the user may be a member, so removing is needed."""
    segment.vendor.request = lambda kind, ids: "lost"
    with pytest.raises(Exception, match="lost"):
        segment.sync(["p000"])
    del segment.vendor.request
    segment.vendor.members = {"p000"}
    segment.vendor.bad = {"p000"}
    assert segment.sync(["p000"], max_refused=1).counts["rejected"] == 1
    segment.sync([], allow_empty=True)
    assert segment.vendor.members == set()


@pytest.fixture
def lost_then_refused(monkeypatch):
    """Let the first try of the next request be lost, and the vendor refuse the second."""
    monkeypatch.setattr(MemoryTarget, "_send", _send_twice(MemoryTarget._send))

    def happens(segment):
        fates, request = iter(["lost", "refused"]), segment.vendor.request
        segment.vendor.request = lambda kind, ids: next(fates, None) or request(kind, ids)

    return happens


def _send_twice(send):
    def twice(self, kind, ids):
        self.vendor.weather = replace(self.vendor.weather, tries=2)
        return send(self, kind, ids)

    return twice


def test_an_earlier_try_of_a_rejected_request_may_still_be_carried_out(segment, lost_then_refused):
    segment.sync(people(0, 2))
    lost_then_refused(segment)
    assert segment.sync(people(0, 6)).counts["applied"] == 4
    segment.sync(people(0, 3), **FREE)
    segment.vendor.carry_out("add", set(people(2, 6)))
    segment.now += DAY
    segment.sync(people(0, 3), **FREE)
    assert segment.vendor.members == set(people(0, 3))
    segment.now += DAY
    assert segment.sync(people(0, 3)).plan.requests == 0


class WholeList(MemoryTarget):
    """Each request writes the whole list of members, as it was when the request was made."""

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.limits = replace(self.limits, together=True)
        self.removed = set()

    def change(self, add, remove):
        self.removed = set(remove)
        return self._send("add", add)

    def request(self, kind, ids):
        changed = self.vendor.members | ids if kind == "add" else self.vendor.members - ids
        return self.vendor.request("replace", changed - self.removed)


@pytest.mark.parametrize("released", [True, False])
def test_after_a_lost_write_of_the_whole_list_nothing_is_sent_until_it_has_settled(segment, monkeypatch, released):
    monkeypatch.setattr("tests.sync.conftest.MemoryTarget", WholeList)
    segment.lists = True
    segment.sync(people(0, 5))
    with monkeypatch.context() as patch:
        patch.setattr(segment.vendor, "request", lambda kind, ids: "lost")
        if not released:
            patch.setattr(Ledger, "release", lambda self, *, replacing: None)
        with pytest.raises(VendorUnavailable):
            segment.sync(people(0, 6))
    segment.now += 3_600_000 if not released else 0
    with pytest.raises(LedgerBusy, match="sets all members") as busy:
        segment.sync(people(1, 6))
    # A further try waits no longer than the first one.
    with pytest.raises(LedgerBusy) as again:
        segment.sync(people(1, 6))
    assert busy.value.until == again.value.until
    segment.now = busy.value.until
    assert segment.sync(people(1, 6)).outcome == "changed"
    assert segment.vendor.members == set(people(1, 6))


@pytest.fixture
def whole(segment, monkeypatch):
    """Return a segment with five members, each of whose writes is a write of the whole list."""
    monkeypatch.setattr("tests.sync.conftest.MemoryTarget", WholeList)
    segment.lists = True
    segment.sync(people(0, 5))
    return segment


@pytest.mark.parametrize("kind", ["segment", "whole"])
def test_what_was_approved_to_be_emptied_needs_no_second_approval(request, monkeypatch, kind):
    """Also while the users are uncertain after a lost request, whose outcome is waited for, and after the commit."""
    segment = request.getfixturevalue(kind)
    segment.sync(people(0, 5))
    with pytest.raises(PlanRefused) as refused:
        segment.sync([])
    with monkeypatch.context() as patch:
        patch.setattr(segment.vendor, "request", lambda kind, ids: "lost")
        with pytest.raises(VendorUnavailable):
            segment.sync([], approve=refused.value.digest)
    if kind == "whole":
        with pytest.raises(LedgerBusy):
            segment.sync([])
        segment.now += DAY
    for _ in range(2):
        segment.sync([])
        assert segment.vendor.members == set()
        segment.now += DAY
    segment.sync(people(0, 5))
    with pytest.raises(PlanRefused):
        segment.sync([])


def test_an_approved_change_of_the_whole_list_needs_no_second_approval_after_a_lost_request(whole, monkeypatch):
    with pytest.raises(PlanRefused) as refused:
        whole.sync(people(0, 6), max_members=5)
    with monkeypatch.context() as patch:
        patch.setattr(whole.vendor, "request", lambda kind, ids: "lost")
        with pytest.raises(VendorUnavailable):
            whole.sync([], approve=refused.value.digest)
    with pytest.raises(LedgerBusy):
        whole.sync(people(0, 6), max_members=5)
    whole.now += DAY
    whole.sync(people(0, 6), max_members=5)
    assert whole.vendor.members == set(people(0, 6))


@pytest.mark.parametrize(("fate", "error"), [("busy", RateLimited), ("denied", PermissionDenied)])
def test_a_write_of_the_whole_list_that_was_not_carried_out_is_repeated_without_a_wait(whole, monkeypatch, fate, error):
    with monkeypatch.context() as patch:
        patch.setattr(whole.vendor, "request", lambda kind, ids: fate)
        with pytest.raises(error):
            whole.sync(people(0, 6))
    assert whole.sync(people(0, 6)).outcome == "changed"
    assert whole.vendor.members == set(people(0, 6))


def test_an_earlier_try_of_a_rejected_write_of_the_whole_list_is_waited_for(whole, lost_then_refused):
    lost_then_refused(whole)
    assert whole.sync(people(1, 6)).counts["applied"] == 2
    with pytest.raises(LedgerBusy, match="sets all members") as busy:
        whole.sync(people(2, 6))
    whole.now = busy.value.until
    whole.sync(people(2, 6))
    assert whole.vendor.members == set(people(2, 6))


def test_also_where_the_following_writes_were_not_carried_out(whole, lost_then_refused, monkeypatch):
    request, fates = whole.vendor.request, iter(["busy"] * 2)
    with monkeypatch.context() as patch:
        patch.setattr(whole.vendor, "request", lambda kind, ids: next(fates, None) or request(kind, ids))
        lost_then_refused(whole)
        with pytest.raises(RateLimited):
            whole.sync(people(1, 6))
    with pytest.raises(LedgerBusy, match="sets all members"):
        whole.sync(people(1, 6))


def test_a_crash_within_a_split_write_of_the_whole_list_is_waited_for(whole, monkeypatch):
    request, sent = whole.vendor.request, []

    def dies_in_the_second_half(kind, ids):
        sent.append(ids)
        if len(sent) == 3:
            raise Crash
        return "refused" if len(sent) == 1 else request(kind, ids)

    with monkeypatch.context() as patch:
        patch.setattr(whole.vendor, "request", dies_in_the_second_half)
        with pytest.raises(Crash):
            whole.sync(people(0, 9))
    whole.now += 3_600_000
    with pytest.raises(LedgerBusy, match="sets all members") as busy:
        whole.sync(people(1, 9))
    whole.now = busy.value.until
    assert whole.sync(people(1, 9)).outcome == "changed"
    assert whole.vendor.members == set(people(1, 9))

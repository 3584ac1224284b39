"""The engine's decisions, at a vendor without faults: modes, ownership, refusals, approvals."""

from __future__ import annotations

import random
from datetime import timedelta
from math import ceil

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    LedgerBusy,
    LedgerError,
    LedgerLost,
    LedgerOvertaken,
    PlanRefused,
    RejectedRequest,
    RunSuperseded,
    VendorUnavailable,
)
from airflow_segments_provider.sync.ledger.names import GENERATIONS
from airflow_segments_provider.sync.target import Limits
from tests.sync.conftest import people
from tests.sync.model.memory import Crash, MemoryTarget

DAY = 24 * 3600 * 1000

FREE = {"max_removed_fraction": 1, "max_added_fraction": None, "allow_empty": True}


def test_a_mirror_follows_its_source_with_the_fewest_requests(segment):
    first = segment.sync(people(0, 25))
    assert (first.outcome, segment.vendor.members, segment.vendor.requests) == ("changed", set(people(0, 25)), 3)
    second = segment.sync(people(4, 30))
    assert segment.vendor.members == set(people(4, 30))
    assert segment.vendor.requests == 3 + 1 + 1
    assert (second.counts["add"], second.counts["remove"], second.counts["baseline"]) == (5, 4, 25)
    third = segment.sync(people(4, 30))
    assert (third.outcome, segment.vendor.requests, third.changed_in) == ("unchanged", 5, second.changed_in)


@pytest.mark.parametrize("seed", range(25))
def test_a_mirror_of_any_size_takes_no_more_requests_than_its_batches(segment, seed):
    rng = random.Random(seed)
    segment.limit = rng.randint(1, 40)
    before, after = (set(rng.sample(people(0, 200), rng.randint(0, 200))) for _ in range(2))
    segment.sync(sorted(before), **FREE)
    sent = segment.vendor.requests
    assert sent == ceil(len(before) / segment.limit)
    segment.sync(sorted(after), **FREE)
    adds, removes = ceil(len(after - before) / segment.limit), ceil(len(before - after) / segment.limit)
    assert segment.vendor.requests - sent == adds + removes
    assert segment.vendor.members == after


@pytest.mark.parametrize("lists", [True, False])
def test_members_not_added_by_a_sync_stay(segment, lists):
    segment.lists = lists
    segment.vendor.members = {"by hand", "p001"}
    done = segment.sync(people(0, 5))
    assert segment.vendor.members == {"by hand", *people(0, 5)}
    # An existing member who is in the source is owned by the sync from then on.
    assert (done.counts["add"], done.counts["adopt"]) == ((4, 1) if lists else (5, 0))
    segment.sync(people(2, 5), **FREE)
    assert segment.vendor.members == {"by hand", *people(2, 5)}


def test_removals_all_removes_members_not_added_by_the_sync(segment):
    segment.lists = True
    segment.vendor.members = {"by hand", *people(0, 20)}
    done = segment.sync(people(0, 20), removals="all")
    assert segment.vendor.members == set(people(0, 20))
    assert (done.counts["remove"], done.counts["adopt"], done.counts["baseline"]) == (1, 20, 21)


def test_a_member_who_was_removed_by_hand_is_added_again_if_the_vendor_lists_members(segment):
    segment.lists = True
    segment.sync(people(0, 5))
    segment.vendor.members = set(people(1, 5))
    assert segment.sync(people(0, 5)).counts["add"] == 1
    assert segment.vendor.members == set(people(0, 5))


def test_mode_add_removes_no_member_and_mode_remove_adds_none(segment):
    segment.sync(people(0, 5))
    assert segment.sync(people(3, 8), mode="add").counts["remove"] == 0
    assert segment.vendor.members == set(people(0, 8))
    before = segment.vendor.requests
    assert segment.sync([], mode="add").outcome == "unchanged"
    segment.sync(["p000", "p001", "nobody"], mode="remove")
    assert segment.vendor.members == set(people(2, 8))
    assert segment.vendor.requests == before + 1
    # Users added or removed in these modes are owned by the ledger: a mirror removes them.
    segment.sync(people(2, 3), **FREE)
    assert segment.vendor.members == {"p002"}


def test_mode_remove_removes_only_users_listed_as_members_by_the_vendor(segment):
    segment.lists = True
    segment.vendor.members = {"by hand"}
    done = segment.sync(["by hand", "nobody"], mode="remove")
    assert (done.counts["remove"], segment.vendor.members) == (1, set())


def test_users_rejected_on_addition_are_found_by_halving_and_tried_again_after_a_day(segment):
    segment.vendor.bad = {"p003"}
    done = segment.sync(people(0, 8))
    assert (done.counts["applied"], done.counts["rejected"], done.rejected) == (7, 1, {"status 400": 1})
    assert segment.vendor.members == set(people(0, 8)) - {"p003"}
    before = segment.vendor.requests
    again = segment.sync(people(0, 8))
    assert (again.counts["waiting"], segment.vendor.requests) == (1, before)
    segment.now += 24 * 3600 * 1000
    segment.vendor.bad = set()
    assert segment.sync(people(0, 8)).counts["again"] == 1
    assert segment.vendor.members == set(people(0, 8))
    assert segment.sync(people(0, 8)).outcome == "unchanged"


def test_users_rejected_on_removal_are_tried_again_after_a_day(segment, monkeypatch):
    segment.sync(people(0, 8))
    remove = MemoryTarget.remove

    def refuses(self, ids):
        if "p003" in ids:
            raise RejectedRequest("refused", status=400)
        return remove(self, ids)

    monkeypatch.setattr(MemoryTarget, "remove", refuses)
    done = segment.sync(people(5, 8))
    assert (done.counts["remove"], done.counts["rejected"]) == (5, 1)
    before = segment.vendor.requests
    assert segment.sync(people(5, 8)).counts["waiting"] == 1
    assert segment.vendor.requests == before
    monkeypatch.undo()
    segment.now += 24 * 3600 * 1000
    assert segment.sync(people(5, 8)).counts["remove_again"] == 1
    assert segment.vendor.members == set(people(5, 8))
    assert segment.sync(people(5, 8)).outcome == "unchanged"


def test_a_plan_above_a_limit_is_refused_kept_and_applied_once_when_approved(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused, match=r"150 of 200 members \(75.0%\)") as refused:
        segment.sync(people(150, 200))
    assert segment.vendor.members == set(people(0, 200))
    digest = refused.value.digest
    assert digest in refused.value.details.splitlines()
    # The source has changed since: the approved plan is applied, not a new one.
    segment.sync(people(199, 200), approve=digest)
    assert segment.vendor.members == set(people(150, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(199, 200), approve=digest)
    assert segment.vendor.members == set(people(150, 200))


def test_the_approval_of_another_digest_does_not_apply(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(150, 200), approve="sha256:" + 64 * "0")


@pytest.mark.parametrize(("days", "left"), [(29, 2), (30, 1)])
def test_a_refused_plan_is_deleted_after_the_retention_time(segment, days, left):
    segment.sync(people(0, 200))
    digests = []
    for wanted in (people(150, 200), people(160, 200)):
        with pytest.raises(PlanRefused) as refused:
            segment.sync(wanted)
        digests.append(refused.value.digest)
        segment.now += days * 24 * 60 * 60 * 1000 - 60_000
    kept = segment.store.names("plans")
    assert sorted(name.partition(".")[2] for name in kept) == sorted(["json", "txt"] * left)
    # The newest plan can still be approved.
    segment.sync(people(0, 200), approve=digests[-1])
    assert segment.vendor.members == set(people(160, 200))


def test_equal_plans_have_equal_digests_and_different_plans_do_not(segment):
    segment.sync(people(0, 200))
    sources = (people(150, 200), people(150, 200)[::-1], people(151, 200))
    digests = [segment.sync(wanted, plan_only=True).plan.digest for wanted in sources]
    assert digests[0] == digests[1] != digests[2]


def test_an_approved_plan_that_was_interrupted_is_finished_without_another_approval(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200))
    carry_out, calls = segment.vendor.carry_out, []

    def fails_later(kind, ids):
        calls.append(kind)
        if len(calls) > 3:
            raise VendorUnavailable("down", maybe_done=True)
        carry_out(kind, ids)

    segment.vendor.carry_out = fails_later
    with pytest.raises(VendorUnavailable, match="30 of 150 changes were acknowledged"):
        segment.sync(people(150, 200), approve=refused.value.digest)
    segment.vendor.carry_out = carry_out
    segment.sync(people(150, 200))
    assert segment.vendor.members == set(people(150, 200))


def test_on_guard_skip_removals_sends_the_additions_only(segment):
    segment.sync(people(0, 200))
    done = segment.sync(people(150, 205), on_guard="skip_removals")
    assert (done.counts["skipped"], done.counts["remove"], done.counts["add"]) == (150, 0, 5)
    assert segment.vendor.members == set(people(0, 205))


def test_on_guard_skip_removals_does_not_skip_the_users_of_mode_remove(segment):
    segment.sync(people(0, 20))
    segment.shown.clear()
    with pytest.raises(PlanRefused, match="6 users would be removed"):
        segment.sync(people(0, 6), mode="remove", max_removals=5, on_guard="skip_removals")
    assert len(segment.shown) == 1
    assert segment.vendor.members == set(people(0, 20))


def test_a_preview_sends_nothing_and_writes_only_a_report(segment):
    segment.sync(people(0, 200))
    files, requests = dict(segment.store.files), segment.vendor.requests
    done = segment.sync([], plan_only=True)
    assert done.outcome == "planned"
    assert len(done.breaches) == 2
    assert segment.vendor.requests == requests
    assert files.items() <= segment.store.files.items()
    assert {name.partition("/")[0] for name in segment.store.files.keys() - files.keys()} == {"reports"}


def test_an_empty_source_is_refused_unless_allow_empty(segment):
    segment.sync(people(0, 5))
    with pytest.raises(PlanRefused, match="allow_empty"):
        segment.sync([])
    segment.sync([], allow_empty=True)
    assert segment.vendor.members == set()


def test_the_first_sync_of_a_segment_that_may_have_members_needs_first_sync(segment):
    segment.ours = False
    with pytest.raises(InvalidInput, match="first_sync"):
        segment.sync(people(0, 5))
    assert segment.vendor.requests == 0
    segment.sync(people(0, 5), first_sync="add")
    segment.sync(people(0, 6))
    assert segment.vendor.members == set(people(0, 6))


@pytest.mark.parametrize("on_older", ["skip", "fail"])
def test_older_data_is_refused_unless_on_older_is_apply(segment, on_older):
    segment.sync(people(0, 5), as_of=2_000, run="first")
    segment.sync(people(0, 5), as_of=3_000, run="second")  # Changes no member, but counts as the newest data.
    with pytest.raises(RunSuperseded, match=r"00:00:02.*00:00:03.*by the run second.*no action is needed"):
        segment.sync(people(0, 9), as_of=2_500, on_older=on_older)
    segment.sync(people(0, 9), as_of=2_500, on_older="apply")
    # The segment has the older data now: newer data may follow.
    segment.sync(people(0, 5), as_of=2_600, **FREE)
    assert segment.vendor.members == set(people(0, 5))


def test_a_data_time_in_the_future_does_not_block_the_runs_that_follow(segment):
    segment.sync(people(0, 5), as_of=segment.now + 10 * 365 * DAY)
    segment.sync(people(0, 6), as_of=segment.now)
    assert segment.vendor.members == set(people(0, 6))


@pytest.mark.parametrize("why", ["older", "another task's", "busy", "lost", "another map index"])
def test_a_run_that_may_not_continue_does_not_read_its_source(segment, why):
    segment.sync(people(0, 5), run="dag/run/sync/0", as_of=2_000)
    named: dict[str, object] = {"run": "dag/later/sync/0"}
    if why == "older":
        named["as_of"] = 1_000
    elif why == "another task's":
        named["owner"] = "other.task"
    elif why == "busy":
        segment.vendor.carry_out = _crash
        with pytest.raises(Crash):
            segment.sync(people(0, 6), run="dag/died/sync/0")
    elif why == "lost":
        segment.store.files.clear()
    else:
        named["run"] = "dag/run/sync/1"
    with pytest.raises((LedgerError, LedgerBusy)):
        segment.sync(Unread(), **named)


class Unread:
    def __iter__(self):
        pytest.fail("the source was read")


def test_a_segment_belongs_to_one_task_unless_takeover(segment):
    segment.sync(people(0, 5))
    with pytest.raises(LedgerError, match=r"belongs to the task dag.task, and this one is other.task"):
        segment.sync(people(0, 4), owner="other.task")
    segment.sync(people(0, 4), owner="other.task", takeover=True)
    assert segment.vendor.members == set(people(0, 4))


def _crash(*given):
    raise Crash


def test_a_run_waits_until_the_lease_of_a_run_that_died_has_ended(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "carry_out", _crash)
    with pytest.raises(Crash):
        segment.sync(people(0, 5), run="first")
    monkeypatch.undo()
    with pytest.raises(LedgerBusy, match="the run first holds the ledger since") as busy:
        segment.sync(people(0, 5), run="second")
    segment.now = busy.value.until
    segment.sync(people(0, 5), run="second")
    assert segment.vendor.members == set(people(0, 5))


def test_a_run_does_not_wait_for_the_lease_of_a_run_that_failed(segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 5), run="first")
    monkeypatch.undo()
    segment.sync(people(0, 5), run="second")
    assert segment.vendor.members == set(people(0, 5))


@pytest.mark.parametrize("request_timeout", [timedelta(seconds=10), timedelta(minutes=15), timedelta(hours=2)])
def test_a_run_renews_its_lease_at_intervals_and_not_for_each_batch(segment, request_timeout):
    """A renewal writes a file, so there is none for each batch, however long a batch may be under way."""
    segment.request_timeout, held = request_timeout, []
    request = segment.vendor.request

    def slow(kind, ids):
        held.append(len(segment.store.names(f"leases/{1:012d}")))
        segment.now += 30_000
        return request(kind, ids)

    segment.vendor.request = slow
    segment.sync(people(0, 800))
    assert len(held) == 80
    # Eighty times half a minute; held for at least a quarter of an hour, a third of it longer than a request may take.
    assert held[9] == 0
    assert 2 <= held[-1] <= 8


def test_a_lost_ledger_is_an_error_and_not_a_first_sync(segment):
    segment.sync(people(0, 5))
    older = dict(segment.store.files)
    segment.sync(people(0, 6))
    for left in ({}, older):
        segment.store.files = dict(left)
        with pytest.raises(LedgerLost, match=r"lost, emptied, or restored.*`replace=True`"):
            segment.sync(people(0, 6))
    assert segment.vendor.members == set(people(0, 6))


@pytest.mark.parametrize("left", ["nothing", "an older copy"])
def test_a_ledger_that_is_restored_while_a_generation_is_written_stops_the_run(segment, left):
    if left == "an older copy":
        segment.sync(people(0, 5))
    older, create = dict(segment.store.files), segment.store.create

    def late(name, content):
        if name.startswith(GENERATIONS):
            segment.store.create = create
            segment.sync(people(0, 6))
            segment.store.files = dict(older)
        return create(name, content)

    segment.store.create = late
    with pytest.raises(LedgerOvertaken):
        segment.sync(people(0, 4))
    assert segment.vendor.members == set(people(0, 6))
    with pytest.raises(LedgerLost):
        segment.sync(people(0, 4))


@pytest.mark.parametrize(("adds", "removes"), [(0, 0), (1, 0), (0, 1), (10, 10), (11, 9), (25, 31), (100, 1)])
def test_a_sync_sends_the_number_of_requests_of_its_plan(segment, adds, removes):
    segment.sync(people(0, 200))
    before = segment.vendor.requests
    done = segment.sync(people(removes, 200 + adds), **FREE)
    assert segment.vendor.requests - before == -(-adds // 10) + -(-removes // 10) == done.plan.requests


def test_a_plan_that_takes_longer_than_max_duration_is_refused(segment, monkeypatch):
    limits = Limits(10, 10, 10, per_minute=2)
    monkeypatch.setattr("tests.sync.model.memory.Limits", lambda *given, **named: limits)
    with pytest.raises(PlanRefused, match="max_duration"):
        segment.sync(people(0, 41), max_duration=timedelta(minutes=2))
    assert segment.sync(people(0, 40), max_duration=timedelta(minutes=2)).plan.duration == timedelta(minutes=2)


def test_an_invalid_source_is_refused_with_the_name_of_the_segment(segment):
    with pytest.raises(InvalidInput, match=r"^The source for .*segment .* was refused.* row 1 of the user IDs has 2 "):
        segment.sync([("ada", "trial")])


@pytest.mark.parametrize("lists", [False, True])
def test_a_request_that_an_earlier_try_sends_while_a_later_one_reads_its_source_is_accounted_for(
    segment, monkeypatch, lists
):
    """Airflow may take a task for dead that is alive: it sends until the later try writes its own generation."""
    segment.lists = lists
    segment.sync(people(0, 5))
    with monkeypatch.context() as patch:
        patch.setattr(segment.vendor, "request", _crash)
        with pytest.raises(Crash):
            segment.sync(people(0, 6))

    def slow():
        segment.now += 3_600_000
        yield from people(0, 5)

    segment.sync(slow())
    # The earlier try sent this at the end of that hour, and its response was lost.
    segment.vendor.carry_out("add", {"p005"})
    segment.now += 3_600_000
    segment.sync(people(0, 5))
    assert segment.vendor.members == set(people(0, 5))

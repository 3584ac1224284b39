"""Each ending of a run in the on-call guide's table: what was sent, the state of the ledger, and the next run.

``docs/on-call.md`` names the test of each row.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    LedgerBusy,
    LedgerError,
    LedgerLost,
    LedgerOvertaken,
    PermissionDenied,
    PlanRefused,
    RejectedRequest,
    RunSuperseded,
    Stopped,
    VendorUnavailable,
)
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import people
from tests.sync.model.memory import KEY, Crash

MINUTE = 60_000
DAY = 24 * 60 * MINUTE
FREE = {"max_removed_fraction": 1}


class Ending:
    """A run that ends in some way, and the state after it."""

    def __init__(self, segment):
        self.segment = segment
        segment.sync(people(0, 200), run="before", as_of=segment.now)
        self.sent: list[tuple[str, int]] = []
        request = segment.vendor.request

        def noted(kind, ids):
            self.sent.append((kind, len(ids)))
            return request(kind, ids)

        segment.vendor.request = noted
        self.generation = self.head.generation

    @property
    def head(self):
        return read_head(self.segment.store, KEY.folder)

    def known(self):
        """Return the users who are owned, uncertain and rejected according to the ledger."""
        with Workspace(database=self.segment.database) as workspace:
            self.segment.ledger().look(workspace)
            rows = workspace.rows("SELECT id, owned, uncertain, rejected FROM known")
        return (
            {user for user, owned, _, _ in rows if owned},
            {user for user, _, uncertain, _ in rows if uncertain is not None},
            {user for user, _, _, rejected in rows if rejected is not None},
        )

    def left_alone(self):
        """Check that nothing was sent and that the ledger is unchanged."""
        assert self.sent == []
        assert self.head.generation == self.generation
        assert self.known() == (set(people(0, 200)), set(), set())


@pytest.fixture
def ending(segment):
    return Ending(segment)


def test_a_run_that_is_refused_by_the_guard_sends_nothing(ending, segment):
    with pytest.raises(PlanRefused):
        segment.sync(people(150, 200))
    ending.left_alone()
    # The next run makes a plan of its own.
    segment.sync(people(1, 200), run="next")
    assert ending.sent == [("remove", 1)]


def test_a_run_with_too_many_invalid_rows_sends_nothing(ending, segment):
    for mode in ("mirror", "add", "remove"):
        with pytest.raises(
            InvalidInput, match=r"50 of 150 rows are not valid user IDs \(blank: 50\); the limit is 20.0%"
        ):
            segment.sync([*people(0, 100), *[""] * 50], mode=mode)
        with pytest.raises(InvalidInput, match=r"3 of 3 rows .*; none is valid"):
            segment.sync(["", None, 1.5], mode=mode, allow_empty=True)
    ending.left_alone()
    segment.sync([*people(0, 200), *[""] * 50], run="next")
    assert ending.sent == []


def test_a_run_that_is_superseded_by_newer_data_sends_nothing(ending, segment):
    with pytest.raises(RunSuperseded, match="no action is needed"):
        segment.sync(people(0, 10), as_of=segment.now - DAY)
    ending.left_alone()


def test_a_run_for_a_segment_of_another_task_sends_nothing(ending, segment):
    with pytest.raises(LedgerError, match="takeover=True"):
        segment.sync(people(0, 10), owner="other.task")
    ending.left_alone()


def test_a_run_for_a_segment_of_another_mapped_instance_sends_nothing(ending, segment):
    segment.sync(people(0, 200), run="dag/run/sync/0")
    ending.generation = ending.head.generation
    with pytest.raises(LedgerError, match="map index 0 of this run has changed this segment already"):
        segment.sync(people(0, 10), run="dag/run/sync/1")
    ending.left_alone()


def test_a_run_on_a_lost_ledger_sends_nothing(ending, segment):
    older = dict(segment.store.files)
    segment.sync(people(0, 201), run="newest")
    segment.store.files = older
    ending.sent.clear()
    with pytest.raises(LedgerLost, match="replace=True"):
        segment.sync(people(0, 10))
    assert ending.sent == []


def test_a_run_while_another_one_holds_the_ledger_sends_nothing_and_goes_on_after_the_lease(ending, segment):
    def dies(kind, ids):
        raise Crash

    request, segment.vendor.request = segment.vendor.request, dies
    with pytest.raises(Crash):
        segment.sync(people(0, 201), run="other")
    segment.vendor.request = request
    with pytest.raises(LedgerBusy) as busy:
        segment.sync(people(0, 202))
    assert ending.sent == []
    segment.now = busy.value.until
    segment.sync(people(0, 202))
    assert ending.sent == [("add", 2)]


def test_a_run_with_some_rejected_users_sends_the_plan_and_retries_them_after_a_day(ending, segment):
    segment.vendor.bad = {"p201"}
    done = segment.sync(people(0, 203))
    assert (done.outcome, done.counts["applied"], done.counts["rejected"]) == ("changed", 2, 1)
    assert ending.known() == (set(people(0, 203)) - {"p201"}, set(), {"p201"})
    ending.sent.clear()
    segment.sync(people(0, 203), run="next")
    assert ending.sent == []
    segment.now += DAY
    segment.sync(people(0, 203), run="a day later")
    assert ending.sent == [("add", 1)]


def test_a_run_with_only_rejected_users_fails_and_does_not_delay_other_changes(ending, segment):
    segment.limit = 100
    segment.vendor.bad = set(people(200, 230))
    with pytest.raises(RejectedRequest, match="the users seem not to be the reason"):
        segment.sync(people(0, 230))
    assert ending.known() == (set(people(0, 200)), set(), set(people(200, 230)))
    ending.sent.clear()
    # The rejected users do not delay other changes.
    segment.sync(people(1, 230), run="next")
    assert ending.sent == [("remove", 1)]


def test_a_run_that_fails_with_a_clear_error_leaves_the_rest_to_the_next_run(ending, segment, monkeypatch):
    def denied(kind, ids):
        raise PermissionDenied("403", status=403)

    monkeypatch.setattr(segment.vendor, "request", denied)
    with pytest.raises(PermissionDenied, match="0 of 15 changes were acknowledged"):
        segment.sync(people(0, 215))
    monkeypatch.undo()
    # Users of an unacknowledged request are uncertain; another run may start at once.
    assert ending.known()[1] == set(people(200, 215))
    segment.sync(people(0, 215), run="next")
    assert segment.vendor.members == set(people(0, 215))


def test_a_run_that_fails_without_a_response_is_repeated_by_the_next_run(ending, segment, monkeypatch):
    monkeypatch.setattr(segment.vendor, "request", lambda *given: "lost")
    with pytest.raises(VendorUnavailable):
        segment.sync(people(0, 205))
    monkeypatch.undo()
    assert ending.known()[1] == set(people(200, 205))
    # Sent again at once, and once more after the first request has settled.
    segment.sync(people(0, 205), run="next")
    segment.now += 30 * MINUTE
    segment.sync(people(0, 205), run="next but one")
    assert segment.sync(people(0, 205), run="the last").plan.requests == 0
    assert segment.vendor.members == set(people(0, 205))


def test_a_killed_run_leaves_its_unacknowledged_users_to_the_next_run(ending, segment):
    request, calls = segment.vendor.request, []

    def dies_later(kind, ids):
        calls.append(kind)
        if len(calls) == 2:
            raise Crash
        return request(kind, ids)

    segment.vendor.request = dies_later
    with pytest.raises(Crash):
        segment.sync(people(0, 225))
    segment.vendor.request = request
    # Acknowledged users are owned, the others are uncertain.
    owned, uncertain, _ = ending.known()
    assert (len(owned), len(uncertain)) == (210, 15)
    ending.sent.clear()
    segment.sync(people(0, 225))
    assert ending.sent == [("add", 10), ("add", 5)]
    assert segment.vendor.members == set(people(0, 225))


@pytest.mark.parametrize("moment", ["reading", "sending"])
def test_a_run_that_airflow_stops_finishes_its_request_and_leaves_the_rest_to_the_next_run(ending, segment, moment):
    stopped = []

    def source():
        for user in people(0, 230):
            if moment == "reading" and user == "p100":
                stopped.append(True)
            yield user

    request = segment.vendor.request

    def stop_later(kind, ids):
        stopped.append(True)
        return request(kind, ids)

    if moment == "sending":
        segment.vendor.request = stop_later
    with pytest.raises(Stopped):
        segment.sync(source(), stopped=lambda: bool(stopped))
    assert len(ending.sent) == (moment == "sending")
    segment.vendor.request = request
    segment.sync(people(0, 230))
    assert segment.vendor.members == set(people(0, 230))


def test_a_run_that_is_overtaken_by_another_run_sends_nothing(ending, segment):
    def source():
        yield from people(0, 200)
        segment.sync(people(1, 201), run="newer")

    with pytest.raises(LedgerOvertaken, match="Run the task again"):
        segment.sync(source(), run="older")
    assert segment.vendor.members == set(people(1, 201))


def test_a_run_that_succeeds_sends_its_plan_once(ending, segment):
    done = segment.sync(people(5, 210))
    assert (done.outcome, ending.sent) == ("changed", [("add", 10), ("remove", 5)])
    assert ending.known() == (set(people(5, 210)), set(), set())
    ending.sent.clear()
    assert segment.sync(people(5, 210)).outcome == "unchanged"
    assert ending.sent == []


def test_the_on_call_page_has_a_row_for_each_way_a_run_ends():
    guide = (Path(__file__).parents[2] / "docs" / "on-call.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", guide.partition("## How a run ended")[2].partition("\n## ")[0]))
    here = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    assert named == here - {
        "test_the_on_call_page_has_a_row_for_each_way_a_run_ends",
        "test_each_refusal_of_a_run_names_the_segment",
    }


def test_each_refusal_of_a_run_names_the_segment(ending, segment):
    """A user on call sees only the message."""
    older = dict(segment.store.files)
    for error, named in (
        (PlanRefused, {"wanted": people(150, 200)}),
        (RunSuperseded, {"as_of": segment.now - DAY}),
        (LedgerError, {"owner": "other.task"}),
        (LedgerError, {"run": "dag/run/sync/1"}),
        (LedgerLost, {}),
        (LedgerBusy, {"replace": True, "run": "by hand"}),
    ):
        if named.get("run") == "dag/run/sync/1":
            segment.sync(people(0, 200), run="dag/run/sync/0")
        if error in (LedgerLost, LedgerBusy):
            segment.store.files = dict(older)
        with pytest.raises(error, match=f"{re.escape(KEY.folder)}|memory segment segment"):
            segment.sync(**{"wanted": people(0, 10), **named})

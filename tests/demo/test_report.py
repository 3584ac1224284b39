"""The demo's report on a day shows each problem."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from airflow_segments_provider.testing.sandbox.calls import CallRecord
from example_dags.demo.day import STATES, Day, facts
from example_dags.demo.people import Audience
from example_dags.demo.report import table
from example_dags.demo.watch import Step

DIGEST = "sha256:" + "0a" * 32
PLAN = {"wanted": 2, "duplicates": 1, "invalid": 1, "baseline": 2, "add": 1, "remove": 1}


def call(name: str, action: str | None = None, people: int | None = None) -> CallRecord:
    return CallRecord(0, f"walkme.{name}", "", "", 0.0, action=action, user_ids=people, status=200)


def day(outcome: str, before: set[str] | None, members: set[str] | None, plan: dict[str, int], **conf: Any) -> Day:
    """Return a day on which ada and zoë are wanted, and all went as expected."""
    audience = Audience(4, Counter(blank=1), {"ada", "zoë"})
    found = Day(
        "today", "Today", outcome, before, audience, {"segment_name": "Trial", "propagation_seconds": 0, **conf}
    )
    states, found.state = STATES[outcome]
    found.states, found.plan, found.members = dict(states), dict(plan), members
    sync = Step(time.monotonic(), states["sync"], calls=[call("list")])
    if outcome == "changed":
        sync.calls += [call("update", action, 1) for action in ("add", "remove")]
    if outcome == "refused":
        sync.error, found.digest = "1 of 2 members (50.0%) would be removed", DIGEST
    else:
        sync.result = {"outcome": outcome, "invalid": {"blank": 1}, "changed_at": "2026-01-01T00:00:00Z"}
    found.steps["sync"] = sync
    if conf:
        wait = Step(time.monotonic(), "success", 15.0, 14.0, calls=[call("list")], editor=["Trial"])
        wait.result = {"visible_at": "2026-01-01T00:00:15Z"}
        found.steps["wait"] = wait
    found.calls = [one for step in found.steps.values() for one in step.calls]
    return found


@pytest.fixture
def changed() -> Day:
    return day("changed", {"ada", "bo"}, {"ada", "zoë"}, PLAN, propagation_seconds=15)


@pytest.fixture
def refused() -> Day:
    return day("refused", {"ada", "bo"}, {"ada", "bo"}, PLAN)


def told(found: Day) -> list[str]:
    return [str(fact) for fact in facts(found) if not fact.holds]


def test_correct_days_are_reported_without_problems(changed: Day, refused: Day):
    preview = day("planned", None, None, {**PLAN, "baseline": 0, "add": 2, "remove": 0})
    same = day("unchanged", {"ada", "zoë"}, {"ada", "zoë"}, {**PLAN, "add": 0, "remove": 0})
    assert [told(one) for one in (preview, same, changed, refused)] == [[], [], [], []]


WRONG: dict[str, tuple[Callable[[Day], object], str]] = {
    "missing": (lambda found: found.members.discard("ada"), "people missing from the segment: 1, not 0"),  # type: ignore[union-attr]
    "stranger": (lambda found: found.members.add("eve"), "people in the segment who do not belong: 1, not 0"),  # type: ignore[union-attr]
    "no segment": (lambda found: setattr(found, "members", None), "there is a segment: False, not True"),
    "plan": (lambda found: found.plan.update(remove=2), "the plan: {"),
    "too many": (lambda found: setattr(found.calls[1], "user_ids", 2), "requests with people: [('add', 2)"),
    "order": (lambda found: found.calls.insert(0, found.calls.pop(2)), "requests with people: [('remove', 1)"),
    "rejects": (lambda found: found.audience.rejected.update({"blank": -1, "too long": 1}), "unusable rows"),
    "outcome": (lambda found: found.steps["sync"].result.update(outcome="planned"), "the outcome: 'planned'"),
    "early": (lambda found: found.steps["wait"].editor.clear(), "the Editor after the wait: [], not ['Trial']"),
    "before": (lambda found: found.steps["sync"].editor.append("Trial"), "the Editor before the wait"),
    "in place": (
        lambda found: setattr(found.steps["wait"], "deferred_for", 0.0),
        "the wait was spent in the triggerer",
    ),
    "delay": (
        lambda found: found.conf.update(propagation_seconds=600),
        "seconds from the change to the end of the wait: 15.0, not 600",
    ),
    "lost": (lambda found: setattr(found.calls[0], "status", 429), "requests refused or lost: 1, not 0"),
    "unwatched": (lambda found: found.calls.append(call("list")), "requests outside the tasks: 1, not 0"),
    "failed": (lambda found: setattr(found, "state", "failed"), "the DAG run: 'failed', not 'success'"),
    "not run": (lambda found: found.states.pop("wait"), "the tasks: {"),
}


@pytest.mark.parametrize("spoil", WRONG)
def test_each_problem_of_a_day_is_reported(changed: Day, spoil: str):
    change, line = WRONG[spoil]
    change(changed)
    line = f"today: {line}"
    assert line in {text[: len(line)] for text in told(changed)}, told(changed)


@pytest.mark.parametrize(("error", "digest"), [("", DIGEST), ("2 of 2 members", DIGEST), ("1 of 2 members", "")])
def test_a_refusal_without_numbers_or_digest_is_reported(refused: Day, error: str, digest: str):
    refused.steps["sync"].error, refused.digest = error, digest
    assert [text[:30] for text in told(refused)] == ["today: the error says '1 of 2 "]


def test_a_request_of_a_refused_run_is_reported(refused: Day):
    refused.calls.append(call("update", "remove", 1))
    refused.steps["sync"].calls.append(refused.calls[-1])
    assert told(refused) == ["today: requests with people: [('remove', 1)], not []"]


def test_the_table_of_the_report_is_aligned(changed: Day, refused: Day):
    lines = list(table([changed, refused], 4))
    assert len({len(line) for line in lines[: lines.index("")]}) == 1
    assert max(map(len, lines)) <= 120
    assert lines[1].split() == ["1", "today", "2", "2", "1", "1", "changed", "2", "2"]
    assert "1 unusable (1 blank)" in "\n".join(lines)

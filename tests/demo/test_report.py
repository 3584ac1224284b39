"""The demo's verdict: it must see each thing that goes wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest

from airflow_segments_provider.sandbox.calls import CallRecord
from example_dags.demo.people import Audience
from example_dags.demo.report import ORDER, Demo, facts, table
from example_dags.demo.watch import Step

GUID = "5a4d0c1e-77b2-4c39-9f0e-2b6d8e51a7c4"
MEMBERS = {
    "create": {"ada", "bo"},
    "wait": {"ada", "bo"},
    "remove_converted": {"ada"},
    "add_extended": {"ada", "zoë"},
    "list_segments": {"ada", "zoë"},
}
CALLS = {
    "create": ["token", "list", "create"],
    "wait": ["list"],
    "remove_converted": ["update"],
    "add_extended": ["update"],
    "list_segments": ["list"],
    "delete": ["delete"],
}


def step(task: str) -> Step:
    calls = [
        CallRecord(0, f"walkme.{name}", "", "", 0.0, status=200, user_ids={"create": 2, "update": 1}.get(name))
        for name in CALLS.get(task, [])
    ]
    step = Step(time.monotonic(), "success", 15.0, calls=calls, members=MEMBERS.get(task))
    step.editor = ["Trial"] if task not in ("create", "delete") else []
    return step


@pytest.fixture
def demo() -> Demo:
    """A run in which everything was right."""
    audiences = {
        "create": Audience(4, Counter(blank=1), {"ada", "bo"}),
        "remove_converted": Audience(1, Counter(), {"bo"}),
        "add_extended": Audience(1, Counter(), {"zoë"}),
    }
    demo = Demo("Trial", 15, 6, audiences, {task: step(task) for task in ORDER}, state="success")
    demo.calls = [call for one in demo.steps.values() for call in one.calls]
    sent = {"segment_guid": GUID, "changed_at": "2026-01-01T00:00:00Z", "users_rejected": {}, "requests": 1}
    demo.steps["create"].result = sent | {"users_rejected": {"blank": 1}, "users_sent": 2, "requests": 2}
    demo.steps["remove_converted"].result = demo.steps["add_extended"].result = sent | {"users_sent": 1}
    demo.steps["delete"].result = sent | {"outcome": "deleted"}
    demo.steps["list_segments"].result = [{"segment_guid": GUID, "name": "Trial"}]
    demo.steps["wait"].result = {"visible_at": "2026-01-01T00:00:15Z"}
    demo.steps["wait"].deferred_for = 14.0
    return demo


def told(demo: Demo) -> list[str]:
    return [str(fact) for fact in facts(demo) if not fact.holds]


def test_nothing_is_told_of_a_run_that_was_right(demo: Demo):
    assert told(demo) == []


WRONG: dict[str, tuple[Callable[[Demo], object], str]] = {
    "missing": (
        lambda demo: demo.steps["create"].members.discard("bo"),  # type: ignore[union-attr]
        "create: people missing from the segment: 1, not 0",
    ),
    "stranger": (
        lambda demo: demo.steps["add_extended"].members.add("eve"),  # type: ignore[union-attr]
        "add_extended: people in the segment who do not belong: 1, not 0",
    ),
    "rejects": (lambda demo: demo.audiences["create"].rejected.update(["too long"]), "create: people rejected"),
    "sent": (lambda demo: demo.steps["create"].result.update(users_sent=3), "create: ids sent, said and received: 3"),
    "requests": (lambda demo: demo.steps["delete"].result.update(requests=2), "delete: requests, said and received: 2"),
    "early": (lambda demo: demo.steps["wait"].editor.clear(), "the Editor after the wait: [], not ['Trial']"),
    "before": (lambda demo: demo.steps["create"].editor.append("Trial"), "the Editor before the wait"),
    "in place": (lambda demo: setattr(demo.steps["wait"], "deferred_for", 0.0), "the wait was spent in the triggerer"),
    "delay": (lambda demo: setattr(demo, "lag", 600), "seconds from the change to the end of the wait: 15.0, not 600"),
    "kept": (lambda demo: demo.left.append("Trial"), "segments left: ['Trial'], not []"),
    "refused": (lambda demo: setattr(demo.calls[-1], "status", 429), "requests refused or lost: 1, not 0"),
    "unwatched": (lambda demo: demo.calls.append(demo.calls[-1]), "requests outside the tasks: 1, not 0"),
    "failed": (lambda demo: setattr(demo, "state", "failed"), "the DAG run: 'failed', not 'success'"),
    "skipped": (lambda demo: setattr(demo.steps["delete"], "state", "skipped"), "the tasks"),
}


@pytest.mark.parametrize("spoil", WRONG)
def test_what_is_wrong_is_told(demo: Demo, spoil: str):
    change, line = WRONG[spoil]
    for one in demo.steps.values():
        one.members = None if one.members is None else set(one.members)
    change(demo)
    assert [text[: len(line)] for text in told(demo)] == [line]


def test_a_task_that_never_ran_is_told(demo: Demo):
    del demo.steps["wait"]
    demo.state = "failed"
    assert "'wait': 'not run'" in told(demo)[0]


def test_the_table_is_aligned(demo: Demo):
    lines = list(table(demo))
    assert len({len(line) for line in lines[: lines.index("")]}) == 1
    assert max(map(len, lines)) <= 100
    assert f"{'  rejected: blank':32}{1:>10}{0:>10}{0:>10}" in lines

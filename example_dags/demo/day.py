"""One run of the sync: the situation before it, the expected result, and what was found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from typing import Any

from airflow_segments_provider.testing.sandbox.calls import CallRecord
from example_dags.demo.people import Audience
from example_dags.demo.watch import Step

PER_REQUEST = 25_000
# For each expected outcome: the state of each task, and of the run.
STATES = {
    "planned": ({"sync": "success", "wait": "skipped"}, "success"),
    "unchanged": ({"sync": "success", "wait": "success"}, "success"),
    "changed": ({"sync": "success", "wait": "success"}, "success"),
    "refused": ({"sync": "failed", "wait": "upstream_failed"}, "failed"),
}
# Beginnings of messages that are the same each day.
ROUTINE = ("Plan for", "The plan and", "Users left out", "The ids come from", "Success criteria")


@dataclass(frozen=True)
class Fact:
    """A value that was found, and the expected one."""

    what: str
    found: Any
    expected: Any

    @property
    def holds(self) -> bool:
        """Return whether the value is the expected one."""
        return bool(self.found == self.expected)

    def __str__(self) -> str:
        return f"{self.what}: {self.found!r}, not {self.expected!r}"


@dataclass
class Day:
    """A run of ``walkme_sync``.

    :param outcome: the expected outcome; see ``STATES``.
    :param before: the segment's members; None while there is no segment.
    :param audience: what the query returns.
    :param conf: the run's params.
    :ivar plan: the plan's counts, and its ``digest``, as the task's XCom has them.
    :ivar members: the segment's members afterwards, as the sandbox has them.
    """

    name: str
    title: str
    outcome: str
    before: set[str] | None
    audience: Audience
    conf: dict[str, Any]
    state: str = "not run"
    states: dict[str, str] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    plan: dict[str, int] = field(default_factory=dict)
    digest: str = ""
    members: set[str] | None = None
    calls: list[CallRecord] = field(default_factory=list)

    @property
    def added(self) -> set[str]:
        """Return the users to add."""
        return self.audience.people - (self.before or set())

    @property
    def removed(self) -> set[str]:
        """Return the users to remove."""
        return (self.before or set()) - self.audience.people

    @property
    def sent(self) -> list[CallRecord]:
        """Return the requests that contain users."""
        return [call for call in self.calls if call.user_ids]

    def shows(self, message: str) -> bool:
        """Return whether to show a task's message: a plan that is applied is the same as the one before."""
        return self.outcome in ("planned", "refused") or not message.startswith(ROUTINE)


def facts(day: Day) -> Iterator[Fact]:
    """Return all checks of a run; if tasks did not end as expected, only that."""
    states, state = STATES[day.outcome]
    found = [(f"{day.name}: the tasks", day.states, states), (f"{day.name}: the DAG run", day.state, state)]
    yield from starmap(Fact, found)
    if (day.states, day.state) == (states, state):
        yield from (Fact(f"{day.name}: {what}", found, expected) for what, found, expected in _facts(day))


def _facts(day: Day) -> Iterator[tuple[str, Any, Any]]:
    """Return what was checked, what was found, and what was expected. Of members, only counts are shown."""
    applied = day.outcome in ("changed", "unchanged")
    yield "there is a segment", day.members is not None, day.before is not None or applied
    expected, members = (day.audience.people if applied else day.before) or set(), day.members or set()
    yield "people missing from the segment", len(expected - members), 0
    yield "people in the segment who do not belong", len(members - expected), 0
    yield "the plan", {name: day.plan.get(name) for name in _plan(day)}, _plan(day)
    yield "requests with people", _batches(day.sent), _expected_batches(day)
    lost = sum(not 200 <= (call.status or 0) < 300 or call.lost for call in day.calls)
    yield "requests refused or lost", lost, 0
    yield "requests outside the tasks", len(day.calls) - sum(len(step.calls) for step in day.steps.values()), 0
    if day.outcome == "refused":
        share = f"{len(day.removed):,} of {len(day.before or ()):,} members"
        yield (
            f"the error says {share!r}, and the plan can be approved",
            share in day.steps["sync"].error and bool(day.digest),
            True,
        )
        return
    result = day.steps["sync"].result
    yield "the outcome", result["outcome"], day.outcome
    yield "unusable rows by reason", result["invalid"], dict(day.audience.rejected)
    if day.conf.get("propagation_seconds"):
        yield from _wait_facts(day, str(day.conf["segment_name"]), float(day.conf["propagation_seconds"]))


def _plan(day: Day) -> dict[str, int]:
    """Return the expected counts of the plan."""
    return {
        "wanted": len(day.audience.people),
        "duplicates": day.audience.duplicates,
        "invalid": day.audience.rejected.total(),
        "baseline": len(day.before or ()),
        "add": len(day.added),
        "remove": len(day.removed),
    }


def _expected_batches(day: Day) -> list[tuple[str, int]]:
    if day.outcome != "changed":
        return []
    return [*_cut("add", len(day.added)), *_cut("remove", len(day.removed))]


def _cut(action: str, people: int) -> list[tuple[str, int]]:
    """Return the smallest possible number of requests, and the users in each."""
    return [(action, min(PER_REQUEST, people - start)) for start in range(0, people, PER_REQUEST)]


def _batches(calls: list[CallRecord]) -> list[tuple[str, int]]:
    return [(str(call.action), call.user_ids or 0) for call in calls]


def _wait_facts(day: Day, segment: str, lag: float) -> Iterator[tuple[str, Any, Any]]:
    sync, wait = day.steps["sync"], day.steps["wait"]
    yield "the Editor before the wait", sync.editor, []
    yield "the Editor after the wait", wait.editor, [segment]
    until = datetime.fromisoformat(wait.result["visible_at"])
    since = datetime.fromisoformat(sync.result["changed_at"])
    yield "seconds from the change to the end of the wait", (until - since).total_seconds(), lag
    yield "the wait was spent in the triggerer", wait.deferred_for > wait.seconds / 2, True
    yield "requests of the wait", [call.endpoint for call in wait.requests], ["walkme.list"]

"""What the demo found, beside what it had to find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import starmap
from typing import Any

from airflow_segments_provider.sandbox.calls import CallRecord
from example_dags.demo.people import Audience
from example_dags.demo.watch import Step

DOCUMENTED_LAG = 600

# The tasks that send people, and the plan that each one's query asks for.
SENDS = {"create": "trial", "remove_converted": "paid", "add_extended": "extended"}
ORDER = ("create", "wait", "remove_converted", "add_extended", "list_segments", "delete_wanted", "delete")


@dataclass(frozen=True)
class Fact:
    """Something looked at, beside what had to be found."""

    what: str
    found: Any
    expected: Any

    @property
    def holds(self) -> bool:
        """Whether it is so."""
        return bool(self.found == self.expected)

    def __str__(self) -> str:
        return f"{self.what}: {self.found!r}, not {self.expected!r}"


@dataclass
class Demo:
    """One run, with all that was known beforehand or seen from outside."""

    segment: str
    lag: float
    source_rows: int
    audiences: dict[str, Audience]
    steps: dict[str, Step] = field(default_factory=dict)
    state: str = "not run"
    calls: list[CallRecord] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


def expected_members(audiences: dict[str, Audience]) -> dict[str, set[str]]:
    """The segment's members after each task that sends people."""
    created = audiences["create"].people
    removed = created - audiences["remove_converted"].people
    return {
        "create": created,
        "wait": created,
        "remove_converted": removed,
        "add_extended": removed | audiences["add_extended"].people,
        "list_segments": removed | audiences["add_extended"].people,
    }


def facts(demo: Demo) -> Iterator[Fact]:
    """All that is checked; of a run that failed only that."""
    states = {task: demo.steps[task].state if task in demo.steps else "not run" for task in ORDER}
    yield Fact("the tasks", states, dict.fromkeys(ORDER, "success"))
    yield Fact("the DAG run", demo.state, "success")
    if demo.state == "success" and set(states.values()) == {"success"}:
        yield from starmap(Fact, _facts(demo))


def _facts(demo: Demo) -> Iterator[tuple[str, Any, Any]]:
    """What was looked at, what was found, what had to be found. Of members, only counts are told."""
    for task, members in expected_members(demo.audiences).items():
        held = demo.steps[task].members or set()
        yield f"{task}: people missing from the segment", len(members - held), 0
        yield f"{task}: people in the segment who do not belong", len(held - members), 0
    for task in SENDS:
        step = demo.steps[task]
        yield f"{task}: people rejected", step.result["users_rejected"], dict(demo.audiences[task].rejected)
        yield f"{task}: ids sent, said and received", step.result["users_sent"], step.ids_received
    for task in (*SENDS, "delete"):
        step = demo.steps[task]
        yield f"{task}: requests, said and received", step.result["requests"], len(step.requests)
    for task in ("wait", "list_segments"):
        yield f"{task}: requests", [call.endpoint for call in demo.steps[task].requests], ["walkme.list"]
    yield from _wait_facts(demo)
    yield from _end_facts(demo)


def _wait_facts(demo: Demo) -> Iterator[tuple[str, Any, Any]]:
    create, wait = demo.steps["create"], demo.steps["wait"]
    yield "the Editor before the wait", create.editor, []
    yield "the Editor after the wait", wait.editor, [demo.segment]
    until = datetime.fromisoformat(wait.result["visible_at"])
    since = datetime.fromisoformat(create.result["changed_at"])
    yield "seconds from the change to the end of the wait", (until - since).total_seconds(), demo.lag
    yield "the wait was spent in the triggerer", wait.deferred_for > wait.seconds / 2, True


def _end_facts(demo: Demo) -> Iterator[tuple[str, Any, Any]]:
    create = demo.steps["create"].result
    listed = [(one["segment_guid"], one["name"]) for one in demo.steps["list_segments"].result]
    yield "the list of segments", listed, [(create["segment_guid"], demo.segment)]
    yield "what became of the segment at the end", demo.steps["delete"].result["outcome"], "deleted"
    yield "segments left", demo.left, []
    yield "the Editor at the end", demo.steps["delete"].editor, []
    yield "requests refused or lost", sum(not 200 <= (call.status or 0) < 300 or call.lost for call in demo.calls), 0
    yield "tokens fetched", sum(call.endpoint == "walkme.token" for call in demo.calls), 1
    yield "requests outside the tasks", len(demo.calls) - sum(len(step.calls) for step in demo.steps.values()), 0


def table(demo: Demo) -> Iterator[str]:
    """The lines of the table at the end."""
    yield f"{'':32}{'create':>10}{'remove':>10}{'add':>10}"
    audiences = [demo.audiences[task] for task in SENDS]
    steps = [demo.steps[task] for task in SENDS]
    yield _row("rows that the query returns", [one.rows for one in audiences])
    for reason in sorted(set().union(*(step.result["users_rejected"] for step in steps))):
        yield _row(f"  rejected: {reason}", [step.result["users_rejected"].get(reason, 0) for step in steps])
    yield _row("  the same person again", [one.duplicates for one in audiences])
    yield _row("  people", [len(one.people) for one in audiences])
    yield _row("ids sent, repeats included", [step.result["users_sent"] for step in steps])
    yield _row("requests, look-ups included", [step.result["requests"] for step in steps])
    yield _row("in the segment afterwards", [len(step.members or ()) for step in steps])
    yield ""
    yield from (f"{label:32}{value}" for label, value in _lines(demo))


def _row(label: str, numbers: list[int]) -> str:
    return f"{label:32}" + "".join(f"{number:>10,}" for number in numbers)


def _lines(demo: Demo) -> Iterator[tuple[str, str]]:
    wait = demo.steps["wait"]
    counts = Counter(call.endpoint.removeprefix("walkme.") for call in demo.calls)
    yield "people in the source", f"{demo.source_rows:,} rows, those on other plans included"
    yield (
        "requests, by the sandbox",
        f"{len(demo.calls)}: " + ", ".join(f"{n} {name}" for name, n in sorted(counts.items())),
    )
    yield "waited", f"{wait.seconds:.1f} s, {wait.deferred_for:.1f} s of it in the triggerer without a worker slot"
    yield "the Editor before the wait", ", ".join(demo.steps["create"].editor) or "does not show the segment"
    yield "the Editor after the wait", f"shows {', '.join(wait.editor) or 'no segment'}"
    yield "the Editor's lag", f"shortened from {DOCUMENTED_LAG} s to {demo.lag:g} s by the sandbox's setting editor_lag"
    yield "the segment at the end", str(demo.steps["delete"].result["outcome"])

"""The results of an example DAG's run beside the expected ones; and the table of all DAGs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import starmap
from typing import Any

from airflow_segments_provider.testing.sandbox.calls import CallRecord
from example_dags.demo.day import Fact
from example_dags.demo.scene import Members, Scene
from example_dags.demo.watch import Step

COLUMNS = ("DAG", "tasks", "people sent", "requests", "seconds", "members seen", "right")


@dataclass
class Ran:
    """A DAG's run, as seen from outside.

    :param scene: None for a DAG without one, which was not run.
    :param tasks: the names of its task instances.
    :param members: the members at the end.
    :param also: further checks of the scene.
    """

    dag_id: str
    scene: Scene | None = None
    tasks: Sequence[str] = ()
    state: str = "not run"
    seconds: float = 0.0
    steps: dict[str, Step] = field(default_factory=dict)
    calls: list[CallRecord] = field(default_factory=list)
    members: Members = field(default_factory=dict)
    also: list[tuple[str, Any, Any]] = field(default_factory=list)

    @property
    def wrong(self) -> list[Fact]:
        """Return the checks that failed."""
        return [fact for fact in facts(self) if not fact.holds]

    @property
    def people_sent(self) -> int:
        """Return the number of users sent, by the results of the tasks."""
        results = [step.result for step in self.steps.values() if isinstance(step.result, dict)]
        return sum(one.get("users_sent", 0) + one.get("counts", {}).get("applied", 0) for one in results)


def facts(ran: Ran) -> Iterator[Fact]:
    """Return all checks; of a run that failed, only that. Of members, only counts are shown."""
    if ran.scene is None:
        yield Fact("a scene in example_dags/demo/all.py", None, ran.dag_id)
        return
    states = {task: ran.steps[task].state if task in ran.steps else "not run" for task in ran.tasks}
    yield Fact("the tasks", states, dict.fromkeys(ran.tasks, "success"))
    yield Fact("the DAG run", ran.state, "success")
    if ran.state == "success" and set(states.values()) == {"success"}:
        yield from starmap(Fact, _facts(ran, ran.scene))


def _facts(ran: Ran, scene: Scene) -> Iterator[tuple[str, Any, Any]]:
    for task, members in scene.expected.items():
        yield from _member_facts(task, ran.steps[task].held, members)
    yield from _member_facts("at the end", ran.members, scene.expected[list(scene.expected)[-1]])
    for task, holds in scene.results.items():
        result = ran.steps[task].result
        for name, value in holds.items():
            yield f"{task}: {name}", result.get(name) if isinstance(result, dict) else None, value
    for task, step in ran.steps.items():
        if isinstance(step.result, dict) and "requests" in step.result:
            yield f"{task}: requests, said and received", step.result["requests"], len(step.requests)
    yield from ran.also
    yield "people sent, by anybody", ran.people_sent > 0, True
    yield "requests refused or lost", sum(not 200 <= (call.status or 0) < 300 or call.lost for call in ran.calls), 0
    yield "requests outside the tasks", len(ran.calls) - sum(len(step.calls) for step in ran.steps.values()), 0


def _member_facts(when: str, found: Members, expected: Members) -> Iterator[tuple[str, Any, Any]]:
    yield f"{when}: what there is", sorted(found), sorted(expected)
    for name, members in expected.items():
        held = found.get(name, set())
        yield f"{when}: people missing from {name!r}", len(members - held), 0
        yield f"{when}: people in {name!r} who do not belong", len(held - members), 0


def table(runs: Sequence[Ran]) -> Iterator[str]:
    """Return a row for each DAG."""
    rows = [COLUMNS, *(_row(ran) for ran in runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    for row in rows:
        cells = [
            f"{row[0]:{widths[0]}}",
            *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)),
        ]
        yield "  ".join(cells)


def _row(ran: Ran) -> tuple[str, ...]:
    seen = [step.held for step in ran.steps.values() if step.held]
    return (
        ran.dag_id,
        str(len(ran.tasks)),
        f"{ran.people_sent:,}",
        f"{len(ran.calls):,}",
        f"{ran.seconds:.1f}",
        # The last state that was seen before it was deleted.
        " + ".join(f"{len(members):,}" for members in seen[-1].values()) if seen else "-",
        "NO" if ran.wrong else "yes",
    )

"""WalkMe: one segment, and many, that follow a source; ``make demo`` shows the days after the first."""

from __future__ import annotations

from collections.abc import Callable

from example_dags.demo import home
from example_dags.demo.people import People
from example_dags.demo.scene import Members, Scene, World, untidy

SEGMENT = "People on trial"
SHARE = 0.02
MANY = {"Administrators": 12, "Analysts": 150, "Beginners": 3}


def walkme_sync(world: World) -> Scene:
    """Return the first day; the lag is zero, so nothing waits."""
    people = People(world.directory / "people.db", SHARE)
    world.connect_people(people.database)
    trial = people.audience("trial")
    return Scene(
        "walkme_sync",
        {"segment_name": SEGMENT, "propagation_seconds": 0},
        _members(world),
        {task: {SEGMENT: trial.people} for task in ("sync", "wait")},
        results={"sync": {"outcome": "changed", "invalid": dict(trial.rejected), "rejected": {}}},
    )


def walkme_sync_many(world: World) -> Scene:
    """Let the segments have users in common."""
    names = {segment: [f"user-{number:03}" for number in range(people)] for segment, people in MANY.items()}
    rows = [(user, segment) for segment, users in names.items() for user in untidy(users)]
    world.people(("user_id", "segment"), [*rows, ("user-999", None)])
    everybody = {segment: {*users, *(user.upper() for user in users[::7])} for segment, users in names.items()}
    return Scene(
        "walkme_sync_many",
        {"propagation_seconds": 0},
        _members(world),
        dict.fromkeys(("changed_last", "wait"), everybody),
        results={f"sync[{number}]": {"outcome": "changed", "invalid": {"blank": 5}} for number in range(len(MANY))},
    )


def _members(world: World) -> Callable[[], Members]:
    sandbox = world.server.client
    home.connect("walkme_default", sandbox.connection())
    return lambda: {segment.name: sandbox.members(segment.guid) for segment in sandbox.segments()}

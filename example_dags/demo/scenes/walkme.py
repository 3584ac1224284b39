"""WalkMe: thousands of users in a source with defects, some of whom change their plan during the run."""

from __future__ import annotations

from example_dags.demo import home
from example_dags.demo.people import People
from example_dags.demo.scene import Members, Scene, World

SEGMENT = "People on trial"
SHARE = 0.05


def walkme_segment(world: World) -> Scene:
    """Move the sandbox's clock, so that nothing waits."""
    sandbox = world.server.client
    home.connect("walkme_default", sandbox.connection())
    people = People(world.directory / "people.db", SHARE)
    world.connect_people(people.database)
    created = people.audience("trial").people
    people.move(0.04, "trial", "paid")
    # The users whom the queries of the later tasks find; those of the first task are above.
    converted, extended = people.audience("paid").people, people.audience("extended").people
    remaining = created - converted
    world.connect_people(People(world.directory / "before.db", SHARE).database)

    def go_on() -> None:
        world.connect_people(people.database)
        sandbox.advance(600)

    def members() -> Members:
        return {segment.name: sandbox.members(segment.guid) for segment in sandbox.segments()}

    return Scene(
        "walkme_segment",
        {"segment_name": SEGMENT, "propagation_seconds": 0, "delete_at_end": True},
        members,
        {
            "create": {SEGMENT: created},
            "wait": {SEGMENT: created},
            "remove_converted": {SEGMENT: remaining},
            "add_extended": {SEGMENT: remaining | extended},
            "list_segments": {SEGMENT: remaining | extended},
            "delete": {},
        },
        results={
            "remove_converted": {"users_rejected": dict(people.audience("paid").rejected)},
            "add_extended": {"users_rejected": dict(people.audience("extended").rejected)},
            "delete": {"outcome": "deleted"},
        },
        then={"create": go_on},
    )

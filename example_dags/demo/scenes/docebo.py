"""Docebo: users by Docebo's user IDs, some of whom finish their onboarding."""

from __future__ import annotations

from example_dags.demo import home
from example_dags.demo.scene import Members, Scene, World, change

GROUP = "People in onboarding"
PEOPLE, DONE = 150, 30


def docebo_group(world: World) -> Scene:
    """Take few users, so that Docebo adds them at once and nothing has to wait."""
    from airflow_segments_provider.testing.sandbox import DoceboSandboxClient

    sandbox = DoceboSandboxClient(world.server.url)
    home.connect("docebo_default", sandbox.connection())
    ids = sandbox.seed_users(PEOPLE)
    rows = [*ids, *(f" {number} " for number in ids[::7]), None, ""]
    database = world.people(("user_id", "stage"), [(value, "onboarding") for value in rows])
    done = ids[:DONE]

    def finish() -> None:
        change(database, "UPDATE people SET stage = 'done' WHERE user_id = ?", [(number,) for number in done])

    def members() -> Members:
        return {group.name: sandbox.members(group.uuid) for group in sandbox.groups() if group.name == GROUP}

    return Scene(
        "docebo_group",
        {"group_name": GROUP, "delete_at_end": True},
        members,
        {
            "create": {GROUP: set(ids)},
            "wait": {GROUP: set(ids)},
            "list_members": {GROUP: set(ids)},
            "remove_done": {GROUP: set(ids) - set(done)},
            "delete": {},
        },
        results={
            "create": {"users_rejected": {"blank": 2}},
            "wait": {"members": PEOPLE, "users_missing": 0},
            "remove_done": {"users_sent": DONE},
            "delete": {"outcome": "deleted"},
        },
        then={"wait": finish},
    )

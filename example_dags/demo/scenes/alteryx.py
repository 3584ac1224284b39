"""Alteryx Server: users by their e-mail addresses, some of whom leave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from example_dags.demo import home
from example_dags.demo.scene import BLANKS, Members, Scene, World, change, untidy

GROUP = "Analysts"
PEOPLE, LEAVERS, UNKNOWN = 240, 40, 7


def alteryx_user_group(world: World) -> Scene:
    """Include users in the source whom the server does not know."""
    from airflow_segments_provider.testing.sandbox import AlteryxSandboxClient

    sandbox = AlteryxSandboxClient(world.server.url)
    home.connect("alteryx_server_default", sandbox.connection())
    ids = set(sandbox.seed_users(PEOPLE))
    known = {user.email: user.id for user in sandbox.users() if user.id in ids}
    leavers = list(known)[:LEAVERS]
    strangers = [f"stranger{number}@example.org" for number in range(UNKNOWN)]
    database = world.people(("email", "team"), [(email, "analysts") for email in [*untidy(list(known)), *strangers]])

    shared: list[Any] = []

    def see_shares() -> None:
        shared.extend(share.permissions for share in sandbox.shares(GROUP))

    def also() -> Iterator[tuple[str, Any, Any]]:
        allowed = [sorted(name for name, is_so in one.items() if is_so) for one in shared]
        yield "what the group could do in the collection", allowed, [["canAddAssets", "canUpdateAssets"]]
        yield "what is shared at the end", sandbox.shares(), []

    def leave() -> None:
        change(database, "UPDATE people SET team = 'left' WHERE email = ?", [(email,) for email in leavers])

    def members() -> Members:
        return {group.name: sandbox.members(group.id) for group in sandbox.groups()}

    everybody = set(known.values())
    left = everybody - {known[email] for email in leavers}
    return Scene(
        "alteryx_user_group",
        {"user_group_name": GROUP, "collection_id": sandbox.create_collection("Sales"), "delete_at_end": True},
        members,
        {
            "create": {GROUP: everybody},
            "share": {GROUP: everybody},
            "remove_leavers": {GROUP: left},
            "get": {GROUP: left},
            "delete": {},
        },
        results={
            "create": {
                "users_sent": PEOPLE,
                "users_added": PEOPLE,
                "users_rejected": BLANKS,
                "users_unmatched": {"no such user": UNKNOWN},
            },
            "remove_leavers": {"users_sent": LEAVERS, "users_removed": LEAVERS, "users_unmatched": {}},
            "get": {"members": len(left)},
            "delete": {"outcome": "deleted"},
        },
        then={"create": leave, "share": see_shares},
        also=also,
    )

"""The same users at all four vendors, each of which lacks some of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from example_dags.demo import home
from example_dags.demo.scene import BLANKS, Members, Scene, World, untidy

NAME = "People on trial"
PEOPLE = 60
LACKING = {"docebo": 2, "alteryx": 3, "zendesk": 1}


def four_vendors(world: World) -> Scene:
    """Let WalkMe accept all users, and the others know some of them."""
    from airflow_segments_provider.testing.sandbox import (
        AlteryxSandboxClient,
        DoceboSandboxClient,
        ZendeskSandboxClient,
    )

    walkme, url = world.server.client, world.server.url
    docebo, alteryx, zendesk = DoceboSandboxClient(url), AlteryxSandboxClient(url), ZendeskSandboxClient(url)
    home.connect("walkme_default", walkme.connection())
    home.connect("docebo_default", docebo.connection())
    home.connect("alteryx_server_default", alteryx.connection())
    home.connect("zendesk_help_center_default", zendesk.connection())
    users = [f"user-{number:03}" for number in range(PEOPLE)]
    emails = [f"{user}@example.org" for user in users]
    world.people(
        ("user_id", "email", "plan"),
        [(user, email, "trial") for user, email in zip(untidy(users), untidy(emails), strict=True)],
    )
    register: dict[str, Callable[[str], int | str]] = {
        "docebo": lambda email: docebo.add_user(email, email=email),
        "alteryx": alteryx.create_user,
        "zendesk": lambda email: zendesk.create_user(email.partition("@")[0], email),
    }
    at: Members = {"walkme": {*users, *(user.upper() for user in users[::7])}}
    for vendor, lacking in LACKING.items():
        at[vendor] = {register[vendor](email) for email in emails[lacking:]}

    def members() -> Members:
        there: list[tuple[str, str | None, set[Any]]] = [
            *(("walkme", one.name, walkme.members(one.guid)) for one in walkme.segments()),
            *(("docebo", one.name, docebo.members(one.uuid)) for one in docebo.groups()),
            *(("alteryx", one.name, alteryx.members(one.id)) for one in alteryx.groups()),
            *(("zendesk", one.name, set(one.added_user_ids)) for one in zendesk.segments()),
        ]
        return {vendor: found for vendor, name, found in there if name == NAME}

    return Scene(
        "four_vendors",
        {"name": NAME},
        members,
        {"summary": at},
        results={
            "walkme": {"outcome": "changed", "invalid": BLANKS},
            **{
                vendor: {
                    "outcome": "changed",
                    "members": len(at[vendor]),
                    "invalid": BLANKS,
                    # Some addresses again in capitals, which are the same users.
                    "unmatched": {"no such user": lacking},
                }
                for vendor, lacking in LACKING.items()
            },
        },
    )

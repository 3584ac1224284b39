"""Docebo: a CSV file of addresses, some of which Docebo does not know; and a member who was added by hand."""

from __future__ import annotations

import csv

from example_dags.demo import home
from example_dags.demo.scene import Members, Scene, World, untidy

GROUP = "Partners"
USERS, LACKING = 120, 4


def docebo_sync(world: World) -> Scene:
    """Take few users, so that Docebo adds them at once and nothing has to wait."""
    from airflow_segments_provider.testing.sandbox import DoceboSandboxClient

    sandbox = DoceboSandboxClient(world.server.url)
    home.connect("docebo_default", sandbox.connection())
    addresses = [f"partner-{number:03}@example.org" for number in range(USERS)]
    ids = {sandbox.add_user(address.partition("@")[0], email=address) for address in addresses[LACKING:]}
    path = world.directory / "partners.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "email"])
        writer.writerows(["A partner", value] for value in untidy(addresses))

    def members() -> Members:
        return {group.name: sandbox.members(group.uuid) for group in sandbox.groups() if group.name == GROUP}

    return Scene(
        "docebo_sync",
        {"group_name": GROUP, "path": str(path)},
        members,
        {"sync": {GROUP: ids}, "wait": {GROUP: ids}},
        results={
            "sync": {"outcome": "changed", "members": len(ids), "unmatched": {"no such user": LACKING}},
            "wait": {"members": len(ids), "users_missing": 0},
        },
    )

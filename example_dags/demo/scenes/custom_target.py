"""A vendor that this package does not have: a CSV file of addresses, two of which Postbird does not know."""

from __future__ import annotations

import csv

from example_dags.demo import home
from example_dags.demo.postbird import Postbird
from example_dags.demo.scene import Scene, World, untidy

LIST = "Newsletter"
USERS, LACKING = 120, 2


def custom_target(world: World) -> Scene:
    """Run against a Postbird server, which ends with the process."""
    addresses = [f"reader-{number:03}@example.org" for number in range(USERS)]
    users = {f"r{number:03}": address for number, address in enumerate(addresses[LACKING:])}
    postbird = Postbird(users).__enter__()
    home.connect("postbird_default", postbird.connection())
    path = world.directory / "readers.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["name", "email"])
        writer.writerows(["A reader", value] for value in untidy(addresses))
    return Scene(
        "custom_target",
        {"list_name": LIST, "path": str(path)},
        lambda: {name: set(members) for name, members in postbird.lists.items()},
        {"sync": {LIST: set(users)}},
        results={"sync": {"outcome": "changed", "members": len(users), "unmatched": {"no such user": LACKING}}},
    )

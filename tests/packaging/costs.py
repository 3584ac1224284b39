"""``make costs``: the requests and minutes of a sync for each vendor, as Markdown, from the limits of its target.

The first sync adds all users by e-mail address (WalkMe: by user ID) to an empty segment; the platform has twice as many
users. On a usual day, 1 % of the users are new and 1 % leave.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from math import ceil
from typing import Any

from airflow_segments_provider.vendors.base.lookup import FEW

USERS = (1_000, 10_000, 100_000)
# Requests per minute, from the vendor's pages; Alteryx Server publishes none.
RATES = {"walkme": None, "docebo": 1_000 / 60, "alteryx": None, "zendesk": 400}
NAMES = {"walkme": "WalkMe", "docebo": "Docebo", "alteryx": "Alteryx Server", "zendesk": "Zendesk"}
SECRET = {"host": "https://vendor.example", "login": "key", "password": "secret"}
CONNECTIONS = {
    "WALKME_DEFAULT": {**SECRET, "conn_type": "walkme", "extra": {"system_guid": "0" * 32}},
    "DOCEBO_DEFAULT": {**SECRET, "conn_type": "docebo"},
    "ALTERYX_SERVER_DEFAULT": {**SECRET, "conn_type": "alteryx_server"},
    "ZENDESK_HELP_CENTER_DEFAULT": {**SECRET, "conn_type": "zendesk_help_center"},
}


def look_ups(vendor: str, users: int, of: int) -> int:
    """Return the requests that look up this many users by e-mail address, of all users of the vendor."""
    if vendor == "walkme":
        return 0
    if users <= FEW:
        return users
    if vendor == "alteryx":
        return 1
    pages = ceil(of / (200 if vendor == "docebo" else 100))
    # The request that returns the number of users is the first page of Docebo's list.
    return min(users + 1, pages) if vendor == "docebo" else 1 + min(users, pages)


def total(vendor: str, limits: Any, *, add: int, remove: int, members: int, of: int) -> int:
    """Return the requests of a run, including the look-up of the segment."""
    changes = limits.requests("add", add) + limits.requests("remove", remove)
    if limits.together and add and remove:
        changes -= 1 + limits.reads
    lists = 0 if vendor == "walkme" else 2
    return 1 + lists * int(limits.listing(members)) + look_ups(vendor, add, of) + int(changes)


def table(vendor: str) -> Iterator[str]:
    """Return the table of one vendor."""
    from airflow_segments_provider.targets.parse import target_of

    identity = {} if vendor == "walkme" else {"identity": "email"}
    limits = target_of({"vendor": vendor, "name": "Trial users", **identity}).open().limits
    rate = RATES[vendor]
    yield "| users | first sync: requests | minutes | a usual day: requests | minutes |"
    yield "|---:|---:|---:|---:|---:|"
    for users in USERS:
        few = users // 100
        first = total(vendor, limits, add=users, remove=0, members=users, of=2 * users)
        usual = total(vendor, limits, add=few, remove=few, members=users, of=2 * users)
        minutes = [f"{requests / rate:,.1f}" if rate else "-" for requests in (first, usual)]
        yield f"| {users:,} | {first:,} | {minutes[0]} | {usual:,} | {minutes[1]} |"


def main() -> None:
    """Print all tables."""
    os.environ |= {f"AIRFLOW_CONN_{name}": json.dumps(fields) for name, fields in CONNECTIONS.items()}
    for vendor, name in NAMES.items():
        sys.stdout.write("\n".join([f"## {name}", "", *table(vendor), "", ""]))


if __name__ == "__main__":
    main()

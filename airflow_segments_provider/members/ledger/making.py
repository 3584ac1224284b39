"""That a run is about to make a segment, written down before it does.

It may die once the vendor has made it and before the segment's own ledger has begun. Who comes next finds a segment
without a ledger, and knows by this that nobody else can have put members into it.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta

from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.ledger.timing import milliseconds

MAKING = "making"
# Long enough for the next run of a task that failed; a segment of that name made by hand later is somebody else's.
BELIEVED = timedelta(days=7)


def announce(store: Store, name: str, now: int) -> None:
    """Write down that a segment is about to be made.

    :param store: of all segments of a system.
    :param name: what tells the segment from the system's others before it has an id.
    :param now: milliseconds since 1970.
    """
    withdraw(store, name)
    store.create(_file(name), json.dumps({"segment": name, "at": now}).encode())


def announced(store: Store, name: str, now: int) -> bool:
    """Whether a run was about to make it, not long ago, and none has committed anything of it since."""
    content = store.read(_file(name))
    try:
        at = json.loads(content or b"{}").get("at", 0)
    except ValueError:
        at = 0
    return bool(at > now - milliseconds(BELIEVED))


def withdraw(store: Store, name: str) -> None:
    """Forget it: the segment has a ledger now, or was not made."""
    store.delete(_file(name))


def _file(name: str) -> str:
    return f"{MAKING}/{hashlib.sha256(name.encode()).hexdigest()}.json"

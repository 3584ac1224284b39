"""That a run is about to make a segment, written down before it does.

It may die once the vendor has made it and before the segment's own ledger has begun. Who comes next finds a segment
without a ledger, and knows by this that nobody else can have put members into it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.ledger.timing import milliseconds
from airflow_segments_provider.members.target import Target

MAKING = "making"
# Long enough for the next run of a task that failed; a segment of that name made by hand later is somebody else's.
BELIEVED = timedelta(days=7)


def make(target: Target, system: Ledger) -> None:
    """Make a segment, and write down that we do.

    :param system: of the segments that have no ledger of their own yet.
    """
    store, name = system.store, target.made_as
    # An earlier run may have made it, and the vendor not list it yet: then what it wrote down still holds.
    before = announced(store, name, system.clock())
    if not before:
        announce(store, name, system.clock())
    try:
        target.make()
    except SegmentsError as error:
        if not (before or getattr(error, "maybe_done", False)):
            withdraw(store, name)
        raise
    if not (before or target.ours):
        withdraw(store, name)


def is_ours(target: Target, system_of: Callable[[], Ledger]) -> bool:
    """Whether nobody but us can have put members into a segment without a ledger."""
    if target.ours or not target.made_as:
        return target.ours
    system = system_of()
    return announced(system.store, target.made_as, system.clock())


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

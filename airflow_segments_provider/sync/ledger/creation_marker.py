"""The note that a run is about to make a segment.

A run may die after the vendor has made the segment, and before the segment's own ledger begins. The next run finds a
segment without a ledger; by the note, only a sync can have added members to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.names import MAKING
from airflow_segments_provider.sync.ledger.timing import milliseconds
from airflow_segments_provider.sync.target import Target

# Long enough for the next run of a task that failed; a segment of that name made later is another one.
BELIEVED = timedelta(days=7)


def make(target: Target, system: Ledger) -> None:
    """Make a segment; note it before.

    :param system: the ledger of all segments that have none of their own yet.
    """
    name = target.made_as
    # An earlier run may have made it, and the vendor not list it yet: then its note still holds.
    noted = _is_noted(system, name)
    if not noted:
        withdraw(system, name)
        system.store.create(_file(name), str(system.clock()).encode())
    try:
        target.make()
    except SegmentsError as error:
        if not (noted or getattr(error, "maybe_done", False)):
            withdraw(system, name)
        raise
    if not (noted or target.ours):
        withdraw(system, name)


def is_ours(target: Target, system_of: Callable[[], Ledger]) -> bool:
    """Return whether only a sync can have added members to a segment that has no ledger."""
    return target.ours or (bool(target.made_as) and _is_noted(system_of(), target.made_as))


def withdraw(system: Ledger, name: str) -> None:
    """Delete the note: the segment has a ledger now, or was not made."""
    system.store.delete(_file(name))


def _is_noted(system: Ledger, name: str) -> bool:
    with suppress(ValueError):
        return abs(system.clock() - int(system.store.read(_file(name)) or 0)) < milliseconds(BELIEVED)
    return False


def _file(name: str) -> str:
    return f"{MAKING}/{hashlib.sha256(name.encode()).hexdigest()}.json"

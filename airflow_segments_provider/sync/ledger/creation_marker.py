"""The creation marker: a record that a run is about to create a segment.

A run may be killed after the vendor has created the segment, and before the segment's own ledger begins. The next run
finds a segment without a ledger; the marker shows that only a sync can have added members to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.names import CREATION_MARKERS
from airflow_segments_provider.sync.ledger.timing import milliseconds
from airflow_segments_provider.sync.target import Target

# Long enough for the next run of a failed task. A segment of that name that is created later is another one.
VALID_FOR = timedelta(days=7)


def make(target: Target, system: Ledger) -> None:
    """Create a segment; write its marker before.

    :param system: the ledger of the markers.
    """
    name = target.made_as
    # An earlier run may have created it, and the vendor not list it yet: its marker still holds.
    marked = _is_marked(system, name)
    if not marked:
        withdraw(system, name)
        system.store.create(_file(name), str(system.clock()).encode())
    try:
        target.make()
    except SegmentsError as error:
        if not (marked or getattr(error, "maybe_done", False)):
            withdraw(system, name)
        raise
    if not (marked or target.ours):
        withdraw(system, name)


def is_ours(target: Target, system_of: Callable[[], Ledger]) -> bool:
    """Return whether only a sync can have added members to a segment that has no ledger."""
    return target.ours or (bool(target.made_as) and _is_marked(system_of(), target.made_as))


def withdraw(system: Ledger, name: str) -> None:
    """Delete the marker: the segment has a ledger now, or was not created."""
    system.store.delete(_file(name))


def _is_marked(system: Ledger, name: str) -> bool:
    with suppress(ValueError):
        return abs(system.clock() - int(system.store.read(_file(name)) or 0)) < milliseconds(VALID_FOR)
    return False


def _file(name: str) -> str:
    return f"{CREATION_MARKERS}/{hashlib.sha256(name.encode()).hexdigest()}.json"

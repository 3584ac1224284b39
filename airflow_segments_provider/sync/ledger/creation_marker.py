"""The creation marker: a record that a run is about to create a segment.

A run may be killed after the vendor has created the segment, and before the segment's own ledger begins. The next run
finds a segment without a ledger; the marker shows that only a sync can have added members to it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from airflow_segments_provider.errors import LedgerBusy, SegmentsError
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.names import CREATION_MARKERS
from airflow_segments_provider.sync.ledger.timing import milliseconds, moment
from airflow_segments_provider.sync.target import Target

# Long enough for the next run of a failed task. A segment of that name that is created later is another one.
VALID_FOR = timedelta(days=7)
# The file with the run that is creating the segment, and when it began.
RUN = "-run"


def make(target: Target, system: Ledger) -> None:
    """Create a segment; write its marker before.

    :param system: the ledger of the markers.
    :raises LedgerBusy: another run is creating it, or was killed a short time ago.
    """
    name = target.made_as
    _check_alone(target, system)
    # An earlier run may have created it, and the vendor not list it yet: its marker still holds.
    marked = _is_marked(system, name)
    if not marked:
        system.store.delete(_file(name))
        system.store.create(_file(name), str(system.clock()).encode())
    try:
        target.make()
    except SegmentsError as error:
        system.store.delete(_file(name, RUN))
        if not (marked or getattr(error, "maybe_done", False)):
            withdraw(system, name)
        raise
    if not (marked or target.ours):
        withdraw(system, name)


def _check_alone(target: Target, system: Ledger) -> None:
    """Record that this run creates a segment; a vendor that accepts no ID of ours would create two for two runs.

    :raises LedgerBusy: another run is creating it, or was killed less than a lease ago.
    """
    name, own = _file(target.made_as, RUN), system.writer.run
    if system.store.create(name, f"{system.clock()} {own}".encode()):
        return
    at, _, run = (system.store.read(name) or b"").decode("utf-8", "replace").partition(" ")
    begun, lease = int(at) if at.isdecimal() else 0, milliseconds(system.timing.lease)
    if run != own and abs(system.clock() - begun) < lease:
        until = begun + lease
        raise LedgerBusy(
            f"{target.key()}: another run is creating this segment, or was killed. Nothing was created or sent now. "
            f"Run the task again after {moment(until)}.",
            until=until,
        )
    system.store.delete(name)
    _check_alone(target, system)


def is_ours(target: Target, system_of: Callable[[], Ledger]) -> bool:
    """Return whether only a sync can have added members to a segment that has no ledger."""
    return target.ours or (bool(target.made_as) and _is_marked(system_of(), target.made_as))


def withdraw(system: Ledger, name: str) -> None:
    """Delete the marker: the segment has a ledger now, or was not created."""
    system.store.delete(_file(name))
    system.store.delete(_file(name, RUN))


def _is_marked(system: Ledger, name: str) -> bool:
    with suppress(ValueError):
        return abs(system.clock() - int(system.store.read(_file(name)) or 0)) < milliseconds(VALID_FOR)
    return False


def _file(name: str, kind: str = "") -> str:
    return f"{CREATION_MARKERS}/{hashlib.sha256(name.encode()).hexdigest()}{kind}.json"

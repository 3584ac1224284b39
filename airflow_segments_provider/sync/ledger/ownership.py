"""Checks that a run may continue a ledger: the owner is the same, it was not lost, and has no newer data."""

from __future__ import annotations

from airflow_segments_provider.errors import LedgerError, LedgerLost, RunSuperseded
from airflow_segments_provider.sync.ledger.history import Head, manifest_name
from airflow_segments_provider.sync.ledger.lease import moment
from airflow_segments_provider.sync.ledger.manifest import Writer, digest_of
from airflow_segments_provider.sync.ledger.retention import FORGOTTEN
from airflow_segments_provider.sync.ledger.store import Store
from airflow_segments_provider.sync.ledger.witness import Seen


def is_lost(store: Store, head: Head, seen: Seen | None) -> bool:
    """Return whether the ledger was lost, emptied, or restored from an older copy.

    The generation that was seen may have been deleted as old, or forgotten on purpose.
    """
    if seen is None:
        return False
    if head.is_new:
        return not store.names(FORGOTTEN)
    if seen.generation >= head.generation:
        return (seen.generation, seen.digest) != (head.generation, head.digest)
    content = store.read(manifest_name(seen.generation))
    return content is not None and digest_of(content) != seen.digest


def lost(folder: str, seen: Seen) -> LedgerLost:
    """Return the error of a lost ledger."""
    return LedgerLost(
        f"The ledger {folder} is not the one that an earlier run left (its generation {seen.generation}): it was lost, "
        "emptied, or restored from an older copy, so it does not say who the members are. Nothing was sent. Put the "
        "newest ledger back, or set `replace=True` for one run: it makes the members exactly those of the source."
    )


def check_owner(head: Head, writer: Writer) -> None:
    """Check that no other task keeps the segment, nor another mapped instance of the same run.

    :raises LedgerError: one does.
    """
    if head.manifest is None or head.is_new:
        return
    other = head.manifest.writer
    if other.owner != writer.owner:
        raise LedgerError(
            f"{head.manifest.folder}: this segment is kept by the task {other.owner}, and this one is {writer.owner}: "
            "two would undo each other's work. Nothing was sent. Remove one of them, or set `takeover=True` here once."
        )
    (run, _, index), (this_run, _, this_index) = other.run.rpartition("/"), writer.run.rpartition("/")
    if run and run == this_run and index != this_index:
        raise LedgerError(
            f"{head.manifest.folder}: Map index {index} of this run has changed this segment already, and this is map "
            f"index {this_index}: two would undo each other's work. Nothing was sent. Let each mapped task have a "
            "segment of its own; if the indexes have moved since, set `takeover=True` here once."
        )


def check_age(folder: str, head: Head, as_of: int, newest: int) -> None:
    """Check that no run with newer data has committed.

    :param folder: of the segment.
    :param as_of: the time that this run's data represents.
    :param newest: the time that the committed data represents.
    :raises RunSuperseded: one has.
    """
    if as_of >= newest:
        return
    by = f" by the run {head.state.as_of_run}" if head.state.as_of_run else ""
    raise RunSuperseded(
        f"{folder}: this run's data represents {moment(as_of)}, and the segment already has that of {moment(newest)}, "
        f"committed{by}. Nothing was sent, and no action is needed. To send the older data all the same, set "
        '`on_older="apply"`.'
    )

"""The checks that a run may change a ledger: its owner, its lease, and the witness that shows a lost or older one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from airflow_segments_provider.errors import LedgerBusy, LedgerError, LedgerLost, RunSuperseded
from airflow_segments_provider.sync.ledger.history import Head, manifest_name
from airflow_segments_provider.sync.ledger.manifest import Intent, Release, Writer, digest_of
from airflow_segments_provider.sync.ledger.names import FORGOTTEN, LATEST, LEASES, RENEWAL
from airflow_segments_provider.sync.ledger.store import Store, named
from airflow_segments_provider.sync.ledger.timing import moment

RELEASED = "released"


def is_lost(store: Store, head: Head, seen: Seen | None) -> bool:
    """Return whether the ledger was lost, emptied, or restored from an older copy.

    The generation that was seen may have been deleted as old, or forgotten on purpose.
    """
    if seen is None:
        return False
    if head.is_new and store.names(FORGOTTEN):
        return False
    if head.manifest is None:
        return True
    if seen.generation >= head.generation:
        return (seen.generation, seen.digest) != (head.generation, head.digest)
    content = store.read(manifest_name(seen.generation))
    return content is not None and digest_of(content) != seen.digest


def lost(title: str, seen: Seen) -> LedgerLost:
    """Return the error of a lost ledger."""
    return LedgerLost(
        f"The ledger of {title} is not the one that an earlier run left (its generation {seen.generation}): it was "
        "lost, emptied, or restored from an older copy, so the members are unknown. Nothing was sent. Restore the "
        "newest ledger, or set `replace=True` for one run: it makes the members exactly those of the source."
    )


def check_owner(head: Head, writer: Writer) -> None:
    """Check that no other task owns the segment, nor another mapped instance of the same run.

    :raises LedgerError: one does.
    """
    if head.manifest is None or head.is_new:
        return
    other = head.manifest.writer
    if other.owner != writer.owner:
        raise LedgerError(
            f"{head.manifest.title}: this segment belongs to the task {other.owner}, and this one is {writer.owner}: "
            "two would undo each other's work. Nothing was sent. Remove one of them, or set `takeover=True` here once."
        )
    (run, _, index), (this_run, _, this_index) = other.run.rpartition("/"), writer.run.rpartition("/")
    if run and run == this_run and index != this_index:
        raise LedgerError(
            f"{head.manifest.title}: map index {index} of this run has changed this segment already, and this is map "
            f"index {this_index}: two would undo each other's work. Nothing was sent. Let each mapped task have a "
            "segment of its own; if the indexes have changed since, set `takeover=True` here once."
        )


def check_age(title: str, head: Head, as_of: int, newest: int) -> None:
    """Check that no run with newer data has committed.

    :param title: how messages name the segment.
    :param as_of: the time that this run's data represents.
    :param newest: the time that the committed data represents.
    :raises RunSuperseded: one has.
    """
    if as_of >= newest:
        return
    by = f" by the run {head.state.as_of_run}" if head.state.as_of_run else ""
    raise RunSuperseded(
        f"{title}: this run's data represents {moment(as_of)}, and the segment already has that of {moment(newest)}, "
        f"committed{by}. Nothing was sent, and no action is needed. To send the older data all the same, set "
        '`on_older="apply"`.'
    )


def renew(store: Store, generation: int, until: int) -> None:
    """Extend the lease of an intent."""
    store.create(f"{LEASES}/{generation:012d}/{until:015d}.json", b"")


def release(store: Store, generation: int, released: Release) -> None:
    """Let other runs take the ledger over at once."""
    store.create(f"{LEASES}/{generation:012d}/{RELEASED}.json", released.encoded)


def read_release(store: Store, generation: int) -> Release | None:
    """Return the release of an intent; None where there is none, or it is damaged."""
    content = store.read(f"{LEASES}/{generation:012d}/{RELEASED}.json")
    try:
        return Release.decode(content) if content else None
    except ValueError:
        return None


def lease_end(store: Store, generation: int, intent: Intent) -> int:
    """Return when the lease of an intent ends, in milliseconds since 1970."""
    names = named(store, f"{LEASES}/{generation:012d}", RENEWAL)
    return max([intent.lease_until, *(until for name in names if (until := int(name.partition(".")[0])) <= LATEST)])


def check_free(store: Store, head: Head, writer: Writer, *, now: int, margin: int) -> None:
    """Check that no other run holds the ledger.

    :param margin: how long after the end of its lease a request of the other may be under way.
    :raises LedgerBusy: one does, or was killed less than a lease ago.
    """
    manifest = head.manifest
    if manifest is None or manifest.intent is None:
        return
    other = manifest.writer
    if other.run == writer.run and other.try_number <= writer.try_number:
        return
    if read_release(store, manifest.generation):
        return
    until = lease_end(store, manifest.generation, manifest.intent) + margin
    if now < until:
        raise LedgerBusy(
            f"{manifest.title}: the run {other.run} holds the ledger since {moment(manifest.written_at)}. It is "
            "sending, or it was killed. Nothing was sent now. If it was killed, clear that task instance: its next try "
            f"takes over at once. Any other run can take over from {moment(until)} on.",
            until=until,
        )


@dataclass(frozen=True)
class Seen:
    """A generation of the ledger that was written.

    :param digest: the SHA-256 of its manifest.
    :param as_of: the time that the committed data represents, in milliseconds since 1970.
    """

    generation: int
    digest: str
    as_of: int | None


class Witness(Protocol):
    """A record of a ledger's newest generation outside the ledger, which shows that the ledger was lost."""

    def read(self) -> Seen | None:
        """Return the highest generation that was recorded, or None."""

    def write(self, seen: Seen) -> None:
        """Record a generation; called after it was created, and before its first request."""


class NoWitness:
    """No witness: a lost ledger looks like a first sync."""

    def read(self) -> Seen | None:
        """Return None."""
        return None

    def write(self, seen: Seen) -> None:
        """Do nothing."""

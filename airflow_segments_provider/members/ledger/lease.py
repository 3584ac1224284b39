"""For how long a run holds its ledger: its intent says it first, each renewal is a file of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_segments_provider.errors import LedgerBusy
from airflow_segments_provider.members.ledger.history import Head
from airflow_segments_provider.members.ledger.manifest import Release, Writer
from airflow_segments_provider.members.ledger.store import Store

LEASES = "leases"
RELEASED = "released"


def renew(store: Store, generation: int, until: int) -> None:
    """Hold the ledger for longer.

    :param generation: of our own intent.
    """
    store.create(f"{LEASES}/{generation:012d}/{until:015d}.json", b"")


def release(store: Store, generation: int, released: Release) -> None:
    """Let other runs take the ledger over at once: no further request of this intent will be sent."""
    store.create(f"{LEASES}/{generation:012d}/{RELEASED}.json", released.encoded)


def read_release(store: Store, generation: int) -> Release | None:
    """Read whether the writer of an intent has ended by itself; a damaged word counts for nothing."""
    content = store.read(f"{LEASES}/{generation:012d}/{RELEASED}.json")
    try:
        return Release.decode(content) if content else None
    except ValueError:
        return None


def check_free(store: Store, head: Head, writer: Writer, *, now: int, margin: int) -> None:
    """Check that no other run is at work on the ledger.

    :param margin: for how long after the end of its hold a request of the other may be under way.
    :raises LedgerBusy: one is, or died less than a lease ago.
    """
    manifest = head.manifest
    if manifest is None or manifest.intent is None:
        return
    other = manifest.writer
    if other.run == writer.run and other.try_number <= writer.try_number:
        return
    if read_release(store, manifest.generation):
        return
    names = [name.partition(".")[0] for name in store.names(f"{LEASES}/{manifest.generation:012d}")]
    until = (
        max([manifest.intent.lease_until, *(int(name) for name in names if name.isascii() and name.isdigit())]) + margin
    )
    if now < until:
        raise LedgerBusy(
            f"{manifest.folder}: Run {other.run} is changing this segment, or died doing so. Nothing was sent. It can "
            f"be taken over from {moment(until)} on.",
            until=until,
        )


def moment(milliseconds: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")

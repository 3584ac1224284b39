"""The lease of a run on its ledger: the intent contains the first end, and each renewal is a file."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_segments_provider.errors import LedgerBusy
from airflow_segments_provider.sync.ledger.history import Head
from airflow_segments_provider.sync.ledger.manifest import Release, Writer
from airflow_segments_provider.sync.ledger.names import LATEST, RENEWAL, named
from airflow_segments_provider.sync.ledger.store import Store

LEASES = "leases"
RELEASED = "released"


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


def check_free(store: Store, head: Head, writer: Writer, *, now: int, margin: int) -> None:
    """Check that no other run holds the ledger.

    :param margin: how long after the end of its lease a request of the other may be under way.
    :raises LedgerBusy: one does, or died less than a lease ago.
    """
    manifest = head.manifest
    if manifest is None or manifest.intent is None:
        return
    other = manifest.writer
    if other.run == writer.run and other.try_number <= writer.try_number:
        return
    if read_release(store, manifest.generation):
        return
    names = named(store, f"{LEASES}/{manifest.generation:012d}", RENEWAL)
    renewed = [until for name in names if (until := int(name.partition(".")[0])) <= LATEST]
    until = max([manifest.intent.lease_until, *renewed]) + margin
    if now < until:
        raise LedgerBusy(
            f"{manifest.folder}: Run {other.run} is changing this segment, or died doing so. Nothing was sent. It can "
            f"be taken over from {moment(until)} on.",
            until=until,
        )


def moment(milliseconds: int) -> str:
    """Return a time as text, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")

"""For how long a run holds its ledger: its intent says it first, each renewal is a file of its own."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow_segments_provider.errors import LedgerBusy
from airflow_segments_provider.members.ledger.manifest import Intent, Manifest, Writer
from airflow_segments_provider.members.ledger.store import Store

LEASES = "leases"


def renew(store: Store, generation: int, until: int) -> None:
    """Hold the ledger for longer.

    :param generation: of our own intent.
    """
    store.create(f"{LEASES}/{generation:012d}/{until:015d}.json", b"")


def held_until(store: Store, intent: Manifest) -> int:
    """When the writer of an intent last said that its hold would end."""
    held = intent.body.lease_until if isinstance(intent.body, Intent) else 0
    renewals = store.names(f"{LEASES}/{intent.generation:012d}")
    return max([held, *(int(name.partition(".")[0]) for name in renewals)])


def check_free(store: Store, newest: Manifest | None, writer: Writer, *, now: int, margin: int) -> None:
    """That no other run is at work on the ledger.

    :param margin: for how long after the end of its hold a request of the other may be under way.
    :raises LedgerBusy: one is, or died less than a lease ago.
    """
    if newest is None or not isinstance(newest.body, Intent):
        return
    ours = newest.writer.run == writer.run and newest.writer.try_number <= writer.try_number
    until = held_until(store, newest) + margin
    if not ours and now < until:
        raise LedgerBusy(
            f"Run {newest.writer.run} is changing this segment, or died doing so. Nothing was sent. It can be "
            f"taken over from {moment(until)} on.",
            until=until,
        )


def moment(milliseconds: int) -> str:
    """A time as people read it, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")

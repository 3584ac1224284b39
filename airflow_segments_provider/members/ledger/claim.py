"""Whether a run may go on with a ledger: it is the one that was left, this task's, and has settled."""

from __future__ import annotations

from airflow_segments_provider.errors import LedgerBusy, LedgerError
from airflow_segments_provider.members.ledger.history import History, manifest_name
from airflow_segments_provider.members.ledger.lease import moment
from airflow_segments_provider.members.ledger.manifest import RESTORE, Writer, digest_of
from airflow_segments_provider.members.ledger.retention import FORGOTTEN
from airflow_segments_provider.members.ledger.store import Store


def check_witness(store: Store, folder: str, history: History, witness: tuple[int, str] | None) -> None:
    """That the ledger is the one that an earlier run left; what it left may have been deleted as old.

    :param witness: a generation and the digest of its manifest, as that run told somebody else.
    :raises LedgerError: it is another.
    """
    if witness is None:
        return
    generation, digest = witness
    content = store.read(manifest_name(generation)) if generation < history.generation else None
    same = history.digest if generation == history.generation else content and digest_of(content)
    other = generation > history.generation or (same and same != digest)
    if other and not store.names(FORGOTTEN):
        raise LedgerError(
            f"The ledger {folder} is not the one that an earlier run left (its generation {generation}): it "
            f"was lost, emptied or replaced. Nothing was sent. {RESTORE}"
        )


def check_owner(history: History, writer: Writer) -> None:
    """That no other task keeps the segment.

    :raises LedgerError: one does.
    """
    newest = history.newest
    if newest and newest.writer.owner != writer.owner:
        raise LedgerError(
            f"This segment is kept by the task {newest.writer.owner}, and this one is {writer.owner}: two "
            "would undo each other's work. Nothing was sent. Remove one of them, or set `takeover=True` here once."
        )


def check_settled(now: int, until: int) -> None:
    """That an override whose answer was lost can no longer be carried out: it would undo whatever is sent before it is.

    :param until: when it can be at the latest.
    :raises LedgerBusy: it can.
    """
    if now < until:
        raise LedgerBusy(
            "An earlier run sent a request that makes the members exactly those it named, and its answer was lost. "
            f"Nothing was sent now. Run the task again after {moment(until)}, when it can no longer be carried out "
            "late.",
            until=until,
        )

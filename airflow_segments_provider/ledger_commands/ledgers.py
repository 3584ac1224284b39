"""Finds the ledgers below a ledger path, and the one that somebody means."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.members.ledger.history import GENERATIONS, read_history
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.local_store import LocalStore
from airflow_segments_provider.members.ledger.manifest import Writer
from airflow_segments_provider.members.ledger.object_store import ObjectStore
from airflow_segments_provider.members.ledger.places import ledger_path, store_at
from airflow_segments_provider.members.ledger.retention import BATCHES, PLANS, REPORTS, STATE
from airflow_segments_provider.members.target import Limits

# Vendor, host, system, segment; below them are the folders of one ledger.
DEPTH = 4
ROOMS = {GENERATIONS, STATE, BATCHES, PLANS, REPORTS}
MOST_NAMED = 10

AnyStore = LocalStore | ObjectStore


@dataclass(frozen=True)
class KeptLedger:
    """A ledger where it lies.

    :param folder: below the ledger path: vendor, host, system and segment.
    """

    folder: str
    store: AnyStore

    def ledger(self, owner: str = "") -> Ledger:
        """To look at it, or to write in place of the task that keeps the segment.

        :param owner: that task.
        """
        writer = Writer(token=uuid.uuid4().hex, owner=owner, run="by hand")
        return Ledger(self.store, self.folder, writer, Limits(1, 1, 1).request_timeout)

    def owner(self) -> str:
        """The task that keeps the segment.

        :raises LedgerError: the ledger is damaged.
        """
        newest = read_history(self.store, self.folder).newest
        return newest.writer.owner if newest else ""


def find(path: str | None) -> list[KeptLedger]:
    """All ledgers below a path, by name.

    :param path: None for that of the deployment.
    """
    path = path or ledger_path()
    return [KeptLedger(folder, store_at(path, folder)) for folder in _folders(store_at(path), "", DEPTH)]


def choose(path: str | None, name: str, *, must_exist: bool = True) -> KeptLedger:
    """The one ledger that has this name, or alone has it as a part of its own.

    :param must_exist: False where a whole name may also be that of a ledger that was lost.
    :raises InvalidInput: there is none, or several have it.
    """
    path = path or ledger_path()
    found = find(path)
    for ledger in found:
        if ledger.folder == name.strip("/"):
            return ledger
    matching = [ledger for ledger in found if name in ledger.folder]
    if len(matching) == 1:
        return matching[0]
    if not matching and not must_exist and name.count("/") == DEPTH - 1:
        return KeptLedger(name, store_at(path, name))
    some = "; ".join(ledger.folder for ledger in (matching or found)[:MOST_NAMED])
    if matching:
        raise InvalidInput(f"{len(matching)} ledgers have {name!r} in their name, say which: {some}.")
    raise InvalidInput(f"No ledger below {path} has {name!r} in its name. There are: {some or 'none'}.")


def _folders(store: AnyStore, folder: str, depth: int) -> Iterator[str]:
    inside = store.folders(folder)
    if depth == 0:
        if ROOMS & set(inside):
            yield folder
        return
    for name in inside:
        yield from _folders(store, f"{folder}/{name}" if folder else name, depth - 1)

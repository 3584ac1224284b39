"""Finds the ledgers below a ledger path, and the one that a name means."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sync.ledger.history import ACKNOWLEDGED, GENERATIONS, NOTES
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.location import ledger_path, store_at
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.names import FOLDER
from airflow_segments_provider.sync.ledger.object_store import ObjectStore
from airflow_segments_provider.sync.ledger.retention import APPROVALS, BATCHES, PLANS, REPORTS, STATE

# Vendor, host, system, segment; below them are the folders of one ledger.
DEPTH = 4
FOLDERS = {GENERATIONS, STATE, BATCHES, ACKNOWLEDGED, NOTES, PLANS, APPROVALS, REPORTS}
MOST_NAMED = 10
# A ledger does not say within which time its task sends a batch. This is the longest of the targets' defaults.
REQUEST_TIMEOUT = timedelta(minutes=15)

AnyStore = LocalStore | ObjectStore


@dataclass(frozen=True)
class KeptLedger:
    """A ledger where it is stored.

    :param folder: below the ledger path: vendor, host, system and segment.
    """

    folder: str
    store: AnyStore

    def ledger(self, owner: str = "") -> Ledger:
        """Return it unopened, to look at it, or to write in place of the task that keeps the segment.

        :param owner: that task.
        """
        writer = Writer(token=uuid.uuid4().hex, owner=owner, run="by hand")
        return Ledger(self.store, self.folder, writer, REQUEST_TIMEOUT)


def find(path: str | None) -> list[KeptLedger]:
    """Return all ledgers below a path, by name.

    :param path: None for that of the deployment.
    """
    path = path or ledger_path()
    return [KeptLedger(folder, store_at(path, folder)) for folder in _folders(store_at(path), "", DEPTH)]


def choose(path: str | None, name: str, *, must_exist: bool = True) -> KeptLedger:
    """Return the one ledger that has this name, or alone has it as a part of its own.

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
        if FOLDERS & set(inside):
            yield folder
        return
    for name in (name for name in inside if re.fullmatch(FOLDER, name)):
        yield from _folders(store, f"{folder}/{name}" if folder else name, depth - 1)

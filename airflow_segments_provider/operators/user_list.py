"""Lists of users beside the ledger, a file for each try of a task: who was not found, or not as a sync left them."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_segments_provider.errors import SegmentsError

if TYPE_CHECKING:
    from airflow_segments_provider.sync.ledger.store import Store

# The longest part of a path, and the length of its digest.
MOST_CHARACTERS, DIGITS = 200, 40
UNMATCHED = "unmatched"


class UserListFile:
    """The :class:`~airflow_segments_provider.vendors.base.lookup.UnmatchedList` of one try of a task.

    Only the user that runs the tasks may read a local file. Files expire after ``[segments] keep_days``: the next file
    deletes them.

    :param ti: the task instance.
    :param log: of the task.
    :param name: of the list: ``unmatched`` or ``drift``.
    :param root: in place of ``[segments] ledger_path``.
    """

    def __init__(self, ti: Any, log: Any, name: str = UNMATCHED, root: str | None = None) -> None:
        self._ti = ti
        self._log = log
        self._name = name
        self._root = root
        self.location: str | None = None

    def keep(self, path: Path) -> str:
        """Copy the list of users who were not found, log that, and return :meth:`write`."""
        sentence = self.write(path)
        self._log.warning("Users were not found. %s", sentence)
        return sentence

    def write(self, path: Path) -> str:
        """Copy a list, and return a sentence with its location, or the reason why there is no file."""
        from airflow_segments_provider.sync.ledger.location import configured_ledger_path, store_at, timing
        from airflow_segments_provider.sync.ledger.names import UNMATCHED as FOLDER

        root = self._root or configured_ledger_path()
        if root is None:
            return "No file lists them, because `[segments] ledger_path` is not set."
        today, ti = datetime.now(UTC).date(), self._ti
        parts = (ti.dag_id, ti.task_id, ti.run_id, f"{ti.map_index}.{ti.try_number}")
        kind = "" if self._name == UNMATCHED else f".{self._name}"
        name = f"{today.isoformat()}/{'/'.join(map(_part, parts))}{kind}.jsonl"
        try:
            store = store_at(root, FOLDER)
            store.put(name, path)
            self.location = f"{store}/{name}"
            _expire(store, (today - timing().keep).isoformat())
        except SegmentsError as error:
            if self.location is None:
                return f"They could not be listed in a file below the ledger path {root} ({type(error).__name__})."
            self._log.warning("Lists of users that are too old could not be deleted: %s", error)
        return f"They are listed in {self.location}."


def _part(text: str) -> str:
    """Return a text as a part of a path that every store takes; a long one ends in its digest."""
    part = quote(text, safe="")
    if len(part) <= MOST_CHARACTERS:
        return part
    return f"{part[: MOST_CHARACTERS - DIGITS]}{sha256(text.encode()).hexdigest()[:DIGITS]}"


def _expire(store: Store, before: str) -> None:
    """Delete the lists of the days before a date."""
    for day in store.folders(""):
        if day < before:
            store.delete_folder(day)

"""Where each ID was found, for the report of ``ledger erase-person``: IDs are named by their place in the input."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from airflow_segments_provider.cli.ledger.file_search import Found
from airflow_segments_provider.cli.ledger.id_list import NamedId
from airflow_segments_provider.cli.ledger.ledgers import FOLDERS
from airflow_segments_provider.sync.ledger.local_store import TEMPORARY

LEFTOVERS = "working directories of killed runs"
UNFINISHED = "half-written files"
OTHERS = "other files"
MOST_NAMED = 10


class Places:
    """Collects where each of these IDs was found."""

    def __init__(self, ids: Sequence[NamedId]) -> None:
        self.ids = ids
        self._files: dict[int, dict[str, set[str]]] = {}
        # As a set that keeps its order: an erasure may look again.
        self._members: dict[int, dict[str, None]] = {}

    def add(self, folder: str, found: Found) -> None:
        """Add what a search found.

        :param folder: the ledger, or what else was searched.
        """
        for name, numbers in found.holding.items():
            for number in numbers:
                self._files.setdefault(number, {}).setdefault(folder, set()).add(name)

    def add_member(self, number: int, folder: str) -> None:
        """Add that a segment may hold the user."""
        self._members.setdefault(number, {})[folder] = None

    def lines(self) -> Iterator[str]:
        """Yield a line an ID."""
        for number, named in enumerate(self.ids):
            places = [f"{folder} ({_kinds(files)})" for folder, files in self._files.get(number, {}).items()]
            member = self._members.get(number, {})
            may = f"; {', '.join(member)} may hold it" if member else ""
            yield f"{named.place}: {'found in ' + ', '.join(places) if places else 'not found'}{may}."

    def left(self, folder: str, found: Found) -> Iterator[str]:
        """Yield a line for each file that still contains an ID, or cannot be read."""
        for name, numbers in found.holding.items():
            some = sorted(numbers)
            named = ", ".join(self.ids[number].place for number in some[:MOST_NAMED])
            more = f" and {len(some) - MOST_NAMED:,} more" if len(some) > MOST_NAMED else ""
            yield f"{folder}: {name} still contains the ID of {named}{more}."
        for name in found.unreadable:
            yield f"{folder}: {name} cannot be read, and may contain any of them."


def _kinds(files: set[str]) -> str:
    kinds = Counter(map(_kind, files))
    return ", ".join(f"{kind}: {count:,}" for kind, count in sorted(kinds.items()))


def _kind(name: str) -> str:
    if name.rpartition("/")[2].startswith(TEMPORARY):
        return UNFINISHED
    folder = name.partition("/")[0]
    return folder if folder in FOLDERS else OTHERS

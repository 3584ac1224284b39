"""The search for files that contain an ID: each file is opened, decoded and read.

In a file of a known format, only the fields for IDs are compared: an ID that equals a word of a manifest, such as
``mirror``, is not found there. All other files are searched as text. A file that cannot be decoded may contain any ID.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_segments_provider.cli.ledger.id_list import NamedId, trimmed
from airflow_segments_provider.cli.ledger.ledgers import AnyStore
from airflow_segments_provider.errors import LedgerUnavailable
from airflow_segments_provider.sources.ids import INVISIBLE, without_case
from airflow_segments_provider.sync.approvals import Approval, Ending
from airflow_segments_provider.sync.ledger.local_store import TEMPORARY
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, File, Manifest, Note, Release
from airflow_segments_provider.sync.ledger.names import (
    ACKNOWLEDGED,
    APPROVALS,
    CREATION_MARKERS,
    GENERATIONS,
    LEASES,
    NOTES,
    PLANS,
    REPORTS,
    UNMATCHED,
)
from airflow_segments_provider.sync.ledger.state import COLUMNS
from airflow_segments_provider.sync.workspace import Workspace

# The formats of the ledger's own files, by folder.
FORMATS: dict[str, tuple[type[File], ...]] = {
    GENERATIONS: (Manifest,),
    ACKNOWLEDGED: (Acknowledgement,),
    NOTES: (Note,),
    LEASES: (Release,),
    APPROVALS: (Approval, Ending),
}
READ_AT_ONCE = 25_000

_LISTED = re.compile(r"batches/\d{12}-[0-9a-f]+/\d+-\w+\.txt|plans/\d{12}-[0-9a-f]+\.txt|(actions|approved)\.txt")
_PARQUET = b"PAR1"


@dataclass(frozen=True)
class Found:
    """The result of a search.

    :param matches: the files that contain an ID, each with the numbers of its IDs.
    :param unreadable: the files that cannot be read and may contain any ID.
    """

    matches: dict[str, frozenset[int]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """The files of both kinds."""
        return [*self.matches, *self.unreadable]


class Search:
    """A search for IDs in files, in all spellings that a vendor takes for the same ID.

    :param ids: to search for; results have their numbers in this list.
    :param rules: the vendors' normalisations of IDs.
    """

    def __init__(
        self, workspace: Workspace, ids: Sequence[NamedId], rules: Iterable[Callable[[Sequence[str]], Sequence[str]]]
    ) -> None:
        self.workspace = workspace
        self.spellings: dict[str, int] = {}
        users = [named.user for named in ids]
        for number, spelled in enumerate(zip(users, *(rule(users) for rule in rules), strict=True)):
            for text in spelled:
                self.spellings.setdefault(trimmed(text), number)
        workspace.run("CREATE OR REPLACE TABLE searched (id VARCHAR, number INTEGER)")
        workspace.run(
            "INSERT INTO searched SELECT unnest(?::VARCHAR[]), unnest(?::INTEGER[])",
            [list(self.spellings), list(self.spellings.values())],
        )

    def store(self, store: AnyStore, *, without: Collection[str] = ()) -> Found:
        """Search the files of a store, also those that are half written.

        :param without: folders to leave out.
        """
        found = Found()
        for number, name in enumerate(store.files(without=without)):
            # A new name for each file: DuckDB may cache the content of a name.
            path = self.workspace.folder / f"searched-{number}"
            try:
                if store.fetch(name, path):
                    self._add(found, name, path)
            except LedgerUnavailable:
                found.unreadable.append(name)
            path.unlink(missing_ok=True)
        return found

    def files(self, folder: Path, paths: Iterable[Path]) -> Found:
        """Search local files below a folder."""
        found = Found()
        for path in paths:
            if path.is_file():
                self._add(found, path.relative_to(folder).as_posix(), path)
        return found

    def _add(self, found: Found, name: str, path: Path) -> None:
        numbers = self.file(name, path)
        if numbers is None:
            found.unreadable.append(name)
        elif numbers:
            found.matches[name] = frozenset(numbers)

    def file(self, name: str, path: Path) -> set[int] | None:
        """Return the numbers of the IDs that a file contains; None where it cannot be read.

        :param name: in its ledger, which determines the format.
        """
        import duckdb

        try:
            with path.open("rb") as file:
                start = file.read(len(_PARQUET))
            if not start:
                return set()
            if name.rpartition("/")[2].startswith(TEMPORARY):
                # It may end within an ID, an escape or a compressed page.
                return self._text(name, path) or None
            if start == _PARQUET:
                return self._parquet(path)
            if name.endswith(".parquet"):
                return None
            return self._lines(path) if _LISTED.fullmatch(name) else self._text(name, path)
        except (OSError, ValueError, OverflowError, RecursionError, duckdb.Error, LedgerUnavailable):
            return None

    def _parquet(self, path: Path) -> set[int]:
        """Search the rows and the footer of a Parquet file."""
        described = self.workspace.rows("DESCRIBE FROM read_parquet(?, hive_partitioning = false)", [str(path)])
        ours = [(column, kind) for column, kind, *_ in described] == list(COLUMNS.items())
        # The columns of another file may have any name: none is a part of a query.
        rows = f"SELECT {'id AS cell' if ours else '*'} FROM read_parquet($path, hive_partitioning = false)"  # noqa: S608
        numbers = self._cells(rows, path, mentions=not ours)
        if not ours:
            numbers |= self._mentioned("\n".join(column for column, *_ in described), self.spellings)
        named = " WHERE path_in_schema = 'id'" if ours else ""
        for limit in ("stats_min", "stats_max", "stats_min_value", "stats_max_value"):
            cells = f"SELECT {limit} AS cell FROM parquet_metadata($path){named}"  # noqa: S608
            numbers |= self._cells(cells, path, mentions=not ours)
        for part in ("key", "value"):
            cells = f"SELECT decode({part}) AS cell FROM parquet_kv_metadata($path)"  # noqa: S608
            numbers |= self._cells(cells, path)
        return numbers

    def _cells(self, cells: str, path: Path, *, mentions: bool = True) -> set[int]:
        """Compare the cells of a query, or search them as text."""
        parameters = {"path": str(path)}
        if not mentions:
            rows = self.workspace.database.execute(
                f"SELECT DISTINCT number FROM ({cells}) JOIN searched ON trim(cell, $stripped) = searched.id",  # noqa: S608  # columns of our own
                {**parameters, "stripped": INVISIBLE},
            ).fetchall()
            return {number for (number,) in rows}
        numbers = set[int]()
        found = self.workspace.database.execute(cells, parameters)
        while rows := found.fetchmany(READ_AT_ONCE):
            numbers |= self._mentioned("\n".join(_cell_texts(rows)), self.spellings)
        return numbers

    def _lines(self, path: Path) -> set[int]:
        """Search a list: a line of a batch is an ID; one of a plan is an action, a tab and an ID."""
        numbers = set[int]()
        with path.open(encoding="utf-8", newline="\n") as lines:
            for line in lines:
                for text in (line, line.partition("\t")[2]):
                    number = self.spellings.get(trimmed(text))
                    if number is not None:
                        numbers.add(number)
        return numbers

    def _text(self, name: str, path: Path) -> set[int] | None:
        content = path.read_bytes()
        known = _known(name, content)
        if known is not None:
            return {self.spellings[text] for text in map(trimmed, known) if text in self.spellings}
        text = content.decode()
        if "\0" in text:
            # In another encoding, no ID would be found.
            return None
        if name.endswith((".json", ".jsonl")):
            documents = [text] if name.endswith(".json") else text.splitlines()
            texts = "\n".join(part for document in documents if document for part in _texts(json.loads(document)))
            # The numbers of a plan are counts, not IDs.
            text = texts if name.startswith((f"{PLANS}/", f"{REPORTS}/")) else f"{texts}\n{text}"
        if name.startswith(f"{UNMATCHED}/"):
            # E-mail addresses or names, which vendors compare without case.
            return self._mentioned(without_case(text), {without_case(user): n for user, n in self.spellings.items()})
        return self._mentioned(text, self.spellings)

    def _mentioned(self, text: str, spellings: Mapping[str, int]) -> set[int]:
        return {
            number
            for user, number in spellings.items()
            if user in text and re.search(rf"(?<!\w){re.escape(user)}(?!\w)", text)
        }


def _known(name: str, content: bytes) -> Iterable[str] | None:
    """Return the IDs of a file whose format is known; None where it has another one."""
    parts = name.split("/")
    if parts[-2:-1] == [CREATION_MARKERS]:
        return () if content.partition(b" ")[0].isdigit() else None  # a time and a run
    for model in FORMATS.get(parts[0], ()):
        try:
            read = model.decode(content)
        except ValueError:
            continue
        if isinstance(read, Acknowledgement):
            return read.rejected
        if isinstance(read, Note):
            return read.ids
        return [read.by, *read.by.split()] if isinstance(read, (Approval, Ending)) else ()
    return None


def _cell_texts(value: Any) -> Iterator[str]:
    """Return everything in rows as text.

    :raises ValueError: bytes are not text.
    """
    if isinstance(value, bytes):
        yield value.decode()
    elif isinstance(value, dict):
        yield from _cell_texts(list(value.items()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _cell_texts(item)
    elif value is not None:
        yield str(value)


def _texts(value: Any) -> Iterator[str]:
    """Return every text of a document, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)

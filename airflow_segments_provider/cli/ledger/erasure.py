"""``ledger erase-person``: deletes users from every file of the ledgers, and searches the files that are left."""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow_segments_provider.cli.ledger.arguments import DECLINED, DONE, FAILED
from airflow_segments_provider.cli.ledger.file_search import Found, Search
from airflow_segments_provider.cli.ledger.id_list import NamedId
from airflow_segments_provider.cli.ledger.ledgers import FOLDERS, AnyStore, KeptLedger
from airflow_segments_provider.errors import LedgerBusy, LedgerOvertaken, LedgerUnavailable
from airflow_segments_provider.sources.ids import INVISIBLE
from airflow_segments_provider.sync.ledger import retention
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import TEMPORARY
from airflow_segments_provider.sync.ledger.names import (
    ACKNOWLEDGED,
    APPROVALS,
    BATCHES,
    NOTES,
    PLANS,
    REPORTS,
    STATE,
    UNMATCHED,
)
from airflow_segments_provider.sync.ledger.object_store import ObjectStore
from airflow_segments_provider.sync.ledger.state import Members
from airflow_segments_provider.sync.ledger.timing import milliseconds, now_ms
from airflow_segments_provider.sync.target import Normalise
from airflow_segments_provider.sync.workspace import Workspace, remove_leftovers, working_directories
from airflow_segments_provider.targets.parse import normaliser

OUTSIDE = (
    "Copies elsewhere (backups, older versions that an object store keeps, exports, what killed runs left on other "
    "machines, as another user or with another TMPDIR) are not touched."
)
UPLOADS = (
    "this connection cannot delete unfinished uploads, which cannot be read either: let it list and abort multipart "
    "uploads, or let a lifecycle rule of the bucket do so."
)
MEMBERS = (
    "Remove them from the source, run the task, and erase them then. With --anyway they stay in the segment, and no "
    "sync will remove them."
)
AGAIN = (
    "Some IDs remain. Another run wrote meanwhile, a file could not be deleted, or a file is not the ledger's own. Run "
    "the command again; delete by hand what is still listed then."
)
ERASED = (
    "SELECT id, false AS owned, NULL AS uncertain, NULL AS pending, NULL AS rejected, NULL AS size, NULL AS reason "
    "FROM known WHERE trim(id, ?) IN (SELECT id FROM searched)"
)


# The folders that a run writes to before and after its intent.
SENDING = frozenset({STATE, BATCHES, ACKNOWLEDGED, NOTES})
# Longer than a part of a file takes.
UPLOAD_ENDS = timedelta(hours=1)
# As `tempfile` names them.
_DOWNLOAD = re.compile(r"segments-[a-z0-9_]{8}(\.\w+)?")

PAUSE = 1.0

LEFTOVERS = "working directories of killed runs"
UNFINISHED = "half-written files"
OTHERS = "other files"
MOST_NAMED = 10


@dataclass(frozen=True)
class Scope:
    """The ledgers to erase from.

    :param root: the store of all ledgers, whose other files are searched too; None to erase from one ledger only.
    """

    ledgers: Sequence[KeptLedger]
    root: AnyStore | None = None


def erase(scope: Scope, ids: Sequence[NamedId], *, anyway: bool, wait: float) -> tuple[int, list[str]]:
    """Delete these users from the ledgers that contain them anywhere.

    :param anyway: also where the segment may hold them.
    :param wait: for how many seconds at most to wait for runs.
    :raises LedgerBusy: a run holds one of the ledgers, or is at work on this machine; the other ledgers are done.
    :raises LedgerError: a ledger is damaged.
    """
    return _Erasure(scope, ids, anyway, Deadline(wait)).run()


class _Erasure:
    def __init__(self, scope: Scope, ids: Sequence[NamedId], anyway: bool, deadline: Deadline) -> None:
        self.scope = scope
        self.ids = ids
        self.anyway = anyway
        self.deadline = deadline
        self.locations = Locations(ids)
        self.notices = list[str]()

    def run(self) -> tuple[int, list[str]]:
        """Erase, and repeat it where a run interferes."""
        if runs := self._runs_here():
            raise LedgerBusy(
                f"{runs}, and may write the IDs again. Nothing was changed. Run the command again when they have "
                "ended, or let it wait longer for them (--wait)."
            )
        while True:
            try:
                return self._attempt()
            except LedgerBusy as error:
                if not self.deadline.pause(until=error.until):
                    raise
            except LedgerOvertaken:
                if not self.deadline.pause():
                    raise

    def _attempt(self) -> tuple[int, list[str]]:
        self._clear_working_directories()
        concerned = self._concerned()
        # A run that held a ledger may have written since.
        if concerned and self._wait_for_leases(list(concerned)):
            concerned = self._concerned()
        members = [line for kept in concerned if (line := self._members(kept))]
        if members and not self.anyway:
            refused = ["No user was erased, because segments may have some of them:", *members, MEMBERS]
            return DECLINED, [*self.locations.lines(), *refused]
        for kept, found in concerned.items():
            self._erase(kept, found)
        left = list(self._left())
        lines = [*self.locations.lines(), *self.notices]
        if left:
            return FAILED, [*lines, *left, AGAIN]
        if not self.scope.ledgers:
            return DECLINED, [
                *lines,
                f"There are no ledgers below {self.scope.root}: name their path by --ledger-path.",
            ]
        if not concerned:
            return DONE, [*lines, f"None of {_ledgers(len(self.scope.ledgers))} contains them."]
        erased = [f"{kept.folder}: erased, and every file that is left was searched." for kept in concerned]
        return DONE, [*lines, *erased, OUTSIDE]

    def _concerned(self) -> dict[KeptLedger, Found]:
        """Return the ledgers that contain one of the IDs, and delete the half-written files of killed writers."""
        concerned = {}
        for kept in self.scope.ledgers:
            found = self._searched(kept)
            self.locations.add(kept.folder, found)
            kept.store.delete_unfinished(_any_age())
            if any(not name.rpartition("/")[2].startswith(TEMPORARY) for name in found.files):
                concerned[kept] = found
        return concerned

    def _searched(self, kept: KeptLedger) -> Found:
        with Workspace(tidy=False) as workspace:
            return Search(workspace, self.ids, [_rule(kept)]).store(kept.store)

    def _left(self) -> Iterator[str]:
        """Yield a line for each file, of the ledgers or beside them, that contains one of the IDs or may do so."""
        if runs := self._runs_here():
            yield f"{runs}, began while this command was at work, and may write the IDs again."
        self._clear_working_directories()
        for folder, is_held in working_directories().items():
            if not is_held:
                yield f"{folder} may contain them, and could not be deleted: delete it when no run is at work."
        yield from self._clear_uploads()
        for kept in self.scope.ledgers:
            yield from self.locations.left(kept.folder, self._searched(kept))
        with Workspace(tidy=False) as workspace:
            search = Search(workspace, self.ids, self._rules)
            if self.scope.root is not None:
                self.scope.root.delete_unfinished(_any_age())
                beside = search.store(self.scope.root, without=[kept.folder for kept in self.scope.ledgers])
                self.locations.add(str(self.scope.root), beside)
                yield from self.locations.left(str(self.scope.root), self._without_lists(self.scope.root, beside))
            downloads = search.files(Path(tempfile.gettempdir()), _downloads())
            yield from self.locations.left(tempfile.gettempdir(), downloads)

    def _without_lists(self, root: AnyStore, beside: Found) -> Found:
        """Delete the lists of unmatched users that contain an ID or cannot be read; return the other files."""
        listed = [name for name in beside.files if name.startswith(f"{UNMATCHED}/")]
        for name in listed:
            root.delete(name)
        if listed:
            self.notices.append(f"Deleted {len(listed):,} lists of unmatched users, which are only reports.")
        matches = {name: ids for name, ids in beside.matches.items() if name not in listed}
        return Found(matches, [name for name in beside.unreadable if name not in listed])

    def _clear_uploads(self) -> Iterator[str]:
        """Abort the uploads that killed writers left in S3; yield a line where a writer may be alive."""
        stores = [kept.store for kept in self.scope.ledgers] if self.scope.root is None else [self.scope.root]
        for store in stores:
            if isinstance(store, ObjectStore):
                try:
                    younger = store.abort_uploads(datetime.now(UTC) - UPLOAD_ENDS)
                except LedgerUnavailable:
                    self.notices.append(f"{store}: {UPLOADS}")
                    continue
                if younger:
                    yield (
                        f"{store}: {younger:,} uploads were begun less than {UPLOAD_ENDS} ago, and may contain them. "
                        "Run the command again when they have ended."
                    )

    @property
    def _rules(self) -> list[Normalise]:
        return [_rule(kept) for kept in self.scope.ledgers]

    def _runs_here(self) -> str:
        """Wait for the runs on this machine; return those that are left, as half a sentence."""
        begun = _held()
        if self.deadline.wait_until(lambda: not begun & _held()):
            return ""
        left = begun & _held()
        runs = "A run of this user is" if len(left) == 1 else f"{len(left)} runs of this user are"
        return f"{runs} at work on this machine (below {min(left).parent})" if left else ""

    def _clear_working_directories(self) -> None:
        """Delete the working directories of killed runs, whatever their ledger."""
        with Workspace(tidy=False) as workspace:
            search = Search(workspace, self.ids, self._rules)

            def look(folder: Path) -> None:
                # An unreadable folder is deleted too.
                with suppress(OSError):
                    self.locations.add(LEFTOVERS, search.files(folder, folder.rglob("*")))

            remove_leftovers(look=look)

    def _wait_for_leases(self, concerned: Sequence[KeptLedger]) -> bool:
        """Wait until no run holds one of these ledgers; return whether one did.

        :raises LedgerBusy: one still does.
        """
        waited = False
        while True:
            try:
                for kept in concerned:
                    _opened(kept).check_free()
            except LedgerBusy:
                if not self.deadline.pause():
                    raise
                waited = True
            else:
                return waited

    def _members(self, kept: KeptLedger) -> str:
        """Return how many of the users the segment may have, as a line; empty for none."""
        with Workspace(tidy=False) as workspace:
            rows = self._held_by(kept, kept.ledger().look(workspace))
        for number, _ in rows:
            self.locations.add_member(number, kept.folder)
        owned = sum(owned for _, owned in rows)
        return f"{kept.folder}: {owned:,} owned, {len(rows) - owned:,} uncertain." if rows else ""

    def _held_by(self, kept: KeptLedger, members: Members) -> list[tuple[int, bool]]:
        """Return the IDs that the segment may have, each with whether it is owned; make the table ``searched``.

        An ID may be an e-mail address or another identity: the vendor's ID of that user is searched, too.
        """
        workspace = members.workspace
        Search(workspace, self.ids, [_rule(kept)])
        members.identities.make()
        workspace.run(
            "INSERT INTO searched SELECT identities.id, number FROM identities JOIN searched "
            "ON identity = searched.id WHERE identities.id NOT NULL"
        )
        return workspace.rows(
            "SELECT number, bool_or(owned) FROM known JOIN searched ON trim(known.id, ?) = searched.id "
            "WHERE owned OR uncertain IS NOT NULL GROUP BY number ORDER BY number",
            [INVISIBLE],
        )

    def _erase(self, kept: KeptLedger, found: Found) -> None:
        store = kept.store
        there = list(store.files())
        begun = read_head(store, kept.folder).manifest
        folders = [name.rpartition("/")[0] for name in found.files]
        if all(folder.startswith(f"{REPORTS}/") for folder in folders):
            for folder in folders:
                store.delete_folder(folder)
        elif begun or any(name.partition("/")[0] in SENDING for name in there):
            # The new generation stops a run that is about to begin and would miss its files.
            ledger = kept.ledger(begun)
            self._rewrite(kept, ledger)
            retention.delete_replaced(store, ledger.head, there=there, now=_any_age())
        else:
            # Only plans and reports of a refused first sync exist.
            for folder in (PLANS, APPROVALS, REPORTS):
                store.delete_folder(folder)

    def _rewrite(self, kept: KeptLedger, ledger: Ledger) -> None:
        """Commit the ledger without the users.

        From then on, the state accounts for acknowledgements, notes and batches: their files can be deleted.
        """
        with Workspace(tidy=False) as workspace:
            members = ledger.open(workspace, as_of=ledger.clock(), any_age=True)
            if self._held_by(kept, members) and not self.anyway:
                raise LedgerOvertaken(
                    f"{kept.folder}: another run changed this ledger meanwhile, and the segment may have some of the "
                    "users now. They were not erased there. Run the command again."
                )
            members.put(ERASED, [INVISIBLE])
            members.identities.delete("searched")
            ledger.rewrite(members, counts={"erased": len(self.ids)})


def _opened(kept: KeptLedger) -> Ledger:
    ledger = kept.ledger()
    ledger.head = read_head(kept.store, kept.folder)
    return ledger


def _rule(kept: KeptLedger) -> Normalise:
    return normaliser(kept.folder.partition("/")[0])


def _held() -> set[Path]:
    return {folder for folder, is_held in working_directories().items() if is_held}


def _downloads() -> Iterator[Path]:
    """Yield the local copies of source files that killed runs left."""
    for path in sorted(Path(tempfile.gettempdir()).iterdir()):
        with suppress(OSError):
            if _DOWNLOAD.fullmatch(path.name) and path.lstat().st_uid == os.geteuid():
                yield path


def _any_age() -> int:
    """Return a time later than that of any file; the clock of a file server may be ahead."""
    return now_ms() + milliseconds(timedelta(days=1))


def _ledgers(count: int) -> str:
    return "1 ledger" if count == 1 else f"{count:,} ledgers"


class Deadline:
    """The end of a command's waiting, shared by all its waits.

    :param seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def pause(self, *, until: int | None = None) -> bool:
        """Wait for a second; return False, at once, after the deadline.

        :param until: wait until then, in milliseconds since 1970; return False where the deadline is before.
        """
        left = self._until - time.monotonic()
        needed = PAUSE if until is None else max(0.0, (until - now_ms()) / 1000)
        if left <= 0 or (until is not None and needed > left):
            return False
        time.sleep(min(needed, left))
        return True

    def wait_until(self, done: Callable[[], bool]) -> bool:
        """Wait until ``done`` returns True; return False after the deadline."""
        while not done():
            if not self.pause():
                return False
        return True


class Locations:
    """The files in which each ID was found, for the report; IDs are named by their place in the input."""

    def __init__(self, ids: Sequence[NamedId]) -> None:
        self.ids = ids
        self._files: dict[int, dict[str, set[str]]] = {}
        # The keys are an ordered set: an attempt may be repeated.
        self._members: dict[int, dict[str, None]] = {}

    def add(self, folder: str, found: Found) -> None:
        """Add the result of a search.

        :param folder: that was searched, such as a ledger.
        """
        for name, numbers in found.matches.items():
            for number in numbers:
                self._files.setdefault(number, {}).setdefault(folder, set()).add(name)

    def add_member(self, number: int, folder: str) -> None:
        """Record that a segment may have the user."""
        self._members.setdefault(number, {})[folder] = None

    def lines(self) -> Iterator[str]:
        """Yield a line an ID."""
        for number, named in enumerate(self.ids):
            folders = [f"{folder} ({_kinds(files)})" for folder, files in self._files.get(number, {}).items()]
            member = self._members.get(number, {})
            may = f"; {', '.join(member)} may have this member" if member else ""
            yield f"{named.place}: {'found in ' + ', '.join(folders) if folders else 'not found'}{may}."

    def left(self, folder: str, found: Found) -> Iterator[str]:
        """Yield a line for each file that still contains an ID, or cannot be read."""
        for name, numbers in found.matches.items():
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

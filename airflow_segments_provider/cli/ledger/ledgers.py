"""The ledgers below a ledger path: ``ledger list`` and ``ledger show``."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from airflow_segments_provider.errors import InvalidInput, LedgerBusy, LedgerError
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger.history import generations, manifest_name, read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.location import ledger_path, store_at
from airflow_segments_provider.sync.ledger.manifest import Manifest, Writer, parse_manifest
from airflow_segments_provider.sync.ledger.names import (
    ACKNOWLEDGED,
    APPROVALS,
    BATCHES,
    FOLDER,
    GENERATIONS,
    NOTES,
    PLANS,
    REPORT,
    REPORTS,
    STATE,
)
from airflow_segments_provider.sync.ledger.object_store import ObjectStore
from airflow_segments_provider.sync.ledger.ownership import read_release
from airflow_segments_provider.sync.ledger.timing import moment
from airflow_segments_provider.sync.plan import Plan
from airflow_segments_provider.sync.workspace import Workspace

# Vendor, host, system, segment; below them are the folders of one ledger.
DEPTH = 4
FOLDERS = {GENERATIONS, STATE, BATCHES, ACKNOWLEDGED, NOTES, PLANS, APPROVALS, REPORTS}
MOST_NAMED = 10
# A ledger without an intent does not contain its task's time-out. This is the longest of the targets' defaults.
REQUEST_TIMEOUT = timedelta(minutes=15)

AnyStore = LocalStore | ObjectStore
Read = TypeVar("Read")

COLUMNS = (
    "segment",
    "name",
    "connection",
    "generation",
    "data as of",
    "owned",
    "uncertain",
    "rejected",
    "task",
    "under way",
    "replacement",
)
NUMBERS = frozenset({"generation", "owned", "uncertain", "rejected"})
NOTHING = "-"
OF_A_LOST_LEDGER = (
    "Of a ledger that was lost, pass the whole folder: the description of its Airflow variable, `segments_ledger_…`, "
    "has it."
)
UNSETTLED = "a request of unknown outcome has to settle"

# The counts of a plan that describe its changes.
SHOWN = ("wanted", "baseline", "add", "again", "remove", "remove_again", "gone", "applied", "rejected", "erased")


@dataclass(frozen=True)
class KeptLedger:
    """A ledger where it is stored.

    :param folder: below the ledger path: vendor, host, system and segment.
    """

    folder: str
    store: AnyStore

    def ledger(self, newest: Manifest | None = None) -> Ledger:
        """Return the unopened ledger.

        :param newest: a generation; this command writes in the place of its task, and keeps its names.
        """
        owner, name, connection = (newest.writer.owner, newest.name, newest.connection) if newest else ("", "", "")
        writer = Writer(token=uuid.uuid4().hex, owner=owner, run="by hand")
        return Ledger(self.store, self.folder, writer, REQUEST_TIMEOUT, name=name, connection=connection)

    def segment_name(self) -> str:
        """Return the name of the segment, as far as its newest generation has it."""
        with suppress(LedgerError):
            manifest = read_head(self.store, self.folder).manifest
            return manifest.name if manifest else ""
        return ""


def find(path: str | None) -> list[KeptLedger]:
    """Return all ledgers below a path, by name.

    :param path: None for that of the deployment.
    """
    path = path or ledger_path()
    return [KeptLedger(folder, store_at(path, folder)) for folder in _folders(store_at(path), "", DEPTH)]


def choose(path: str | None, name: str, *, must_exist: bool = True) -> KeptLedger:
    """Return the ledger with this folder, the only one whose folder contains it, or that of the segment of this name.

    :param must_exist: False where a whole folder may also be that of a lost ledger.
    :raises InvalidInput: it is none of them, or several.
    """
    path = path or ledger_path()
    found, folder = find(path), name.strip("/")
    for ledger in found:
        if ledger.folder == folder:
            return ledger
    # Both at once: a name may be a part of another segment's folder.
    matching = [ledger for ledger in found if name in ledger.folder or ledger.segment_name() == name]
    if len(matching) == 1:
        return matching[0]
    if not matching and not must_exist and _is_folder(folder):
        return KeptLedger(folder, store_at(path, folder))
    some = "; ".join(ledger.folder for ledger in (matching or found)[:MOST_NAMED])
    if matching:
        raise InvalidInput(f"{len(matching)} ledgers match {name!r}; pass more of one: {some}.")
    lost = "" if must_exist else f" {OF_A_LOST_LEDGER}"
    raise InvalidInput(f"No ledger below {path} matches {name!r}. Ledgers there: {some or 'none'}.{lost}")


def _is_folder(text: str) -> bool:
    """Return whether this is the whole folder of a segment, below the ledger path."""
    parts = text.split("/")
    return len(parts) == DEPTH and all(re.fullmatch(FOLDER, part) and part.strip(".") for part in parts)


def _folders(store: AnyStore, folder: str, depth: int) -> Iterator[str]:
    inside = store.folders(folder)
    if depth == 0:
        if FOLDERS & set(inside):
            yield folder
        return
    for name in (name for name in inside if re.fullmatch(FOLDER, name)):
        yield from _folders(store, f"{folder}/{name}" if folder else name, depth - 1)


def overview(ledgers: Sequence[KeptLedger]) -> tuple[int, list[str]]:
    """Return a table; status 1 where one of them cannot be read."""
    rows, damaged = read_each(ledgers, lambda kept: [_row(kept)])
    return (1 if damaged else 0), [*_aligned([COLUMNS, *rows]), *damaged]


def read_each(ledgers: Sequence[KeptLedger], read: Callable[[KeptLedger], list[Read]]) -> tuple[list[Read], list[str]]:
    """Read ledgers; return all results, and a line for each ledger that cannot be read."""
    found, damaged = list[Read](), list[str]()
    for kept in ledgers:
        try:
            found += read(kept)
        except LedgerError as error:
            damaged.append(f"{kept.folder}: {error}")
    return found, damaged


def known_counts(workspace: Workspace) -> tuple[int, int, int]:
    """Return how many users of the view ``known`` are owned, uncertain, and rejected."""
    owned, uncertain, rejected = workspace.one(
        "SELECT count(*) FILTER (owned), count(uncertain), count(rejected) FROM known"
    )
    return owned, uncertain, rejected


def under_way(ledger: Ledger) -> str:
    """Return since when a run is sending, or that one was interrupted; empty for neither."""
    manifest = ledger.head.manifest
    if manifest is None or manifest.intent is None:
        return ""
    begun = moment(manifest.written_at)
    try:
        ledger.check_free()
    except LedgerBusy:
        return f"since {begun}"
    return f"interrupted, begun {begun}"


def replacement(ledger: Ledger) -> str:
    """Return whether a replacement is pending, and until when it waits; empty for neither."""
    pending = "pending" if ledger.state.replacement is not None else ""
    sent = ledger.state.replacement_sent
    waits = ""
    if sent is not None and (until := sent + ledger.settling) > ledger.clock():
        waits = f"{UNSETTLED} until {moment(until)}"
    elif pending and _is_unanswered(ledger):
        waits = UNSETTLED
    return ", ".join(part for part in (pending, waits) if part)


def _is_unanswered(ledger: Ledger) -> bool:
    """Return whether the newest intent can have sent a replacing request that is not acknowledged."""
    if ledger.head.intent is None or not ledger.head.intent.replacing:
        return False
    released = read_release(ledger.store, ledger.head.generation)
    return released is None or released.replacing


def _row(kept: KeptLedger) -> tuple[str, ...]:
    ledger = kept.ledger()
    with Workspace() as workspace:
        ledger.look(workspace)
        counts = [f"{count:,}" for count in known_counts(workspace)]
    manifest, as_of = ledger.head.manifest, ledger.state.as_of
    return (
        kept.folder,
        (manifest and manifest.name) or NOTHING,
        (manifest and manifest.connection) or NOTHING,
        str(ledger.head.generation),
        NOTHING if as_of is None else moment(as_of),
        *counts,
        (manifest and manifest.writer.owner) or NOTHING,
        under_way(ledger) or NOTHING,
        replacement(ledger) or NOTHING,
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return [
        "  ".join(
            cell.rjust(width) if name in NUMBERS else cell.ljust(width)
            for name, cell, width in zip(COLUMNS, row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def details(ledger: KeptLedger) -> list[str]:
    """Return the counts of a ledger, what is pending, its generations, newest first, refused plans and reports.

    :raises LedgerError: it is damaged.
    """
    opened = ledger.ledger()
    with Workspace() as workspace:
        opened.look(workspace)
        owned, uncertain, rejected = known_counts(workspace)
    manifest = opened.head.manifest
    task = (manifest and manifest.writer.owner) or "none yet"
    return [
        ledger.folder,
        *([manifest.title] if manifest and manifest.name else []),
        f"task {task}: {owned:,} owned, {uncertain:,} uncertain, {rejected:,} rejected",
        *_pending(opened),
        *_section("generations", _generations(ledger)),
        *_section("refused plans", _plans(opened)),
        *_section("reports", _reports(ledger)),
    ]


def can_be_approved(ledger: Ledger, plan: Plan) -> bool:
    """Return whether a plan still holds: the ledger's generation and notes are unchanged."""
    return plan.generation == ledger.head.generation and plan.notes == ledger.state.notes


def _pending(ledger: Ledger) -> list[str]:
    lines = []
    if ledger.state.as_of is not None:
        by = f", committed by {ledger.state.as_of_run}" if ledger.state.as_of_run else ""
        lines.append(f"data as of {moment(ledger.state.as_of)}{by}")
    if run := under_way(ledger):
        lines.append(f"run under way: {run}")
    if waits := replacement(ledger):
        origin = f", requested by {ledger.state.replacement}" if ledger.state.replacement else ""
        lines.append(f"replacement: {waits}{origin}")
    if ledger.state.unknown:
        lines.append("the ledger was lost: the members may differ from those it owns, until they are replaced")
    return lines


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines or ["none"])]


def _generations(ledger: KeptLedger) -> list[str]:
    lines = []
    for generation in reversed(generations(ledger.store)):
        name = manifest_name(generation)
        content = ledger.store.read(name)
        if content is None:
            continue
        try:
            manifest = parse_manifest(content, name, ledger.folder)
        except LedgerError as error:
            lines.append(f"{generation}  {error}")
            continue
        lines.append(
            f"{generation}  {moment(manifest.written_at)}  {manifest.writer.run}  {_kind(manifest)}: "
            f"{_counts(manifest.counts)}"
        )
    return lines


def _reports(ledger: KeptLedger) -> list[str]:
    names = [name for name in ledger.store.folders(REPORTS) if re.fullmatch(REPORT, name)]
    return [f"{ledger.store}/{REPORTS}/{name}" for name in names]


def _kind(manifest: Manifest) -> str:
    if manifest.intent:
        return f"intent, {manifest.mode}, accepted by {manifest.intent.accepted}"
    if manifest.unfinished or not manifest.counts:
        return "wait for a replacing request to settle" if manifest.state.replacement_sent else "users looked up"
    return "erasure" if "erased" in manifest.counts else f"commit, {manifest.mode}"


def _plans(ledger: Ledger) -> list[str]:
    lines = []
    for stored in reversed(approvals.kept(ledger.store)):
        plan = stored.plan
        still = "can be approved" if can_be_approved(ledger, plan) else "outdated"
        lines.append(f"{plan.digest}  {plan.mode}, of generation {plan.generation}, {still}: {_counts(plan.counts)}")
        lines += [f"  - {breach}" for breach in stored.breaches]
    return lines


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]:,}" for name in SHOWN if counts.get(name)) or "no users"

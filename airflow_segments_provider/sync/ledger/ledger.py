"""The ledger of one segment, which one run at a time may change."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import LedgerBusy, LedgerDamaged, LedgerOvertaken
from airflow_segments_provider.sync.ledger import ownership, retention, state
from airflow_segments_provider.sync.ledger.history import (
    Head,
    acknowledgements,
    manifest_name,
    newest_generation,
    read_acknowledgements,
    read_head,
    read_note,
)
from airflow_segments_provider.sync.ledger.manifest import (
    RESTORE,
    Acknowledgement,
    Action,
    Batch,
    DataFile,
    Intent,
    Manifest,
    Note,
    Release,
    RequestKind,
    State,
    Writer,
    digest_of,
    folder_title,
)
from airflow_segments_provider.sync.ledger.names import BATCHES, NOTE, NOTES, STATE, text
from airflow_segments_provider.sync.ledger.ownership import NoWitness, Seen, Witness
from airflow_segments_provider.sync.ledger.parquet import file_digest
from airflow_segments_provider.sync.ledger.state import Members
from airflow_segments_provider.sync.ledger.store import Store, named
from airflow_segments_provider.sync.ledger.timing import Timing, milliseconds, moment, now_ms, running_ms
from airflow_segments_provider.sync.workspace import Workspace

# A new snapshot is written where its deltas are more, or larger as a fraction of it.
MOST_DELTAS = 20
LARGEST_DELTAS = 0.25

logger = logging.getLogger(__name__)


@dataclass
class Ledger:
    """The intents, acknowledgements and commits of one segment.

    :param folder: of the segment, below the ledger path; every manifest contains it.
    :param name: of the segment, and the ID of the Airflow ``connection``, for messages; both are in every manifest.
    :param request_timeout: how long after its check a batch may be sent.
    :param clock: milliseconds since 1970.
    :param running: milliseconds by a clock that counts suspension.
    :ivar state: of the segment, as the next generation will contain it.
    """

    store: Store
    folder: str
    writer: Writer
    request_timeout: timedelta
    timing: Timing = field(default=Timing())
    witness: Witness = field(default_factory=NoWitness)
    clock: Callable[[], int] = now_ms
    running: Callable[[], int] = running_ms
    name: str = ""
    connection: str = ""
    head: Head = field(default=Head(), init=False)
    state: State = field(default=State(), init=False)
    _newest: int = field(default=0, init=False)
    _listed: int = field(default=0, init=False)
    _opened: State = field(default=State(), init=False)
    _lease_until: int = field(default=0, init=False)
    _undecided: bool = field(default=False, init=False)
    # The date of the doubts that an open intent leaves, which grows until this run writes a generation.
    _open_until: int | None = field(default=None, init=False)
    # The replacement that an earlier run has left pending.
    _due: str | None = field(default=None, init=False)
    _checked: tuple[int, int] = field(default=(0, 0), init=False)

    def __post_init__(self) -> None:
        self.settling = self.timing.settling(self.request_timeout)

    @property
    def title(self) -> str:
        """How messages name the segment."""
        stored = self.head.manifest
        return folder_title(self.folder, self.name, self.connection) if self.name or not stored else stored.title

    def open(
        self,
        workspace: Workspace,
        *,
        as_of: int,
        requested_by: str | None = None,
        first: str | None = None,
        takeover: bool = False,
        any_age: bool = False,
        look_only: bool = False,
    ) -> Members:
        """Read the known members, and check that this run may continue.

        If a replacing request may still be carried out, or the ledger was lost, record that in a new generation.

        :param as_of: the time that this run's data represents.
        :param requested_by: the run that requests a replacement now, or None.
        :param first: the same, for a ledger without a generation.
        :param takeover: let another task, or another mapped instance, continue the ledger.
        :param any_age: accept data that is older than the committed data.
        :param look_only: do not write or wait.
        :raises LedgerBusy: another run holds it, or a replacing request may still be carried out.
        :raises RunSuperseded: a run with newer data has committed.
        :raises LedgerLost: it is not the one that an earlier run left, and ``requested_by`` is None.
        :raises LedgerError: it is damaged, or another task's.
        """
        seen = self.witness.read()
        damaged = self._read_head(requested_by)
        if not takeover:
            ownership.check_owner(self.head, self.writer)
        self.check_free()
        lost = damaged or ownership.is_lost(self.store, self.head, seen)
        newest = max(self.head.state.as_of or 0, (seen.as_of or 0) if lost and seen else 0)
        if not any_age:
            ownership.check_age(self.title, self.head, as_of, newest)
        if lost and seen and requested_by is None:
            raise ownership.lost(self.title, seen)
        self._newest = max(self._newest, self.head.generation, seen.generation if seen else 0)
        members, replacing, unread = self._read_members(workspace, requested_by)
        self._due = self.state.replacement
        requested_by = requested_by or (first if self.head.is_new else None)
        if requested_by is not None and requested_by not in (self.state.replaced, self.state.replacement):
            self._change(replacement=requested_by)
        if newest > (self.state.as_of or 0):
            self._change(as_of=newest)
        if lost or unread:
            self._change(unknown=True)
        if look_only:
            return members
        if lost or unread or replacing:
            self._fence(members)
        elif self._undecided:
            # The wait starts now, and not again with each try.
            self.remember(members)
        self._wait_for_replacement()
        return members

    def look(self, workspace: Workspace) -> Members:
        """Read the known members as :meth:`open`, without its checks.

        :raises LedgerError: it is damaged.
        """
        self._read_head(None)
        self._newest = self.head.generation
        return self._read_members(workspace, None)[0]

    def check_free(self) -> None:
        """Check that no other run holds the ledger.

        :raises LedgerBusy: one does, or died less than a lease ago.
        """
        margin = self._longest(self.head.intent) + milliseconds(self.timing.skew)
        ownership.check_free(self.store, self.head, self.writer, now=self.clock(), margin=margin)

    def check_settled(self, workspace: Workspace) -> None:
        """Check that no request of unknown outcome can still be carried out, once the ledger is free.

        Without the ledger, no run would account for it, and it would undo what is sent meanwhile.

        :raises LedgerBusy: one can.
        :raises LedgerDamaged: a file is missing or damaged.
        """
        manifest, state = self.head.manifest, self.head.state
        if manifest is None:
            return
        sent, intent = [state.replacement_sent or 0], manifest.intent
        if intent:
            released = ownership.read_release(self.store, manifest.generation)
            end = ownership.lease_end(self.store, manifest.generation, intent) + self._longest(intent)
            sent.append(released.at if released else end)
        self._check_settled(max(sent))
        members = Members(workspace)
        members.load(self.store, state)
        self._apply_notes(members)
        (uncertain,) = workspace.one("SELECT coalesce(max(uncertain), 0) FROM known")
        self._check_settled(uncertain)

    def _check_settled(self, sent: int) -> None:
        until = sent + self.settling
        if self.clock() < until:
            raise LedgerBusy(
                f"{self.title}: a request of unknown outcome may still be carried out, and without the ledger, no run "
                f"would know. It can have been sent until {moment(sent)}. Nothing was changed. Run the command again "
                f"after {moment(until)}.",
                until=until,
            )

    def _longest(self, intent: Intent | None) -> int:
        """Return how long after its check a request may be sent, in milliseconds, by an intent or by this run."""
        return max(milliseconds(self.request_timeout), intent.request_timeout if intent else 0)

    def _read_head(self, requested_by: str | None) -> bool:
        """Read the newest manifest; return whether it is damaged, which only a replacement accepts."""
        try:
            self.head = read_head(self.store, self.folder)
        except LedgerDamaged:
            if requested_by is None:
                raise
            self.head, self._newest = Head(), newest_generation(self.store)
            self._listed = self._newest
            return True
        self._listed = self.head.generation
        return False

    def _read_members(self, workspace: Workspace, requested_by: str | None) -> tuple[Members, bool, bool]:
        """Read the known members.

        :return: the members; whether a replacing request has an unknown outcome; and whether a file is damaged, which
            only a replacement accepts.
        """
        self.state = self._opened = self.head.state
        members = Members(workspace)
        try:
            members.load(self.store, self.state)
            if requested_by is not None:
                members.identities.make()
            return members, self._fold(members), False
        except LedgerDamaged:
            if requested_by is None:
                raise
        # The requests under way are unknown too: the fence waits for all of them.
        notes = tuple(named(self.store, NOTES, NOTE))
        self.state = self._opened = self.head.state.model_copy(
            update={"snapshot": None, "deltas": (), "identities": None, "notes": notes}
        )
        return Members(workspace), False, True

    def _fold(self, members: Members) -> bool:
        """Account for an open intent and for notes; return whether a replacing request has an unknown outcome."""
        replacing, manifest = False, self.head.manifest
        if manifest and (intent := manifest.intent):
            answers, batches = read_acknowledgements(self.store, manifest), intent.batches
            released = ownership.read_release(self.store, manifest.generation)
            # A writer that has not released its intent can send until the time-out after our next generation.
            until = released.at if released else self.clock() + self._longest(intent)
            self._open_until = None if released else until
            sets_all = released.replacing if released else intent.replacing or intent.whole
            replacing = self.account(answers, whole=intent.whole) and sets_all and intent.replacing
            answered, sent = (sum(part.users for part in parts) for parts in (answers, batches))
            if intent.whole and sets_all and answered < sent:
                self._change(replacement_sent=until)
                self._undecided = True
            state.fold(members, self.store, batches, answers, settling=self.settling, open_until=until)
        self._apply_notes(members)
        return replacing

    def account(self, answers: Iterable[Acknowledgement], *, whole: bool = False) -> bool:
        """Account for acknowledgements in the state of the segment; return whether none replaced the members.

        :param whole: each request wrote the whole list of members.
        """
        doubts = [answer.in_doubt for answer in answers if answer.in_doubt is not None] if whole else []
        if doubts:
            self._change(replacement_sent=max(doubts))
        done = [answer for answer in answers if answer.refused is None]
        if any(answer.users > len(answer.rejected) or answer.kind == "replace" for answer in done):
            self._change(changed_in=self._newest + 1, changed_at=self.clock())
        replaced = next((answer for answer in done if answer.kind == "replace"), None)
        if replaced is not None:
            self._change(
                replaced=self.state.replacement, replacement=None, replacement_sent=replaced.in_doubt, unknown=False
            )
        return replaced is None

    def date_doubts(self, members: Members) -> None:
        """Date the doubts of an open intent anew: its writer may be alive, and send until this run writes."""
        if self._open_until is not None:
            until = self.clock() + self._longest(self.head.intent)
            members.redate(self._open_until, until)
            self._open_until = until

    def _apply_notes(self, members: Members) -> None:
        names = named(self.store, NOTES, NOTE)
        for name in names:
            if name in self.state.notes or (note := read_note(self.store, name, self.folder)) is None:
                continue
            members.doubt(note.ids, note.sent_at)
            if note.kind == "replace":
                sent = max(note.sent_at, self.state.replacement_sent or 0)
                self._change(replacement=self.state.replacement or "a late request", replacement_sent=sent)
        self._change(notes=tuple(names))

    def _fence(self, members: Members) -> None:
        """Write a generation that overtakes every other run; the wait for a replacing request starts with it."""
        self._change(
            replacement=self.state.replacement or "a lost ledger",
            replacement_sent=self.clock() + self._longest(self.head.intent),
        )
        self._write(members, **({} if self.state.unknown else self._begun_plan))
        self._due = self.state.replacement

    def _wait_for_replacement(self) -> None:
        """Check that no request of unknown outcome that sets all members can still be carried out.

        :raises LedgerBusy: one can.
        """
        until = (self.state.replacement_sent or 0) + self.settling
        if self.state.replacement_sent is not None and self.clock() < until:
            raise LedgerBusy(
                f"{self.title}: a request that sets all members may still be carried out, and would undo whatever "
                f"is sent before. It can have been sent until {moment(self.state.replacement_sent)}. Nothing was sent "
                f"now. Run the task again after {moment(until)}; with `deferrable=True` it waits by itself.",
                until=until,
            )
        self._change(replacement_sent=None)

    def keep(self, batches: Iterable[tuple[Action, int, int, str]]) -> list[Batch]:
        """Write the files of the batches: each an action, :attr:`Batch.retry`, the number of users, and their IDs."""
        folder = f"{BATCHES}/{self._newest + 1:012d}-{uuid.uuid4().hex[:8]}"

        def write(number: int, kind: Action, retry: int, users: int, ids: str) -> Batch:
            content = ids.encode()
            if content.count(b"\n") + 1 != users or b"\n\n" in b"\n" + content + b"\n":
                raise LedgerDamaged(
                    f"The ledger of {self.title} has user IDs that are not valid: a file of its state is damaged. "
                    f"Nothing was sent. {RESTORE}"
                )
            name = f"{folder}/{number:06d}-{kind}.txt"
            self._create(name, content)
            return Batch(name=name, kind=kind, retry=retry, users=users, sha256=digest_of(content))

        kept, writing = [], deque[Future[Batch]]()
        with ThreadPoolExecutor(1, thread_name_prefix="segments-batches") as writer:
            for number, batch in enumerate(batches, start=1):
                # A batch is written while the next is made; more would only need memory.
                kept += [writing.popleft().result() for _ in tuple(writing)]
                writing.append(writer.submit(write, number, *batch))
            kept += [last.result() for last in writing]
        return kept

    def begin(
        self,
        members: Members,
        batches: Sequence[Batch],
        *,
        accepted: str,
        replacement: str | None,
        replacing: bool,
        whole: bool = False,
        **plan: Any,
    ) -> None:
        """Write the intent: from now on these batches count as sent; see :class:`Intent` for ``accepted``.

        :param replacement: the run that requested the replacement, or None for another plan.
        :param replacing: the first request replaces all members.
        :param whole: each request writes the whole list of members.
        :param plan: its mode, digest and counts.
        :raises LedgerOvertaken: another run was faster.
        """
        # Of an approved plan, this run's own request counts: a retry does not repeat it.
        self._change(replacement=self.state.replacement or replacement, unknown=self.state.unknown and not replacing)
        self._lease_until = self.clock() + milliseconds(self._hold)
        intent = Intent(
            accepted=accepted,
            replacing=replacing,
            whole=whole,
            batches=tuple(batches),
            lease_until=self._lease_until,
            request_timeout=milliseconds(self.request_timeout),
        )
        self._write(members, intent=intent, **plan)

    def check(self) -> None:
        """Check that this run may send another request: its intent is the newest, and its lease is valid.

        :raises LedgerOvertaken: it may not.
        """
        own, now = self.head.generation, self.clock()
        if now >= self._lease_until:
            raise LedgerOvertaken(
                f"{self.title}: this worker's hold on the segment's ledger ended at {moment(self._lease_until)}, "
                f"before its next request at {moment(now)}: it was suspended, or a request took too long. Nothing "
                "further was sent. Run the task again."
            )
        if self._lease_until - now <= milliseconds(max(self.request_timeout, self._hold / 2)):
            self._lease_until = now + milliseconds(self._hold)
            ownership.renew(self.store, own, self._lease_until)
        now, running = self.clock(), self.running()
        if newest_generation(self.store) != own:
            raise LedgerOvertaken(
                f"{self.title}: another run took this segment over, so this one stopped. What it sent so far is "
                "accounted for by the other. Clear the newer run if this one should be repeated."
            )
        self._checked = now, running

    def check_try(self) -> None:
        """Check that a request may still be sent: other runs do not account for a later one.

        :raises LedgerOvertaken: it may not.
        """
        if self.is_late():
            raise LedgerOvertaken(
                f"{self.title}: a request was not sent within {self.request_timeout} of the check that this run "
                "still holds the segment: the worker was suspended, or tries and waits took too long. Nothing further "
                "was sent. Run the task again: it continues from there."
            )

    def is_late(self) -> bool:
        """Return whether the request time-out has passed since the last check, by either clock."""
        checked, running = self._checked
        passed = max(self.clock() - checked, self.running() - running)
        return passed > milliseconds(self.request_timeout)

    def note(self, kind: RequestKind, ids: Sequence[str]) -> None:
        """Record that a request can have been sent later than other runs account for."""
        note = Note(kind=kind, sent_at=self.clock(), ids=tuple(ids))
        name = f"{NOTES}/{self.head.generation:012d}-{uuid.uuid4().hex[:12]}.json"
        self._create(name, note.encoded)

    def acknowledge(self, kind: RequestKind, batch: Batch | None, **answer: Any) -> Acknowledgement:
        """Record the vendor's response to a request; see :class:`Acknowledgement`."""
        acknowledged = Acknowledgement(
            generation=self.head.generation,
            token=self.writer.token,
            kind=kind,
            batch=batch.name if batch else "",
            **answer,
        )
        name = batch.name.rpartition("/")[2].removesuffix(".txt") if batch else "empty"
        path = f"{acknowledgements(self.head.generation)}/{name}-{acknowledged.start:06d}.json"
        self._create(path, acknowledged.encoded)
        return acknowledged

    def release(self, *, replacing: bool) -> None:
        """Let other runs take the ledger over at once, if that can be written; this run sends no further request.

        :param replacing: whether a request that sets all members was sent, and its outcome is unknown.
        """
        with suppress(Exception):
            ownership.release(self.store, self.head.generation, Release(at=self.clock(), replacing=replacing))

    def commit(self, members: Members, *, as_of: int, replaced: bool = False, **plan: Any) -> None:
        """Write a generation without an intent, and delete old files.

        :param replaced: the pending replacement is done, as a difference.
        :param plan: its mode, digest and counts.
        :raises LedgerOvertaken: another run took over meanwhile.
        """
        if replaced:
            self._change(replaced=self.state.replacement, replacement=None, unknown=False)
        self._change(as_of=as_of, as_of_run=self.writer.run)
        self._write(members, **plan)
        try:
            retention.clean(self.store, self.head, before=self.clock() - milliseconds(self.timing.keep))
        except Exception as error:  # noqa: BLE001  # the members are in sync and recorded, whatever the store raises
            logger.warning(
                "Old files of the ledger of %s could not be deleted (%s). The next run tries again.",
                self.title,
                type(error).__name__,
            )

    def remember(self, members: Members) -> None:
        """Write a generation with what this run has read and looked up, so that a later try need not repeat that.

        It leaves open to which task the segment belongs, and whether this run's replacement is due: both are decided
        with the intent, and the plan may still be rejected.

        :raises LedgerOvertaken: another run took over meanwhile.
        """
        writer, requested = self.writer, self.state.replacement
        owner = self.head.manifest.writer.owner if self.head.manifest else ""
        self.writer = writer.model_copy(update={"owner": owner})
        self._change(replacement=self._due)
        try:
            self._write(members, **self._begun_plan)
        finally:
            self.writer = writer
            self._change(replacement=requested)

    def rewrite(self, members: Members, *, counts: dict[str, int]) -> None:
        """Write a generation that needs no file of an earlier one.

        :raises LedgerOvertaken: another run took over meanwhile.
        """
        self._opened = self.state.model_copy(update={"snapshot": None, "deltas": ()})
        members.dirty = True
        self._write(members, counts=counts)

    @property
    def _begun_plan(self) -> dict[str, Any]:
        """The accepted plan whose outcome is waited for: it can still be finished without an approval."""
        begun = self.head.manifest
        return {"mode": begun.mode, "counts": begun.counts} if begun and begun.unfinished else {}

    @property
    def _hold(self) -> timedelta:
        """The length of a lease: a batch must end within it, and most need no renewal."""
        return max(self.timing.lease, self.request_timeout + self.timing.lease / 3)

    def _change(self, **values: Any) -> None:
        self.state = self.state.model_copy(update=values)

    def _store_members(self, members: Members) -> None:
        """Write what has changed since the opening: users as a delta, or all as a new snapshot; all identities."""
        if members.identities.dirty:
            path, rows = members.identities.write()
            self._change(identities=self._put(path, rows))
            members.identities.dirty = False
        if not members.dirty:
            return
        opened = self._opened
        rows = members.changed + sum(part.rows for part in opened.deltas)
        most = LARGEST_DELTAS * (opened.snapshot.rows if opened.snapshot else 0)
        whole = opened.snapshot is None or len(opened.deltas) >= MOST_DELTAS or rows > most
        part = self._put(*members.write(whole=whole))
        self._change(**({"snapshot": part, "deltas": ()} if whole else {"deltas": (*opened.deltas, part)}))
        members.dirty = False

    def _put(self, path: Path, rows: int) -> DataFile:
        """Copy a file of the state into the ledger, under a name of the next generation."""
        name = f"{STATE}/{self._newest + 1:012d}-{uuid.uuid4().hex[:8]}-{path.name}"
        self.store.put(name, path)
        return DataFile(name=name, rows=rows, sha256=file_digest(path))

    def _write(self, members: Members, *, intent: Intent | None = None, **plan: Any) -> None:
        """Write a generation, and then the witness."""
        self.date_doubts(members)
        self._store_members(members)
        manifest = Manifest(
            folder=self.folder,
            name=text(self.name) if self.name else "",
            connection=text(self.connection) if self.connection else "",
            generation=self._newest + 1,
            writer=self.writer,
            written_at=self.clock(),
            previous=self.head.digest or None,
            state=self.state,
            intent=intent,
            **plan,
        )
        content = manifest.encoded
        if (
            self._is_witnessed(manifest.generation)
            or newest_generation(self.store) != self._listed
            or not self._create(manifest_name(manifest.generation), content)
            # The number may be free only because its manifest was deleted as old,
            or newest_generation(self.store) > manifest.generation
            # or because an older copy was restored between the first look and the creation.
            or self._is_witnessed(manifest.generation)
        ):
            raise LedgerOvertaken(
                f"{self.title}: another run changed this segment's ledger meanwhile, so this one stopped: its plan "
                "no longer holds. The other accounts for what it sent. Run the task again."
            )
        if self.head.is_new and self.writer.owner:
            self.store.delete(retention.FORGOTTEN_MARK)
        self.head, self._open_until = Head(manifest, digest_of(content)), None
        self._newest = self._listed = manifest.generation
        self.witness.write(Seen(manifest.generation, self.head.digest, self.state.as_of))

    def _is_witnessed(self, generation: int) -> bool:
        """Return whether another run wrote it: the ledger that this run opened was lost or restored since."""
        seen = self.witness.read()
        return seen is not None and seen.generation >= generation

    def _create(self, name: str, content: bytes) -> bool:
        """Create a file; an existing one may be our own, from a try whose response was lost."""
        return self.store.create(name, content) or self.store.read(name) == content

"""The ledger of one segment: opened, intended, acknowledged, committed; one run at a time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from airflow_segments_provider.errors import LedgerBusy, LedgerError
from airflow_segments_provider.members.ledger import state
from airflow_segments_provider.members.ledger.history import (
    History,
    acknowledgements,
    manifest_name,
    read_acknowledgements,
    read_history,
)
from airflow_segments_provider.members.ledger.manifest import (
    Acknowledgement,
    Batch,
    Commit,
    DataFile,
    Intent,
    Manifest,
    Writer,
    digest_of,
)
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.workspace import Workspace

# A snapshot is written anew when its deltas are many, or large beside it.
MOST_DELTAS = 20
LARGEST_DELTAS = 0.25


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def milliseconds(period: timedelta) -> int:
    """A period in milliseconds."""
    return period // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Timing:
    """How long things may take.

    :param settle_after: how long after it was sent a request may still be carried out.
    :param lease: for how long a run holds the ledger without a sign of life.
    :param skew: by how much two machines' clocks may differ.
    """

    settle_after: timedelta = timedelta(minutes=10)
    lease: timedelta = timedelta(minutes=15)
    skew: timedelta = timedelta(minutes=1)


@dataclass
class Ledger:
    """What was intended and what was acknowledged of one segment.

    :param folder: of the segment, below the ledger path; every manifest names it.
    :param writer: who writes.
    :param request_timeout: the longest that one batch may be under way.
    :param clock: milliseconds since 1970.
    """

    store: Store
    folder: str
    writer: Writer
    request_timeout: timedelta
    timing: Timing = Timing()
    clock: Callable[[], int] = now_ms
    history: History = field(default=History(), init=False)
    _lease_until: int = field(default=0, init=False)
    _leases: int = field(default=0, init=False)

    # Reading -------------------------------------------------------------------------------------------------------

    def open(self, workspace: Workspace, *, takeover: bool = False, witness: tuple[int, str] | None = None) -> None:
        """Read what is known into the workspace's table ``known``.

        :param takeover: let another DAG's task go on with this segment.
        :param witness: a generation and the digest of its manifest, as an earlier run told somebody else.
        :raises LedgerBusy: another run holds it.
        :raises LedgerError: it is damaged, lost, or another task's.
        """
        self.history = read_history(self.store, self.folder)
        self._check_witness(witness)
        self._check_owner(takeover)
        self._check_free()
        state.load(workspace, self.store, self.history.commit)
        for intent in self.history.open:
            self._fold_open(workspace, intent)

    def _fold_open(self, workspace: Workspace, intent: Manifest) -> None:
        """Account for an intent that was never committed."""
        if not isinstance(intent.body, Intent):
            raise AssertionError("only intents follow the newest commit")
        acknowledged = read_acknowledgements(self.store, intent)
        in_doubt = min(self.clock(), self._held_until(intent))
        for batch in intent.body.batches:
            if batch.kind == "override" and batch.name not in acknowledged:
                self._let_settle(in_doubt)
        self.fold(workspace, intent.body.batches, acknowledged, in_doubt=in_doubt)

    def fold(
        self, workspace: Workspace, batches: Sequence[Batch], acknowledged: dict[str, Acknowledgement], *, in_doubt: int
    ) -> None:
        """Change what is known by these batches; see :func:`~.state.fold`."""
        settle_after = milliseconds(self.timing.settle_after)
        state.fold(workspace, self.store, batches, acknowledged, in_doubt=in_doubt, settle_after=settle_after)

    def settle(self, workspace: Workspace) -> None:
        """Change what is known by that part of the plan which took no call; see :func:`~.state.settle`."""
        state.settle(workspace, acknowledged=self.clock(), settle_after=milliseconds(self.timing.settle_after))

    def _let_settle(self, in_doubt: int) -> None:
        """An override that may still be carried out would undo whatever is sent before it is."""
        until = in_doubt + milliseconds(self.timing.settle_after)
        if self.clock() < until:
            raise LedgerBusy(
                "An earlier run sent a request that makes the members exactly those it named, and its answer was lost. "
                f"Nothing was sent now. Run the task again after {_moment(until)}, when it can no longer be carried "
                "out late.",
                until=until,
            )

    def _check_witness(self, witness: tuple[int, str] | None) -> None:
        if witness is None:
            return
        generation, digest = witness
        content = self.store.read(manifest_name(generation)) if generation < self.history.generation else None
        same = self.history.digest if generation == self.history.generation else content and digest_of(content)
        if generation > self.history.generation or (same and same != digest):
            raise LedgerError(
                f"The ledger {self.folder} is not the one that an earlier run left (its generation {generation}): it "
                "was lost, emptied or replaced. Nothing was sent. Restore it from a backup; if there is none, `ledger "
                "forget` starts anew with a first sync."
            )

    def _check_owner(self, takeover: bool) -> None:
        newest = self.history.newest
        if newest and newest.writer.owner != self.writer.owner and not takeover:
            raise LedgerError(
                f"This segment is kept by the task {newest.writer.owner}, and this one is {self.writer.owner}: two "
                "would undo each other's work. Nothing was sent. Remove one of them, or set `takeover=True` here once."
            )

    def _check_free(self) -> None:
        newest = self.history.newest
        if newest is None or not isinstance(newest.body, Intent):
            return
        ours = newest.writer.run == self.writer.run and newest.writer.try_number <= self.writer.try_number
        until = self._held_until(newest) + milliseconds(self.request_timeout + self.timing.skew)
        if not ours and self.clock() < until:
            raise LedgerBusy(
                f"Run {newest.writer.run} is changing this segment, or died doing so. Nothing was sent. It can be "
                f"taken over from {_moment(until)} on.",
                until=until,
            )

    def _held_until(self, intent: Manifest) -> int:
        held = intent.body.lease_until if isinstance(intent.body, Intent) else 0
        renewals = self.store.names(_leases(intent.generation))
        return max([held, *(int(name.partition(".")[0]) for name in renewals)])

    # Writing -------------------------------------------------------------------------------------------------------

    def keep(self, batches: Iterable[tuple[str, list[str]]]) -> list[Batch]:
        """Write the files of the batches, each a kind and its ids; nothing counts yet."""
        kept, token = [], uuid.uuid4().hex[:8]
        for number, (kind, ids) in enumerate(batches, start=1):
            content = state.encode_batch(ids)
            name = f"batches/{self.history.generation + 1:012d}-{token}/{number:06d}-{kind}.gz"
            self._create(name, content)
            kept.append(Batch(name=name, kind=kind, users=len(ids), sha256=digest_of(content)))  # type: ignore[arg-type]
        return kept

    def begin(self, *, mode: str, digest: str, accepted: str, batches: list[Batch], counts: dict[str, int]) -> None:
        """Write the intent: from now on these batches count as sent.

        :raises LedgerError: another run was faster.
        """
        self._lease_until = self.clock() + milliseconds(self.timing.lease)
        body = Intent(
            mode=mode,
            digest=digest,
            accepted=accepted,
            batches=tuple(batches),
            lease_until=self._lease_until,
            counts=counts,
        )
        self._write(body)

    def check_held(self) -> None:
        """That this run may send another batch: nobody took over, and the lease outlasts the request.

        :raises LedgerError: it may not; nothing further must be sent.
        """
        if self.store.read(manifest_name(self.history.generation + 1)) is not None:
            raise LedgerError(
                "Another run took this segment over, so this one stopped. What it sent so far is accounted for by the "
                "other. Clear the newer run if this one should be repeated."
            )
        left = self._lease_until - self.clock()
        if left <= milliseconds(max(self.request_timeout, self.timing.lease / 2)):
            self._renew()

    def _renew(self) -> None:
        until = self.clock() + milliseconds(self.timing.lease)
        self._create(f"{_leases(self.history.generation)}/{until:015d}.json", b"")
        self._lease_until = until

    def acknowledge(self, batch: Batch, *, rejected: dict[str, str], in_doubt: int | None) -> Acknowledgement:
        """Write down that the vendor answered a batch."""
        acknowledged = Acknowledgement(
            generation=self.history.generation,
            batch=batch.name,
            sha256=batch.sha256,
            token=self.writer.token,
            acknowledged_at=self.clock(),
            in_doubt=in_doubt,
            rejected=rejected,
        )
        name = batch.name.rpartition("/")[2].removesuffix(".gz")
        self._create(
            f"{acknowledgements(self.history.generation)}/{name}.json", acknowledged.model_dump_json().encode()
        )
        return acknowledged

    def commit(
        self, workspace: Workspace, *, data_until: int | None, digest: str, counts: dict[str, int]
    ) -> tuple[int, str]:
        """Write what is known now as a generation of its own, if it is anything new.

        :return: the newest generation and its manifest's digest, for a witness.
        :raises LedgerError: another run took over meanwhile.
        """
        before = self.history.commit
        (changed,) = workspace.one("SELECT count(*) FROM changed")
        newer = data_until is not None and (before is None or (before.data_until or 0) < data_until)
        if before is not None and not changed and not newer:
            return self.history.generation, self.history.digest or ""
        snapshot, deltas = (before.snapshot, before.deltas) if before else (None, ())
        if changed or before is None:
            part, whole = self._write_state(workspace, before, changed)
            snapshot, deltas = (part, ()) if whole else (snapshot, (*deltas, part))
        return self._write(
            Commit(
                snapshot=snapshot,
                deltas=deltas,
                data_until=max(data_until or 0, (before and before.data_until) or 0) or None,
                digest=digest,
                counts=counts,
            )
        )

    def _write_state(self, workspace: Workspace, before: Commit | None, changed: int) -> tuple[DataFile, bool]:
        snapshot = before.snapshot.rows if before and before.snapshot else 0
        deltas = sum(part.rows for part in before.deltas) if before else 0
        crowded = before is not None and len(before.deltas) >= MOST_DELTAS
        whole = crowded or deltas + changed > LARGEST_DELTAS * snapshot
        path, rows = state.write(workspace, whole=whole)
        name = f"state/{self.history.generation + 1:012d}-{uuid.uuid4().hex[:8]}-{path.name}"
        self.store.put(name, path)
        return DataFile(name=name, rows=rows, sha256=state.file_digest(path)), whole

    def _write(self, body: Intent | Commit) -> tuple[int, str]:
        manifest = Manifest(
            folder=self.folder,
            generation=self.history.generation + 1,
            writer=self.writer,
            written_at=self.clock(),
            previous=self.history.digest,
            body=body,
        )
        content = manifest.encoded
        if not self._create(manifest_name(manifest.generation), content):
            raise LedgerError(
                "Another run changed this segment's ledger meanwhile, so this one stopped: its plan is no longer true. "
                "Run the task again."
            )
        if isinstance(body, Commit):
            self.history = History(manifest, manifest, (), digest_of(content))
        else:
            self.history = History(manifest, self.history.committed, (*self.history.open, manifest), digest_of(content))
        return manifest.generation, digest_of(content)

    def _create(self, name: str, content: bytes) -> bool:
        """Create; what is there may be our own, from a try whose answer was lost."""
        return self.store.create(name, content) or self.store.read(name) == content


def _leases(generation: int) -> str:
    return f"leases/{generation:012d}"


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")

"""The ledger of one segment: opened, intended, acknowledged, committed; one run at a time."""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.members.ledger import claim, lease, retention, state
from airflow_segments_provider.members.ledger.history import (
    History,
    acknowledgements,
    manifest_name,
    newest_generation,
    read_acknowledgements,
    read_history,
)
from airflow_segments_provider.members.ledger.manifest import (
    Acknowledgement,
    Batch,
    BatchKind,
    Commit,
    DataFile,
    Intent,
    Manifest,
    Writer,
    digest_of,
    parse_manifest,
)
from airflow_segments_provider.members.ledger.store import Store
from airflow_segments_provider.members.ledger.timing import Timing, milliseconds, now_ms
from airflow_segments_provider.members.workspace import Workspace

__all__ = ["Ledger", "Timing", "milliseconds", "now_ms"]

# A snapshot is written anew when its deltas are many, or large beside it.
MOST_DELTAS = 20
LARGEST_DELTAS = 0.25

OVERTAKEN = (
    "Another run changed this segment's ledger meanwhile, so this one stopped: its plan is no longer true. Run the "
    "task again."
)

logger = logging.getLogger(__name__)


@dataclass
class Ledger:
    """What was intended and what was acknowledged of one segment.

    :param folder: of the segment, below the ledger path; every manifest names it.
    :param writer: who writes.
    :param request_timeout: the longest that one batch may be under way.
    :param witness: a generation and the digest of its manifest, as an earlier run told somebody else.
    :param clock: milliseconds since 1970.
    """

    store: Store
    folder: str
    writer: Writer
    request_timeout: timedelta
    timing: Timing = field(default=Timing())
    witness: tuple[int, str] | None = None
    clock: Callable[[], int] = now_ms
    history: History = field(default=History(), init=False)
    _lease_until: int = field(default=0, init=False)

    # Reading -------------------------------------------------------------------------------------------------------

    def open(self, workspace: Workspace, *, takeover: bool = False) -> None:
        """Read what is known into the workspace's table ``known``.

        :param takeover: let another DAG's task go on with this segment.
        :raises LedgerBusy: another run holds it.
        :raises LedgerError: it is damaged, lost, or another task's.
        """
        self.history = read_history(self.store, self.folder)
        claim.check_witness(self.store, self.folder, self.history, self.witness)
        if not takeover:
            claim.check_owner(self.history, self.writer)
        self.check_free()
        state.load(workspace, self.store, self.history.commit)
        for intent in self.history.open:
            self._fold_open(workspace, intent)

    def look(self, workspace: Workspace) -> None:
        """As :meth:`open`, but only to look: whoever holds it or keeps the segment.

        :raises LedgerError: it is damaged.
        """
        self.history = read_history(self.store, self.folder)
        state.load(workspace, self.store, self.history.commit)
        for intent in self.history.open:
            self.fold(
                workspace,
                _batches(intent),
                read_acknowledgements(self.store, intent),
                in_doubt=self._in_doubt(intent),
            )

    def _fold_open(self, workspace: Workspace, intent: Manifest) -> None:
        """Account for an intent that was never committed."""
        acknowledged, in_doubt = read_acknowledgements(self.store, intent), self._in_doubt(intent)
        for batch in _batches(intent):
            if batch.kind == "override" and batch.name not in acknowledged:
                claim.check_settled(self.clock(), in_doubt + milliseconds(self.timing.settle_after))
        self.fold(workspace, _batches(intent), acknowledged, in_doubt=in_doubt)

    def _in_doubt(self, intent: Manifest) -> int:
        """When a batch of an intent that was not acknowledged may have been sent last."""
        return min(self.clock(), lease.held_until(self.store, intent))

    def fold(
        self,
        workspace: Workspace,
        batches: Sequence[Batch],
        acknowledged: dict[str, Acknowledgement],
        *,
        in_doubt: int,
        touched: bool = False,
    ) -> None:
        """Change what is known by these batches; see :func:`~.state.fold`.

        :param touched: the workspace's table of that name has their ids, and nobody will ask if they were begun.
        """
        if not touched:
            state.touch(workspace, self.store, batches)
        settle_after = milliseconds(self.timing.settle_after)
        state.fold(workspace, batches, acknowledged, in_doubt=in_doubt, settle_after=settle_after)

    def settle(self, workspace: Workspace) -> None:
        """Change what is known by that part of the plan which took no call; see :func:`~.state.settle`."""
        state.settle(workspace, acknowledged=self.clock(), settle_after=milliseconds(self.timing.settle_after))

    def check_free(self) -> None:
        """That no other run is at work on the ledger.

        :raises LedgerBusy: one is, or died less than a lease ago.
        """
        margin = milliseconds(self.request_timeout + self.timing.skew)
        lease.check_free(self.store, self.history.newest, self.writer, now=self.clock(), margin=margin)

    # Writing -------------------------------------------------------------------------------------------------------

    def keep(self, batches: Iterable[tuple[BatchKind, int, str]]) -> list[Batch]:
        """Write the files of the batches, each a kind, a number of users, and their ids; nothing counts yet."""
        folder = f"{retention.BATCHES}/{self.history.generation + 1:012d}-{uuid.uuid4().hex[:8]}"

        def write(number: int, kind: BatchKind, users: int, ids: str) -> Batch:
            content = ids.encode()
            name = f"{folder}/{number:06d}-{kind}.txt"
            self._create(name, content)
            return Batch(name=name, kind=kind, users=users, sha256=digest_of(content))

        kept, writing = [], deque[Future[Batch]]()
        with ThreadPoolExecutor(1, thread_name_prefix="segments-batches") as writer:
            for number, batch in enumerate(batches, start=1):
                # One is written while the next is made; a further one would only take memory.
                kept += [writing.popleft().result() for _ in tuple(writing)]
                writing.append(writer.submit(write, number, *batch))
            kept += [last.result() for last in writing]
        return kept

    def begin(self, *, mode: str, digest: str, accepted: str, batches: list[Batch], counts: dict[str, int]) -> None:
        """Write the intent: from now on these batches count as sent.

        :raises LedgerError: another run was faster.
        """
        self._lease_until = self.clock() + milliseconds(self._hold)
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
        own = self.history.generation
        # The other may have committed, and deleted what led there: ours first, its own intent then.
        if self.store.read(manifest_name(own + 1)) is not None or self.store.read(manifest_name(own)) is None:
            raise LedgerError(
                "Another run took this segment over, so this one stopped. What it sent so far is accounted for by the "
                "other. Clear the newer run if this one should be repeated."
            )
        left = self._lease_until - self.clock()
        if left <= milliseconds(max(self.request_timeout, self._hold / 2)):
            self._lease_until = self.clock() + milliseconds(self._hold)
            lease.renew(self.store, own, self._lease_until)

    @property
    def _hold(self) -> timedelta:
        """For how long the ledger is held at a time: a batch must end within it, and most need no renewal."""
        return max(self.timing.lease, self.request_timeout + self.timing.lease / 3)

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
        name = batch.name.rpartition("/")[2].removesuffix(".txt")
        self._create(
            f"{acknowledgements(self.history.generation)}/{name}.json", acknowledged.model_dump_json().encode()
        )
        return acknowledged

    def commit(
        self, workspace: Workspace, *, data_until: int | None, digest: str, counts: dict[str, int]
    ) -> tuple[int, str]:
        """Write what is known now as a generation of its own, if it is anything new, and delete what is old.

        :return: the newest generation and its manifest's digest, for a witness.
        :raises LedgerError: another run took over meanwhile.
        """
        witness = self._commit(workspace, data_until, digest, counts)
        try:
            retention.clean(self.store, self.history, before=self.clock() - milliseconds(self.timing.keep))
        except Exception as error:  # noqa: BLE001  # whatever a store raises: the members are in sync, and written down
            logger.warning(
                "Old files of the ledger %s could not be deleted (%s). The next run tries again.",
                self.folder,
                type(error).__name__,
            )
        return witness

    def rewrite(self, workspace: Workspace, *, counts: dict[str, int]) -> tuple[int, str]:
        """Write all that is known now as a generation of its own that needs no file of an earlier one.

        :raises LedgerError: another run took over meanwhile.
        """
        before = self.history.commit
        return self._write(
            Commit(
                snapshot=self._write_state(workspace, whole=True),
                deltas=(),
                data_until=before.data_until if before else None,
                digest="",
                counts=counts,
                changed_in=before.changed_in if before else self.history.generation + 1,
                changed_at=before.changed_at if before else self.clock(),
            )
        )

    def _commit(
        self, workspace: Workspace, data_until: int | None, digest: str, counts: dict[str, int]
    ) -> tuple[int, str]:
        before = self.history.commit
        (changed,) = workspace.one("SELECT count(*) FROM changed")
        newer = data_until is not None and (before is None or (before.data_until or 0) < data_until)
        if before is not None and not changed and not newer:
            return self.history.generation, self.history.digest or ""
        snapshot, deltas = (before.snapshot, before.deltas) if before else (None, ())
        last = before
        if changed or before is None:
            last = None
            whole = before is None or _crowded(before, changed)
            part = self._write_state(workspace, whole=whole)
            snapshot, deltas = (part, ()) if whole else (snapshot, (*deltas, part))
        return self._write(
            Commit(
                snapshot=snapshot,
                deltas=deltas,
                data_until=max(data_until or 0, (before and before.data_until) or 0) or None,
                digest=digest,
                counts=counts,
                changed_in=last.changed_in if last else self.history.generation + 1,
                changed_at=last.changed_at if last else self.clock(),
            )
        )

    def _write_state(self, workspace: Workspace, *, whole: bool) -> DataFile:
        path, rows = state.write(workspace, whole=whole)
        name = f"{retention.STATE}/{self.history.generation + 1:012d}-{uuid.uuid4().hex[:8]}-{path.name}"
        self.store.put(name, path)
        return DataFile(name=name, rows=rows, sha256=state.file_digest(path))

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
            raise LedgerError(OVERTAKEN)
        self._check_follows(manifest.generation, digest_of(content))
        if isinstance(body, Commit):
            self.history = History(manifest, manifest, (), digest_of(content))
        else:
            self.history = History(manifest, self.history.committed, (*self.history.open, manifest), digest_of(content))
        return manifest.generation, digest_of(content)

    def _check_follows(self, generation: int, digest: str) -> None:
        """That the manifest just written was not there before, and deleted as old since.

        :raises LedgerError: it was: others have gone on from another one.
        """
        if newest_generation(self.store) <= generation:
            return
        follower = self.store.read(manifest_name(generation + 1))
        if follower is None or parse_manifest(follower, "", self.folder).previous != digest:
            self.store.delete(manifest_name(generation))
            raise LedgerError(OVERTAKEN)

    def _create(self, name: str, content: bytes) -> bool:
        """Create; what is there may be our own, from a try whose answer was lost."""
        return self.store.create(name, content) or self.store.read(name) == content


def _crowded(commit: Commit, changed: int) -> bool:
    """Whether so much more makes a new snapshot worth its while."""
    rows = commit.snapshot.rows if commit.snapshot else 0
    deltas = sum(part.rows for part in commit.deltas)
    return len(commit.deltas) >= MOST_DELTAS or deltas + changed > LARGEST_DELTAS * rows


def _batches(intent: Manifest) -> tuple[Batch, ...]:
    if not isinstance(intent.body, Intent):
        raise AssertionError("only intents follow the newest commit")
    return intent.body.batches

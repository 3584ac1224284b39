"""The contents of a ledger's files. A manifest describes the whole state, so only the newest counts.

A generation is an intent (requests are about to be sent) or a commit. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_segments_provider.errors import LedgerDamaged, LedgerError
from airflow_segments_provider.sync.ledger.names import (
    BATCH_FILE,
    LATEST,
    STATE_FILE,
    Count,
    Counts,
    Generation,
    Moment,
    NoteName,
    Owner,
    Period,
    PlanDigest,
    Run,
    SegmentFolder,
    Sha256,
    Text,
    Token,
    UserId,
)
from airflow_segments_provider.sync.target import segment_title

FORMAT: Literal[4] = 4

# How to continue without a readable ledger.
RESTORE = (
    "Restore the ledger's folder from a backup, or set `replace=True` for one run: it makes the members exactly those "
    "of the source, without the ledger."
)

Action = Literal["add", "remove"]
RequestKind = Literal["add", "remove", "replace"]
BatchName = Annotated[str, Field(pattern=f"^{BATCH_FILE}$")]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class File(_Part):
    """A file with a checksum.

    :param sha256: of all other values.
    """

    sha256: str = ""

    @property
    def encoded(self) -> bytes:
        """Return the content of the file."""
        return self.model_copy(update={"sha256": self.checksum()}).model_dump_json(indent=1).encode()

    @classmethod
    def decode(cls, content: bytes) -> Self:
        """Read the content of a file.

        :raises ValueError: it is damaged, or was changed.
        """
        read = cls.model_validate_json(content)
        if read.sha256 != read.checksum():
            raise ValueError("not what was written")
        return read

    def checksum(self) -> str:
        """Return the SHA-256 of all other values."""
        return digest_of(self.model_dump_json(exclude={"sha256"}).encode())


class Writer(_Part):
    """The try of a task instance that wrote a generation.

    :param token: random; identifies our own files after a lost answer.
    :param owner: the DAG and task that may change this segment.
    :param run: the task instance, ``dag/run/task/map index``: a later try of it may take over at once.
    """

    token: Token
    owner: Owner
    run: Run
    try_number: Count = 1


class Batch(_Part):
    """The IDs of one request, in a file with a line for each.

    :param retry: for IDs that the vendor rejected before, the size of the first request; else 0.
    """

    name: BatchName
    kind: Action
    retry: Count = 0
    users: Count
    sha256: Sha256


class DataFile(_Part):
    """A Parquet file with a part of the state."""

    name: Annotated[str, Field(pattern=f"^{STATE_FILE}$")]
    rows: Annotated[int, Field(ge=0, le=LATEST)]
    sha256: Sha256


class State(_Part):
    """The state of the users, a snapshot with deltas on top of it, oldest first; and of the segment.

    :param identities: the vendor's IDs of users by their identity, where a source has no IDs.
    :param as_of: the time that the committed data represents, and ``as_of_run`` the run that committed it.
    :param replacement: the run that requested the pending replacement, or None; ``replaced``: the last one done.
    :param replacement_sent: the latest time at which a request of unknown outcome that sets all members can have been
        sent.
    :param unknown: the ledger was lost, so the members are unknown until a replacement is acknowledged.
    :param notes: the notes of late requests that the state accounts for.
    :param changed_in: the generation in which members were last changed, 0 for none; ``changed_at``: when.
    """

    snapshot: DataFile | None = None
    deltas: tuple[DataFile, ...] = ()
    identities: DataFile | None = None
    as_of: Moment | None = None
    as_of_run: Run = ""
    replacement: Run | None = None
    replaced: Run | None = None
    replacement_sent: Moment | None = None
    unknown: bool = False
    notes: tuple[NoteName, ...] = ()
    changed_in: Generation = 0
    changed_at: Moment | None = None

    @property
    def files(self) -> tuple[DataFile, ...]:
        """The files with the state of the users."""
        return (*([self.snapshot] if self.snapshot else []), *self.deltas)

    @property
    def names(self) -> set[str]:
        """The names of all its files."""
        return {part.name for part in (*self.files, *([self.identities] if self.identities else []))}


class Intent(_Part):
    """The requests that are about to be sent.

    :param accepted: ``limits`` for a plan within them, or the digest of the approved plan.
    :param replacing: the first request replaces all members.
    :param whole: each request writes the whole list of members.
    :param request_timeout: how long after its check a request may be sent, in milliseconds.
    """

    accepted: Literal["limits"] | PlanDigest
    replacing: bool
    whole: bool = False
    batches: tuple[Batch, ...]
    lease_until: Moment
    request_timeout: Period = 0


class Manifest(File):
    """One generation.

    :param name: of the segment, and the ID of the Airflow ``connection``: for messages only.
    :param previous: the SHA-256 of the manifest that it follows.
    :param state: before the requests of the intent.
    :param intent: None for a commit.
    :param counts: those of the plan.
    """

    format: Literal[4] = FORMAT
    folder: SegmentFolder
    name: Literal[""] | Text = ""
    connection: Literal[""] | Text = ""
    generation: Annotated[Generation, Field(ge=1)]
    writer: Writer
    written_at: Moment
    previous: Sha256 | None
    state: State
    intent: Intent | None = None
    mode: Literal["", "mirror", "add", "remove"] = ""
    digest: Literal[""] | PlanDigest = ""
    counts: Counts = Field(default_factory=dict)

    @property
    def title(self) -> str:
        """How messages name the segment."""
        return folder_title(self.folder, self.name, self.connection)

    @property
    def unfinished(self) -> bool:
        """Whether it begins an accepted plan, or waits for its outcome: a commit has the counts of the outcome too."""
        return bool(self.mode) and "applied" not in self.counts


class Acknowledgement(File):
    """The vendor's answer to a request for some consecutive IDs of a batch.

    :param batch: its file; empty for the request that leaves a segment without members.
    :param start: the first of its lines, from 0, and ``users`` their number.
    :param sent_at: the earliest time at which the last try can have been sent.
    :param in_doubt: the latest time at which a try of unknown outcome can have been sent, or None.
    :param refused: the vendor rejected the request as a whole, for this reason.
    :param rejected: the IDs that it rejected in a request that it accepted, with its reason.
    """

    generation: Generation
    token: Token
    kind: RequestKind
    batch: Literal[""] | BatchName
    start: Count = 0
    users: Count
    sent_at: Moment
    in_doubt: Moment | None = None
    refused: Text | None = None
    rejected: dict[UserId, Text] = Field(default_factory=dict, repr=False)


class Release(File):
    """The end of a run that did not commit its intent, and sends nothing further.

    :param replacing: whether a request that sets all members was sent, and its outcome is unknown.
    """

    at: Moment
    replacing: bool


class Note(File):
    """A request that can have been sent later than other runs account for: at ``sent_at`` at the latest."""

    kind: RequestKind
    sent_at: Moment
    ids: tuple[UserId, ...] = Field(repr=False)


def parse_manifest(content: bytes, name: str, folder: str) -> Manifest:
    """Read a manifest as it was stored.

    :raises LedgerDamaged: it is damaged.
    :raises LedgerError: it is from another version, or of another segment.
    """
    try:
        manifest = Manifest.decode(content)
    except ValueError as error:
        details = error.errors() if isinstance(error, ValidationError) else []
        if any(detail["loc"] == ("format",) for detail in details):
            raise LedgerError(
                f"{name} was written by another version of this package. Nothing was sent. Use that version here."
            ) from None
        raise LedgerDamaged(f"{name} is damaged. Nothing was sent. {RESTORE}") from None
    if manifest.folder != folder:
        raise LedgerError(
            f"{name} is of another segment ({manifest.folder}): the folder was copied or renamed. Nothing was sent. "
            "Give each segment its own folder below the ledger path."
        )
    return manifest


def folder_title(folder: str, name: str, connection: str) -> str:
    """Return how messages name the segment of a ledger: by its folder where the name is not known."""
    vendor, _, rest = folder.partition("/")
    return segment_title(vendor, rest, name, connection) if name else folder


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a content."""
    return hashlib.sha256(content).hexdigest()

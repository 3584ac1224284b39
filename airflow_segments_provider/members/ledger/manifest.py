"""The manifests of a ledger: what was intended, and what came of it, one file a generation.

A generation is an intent or a commit. What the ledger vouches for is the state of the newest commit, changed by every
intent after it and what of each was acknowledged. Times are milliseconds since 1970, UTC.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from airflow_segments_provider.errors import LedgerError

FORMAT: Literal[1] = 1

# The way out of a ledger that cannot be read.
RESTORE = (
    "Restore the ledger's folder from a backup; if there is none, `python -m airflow_segments_provider ledger forget` "
    "starts anew with a first sync."
)

BatchKind = Literal["add", "again", "override", "remove"]
Count = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Writer(_Part):
    """Who wrote it.

    :param token: made for one run of one task; tells our own from another's after a lost answer.
    :param owner: the DAG and task that keep this segment.
    :param run: the task instance: a later try of it may take over at once.
    """

    token: str
    owner: str
    run: str
    try_number: int = 1


class Batch(_Part):
    """The ids of one request, in a file of their own: a line each.

    :param sha256: of the file.
    """

    name: str
    kind: BatchKind
    users: Count
    sha256: str


class DataFile(_Part):
    """A Parquet file with a part of the state."""

    name: str
    rows: Count
    sha256: str


class Intent(_Part):
    """What is about to be sent.

    :param accepted: why it may be: ``limits``, or the digest of the plan that somebody approved.
    """

    mode: str
    digest: str
    accepted: str
    batches: tuple[Batch, ...]
    lease_until: int
    counts: dict[str, int]


class Commit(_Part):
    """What the ledger vouches for from now on: a snapshot with the deltas on top of it, oldest first.

    :param data_until: the end of the data interval that it shows.
    :param changed_in: the generation in which what is known of anybody last changed: later ones showed newer data.
    :param changed_at: when that was.
    """

    snapshot: DataFile | None
    deltas: tuple[DataFile, ...]
    data_until: int | None
    digest: str
    counts: dict[str, int]
    changed_in: int
    changed_at: int

    @property
    def files(self) -> tuple[DataFile, ...]:
        """All files of it."""
        return (*([self.snapshot] if self.snapshot else []), *self.deltas)


class Manifest(_Part):
    """One generation.

    :param previous: the SHA-256 of the manifest before, so that one which was changed or lost shows.
    """

    format: Literal[1] = FORMAT
    folder: str
    generation: Annotated[int, Field(ge=1)]
    writer: Writer
    written_at: int
    previous: str | None
    body: Annotated[Intent | Commit, Field(union_mode="left_to_right")]

    @property
    def encoded(self) -> bytes:
        """As it is stored."""
        return self.model_dump_json(indent=1).encode()


class Acknowledgement(_Part):
    """That the vendor answered a batch.

    :param in_doubt: when a try of it was last sent whose answer was lost, or None.
    """

    generation: int
    batch: str
    sha256: str
    token: str
    acknowledged_at: int
    in_doubt: int | None = None
    rejected: dict[str, str] = Field(default_factory=dict, repr=False)


def parse_manifest(content: bytes, name: str, folder: str) -> Manifest:
    """A manifest as it was stored.

    :raises LedgerError: it is damaged, from a newer version, or of another segment.
    """
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        if any(detail["loc"] == ("format",) for detail in error.errors()):
            raise LedgerError(
                f"{name} was written by a newer version of this package. Nothing was sent. Update the package here."
            ) from None
        raise LedgerError(f"{name} is damaged. Nothing was sent. {RESTORE}") from None
    if manifest.folder != folder:
        raise LedgerError(
            f"{name} is of another segment ({manifest.folder}): the folder was copied or renamed. Nothing was sent. "
            "Give each segment its own folder below the ledger path."
        )
    return manifest


def digest_of(content: bytes) -> str:
    """The SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()

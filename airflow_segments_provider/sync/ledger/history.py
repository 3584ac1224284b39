"""Reads the newest manifest of a ledger, its acknowledgements, and the notes of late requests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from airflow_segments_provider.errors import LedgerDamaged
from airflow_segments_provider.sync.ledger.manifest import (
    RESTORE,
    Acknowledgement,
    Batch,
    Intent,
    Manifest,
    Note,
    State,
    digest_of,
    parse_manifest,
)
from airflow_segments_provider.sync.ledger.names import ACKNOWLEDGED, ACKNOWLEDGEMENT, GENERATION, GENERATIONS, NOTES
from airflow_segments_provider.sync.ledger.store import Store, named

_NUMBERED = re.compile("[0-9]{12}")


def manifest_name(generation: int) -> str:
    """Return the file of a generation; sorts as the generations do."""
    return f"{GENERATIONS}/{generation:012d}.json"


def generation_of(name: str) -> int | None:
    """Return the generation in the name of a file or folder; None where it has none."""
    found = _NUMBERED.match(name)
    return int(found.group()) if found else None


@dataclass(frozen=True)
class Head:
    """The newest generation of a ledger.

    :param manifest: None for a new ledger.
    :param digest: the SHA-256 of the manifest.
    """

    manifest: Manifest | None = None
    digest: str = ""

    @property
    def generation(self) -> int:
        """Its number; 0 for a new ledger."""
        return self.manifest.generation if self.manifest else 0

    @property
    def is_new(self) -> bool:
        """Whether no run has begun yet. The generation of an erasure or of look-ups before that has no owner."""
        return self.manifest is None or not self.manifest.writer.owner

    @property
    def state(self) -> State:
        """Its state; empty for a new ledger."""
        return self.manifest.state if self.manifest else State()

    @property
    def intent(self) -> Intent | None:
        """The requests that were begun and not committed, if any."""
        return self.manifest.intent if self.manifest else None


def read_head(store: Store, folder: str) -> Head:
    """Read the newest manifest.

    :raises LedgerDamaged: it is damaged.
    :raises LedgerError: it is of another segment, or cannot be read.
    """
    while generation := newest_generation(store):
        name = manifest_name(generation)
        content = store.read(name)
        if content is None:
            if newest_generation(store) > generation:  # another run committed meanwhile, and deleted this one
                continue
            raise LedgerDamaged(f"{name} of {folder} cannot be read. Nothing was sent. {RESTORE}")
        manifest = parse_manifest(content, name, folder)
        if manifest.generation != generation:
            raise LedgerDamaged(f"{name} of {folder} is not the one that was written. Nothing was sent. {RESTORE}")
        return Head(manifest, digest_of(content))
    return Head()


def newest_generation(store: Store) -> int:
    """Return the number of the newest manifest; 0 for a new ledger."""
    return max(generations(store), default=0)


def generations(store: Store) -> list[int]:
    """Return the generations that have a manifest, oldest first."""
    return sorted(generation_of(name) or 0 for name in named(store, GENERATIONS, GENERATION))


def read_acknowledgements(store: Store, manifest: Manifest) -> list[Acknowledgement]:
    """Read the acknowledgements of an intent, in the order of sending.

    :raises LedgerDamaged: one is damaged, overlaps another, or is not about users of the intent.
    """
    folder = acknowledgements(manifest.generation)
    batches = {batch.name: batch for batch in (manifest.intent.batches if manifest.intent else ())}
    ends, found = dict[str, int](), list[Acknowledgement]()
    for name in named(store, folder, ACKNOWLEDGEMENT):
        content = store.read(f"{folder}/{name}")
        if content is None:
            continue
        try:
            acknowledged = Acknowledgement.decode(content)
            if acknowledged.token != manifest.writer.token:
                continue
            _check_place(acknowledged, manifest.generation, batches, ends.get(acknowledged.batch, 0))
        except ValueError:
            raise LedgerDamaged(
                f"{folder}/{name} of {manifest.folder} is damaged. Nothing was sent. Delete that file: its batch is "
                "then sent again, which changes nothing."
            ) from None
        ends[acknowledged.batch] = acknowledged.start + acknowledged.users
        found.append(acknowledged)
    return found


def _check_place(acknowledged: Acknowledgement, generation: int, batches: Mapping[str, Batch], earlier: int) -> None:
    """Check that an acknowledgement is about users of the intent, after those of earlier ones.

    :raises ValueError: it is not.
    """
    batch = batches.get(acknowledged.batch)
    kinds = {batch.kind} if batch else set[str]()
    if batch is None or batch.kind == "add":
        kinds |= {"replace"}
    if acknowledged.generation != generation or acknowledged.kind not in kinds:
        raise ValueError("of another intent")
    if not earlier <= acknowledged.start <= acknowledged.start + acknowledged.users <= (batch.users if batch else 0):
        raise ValueError("of other users")
    if len(acknowledged.rejected) > acknowledged.users:
        raise ValueError("more users than were sent")


def acknowledgements(generation: int) -> str:
    """Return the folder of a generation's acknowledgements."""
    return f"{ACKNOWLEDGED}/{generation:012d}"


def read_note(store: Store, name: str, folder: str) -> Note | None:
    """Read a note; None where it was deleted meanwhile.

    :raises LedgerDamaged: it is damaged.
    """
    content = store.read(f"{NOTES}/{name}")
    if content is None:
        return None
    try:
        return Note.decode(content)
    except ValueError:
        raise LedgerDamaged(
            f"{NOTES}/{name} of {folder} is damaged, so the users of a late request are unknown. Nothing was sent. "
            f"{RESTORE}"
        ) from None

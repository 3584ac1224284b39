"""Reads a ledger's manifests: the newest commit, and every intent since."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.members.ledger.manifest import (
    RESTORE,
    Acknowledgement,
    Commit,
    Intent,
    Manifest,
    digest_of,
    parse_manifest,
)
from airflow_segments_provider.members.ledger.store import Store

GENERATIONS = "generations"
ACKNOWLEDGED = "acknowledged"

_NUMBERED = re.compile("[0-9]{12}")


def manifest_name(generation: int) -> str:
    """The file of a generation; sorts as the generations do."""
    return f"{GENERATIONS}/{generation:012d}.json"


def generation_of(name: str) -> int | None:
    """The generation that a file or folder belongs to by its name; None for one that is not ours."""
    found = _NUMBERED.match(name)
    return int(found.group()) if found else None


@dataclass(frozen=True)
class History:
    """What the manifests say.

    :param newest: the newest of all, None for a new ledger.
    :param committed: the newest that is a commit.
    :param open: the intents after it, oldest first.
    :param witness: the newest generation and the SHA-256 of its manifest.
    """

    newest: Manifest | None = None
    committed: Manifest | None = None
    open: tuple[Manifest, ...] = ()
    digest: str | None = None

    @property
    def generation(self) -> int:
        """The newest generation; 0 for a new ledger."""
        return self.newest.generation if self.newest else 0

    @property
    def commit(self) -> Commit | None:
        """What was committed last."""
        body = self.committed.body if self.committed else None
        return body if isinstance(body, Commit) else None


def read_history(store: Store, folder: str) -> History:
    """Read back to the newest commit, and check that each manifest follows from the one before.

    :raises LedgerError: one is damaged, foreign or missing.
    """
    last = newest_generation(store)
    open_intents: list[Manifest] = []
    newest: Manifest | None = None
    digest = expected = None
    for generation in range(last, 0, -1):
        name = manifest_name(generation)
        content = store.read(name)
        if content is None:
            if newest_generation(store) > last:  # another run committed meanwhile, and deleted what came before
                return read_history(store, folder)
            raise LedgerError(f"{name} of {folder} is missing between others. Nothing was sent. {RESTORE}")
        manifest = parse_manifest(content, name, folder)
        if manifest.generation != generation or (expected is not None and digest_of(content) != expected):
            raise LedgerError(f"{name} of {folder} is not the one that was written. Nothing was sent. {RESTORE}")
        newest, digest, expected = newest or manifest, digest or digest_of(content), manifest.previous
        if isinstance(manifest.body, Commit):
            return History(newest, manifest, tuple(reversed(open_intents)), digest)
        open_intents.append(manifest)
    return History(newest, None, tuple(reversed(open_intents)), digest)


def newest_generation(store: Store) -> int:
    """The number of the newest manifest, from a listing of now; 0 for a new ledger."""
    return max((generation_of(name) or 0 for name in store.names(GENERATIONS)), default=0)


def read_acknowledgements(store: Store, intent: Manifest) -> dict[str, Acknowledgement]:
    """What was acknowledged of an intent, by batch."""
    if not isinstance(intent.body, Intent):
        raise AssertionError("only an intent is acknowledged")
    wanted = {batch.name: batch.sha256 for batch in intent.body.batches}
    found = {}
    folder = acknowledgements(intent.generation)
    for name in store.names(folder):
        content = store.read(f"{folder}/{name}")
        if content is None:
            continue
        try:
            acknowledged = Acknowledgement.model_validate_json(content)
        except ValueError:
            raise LedgerError(
                f"{folder}/{name} of {intent.folder} is damaged. Nothing was sent. Delete that file: its batch is then "
                "sent once more, which changes nothing."
            ) from None
        if wanted.get(acknowledged.batch) == acknowledged.sha256:
            found[acknowledged.batch] = acknowledged
    return found


def acknowledgements(generation: int) -> str:
    """The folder of a generation's acknowledgements."""
    return f"{ACKNOWLEDGED}/{generation:012d}"

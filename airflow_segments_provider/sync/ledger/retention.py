"""The deletion of generations before the newest commit, and of their files.

A worker may be killed at any time: the files of a generation are deleted before its manifest, so the next run
continues. The files are not needed again, so two runs may delete them at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_segments_provider.sync.ledger.history import Head, generation_of, generations, manifest_name
from airflow_segments_provider.sync.ledger.manifest import Manifest, State, parse_manifest
from airflow_segments_provider.sync.ledger.names import (
    ACKNOWLEDGED,
    APPROVALS,
    BATCHES,
    FORGOTTEN,
    GENERATIONS,
    LEASES,
    NOTES,
    PLANS,
    REPORTS,
    STATE,
)
from airflow_segments_provider.sync.ledger.store import Store

REPLACED = (STATE, BATCHES, PLANS, APPROVALS, REPORTS, ACKNOWLEDGED, LEASES)
FORGOTTEN_MARK = f"{FORGOTTEN}/{0:012d}.json"


def clean(store: Store, head: Head, *, before: int) -> None:
    """Delete old generations, their files, and used approvals; without old ones, this takes two listings and one read.

    :param head: a commit.
    :param before: milliseconds since 1970: what was written until then is old.
    """
    newest = head.manifest
    if newest is None:
        return
    _delete_named(store, APPROVALS, below=newest.generation)
    earlier = [number for number in generations(store) if number < newest.generation]
    old = []
    for number in earlier:
        manifest = _read(store, newest.folder, number)
        if manifest is not None:
            if manifest.written_at > before:
                break
            old.append(number)
    if old:
        kept = [number for number in earlier if number > old[-1]] + [newest.generation]
        first = _read(store, newest.folder, kept[0])
        needed = newest.state.names | (first.state.names if first else set())
        _delete_files(store, newest.state, kept[0], needed)
        store.delete_unfinished(before)
        delete_manifests(store, old)


def delete_replaced(store: Store, head: Head, *, there: Iterable[str], now: int) -> None:
    """Delete all files with user IDs that the newest commit does not refer to, however new.

    :param there: the files before the commit: a run that wrote one has begun before, or cannot begin any more, whatever
        the file's number.
    :param now: milliseconds since 1970.
    """
    newest = head.manifest
    if newest is None:
        raise AssertionError("only a commit replaces anything")
    needed = newest.state.names
    _delete_named(store, STATE, below=newest.generation + 1, needed=needed)
    for folder in (BATCHES, ACKNOWLEDGED, LEASES):
        _delete_folders(store, folder, below=newest.generation + 1)
    # A plan has the number of the generation that it was made at: that of the commit is newer than the commit.
    for folder in (PLANS, APPROVALS):
        _delete_named(store, folder, below=newest.generation)
    _delete_folders(store, REPORTS, below=newest.generation)
    for name in newest.state.notes:
        store.delete(f"{NOTES}/{name}")
    for name in there:
        folder, _, rest = name.partition("/")
        if folder in REPLACED and (generation_of(rest) or 0) >= newest.generation and name not in needed:
            store.delete(name)
    store.delete_unfinished(now)


def forget(store: Store) -> None:
    """Delete a ledger, and write a mark that this was on purpose.

    The manifests are deleted last: a ledger that has only manifests is rejected, one without manifests is new.
    """
    for folder in store.folders(""):
        if folder != GENERATIONS:
            store.delete_folder(folder)
    delete_manifests(store, generations(store))
    store.delete_folder("")
    store.create(FORGOTTEN_MARK, b"")


def delete_manifests(store: Store, numbers: Iterable[int]) -> None:
    """Delete these manifests, the oldest first, so that those that stay are consecutive."""
    for number in sorted(numbers):
        store.delete(manifest_name(number))


def _read(store: Store, folder: str, number: int) -> Manifest | None:
    content = store.read(manifest_name(number))
    return parse_manifest(content, manifest_name(number), folder) if content is not None else None


def _delete_files(store: Store, known: State, first: int, needed: set[str]) -> None:
    """Delete the files of generations before ``first``, by their names, also where no manifest refers to them.

    A plan is as old as the generation after the one whose number it has. A note stays until a generation accounts for
    it.
    """
    _delete_named(store, STATE, below=first, needed=needed)
    _delete_named(store, PLANS, below=first - 1)
    for name in known.notes:
        if (generation_of(name) or first) < first:
            store.delete(f"{NOTES}/{name}")
    for folder in (BATCHES, ACKNOWLEDGED, LEASES):
        _delete_folders(store, folder, below=first)
    _delete_folders(store, REPORTS, below=first - 1)


def _delete_named(store: Store, folder: str, *, below: int, needed: Iterable[str] = ()) -> None:
    for name in store.names(folder):
        generation = generation_of(name)
        if generation is not None and generation < below and f"{folder}/{name}" not in needed:
            store.delete(f"{folder}/{name}")


def _delete_folders(store: Store, folder: str, *, below: int) -> None:
    for name in store.folders(folder):
        generation = generation_of(name)
        if generation is not None and generation < below:
            store.delete_folder(f"{folder}/{name}")

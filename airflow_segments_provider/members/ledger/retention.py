"""Deletes what a ledger no longer needs: generations before the newest commit, and what belongs to them.

It may die at any moment: the files of a generation go before its manifest, so whoever comes next finds it, and goes on.
Nothing that is deleted here is ever needed again, so two may do it at once.
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_segments_provider.members.ledger.history import (
    ACKNOWLEDGED,
    GENERATIONS,
    History,
    generation_of,
    manifest_name,
)
from airflow_segments_provider.members.ledger.lease import LEASES
from airflow_segments_provider.members.ledger.manifest import Commit, parse_manifest
from airflow_segments_provider.members.ledger.store import Store

STATE = "state"
BATCHES = "batches"
PLANS = "plans"
APPROVALS = "approvals"
REPORTS = "reports"
# That somebody let the ledger go on purpose: what earlier runs told of it no longer holds.
FORGOTTEN = "forgotten"


def clean(store: Store, history: History, *, before: int) -> None:
    """Delete the generations before the newest commit that are old, what belongs to them, and used approvals.

    Where nothing is old that takes two listings, and a look at the oldest manifest.

    :param before: milliseconds since 1970: what was written until then is old.
    """
    committed = history.committed
    if committed is None:
        return
    _delete_named(store, APPROVALS, below=history.generation)
    earlier = [number for number in generations(store) if number < committed.generation]
    old = []
    for number in earlier:
        content = store.read(manifest_name(number))
        if content is not None:
            if parse_manifest(content, manifest_name(number), committed.folder).written_at > before:
                break
            old.append(number)
    if old:
        kept = [number for number in earlier if number > old[-1]] + [committed.generation]
        needed = _named_by(history.commit) | _named_by(_oldest_commit(store, committed.folder, kept))
        _delete_files(store, kept[0], needed)
        store.delete_unfinished(before)
        delete_manifests(store, old)


def delete_replaced(store: Store, history: History, *, now: int) -> None:
    """Delete all that the newest commit replaced, however new, but what it names.

    :param now: milliseconds since 1970.
    """
    committed = history.committed
    if committed is None:
        raise AssertionError("only a commit replaces anything")
    below = committed.generation + 1
    _delete_named(store, STATE, below=below, needed=_named_by(history.commit))
    for folder in (PLANS, APPROVALS):
        _delete_named(store, folder, below=below)
    for folder in (BATCHES, ACKNOWLEDGED, LEASES, REPORTS):
        _delete_folders(store, folder, below=below)
    store.delete_unfinished(now)
    delete_manifests(store, [number for number in generations(store) if number < committed.generation])


def forget(store: Store) -> None:
    """Delete a ledger, and leave word that this was meant.

    The manifests go last: a ledger of which only they are left is refused, one without them begins anew.
    """
    for folder in store.folders(""):
        if folder != GENERATIONS:
            store.delete_folder(folder)
    delete_manifests(store, generations(store))
    store.delete_folder("")
    store.create(f"{FORGOTTEN}/{0:012d}.json", b"")


def generations(store: Store) -> list[int]:
    """The generations that a store has a manifest of, oldest first."""
    return sorted(number for name in store.names(GENERATIONS) if (number := generation_of(name)) is not None)


def delete_manifests(store: Store, numbers: Iterable[int]) -> None:
    """Delete these manifests, the oldest first: those that stay follow from one another."""
    for number in sorted(numbers):
        store.delete(manifest_name(number))


def _oldest_commit(store: Store, folder: str, kept: list[int]) -> Commit | None:
    """The first commit of those: what later ones name is named by it, or as new as they are."""
    for number in kept:
        content = store.read(manifest_name(number))
        manifest = content and parse_manifest(content, manifest_name(number), folder)
        if manifest and isinstance(manifest.body, Commit):
            return manifest.body
    return None


def _named_by(commit: Commit | None) -> set[str]:
    return {part.name for part in commit.files} if commit else set()


def _delete_files(store: Store, first: int, needed: set[str]) -> None:
    """Delete what belongs to a generation before ``first``, by its name, also where no manifest ever named it.

    A plan is made after the generation whose number it has: it is as old as the one that followed.
    """
    _delete_named(store, STATE, below=first, needed=needed)
    _delete_named(store, FORGOTTEN, below=first)
    _delete_named(store, PLANS, below=first - 1)
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

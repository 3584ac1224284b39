"""From a ledger path to the store of one segment."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_segments_provider.errors import ConfigurationError, LedgerError
from airflow_segments_provider.members.ledger.history import GENERATIONS
from airflow_segments_provider.members.ledger.local_store import LocalStore
from airflow_segments_provider.members.ledger.object_store import ObjectStore, check_exclusive
from airflow_segments_provider.members.ledger.timing import Timing

if TYPE_CHECKING:
    from airflow_segments_provider.members.ledger.store import Store

MOST_DIGITS = 5
LOCAL_EXECUTORS = ("LocalExecutor", "SequentialExecutor", "DebugExecutor")


def ledger_path() -> str:
    """The ledger path of this deployment: ``[segments] ledger_path``, else a folder in Airflow's home."""
    configured: str = conf.get("segments", "ledger_path", fallback="") or ""
    return configured or str(Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "segments_ledger")


def timing() -> Timing:
    """The times of this deployment's ledgers: ``[segments] keep_days``.

    :raises ConfigurationError: it is no number of days.
    """
    days: str = conf.get("segments", "keep_days", fallback="30")
    if not days.isascii() or not days.isdigit() or len(days) > MOST_DIGITS:
        raise ConfigurationError(
            f"`[segments] keep_days` is {days!r}, not a number of days such as 30. Nothing was sent."
        )
    return Timing(keep=timedelta(days=int(days)))


def open_store(ledger_path: str, folder: str) -> Store:
    """The store of one segment.

    :param ledger_path: a path or URL that Airflow's object storage knows, e.g. ``s3://aws_default@bucket/segments``.
    :param folder: of the segment, below it.
    :raises LedgerError: a new path cannot create files exclusively, or is one that other workers do not see.
    """
    store = store_at(ledger_path, folder)
    if isinstance(store, LocalStore):
        _check_seen_by_all(ledger_path)
    elif not store.names(GENERATIONS):
        check_exclusive(store)
    return store


def store_at(ledger_path: str, folder: str = "") -> LocalStore | ObjectStore:
    """As :func:`open_store`, unchecked: for whoever looks at what is there.

    :param folder: an empty text for all that is below the path.
    """
    path = ObjectStoragePath(ledger_path)
    if path.protocol in ("file", "", "local"):
        return LocalStore(Path(path.path) / folder)
    return ObjectStore(path.fs, f"{path.path.rstrip('/')}/{folder}")


def _check_seen_by_all(ledger_path: str) -> None:
    executors = [name.partition(":")[2] or name for name in conf.get("core", "executor").split(",")]
    shared = conf.getboolean("segments", "ledger_path_is_shared", fallback=False)
    if not shared and not all(name.strip().rpartition(".")[2] in LOCAL_EXECUTORS for name in executors):
        raise LedgerError(
            f"The ledger path {ledger_path} is on a local disk, and tasks run by {', '.join(executors)} on several "
            "machines, so runs would not see each other's. Nothing was sent. Set `[segments] ledger_path` to an "
            "object store, or `[segments] ledger_path_is_shared = True` where the path is a shared file system."
        )

"""The store of a segment, by the ledger path.

A path must mean the same location on each worker and with each Airflow version; an ambiguous one is rejected.
"""

from __future__ import annotations

import os
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.common.compat.sdk import ObjectStoragePath, conf

from airflow_segments_provider.errors import ConfigurationError, LedgerError
from airflow_segments_provider.sources.storage import without_credentials
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.names import GENERATIONS
from airflow_segments_provider.sync.ledger.object_store import BUCKETS, ObjectStore, check_exclusive
from airflow_segments_provider.sync.ledger.timing import Timing

if TYPE_CHECKING:
    from airflow_segments_provider.sync.ledger.store import Store


MOST_DIGITS = 5
LOCAL_EXECUTORS = ("LocalExecutor", "SequentialExecutor", "DebugExecutor")
LOCAL_SCHEMES = ("file", "local")

# Some separate or encode parts of a URL, others make a pattern of it for the driver.
_AMBIGUOUS_IN_FILE_URL = re.compile(r"[%#?]")
_AMBIGUOUS_IN_URL = re.compile(r"[#?*\[\]\\]")
# No system call takes the first of these, and URL parsers drop some.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def configured_ledger_path() -> str | None:
    """Return ``[segments] ledger_path``, or None where it is not set."""
    return conf.get("segments", "ledger_path", fallback="") or None


def ledger_path() -> str:
    """Return the ledger path of this deployment: ``[segments] ledger_path``, else a folder in Airflow's home."""
    configured = configured_ledger_path()
    home = os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")
    return configured or str(Path(home).expanduser() / "segments_ledger")


def timing() -> Timing:
    """Return the periods of this deployment's ledgers: ``[segments] keep_days``.

    :raises ConfigurationError: it is not a number of days.
    """
    days: str = conf.get("segments", "keep_days", fallback="30")
    if not days.isascii() or not days.isdigit() or len(days) > MOST_DIGITS:
        raise ConfigurationError(
            f"`[segments] keep_days` is {days!r}, not a number of days such as 30. Nothing was sent."
        )
    return Timing(keep=timedelta(days=int(days)))


def open_store(ledger_path: str, folder: str) -> Store:
    """Return the store of one segment.

    :param ledger_path: an absolute path, or a URL of Airflow's object storage such as
        ``s3://aws_default@bucket/segments``.
    :param folder: of the segment, below it.
    :raises ConfigurationError: the path is relative or ambiguous, or cannot be opened.
    :raises LedgerError: a new path does not support exclusive creation, or is invisible to other workers.
    """
    store = store_at(ledger_path, folder)
    if isinstance(store, LocalStore):
        _check_seen_by_all(ledger_path)
    elif not store.names(GENERATIONS):
        check_exclusive(store)
    return store


def store_at(ledger_path: str, folder: str = "") -> LocalStore | ObjectStore:
    """Return the store as :func:`open_store`, without its checks.

    :param folder: an empty text for all that is below the path.
    :raises ConfigurationError: the path is relative or ambiguous, or cannot be opened.
    """
    text = str(ledger_path)
    if _CONTROL.search(text) or text != text.strip():
        _refuse(text, "has white space around it, or control characters in it", "Remove them")
    scheme, url, rest = text.partition("://")
    if not url or text.startswith(("/", "~")):
        return LocalStore(_absolute(text) / folder)
    if scheme.lower() not in LOCAL_SCHEMES:
        return _object_store(text, scheme.lower(), rest, folder)
    if found := _AMBIGUOUS_IN_FILE_URL.search(rest):
        _refuse(text, f"has {found.group()!r}, which may be read in two ways in a URL", "Set the path alone")
    if not rest.startswith("/"):
        _refuse(text, "is not absolute, or names a host", "Set an absolute path alone")
    return LocalStore(Path(rest) / folder)


def _absolute(text: str) -> Path:
    """Return a path that means the same in each working directory."""
    try:
        path = Path(text).expanduser()
    except RuntimeError:  # no such user, or one without a home
        path = Path()
    if not path.is_absolute():
        _refuse(
            text,
            "is relative, and the working directory differs between workers",
            "Set an absolute path such as `/srv/airflow/ledger`, or the URL of an object store",
        )
    return path


def _object_store(text: str, scheme: str, rest: str, folder: str) -> ObjectStore:
    netloc, slash, prefix = rest.partition("/")
    location = f"{netloc.rpartition('@')[2]}{slash}{prefix}"
    if "::" in scheme:
        _refuse(text, "is a chained URL, whose files may be read from a cache", "Set the URL of the store alone")
    if found := _AMBIGUOUS_IN_URL.search(rest):
        _refuse(text, f"has {found.group()!r}, which stores read in different ways", "Choose another prefix")
    if without_credentials(text) != text:
        _refuse(text, "has credentials", "Keep them in an Airflow connection, and name its ID")
    parts = location.rstrip("/").split("/")
    if scheme in BUCKETS and not (all(parts) and {".", ".."}.isdisjoint(parts)):
        _refuse(text, "has no bucket, or a part that is empty, `.` or `..`", "Choose another prefix")
    try:
        path = ObjectStoragePath(text)
        fs, root = path.fs, path.path.rstrip("/")
    except (ImportError, OSError, ValueError) as error:
        raise ConfigurationError(
            f"The ledger path {text!r} cannot be opened ({type(error).__name__}). Nothing was sent. Check that the "
            "Airflow provider of that store is installed, and that the connection in the path exists."
        ) from error
    if scheme in BUCKETS and root.strip("/") != location.strip("/"):
        _refuse(text, f"would be read as {root!r}", f"Write it as `{scheme}://connection_id@bucket/prefix`")
    return ObjectStore(fs, f"{root}/{folder}")


def _refuse(ledger_path: str, problem: str, remedy: str) -> NoReturn:
    shown = without_credentials(ledger_path)
    raise ConfigurationError(f"The ledger path {shown!r} {problem}. Nothing was sent. {remedy}.")


def _check_seen_by_all(ledger_path: str) -> None:
    executors = [name.partition(":")[2] or name for name in conf.get("core", "executor").split(",")]
    shared = conf.getboolean("segments", "ledger_path_is_shared", fallback=False)
    if not shared and not all(name.strip().rpartition(".")[2] in LOCAL_EXECUTORS for name in executors):
        raise LedgerError(
            f"The ledger path {ledger_path} is on a local disk, and tasks run by {', '.join(executors)} on several "
            "machines, so runs would not see each other's ledgers. Nothing was sent. Set `[segments] ledger_path` to "
            "an object store, or `[segments] ledger_path_is_shared = True` where the path is a shared file system."
        )

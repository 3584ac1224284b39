"""A ledger on any object store that fsspec knows and that can create a file exclusively (S3, GCS, Azure)."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import LedgerError

# What fsspec calls the stores that keep files in buckets or containers.
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
# Seconds before each further try to create a file.
PAUSES = (0.1, 0.5, 2.0, None)


class ObjectStore:
    """Files below a prefix.

    :param fs: an fsspec file system.
    :param root: the prefix, bucket included.
    """

    def __init__(self, fs: Any, root: str) -> None:
        self.fs = fs
        self.root = root.rstrip("/")

    def __str__(self) -> str:
        return str(self.fs.unstrip_protocol(self.root))

    def create(self, name: str, content: bytes) -> bool:
        """Create by the store's own condition, such as ``If-None-Match`` on S3."""
        path = self._path(name)
        for pause in PAUSES:
            try:
                self._make_folder(path)
                self.fs.pipe_file(path, content, mode="create")
                return True
            except FileExistsError:
                return False
            except OSError as error:
                # A precondition that failed comes as it likes: what counts is whether the file is there, and whose.
                if (found := self.read(name)) is not None:
                    return found == content
                if pause is None or isinstance(error, (FileNotFoundError, PermissionError)):
                    raise self._refused("written", error) from error
                time.sleep(pause)  # S3 answers 409 while another write to that name is under way
        raise AssertionError("the last pause is None")

    def read(self, name: str) -> bytes | None:
        """The content, or None."""
        try:
            return bytes(self.fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise self._refused("read", error) from error

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, from a listing of now."""
        return self._listed(folder, "file")

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder."""
        return self._listed(folder, "directory")

    def _listed(self, folder: str, kind: str) -> list[str]:
        path = self._path(folder).rstrip("/")
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return []
        except PermissionError as error:
            raise self._refused("listed", error) from error
        # Some stores list a folder's own marker in it.
        inside = [entry for entry in found if entry["name"].strip("/") != path.strip("/") and entry["type"] == kind]
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in inside)

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that nobody else writes at this time."""
        path = self._path(name)
        self._make_folder(path)
        self.fs.put_file(str(content), path)

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one."""
        try:
            self.fs.get_file(self._path(name), str(into))
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        try:
            self.fs.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and all that is in it."""
        with suppress(FileNotFoundError):
            self.fs.rm(self._path(folder).rstrip("/"), recursive=True)

    def delete_unfinished(self, before: int) -> None:
        """Nothing: these stores show no file before it is whole."""

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _make_folder(self, path: str) -> None:
        """Stores with buckets have none, and would make a bucket of a mistyped name; the others need them."""
        protocols = {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)
        if not protocols & BUCKETS:
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    def _refused(self, what: str, error: OSError) -> LedgerError:
        return LedgerError(
            f"The ledger at {self} cannot be {what} ({type(error).__name__}), so the run stopped. See that the bucket "
            "or folder is there, and that the connection may read, write, list and delete in it; then run the task "
            "again."
        )


def check_exclusive(store: ObjectStore) -> None:
    """That the second of two creates fails: else two runs could both believe that they hold the ledger.

    :raises LedgerError: it does not, or nothing can be written there.
    """
    name = f"probe/{uuid.uuid4().hex}"
    try:
        # Whoever repeats a request whose answer was lost is told that the file is there: it is its own.
        created = store.create(name, b"first") or store.read(name) == b"first"
        exclusive = created and not store.create(name, b"second")
    finally:
        with suppress(OSError):
            store.delete(name)
    if not exclusive:
        raise LedgerError(
            f"{store} lets a file be created twice, so two runs could undo each other's work. Nothing was sent. Use a "
            "store with conditional writes (S3, GCS, Azure Blob), or a shared file system."
        )

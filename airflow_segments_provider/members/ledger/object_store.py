"""A ledger on any object store that fsspec knows and that can create a file exclusively (S3, GCS, Azure)."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

from airflow_segments_provider.errors import LedgerError


class ObjectStore:
    """Files below a prefix.

    :param fs: an fsspec file system.
    :param root: the prefix, bucket included.
    """

    def __init__(self, fs: Any, root: str) -> None:
        self.fs = fs
        self.root = root.rstrip("/")

    def __str__(self) -> str:
        return self.root

    def create(self, name: str, content: bytes) -> bool:
        """Create by the store's own condition, such as ``If-None-Match`` on S3."""
        path = self._path(name)
        try:
            self._make_folder(path)
            self.fs.pipe_file(path, content, mode="create")
        except FileExistsError:
            return False
        except OSError as error:
            # A precondition that failed comes as it likes: what counts is whether the file is there, and whose it is.
            if (found := self.read(name)) is None:
                raise LedgerError(f"The ledger cannot be written to {self.root}: {type(error).__name__}.") from error
            return found == content
        return True

    def read(self, name: str) -> bytes | None:
        """The content, or None."""
        try:
            return bytes(self.fs.cat_file(self._path(name)))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder, from a listing of now."""
        path = self._path(folder)
        self.fs.invalidate_cache()
        try:
            found = self.fs.ls(path, detail=True, refresh=True)
        except FileNotFoundError:
            return []
        return sorted(entry["name"].rpartition("/")[2] for entry in found if entry["type"] == "file")

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that nobody else uses."""
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

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _make_folder(self, path: str) -> None:
        """Object stores have none; the others need them."""
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)


def check_exclusive(store: ObjectStore) -> None:
    """That the second of two creates fails: else two runs could both believe that they hold the ledger.

    :raises LedgerError: it does not, or nothing can be written there.
    """
    name = f"probe/{uuid.uuid4().hex}"
    try:
        exclusive = store.create(name, b"first") and not store.create(name, b"second")
    finally:
        store.delete(name)
    if not exclusive:
        raise LedgerError(
            f"{store} lets a file be created twice, so two runs could undo each other's work. Nothing was sent. Use a "
            "store with conditional writes (S3, GCS, Azure Blob), or a shared file system."
        )

"""A ledger on an object store that fsspec supports and that can create a file exclusively (S3, GCS, Azure)."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from airflow_segments_provider.errors import LedgerError, LedgerUnavailable

Done = TypeVar("Done")

# fsspec's names of the stores with buckets or containers.
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
S3 = frozenset({"s3", "s3a"})
# The fields that identify an upload in parts.
_UPLOAD = ("Bucket", "Key", "UploadId")
# Seconds before each further try.
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
            except Exception as error:  # drivers raise their own
                # A driver may report a failed condition as any error, so the file decides.
                if (found := self.read(name)) is not None:
                    return found == content
                if pause is None or isinstance(error, (FileNotFoundError, PermissionError)):
                    raise self._failed("written", error) from error
                time.sleep(pause)  # S3 answers 409 while another write to that name is under way
        raise AssertionError("the last pause is None")

    def read(self, name: str) -> bytes | None:
        """Return the content, or None."""
        try:
            return bytes(self._tried("read", lambda: self.fs.cat_file(self._path(name))))
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder, from a listing of now."""
        return self._listed(folder, "file")

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder."""
        return self._listed(folder, "directory")

    def files(self, *, without: Collection[str] = (), folder: str = "") -> Iterator[str]:
        """Yield the names of all files at any depth.

        :param without: folders that are left out.
        :param folder: begin there.
        """
        if folder in without:
            return
        prefix = f"{folder}/" if folder else ""
        yield from (prefix + name for name in self.names(folder))
        for name in self.folders(folder):
            yield from self.files(without=without, folder=prefix + name)

    def _listed(self, folder: str, kind: str) -> list[str]:
        path = self._path(folder).rstrip("/")

        def listing() -> list[dict[str, Any]]:
            self.fs.invalidate_cache()
            return list(self.fs.ls(path, detail=True, refresh=True))

        try:
            found = self._tried("listed", listing)
        except FileNotFoundError:
            return []
        # Some stores list a folder's own marker in it.
        inside = [entry for entry in found if entry["name"].strip("/") != path.strip("/") and entry["type"] == kind]
        return sorted(entry["name"].rstrip("/").rpartition("/")[2] for entry in inside)

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that no other process writes at this time."""
        path = self._path(name)

        def copy() -> None:
            self._make_folder(path)
            self.fs.put_file(str(content), path)

        try:
            self._tried("written", copy)
        except FileNotFoundError as error:  # of the bucket
            raise self._failed("written", error) from error

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one."""
        try:
            self._tried("read", lambda: self.fs.get_file(self._path(name), str(into)))
        except FileNotFoundError as error:
            if not into.parent.is_dir():
                raise self._failed(f"copied to {into}", error) from error
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file, if it is there."""
        with suppress(FileNotFoundError):
            self._tried("deleted", lambda: self.fs.rm_file(self._path(name)))

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and all that is in it."""

        def remove() -> None:
            self.fs.invalidate_cache()
            self.fs.rm(self._path(folder).rstrip("/"), recursive=True)

        with suppress(FileNotFoundError):
            self._tried("deleted", remove)

    def delete_unfinished(self, before: int) -> None:
        """Delete nothing: these stores show a file only when it is whole."""

    def abort_uploads(self, before: datetime) -> int:
        """Abort the uploads in parts to S3 that were begun until then; return how many are younger.

        :raises LedgerUnavailable: they cannot be listed or aborted.
        """
        if not S3 & self._protocols:
            return 0
        younger = 0
        try:
            for upload in self._uploads():
                if upload["Initiated"] <= before:
                    self.fs.call_s3("abort_multipart_upload", **{name: upload[name] for name in _UPLOAD})
                else:
                    younger += 1
        except Exception as error:  # drivers raise their own
            raise self._failed("cleaned of unfinished uploads", error) from error
        return younger

    def _uploads(self) -> list[dict[str, Any]]:
        """Return the uploads in parts that are not finished."""
        bucket, _, key = self._path("").partition("/")
        found, page = list[dict[str, Any]](), dict[str, Any](IsTruncated=True)
        while page["IsTruncated"]:
            after = {name: page[f"Next{name}"] for name in ("KeyMarker", "UploadIdMarker") if page.get(f"Next{name}")}
            page = self.fs.call_s3("list_multipart_uploads", Bucket=bucket, Prefix=key, **after)
            found += [{**upload, "Bucket": bucket} for upload in page.get("Uploads", [])]
        return found

    def _tried(self, what: str, call: Callable[[], Done]) -> Done:
        """Make a call, and repeat it after a failure, except FileNotFoundError, which the caller may expect."""
        for pause in PAUSES:
            try:
                return call()
            except FileNotFoundError:
                raise
            except Exception as error:  # drivers raise their own
                if pause is None or isinstance(error, PermissionError):
                    raise self._failed(what, error) from error
                time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _make_folder(self, path: str) -> None:
        """Make the folder where the store needs one; one with buckets would make a bucket of a mistyped name."""
        if not self._protocols & BUCKETS:
            self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)

    @property
    def _protocols(self) -> set[str]:
        return {self.fs.protocol} if isinstance(self.fs.protocol, str) else set(self.fs.protocol)

    def _failed(self, what: str, error: Exception) -> LedgerUnavailable:
        return LedgerUnavailable(
            f"The ledger at {self} cannot be {what} ({type(error).__name__}). No further request was sent, and the "
            "ledger accounts for those before. Check that the bucket or folder is there, and that the connection may "
            "read, write, list and delete in it; then run the task again."
        )


def check_exclusive(store: ObjectStore) -> None:
    """Check that the second of two creates fails: else two runs could both hold the ledger.

    :raises LedgerError: it does not, or nothing can be written.
    """
    name = f"probe/{uuid.uuid4().hex}"
    try:
        # A driver that repeats a request whose response was lost finds its own file.
        created = store.create(name, b"first") or store.read(name) == b"first"
        exclusive = created and not store.create(name, b"second")
    finally:
        with suppress(LedgerUnavailable):
            store.delete(name)
    if not exclusive:
        raise LedgerError(
            f"{store} lets a file be created twice, so two runs could undo each other's work. Nothing was sent. Use a "
            "store with conditional writes (S3, GCS, Azure Blob), or a shared file system."
        )

"""The files that a path names, and their contents: on a local disk or any storage that fsspec reads."""

from __future__ import annotations

import bz2
import lzma
import os
import re
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from io import BufferedReader, RawIOBase
from posixpath import basename
from typing import Any

from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.errors import InvalidInput, SegmentsError, SourceUnavailable

BLOCK = 1 << 20

# fsspec's names.
FILE, DIRECTORY = "file", "directory"

_MAGIC = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"
# Of a URL: before the host, where a secret key may contain a slash; and signatures in the query, not a glob's `?`.
_CREDENTIALS = re.compile(r"(?<=://)[^@:]*:(?:[^/]*|[^@]*)(?=@)|(?<=\?)\w[\w.-]*=.*", re.DOTALL)
# In names of folders of a partitioned table (Hive, Spark, BigQuery).
_PARTITION = "="
# Folders of tables that contain files of older versions.
_TABLES = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}

# `xz -9` needs 65 MiB; a damaged file may ask for 4 GiB.
XZ_MEMORY = 256 << 20


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    :param fs: its fsspec file system.
    :param subject: the source, for messages.
    :param alone: the only file of the source; messages do not name it.
    """

    fs: Any = field(repr=False)
    path: str
    subject: str
    alone: bool = True

    @property
    def name(self) -> str:
        """The last part of the path."""
        return basename(self.path)

    @property
    def local_path(self) -> str | None:
        """The path on a local disk, or None for another storage or a pattern."""
        return self.path if _is_local(self.fs) and not _MAGIC.search(self.path) else None

    def refused(self, problem: str) -> InvalidInput:
        """Return the error for a problem of this file.

        :param problem: a sentence that begins with a small letter, without content of the file.
        """
        return InvalidInput(self.subject, [problem if self.alone else f"{self.name}: {problem}"])

    def opened(self) -> Any:
        """Open the file for reading bytes.

        :raises SourceUnavailable: the storage refuses it.
        """
        with storage_errors(self.subject):
            return self.fs.open(self.path, "rb", block_size=BLOCK)

    def blocks(self, size: int = BLOCK) -> Iterator[bytes]:
        """Yield the bytes of the file, by default a MiB at a time.

        :raises SourceUnavailable: the storage cannot read it.
        """
        with self.opened() as file:
            while True:
                with storage_errors(self.subject):
                    block = file.read(size)
                if not block:
                    return
                yield block


def without_credentials(path: object) -> str:
    """Return a path as messages show it."""
    text = str(path)
    return _CREDENTIALS.sub("***", text) if "://" in text else text


def find_files(path: Any, subject: str) -> list[SourceFile]:
    """Return the files of a path, in the order of their paths.

    Names that begin with ``_`` or ``.`` are left out, unless the path itself names them.

    :param path: of a file, of a directory, or a glob.
    :raises InvalidInput: there is no such file, or it is not clear which ones are meant.
    :raises SourceUnavailable: the storage cannot be listed.
    """
    with storage_errors(subject):
        fs, start = _located(path, subject)
        fs.invalidate_cache()
        found = sorted(_Search(fs, subject).find(start))
    if not found:
        raise InvalidInput(subject, ["there is no such file, and no file in such a directory."])
    return [SourceFile(fs, one, subject, alone=len(found) == 1) for one in found]


@contextmanager
def local_copy(subject: str, blocks: Iterable[bytes]) -> Iterator[Any]:
    """Write blocks to a file without a name, which vanishes with its task; return a file system that contains it.

    :raises SourceUnavailable: the local disk cannot hold it.
    """
    with tempfile.TemporaryFile(prefix="segments-") as file:
        for block in blocks:
            with storage_errors(subject):
                file.write(block)
        with storage_errors(subject):
            file.flush()
        yield _Unnamed(file.fileno())


class _Unnamed:
    """The part of a file system that :class:`SourceFile` needs, for one file without a name."""

    protocol = "unnamed"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def open(self, *_: str, block_size: int) -> Any:
        return BufferedReader(_Copy(self._descriptor), block_size)


class _Copy(RawIOBase):
    """A descriptor with its own position: DuckDB opens a file several times."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}
        self._position = start[whence] + offset
        return self._position

    def readinto(self, buffer: Any) -> int:
        count = os.preadv(self._descriptor, [buffer], self._position)
        self._position += count
        return count


class _Search:
    def __init__(self, fs: Any, subject: str) -> None:
        self._fs = fs
        self._subject = subject

    def find(self, path: str) -> set[str]:
        try:
            return self._entry(self._fs.info(path))
        except (FileNotFoundError, NotADirectoryError):
            if not _MAGIC.search(path):
                return set()
        parts = path.split("/")
        fixed = next(number for number, part in enumerate(parts) if _MAGIC.search(part))
        return self._matches("/".join(parts[:fixed]), parts[fixed:])

    def _matches(self, folder: str, parts: list[str]) -> set[str]:
        """Return the files below a folder that match the rest of a glob."""
        first, rest = parts[0], [part for part in parts[1:] if part]
        found = set[str]()
        if first == _ANY_DEPTH:
            found |= self._matches(folder, rest or ["*"])
        for entry in self._entries(folder):
            name = _name(entry)
            self._check_table(name)
            is_folder = self._kind(entry) == DIRECTORY
            if name[0] in "_." and first[0] != name[0]:
                continue
            if first == _ANY_DEPTH:
                found |= self._matches(entry["name"], parts) if is_folder else set()
            elif fnmatchcase(name, first):
                if not rest:
                    found |= self._entry(entry)
                elif is_folder:
                    found |= self._matches(entry["name"], rest)
        return found

    def _entry(self, entry: dict[str, Any]) -> set[str]:
        """Return a file itself, and of a directory its files."""
        kind = self._kind(entry)
        if kind == DIRECTORY:
            return self._folder(entry["name"])
        if kind != FILE:
            raise InvalidInput(self._subject, [f"{_name(entry)} is neither a file nor a directory."])
        return {entry["name"]}

    def _folder(self, folder: str) -> set[str]:
        found = set[str]()
        for entry in self._entries(folder):
            name = _name(entry)
            self._check_table(name)
            if name[0] in "_.":
                continue
            if self._kind(entry) == DIRECTORY and _PARTITION not in name:
                problem = (
                    f"the directory has the sub-directory {name!r}, and it is not clear whether its files belong to "
                    "the source. Pass a glob: `*` for the files of one directory, `**/*` for those at any depth."
                )
                raise InvalidInput(self._subject, [problem])
            found |= self._entry(entry)
        return found

    def _check_table(self, name: str) -> None:
        """Reject a folder with an entry of this name, also where a glob finds its files."""
        if name in _TABLES:
            problem = (
                f"the directory is a {_TABLES[name]} table, which also contains files of older versions. "
                "Read it by a query, with SqlMembers."
            )
            raise InvalidInput(self._subject, [problem])

    def _kind(self, entry: dict[str, Any]) -> str:
        """Return whether an entry, or what it links to, is a file or a directory."""
        kind = str(entry["type"])
        if kind in (FILE, DIRECTORY):
            return kind
        path = entry["name"]
        return FILE if self._fs.isfile(path) else DIRECTORY if self._fs.isdir(path) else kind

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        try:
            entries = self._fs.ls(folder, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        # Object stores list the marker of a directory as an entry of itself.
        return [entry for entry in entries if _name(entry) and entry["name"].rstrip("/") != folder.rstrip("/")]


def _name(entry: dict[str, Any]) -> str:
    return str(basename(entry["name"].rstrip("/")))


def _located(path: Any, subject: str) -> tuple[Any, str]:
    """Return the file system of a path, and the path there.

    :raises InvalidInput: Airflow has no such file system.
    """
    if not isinstance(path, str) and hasattr(path, "fs"):
        return path.fs, path.path
    text = os.fspath(path)
    if isinstance(path, str) and "://" in text:
        try:
            storage = ObjectStoragePath(text)
            return storage.fs, storage.path
        except (ValueError, ImportError):
            scheme = text.partition("://")[0]
            problem = f"Airflow has no storage for `{scheme}://`. Correct `path`, or install its provider package."
            raise InvalidInput(subject, [problem]) from None
    from fsspec.implementations.local import LocalFileSystem

    # Airflow's versions differ in what a relative path is relative to.
    return LocalFileSystem(), os.path.abspath(text)  # noqa: PTH100


def _is_local(fs: Any) -> bool:
    return "file" in (fs.protocol if isinstance(fs.protocol, tuple) else (fs.protocol,))


@contextmanager
def storage_errors(subject: str) -> Iterator[None]:
    """Turn whatever a storage raises into an error without its message."""
    try:
        yield
    except SegmentsError:
        raise
    except Exception as error:  # noqa: BLE001  # each storage has its own
        raise SourceUnavailable(
            f"{subject} cannot be read ({type(error).__name__}). Nothing was sent. Check that it exists, and that its "
            "connection may read it."
        ) from None


class _Gzip:
    """A decompressor of gz with the interface of those of bz2, xz and zst."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


def _xz() -> Any:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def _zst() -> Any:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]  # Python 3.14
    except ImportError:
        from backports import zstd
    return zstd.ZstdDecompressor()


COMPRESSIONS: dict[str, Callable[[], Any] | None] = {
    "none": None,
    "gz": _Gzip,
    "bz2": bz2.BZ2Decompressor,
    "xz": _xz,
    "zst": _zst,
}


def decompressed(file: SourceFile, compression: str) -> Iterator[bytes]:
    """Yield the contents of a file, at most a MiB at a time.

    A file may have several members, as after ``cat a.gz b.gz``. Python's own readers would ignore data after the last
    member, and so leave out users.

    :raises InvalidInput: a member is damaged or incomplete, or something else follows it.
    """
    new = COMPRESSIONS[compression]
    if new is None:
        yield from file.blocks()
        return
    member, is_open = new(), True
    for data in file.blocks():
        while data or not member.needs_input:
            try:
                content, data = member.decompress(data, BLOCK), b""
            except Exception:  # noqa: BLE001  # each library has its own
                raise file.refused(
                    f"it is damaged, or not in the format {compression}. Write or copy the file again."
                ) from None
            if content:
                yield content
            is_open = True
            if member.eof:
                data, member = member.unused_data, new()
                is_open = bool(data)
    if is_open:
        raise file.refused(f"it ends in the middle of its {compression} data. Write or copy the file again.")

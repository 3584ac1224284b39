"""A ledger on a local or shared file system."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar

from airflow_segments_provider.errors import LedgerError, LedgerUnavailable

Done = TypeVar("Done")

# The files hold user IDs: only the user that runs the tasks may read them.
FILE_MODE = 0o600
FOLDER_MODE = 0o700

# A further try is needed where another process deletes the folder between two steps.
TRIES = 50

TEMPORARY = ".part-"
# Another process deleted a folder or temporary file; NFS reports ESTALE.
_VANISHED = frozenset({errno.ENOENT, errno.ESTALE})
_NOT_EMPTY = frozenset({errno.ENOTEMPTY, errno.EEXIST})
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})

_FREE_SPACE = "Free space on that file system, then run the task again."
_GIVE_ACCESS = "Give the user that runs the tasks access to it, then run the task again."
_MOVE_AWAY = "A file is where a folder belongs, or the reverse: move it away, then run the task again."
_REMEDIES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EACCES: _GIVE_ACCESS,
    errno.EPERM: _GIVE_ACCESS,
    errno.EROFS: "Mount that file system writable, then run the task again.",
    errno.ENOTDIR: _MOVE_AWAY,
    errno.EISDIR: _MOVE_AWAY,
    errno.ENAMETOOLONG: "The base URL, system or segment makes a longer name than the file system allows. Shorten the "
    "connection's base URL or the ledger path, or set `[segments] ledger_path` to an object store.",
    errno.ENOENT: "A folder above it is missing, is a broken symbolic link, or is deleted again and again.",
}
_CHECK_MOUNT = "Check that the file system is mounted and sound, then run the task again."


class LocalStore:
    """Files below a folder, which only their owner may read; ``link(2)`` creates exclusively, also on NFS.

    :param folder: made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._linked = False
        self._made = set[Path]()
        self._durable = set[Path]()

    def __str__(self) -> str:
        return str(self.folder)

    def create(self, name: str, content: bytes) -> bool:
        """Write a temporary file, and link it to its name."""
        return self._write(name, lambda file: file.write(content), self._link)

    def read(self, name: str) -> bytes | None:
        """Return the content, or None."""
        path = self.folder / name
        with _explained("read", path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """Return the names of the files in a folder."""
        return [name for name in self._listed(folder, os.DirEntry.is_file) if not name.startswith(".")]

    def folders(self, folder: str) -> list[str]:
        """Return the names of the folders in a folder."""
        return self._listed(folder, os.DirEntry.is_dir)

    def files(self, *, without: Collection[str] = ()) -> Iterator[str]:
        """Yield the names of all files at any depth, also of hidden ones and of those that are half written.

        :param without: folders that are left out.
        """
        with _explained("listed", self.folder):
            walked, left_out = set[Path](), {self.folder / folder for folder in without}
            for parent, folders, names in os.walk(self.folder, onerror=_raise_unless_missing, followlinks=True):
                path = Path(parent)
                # A symbolic link may lead back to a folder above it.
                if path in left_out or path.resolve() in walked:
                    folders.clear()
                    continue
                walked.add(path.resolve())
                folders.sort()
                files = (path / name for name in sorted(names))
                yield from (file.relative_to(self.folder).as_posix() for file in files if file.is_file())

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that no other process writes at this time."""

        def fill(file: IO[bytes]) -> None:
            source.seek(0)
            shutil.copyfileobj(source, file, 1 << 20)

        with _explained("read", content):
            source = content.open("rb")
        with source:
            self._write(name, fill, os.replace)

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one."""
        path = self.folder / name
        with _explained("read", path):
            try:
                source = path.open("rb")
            except FileNotFoundError:
                return False
        with source, _explained(f"copied to {into}", path), _open_private(into, os.O_TRUNC) as file:
            shutil.copyfileobj(source, file, 1 << 20)
        return True

    def delete(self, name: str) -> None:
        """Delete a file. Its folder stays, because another process may be about to write into it."""
        path = self.folder / name
        with _explained("deleted", path), suppress(FileNotFoundError):
            path.unlink()
            _flush_folder(path.parent)

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and all that is in it, also while other processes write or delete there."""
        path = self.folder / folder
        with _explained("deleted", path):
            for tried in range(1, TRIES + 1):
                try:
                    # The target of a link inside the ledger does not belong to it.
                    if folder and path.is_symlink():
                        path.unlink()
                    else:
                        _delete_tree(path)
                    break
                except OSError as error:
                    if error.errno not in _NOT_EMPTY or tried == TRIES:
                        raise
                time.sleep(tried / 1000)
            with suppress(FileNotFoundError):
                _flush_folder(path.parent)

    def delete_unfinished(self, before: int) -> None:
        """Delete temporary files that were written until then."""
        with _explained("cleaned", self.folder):
            for parent, _, names in os.walk(self.folder, onerror=_raise_unless_missing):
                for path in (Path(parent, name) for name in names if name.startswith(TEMPORARY)):
                    with suppress(FileNotFoundError):
                        if path.stat().st_mtime * 1000 <= before:
                            path.unlink()

    def _listed(self, folder: str, wanted: Callable[[os.DirEntry[str]], bool]) -> list[str]:
        path = self.folder / folder
        with _explained("listed", path):
            try:
                with os.scandir(path) as found:
                    return sorted(entry.name for entry in found if wanted(entry))
            except FileNotFoundError:
                return []

    def _write(self, name: str, fill: Callable[[IO[bytes]], object], finish: Callable[[Path, Path], Done]) -> Done:
        """Write a temporary file by ``fill``, and give it its name by ``finish``."""
        with _explained("written", self.folder / name):
            for tried in range(TRIES - 1):
                try:
                    return self._write_once(name, fill, finish)
                except OSError as error:
                    if error.errno not in _VANISHED:
                        raise
                time.sleep(tried / 1000)  # longer each time, so that two processes do not stay in step
            return self._write_once(name, fill, finish)

    def _write_once(self, name: str, fill: Callable[[IO[bytes]], object], finish: Callable[[Path, Path], Done]) -> Done:
        path = self.folder / name
        temporary = path.with_name(f"{TEMPORARY}{uuid.uuid4().hex}")
        self._make_folder(path.parent)
        try:
            with _open_private(temporary, os.O_EXCL) as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            # Not earlier: with the temporary file, the folder cannot be removed as empty.
            self._flush_above(path.parent)
            done = finish(temporary, path)
        finally:
            # `delete_unfinished` deletes what remains.
            with suppress(OSError):
                temporary.unlink()
        _flush_folder(path.parent)
        return done

    def _link(self, temporary: Path, path: Path) -> bool:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS or self._linked:
                raise
            raise LedgerError(
                f"The ledger at {path} cannot be written: the file system has no hard links ({error.strerror}), and "
                "without them two runs could undo each other's work. Nothing was sent. Set `[segments] ledger_path` to "
                "a path on another file system, or to an object store (S3, GCS, Azure Blob)."
            ) from error
        self._linked = True
        return True

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it."""
        if not folder.is_dir():
            self._make_folder(folder.parent)
            # Where a file has that name, what is opened below it raises.
            with suppress(FileExistsError):
                folder.mkdir(FOLDER_MODE)
                # Where another process deleted this one, it may have deleted and made those above as well.
                self._durable.clear()
                self._made.add(folder)
                if _mode(folder) != FOLDER_MODE:
                    folder.chmod(FOLDER_MODE)

    def _flush_above(self, folder: Path) -> None:
        """Make the entries of a folder and of those above it durable, up to the first that no store made.

        Not only of those that this one made: another process may have made one a moment ago, or was killed since.
        """
        flushed = set[Path]()
        while folder not in {*self._durable, *flushed} and (folder in self._made or _mode(folder) == FOLDER_MODE):
            try:
                _flush_folder(folder.parent)
            except PermissionError:
                # A user's home is private as well, and may be in a folder that cannot be opened.
                if folder in self._made:
                    raise
            flushed.add(folder)
            folder = folder.parent
        self._durable |= flushed


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def _open_private(path: Path, flags: int) -> IO[bytes]:
    """Open a file for writing that only its owner may read, whatever the umask."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flags, FILE_MODE)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != FILE_MODE:
            os.fchmod(descriptor, FILE_MODE)
        return os.fdopen(descriptor, "wb")
    except BaseException:
        os.close(descriptor)
        raise


def _delete_tree(folder: Path) -> None:
    """Delete a folder; files of another process may vanish meanwhile, new ones raise ENOTEMPTY."""
    with suppress(FileNotFoundError):
        with os.scandir(folder) as found:
            entries = list(found)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _delete_tree(Path(entry.path))
            else:
                with suppress(FileNotFoundError):
                    Path(entry.path).unlink()
        folder.rmdir()


def _raise_unless_missing(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _flush_folder(folder: Path) -> None:
    """Make the entries of a folder durable: else a power failure would lose a file with durable content."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _explained(what: str, path: Path) -> Iterator[None]:
    """Turn what the operating system raises into a typed error."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, _CHECK_MOUNT)
        raise LedgerUnavailable(
            f"The ledger at {path} cannot be {what}: {reason}. No further request was sent, and the ledger accounts "
            f"for those before. {remedy}"
        ) from error

"""A ledger on a local or shared file system."""

from __future__ import annotations

import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

_TEMPORARY = ".part-"


class LocalStore:
    """Files below a folder; the exclusive create is ``link(2)``, which NFS keeps to as well.

    :param folder: made when the first file is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __str__(self) -> str:
        return str(self.folder)

    def create(self, name: str, content: bytes) -> bool:
        """Write a temporary file, and link it to its name."""
        path, temporary = self._paths(name)
        try:
            with temporary.open("xb") as file:
                file.write(content)
                _flush(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
        finally:
            temporary.unlink(missing_ok=True)
        self._flush_folder(path.parent)
        return True

    def read(self, name: str) -> bytes | None:
        """The content, or None."""
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The names of the files in a folder."""
        try:
            found = [entry.name for entry in os.scandir(self.folder / folder) if entry.is_file()]
        except FileNotFoundError:
            return []
        return sorted(name for name in found if not name.startswith("."))

    def folders(self, folder: str) -> list[str]:
        """The names of the folders in a folder."""
        try:
            return sorted(entry.name for entry in os.scandir(self.folder / folder) if entry.is_dir())
        except FileNotFoundError:
            return []

    def put(self, name: str, content: Path) -> None:
        """Copy a local file to a name that nobody else writes at this time."""
        path, temporary = self._paths(name)
        try:
            with temporary.open("xb") as file, content.open("rb") as source:
                shutil.copyfileobj(source, file, 1 << 20)
                file.flush()
                _flush(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        self._flush_folder(path.parent)

    def fetch(self, name: str, into: Path) -> bool:
        """Copy a file to a local one."""
        try:
            shutil.copyfile(self.folder / name, into)
        except FileNotFoundError:
            return False
        return True

    def delete(self, name: str) -> None:
        """Delete a file, and its folder when that is empty."""
        path = self.folder / name
        path.unlink(missing_ok=True)
        with suppress(OSError):
            path.parent.rmdir()

    def delete_folder(self, folder: str) -> None:
        """Delete a folder and all that is in it."""
        with suppress(FileNotFoundError):
            shutil.rmtree(self.folder / folder)

    def delete_unfinished(self, before: int) -> None:
        """Delete temporary files that were written until then."""
        for path in self.folder.rglob(f"{_TEMPORARY}*"):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime * 1000 <= before:
                    path.unlink()

    def _paths(self, name: str) -> tuple[Path, Path]:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path, path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")

    def _flush_folder(self, folder: Path) -> None:
        """The entry in the folder must outlive a power cut, not the content alone."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            _flush(descriptor)
        finally:
            os.close(descriptor)


def _flush(descriptor: int) -> None:
    os.fsync(descriptor)

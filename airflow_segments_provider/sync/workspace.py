"""The workspace of one run: a temporary folder, and a database that spills to it.

The files contain user IDs. They are below ``airflow-segments-<uid>`` in the folder for temporary files, which only its
owner can enter. A run has a folder there and a lock file beside it, and holds the lock until it ends. A folder whose
lock is free belongs to a killed run: the next run on the machine removes it.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from airflow_segments_provider.errors import ConfigurationError, LedgerUnavailable

if TYPE_CHECKING:
    import duckdb


MEMORY_LIMIT = "420MB"

# Limits the time that a run spends on the folders of killed ones.
MOST_LEFTOVERS = 20
# A further try is needed where another process removes the new lock file before this one has locked it.
TRIES = 50
LOCK = ".lock"
PRIVATE = 0o700
# Rows that are written to a file at once.
ROWS = 10_000

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF})


def remove_leftovers(most: int | None = None, look: Callable[[Path], None] = lambda folder: None) -> int:
    """Remove the folders of killed runs of this user on this machine, with this ``TMPDIR``; never raise.

    :param most: remove this many at most.
    :param look: called with each folder before it is removed.
    :return: how many were removed.
    """
    removed = 0
    with suppress(OSError):
        for parent in _parents():
            for lock in parent.glob(f"*{LOCK}"):
                if most is not None and removed >= most:
                    return removed
                with suppress(OSError):
                    removed += _remove_leftover(lock, look)
    return removed


def working_directories() -> dict[Path, bool]:
    """Return the entries of this user's private folders, without lock files, each with whether a live run holds it."""
    found = [path for parent in _parents() for path in sorted(parent.iterdir()) if path.suffix != LOCK]
    held = {path: _is_held(path.with_suffix(LOCK)) for path in found}
    # A run that has ended meanwhile has removed its folder.
    return {path: holds for path, holds in held.items() if path.exists()}


def _is_held(lock: Path) -> bool:
    try:
        descriptor = _locked(lock)
    except OSError:
        return False
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _remove_leftover(lock: Path, look: Callable[[Path], None]) -> bool:
    """Remove a folder whose run is dead, and its lock file."""
    descriptor = _locked(lock)
    if descriptor is None:
        return False
    try:
        if lock.with_suffix("").is_dir():
            look(lock.with_suffix(""))
        return _remove(lock.with_suffix(""), lock)
    finally:
        os.close(descriptor)


def _remove(folder: Path, lock: Path) -> bool:
    """Remove a folder, and its lock file unless something of the folder is left.

    :return: whether there was such a folder, and it is gone.
    """
    found = folder.exists()
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        return False
    lock.unlink(missing_ok=True)
    return found


def _locked(lock: Path, flags: int = 0) -> int | None:
    """Open and lock a file.

    :return: the descriptor that holds the lock; None where another process has it, or has just deleted the file.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(descriptor).st_nlink:
            return descriptor
    except BlockingIOError:
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _parents() -> Iterator[Path]:
    """Yield the private folders of this user in the folder for temporary files, the usual one first."""
    parent = Path(tempfile.gettempdir())
    name = f"airflow-segments-{os.geteuid()}"
    if _is_private(parent / name):
        yield parent / name
    for entry in sorted(parent.glob(f"{name}-*")):
        if _is_private(entry):
            yield entry


def _parent() -> Path:
    """Find or make a private folder for the runs of this user.

    Where another user has taken the usual name, also as a symbolic link, the folder gets a random suffix.
    """
    parent = Path(tempfile.gettempdir())
    name = f"airflow-segments-{os.geteuid()}"
    with suppress(FileExistsError):
        (parent / name).mkdir(PRIVATE)
    return next(_parents(), None) or Path(tempfile.mkdtemp(prefix=f"{name}-", dir=parent))


def _is_private(folder: Path) -> bool:
    """Return whether a folder is this user's own, after a mode that lets others in is corrected."""
    try:
        found = folder.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            return False
        if stat.S_IMODE(found.st_mode) != PRIVATE:
            folder.chmod(PRIVATE)
    except OSError:
        return False
    return True


@contextmanager
def _own_folder() -> Iterator[Path]:
    """Make a folder, locked until it is removed at the end or this process ends.

    Its lock file is locked before the folder is made, so that no other run removes it between the two.
    """
    with ExitStack() as stack:
        try:
            path = stack.enter_context(_locked_name(_parent()))
            path.mkdir(PRIVATE)
            _is_private(path)
        except OSError as error:
            raise ConfigurationError(
                f"There is no folder for temporary files ({error.strerror or type(error).__name__}). Nothing was sent. "
                "Free space there, or set `TMPDIR` to a folder that the tasks may write to."
            ) from error
        yield path


@contextmanager
def _locked_name(parent: Path) -> Iterator[Path]:
    """Lock the lock file of a new folder; at the end, remove both. A later run removes what remains."""
    descriptor: int | None = None
    for _ in range(TRIES):
        path = parent / uuid.uuid4().hex
        lock = path.with_suffix(LOCK)
        try:
            descriptor = _locked(lock, os.O_CREAT | os.O_EXCL)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            # A folder without a lock file is not taken for one of a killed run.
            lock.unlink(missing_ok=True)
            break
        if descriptor is not None:
            break
    else:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    try:
        yield path
    finally:
        with suppress(OSError):
            _remove(path, lock)
        if descriptor is not None:
            os.close(descriptor)


class Workspace:
    """A DuckDB with bounded memory, and a folder that is removed at the end.

    :param memory_limit: of DuckDB, beyond which it writes to the folder.
    :param database: an open one with its own settings, in which this run leaves nothing.
    :param tidy: remove what killed runs left first.
    """

    def __init__(
        self,
        memory_limit: str = MEMORY_LIMIT,
        database: duckdb.DuckDBPyConnection | None = None,
        *,
        tidy: bool = True,
    ) -> None:
        self._memory_limit = memory_limit
        self._shared = database
        self._tidy = tidy

    def __enter__(self) -> Self:
        import duckdb

        if self._tidy:
            remove_leftovers(most=MOST_LEFTOVERS)
        with ExitStack() as stack:
            self.folder = stack.enter_context(_own_folder())
            settings: dict[str, Any] = {
                "memory_limit": self._memory_limit,
                "temp_directory": str(self.folder / "spill"),
                "preserve_insertion_order": False,
                # The content of a file must not cause the installation of an extension.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
            self.database = self._shared or stack.enter_context(duckdb.connect(config=settings))
            if self._shared:
                self.run("BEGIN")
                stack.callback(self.run, "ROLLBACK")
            self._opened = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn errors of writing to the folder, also by the database, into :class:`LedgerUnavailable`."""
        import duckdb

        try:
            yield
        except (OSError, duckdb.IOException, duckdb.OutOfMemoryException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise LedgerUnavailable(
                f"The working directory {self.folder.parent} cannot be written: {reason}. No further request was sent, "
                "and the ledger accounts for those before. Free space there, or set `TMPDIR` to a folder on another "
                "disk, then run the task again."
            ) from None

    def write(self, name: str, content: bytes) -> Path:
        """Write a file of the folder, and return its path."""
        path = self.folder / name
        with self.writing():
            path.write_bytes(content)
        return path

    def run(self, query: str, parameters: Sequence[Any] = ()) -> None:
        """Run a statement."""
        with self.writing():
            self.database.execute(query, parameters)

    def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.writing():
            return self.database.execute(query, parameters).fetchall()

    def one(self, query: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """Return the only row of a query, or the number of rows that a statement wrote."""
        with self.writing():
            found = self.database.execute(query, parameters).fetchone()
        if found is None:
            raise AssertionError("an aggregate has a row")
        return found

    def ranges(self, table: str, size: int) -> Iterator[str]:
        """Yield conditions on a table's row IDs, each for at most ``size`` rows, which together select all rows.

        Row IDs begin at 0 only in a committed table.
        """
        first, last = self.one(f"SELECT min(rowid), max(rowid) FROM {table}")
        for start in range(first, last + 1, size) if first is not None else ():
            yield f"rowid >= {start} AND rowid < {start + size}"

    def stream(self, query: str, size: int) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows of a query, ``size`` at a time; no other statement may run meanwhile."""
        self.run(query)
        while rows := self._fetched(size):
            yield rows

    def _fetched(self, size: int) -> list[tuple[Any, ...]]:
        with self.writing():
            return self.database.fetchmany(size)

    def write_users(self, name: str, query: str) -> Path:
        """Write users to a file, a line of JSON for each, and return its path.

        :param query: of a user and a reason.
        """
        path = self.folder / f"{name}.jsonl"
        with self.writing(), path.open("w", encoding="utf-8") as file:
            for rows in self.stream(query, ROWS):
                file.writelines(
                    json.dumps({"user_id": user, "reason": reason}, ensure_ascii=False) + "\n" for user, reason in rows
                )
        return path

    def insert(self, table: str, ids: Sequence[str]) -> None:
        """Append IDs to a table of one column; many times faster than row by row."""
        self.run(f"INSERT INTO {table} SELECT unnest(?::VARCHAR[])", [ids])

    def fill(self, table: str, pages: Iterable[Sequence[str]]) -> None:
        """Make a table of one column ``id`` and fill it."""
        self.run(f"CREATE TABLE {table} (id VARCHAR)")
        for page in pages:
            self.insert(table, page)

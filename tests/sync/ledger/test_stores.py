"""All stores follow the same rules: atomic writes, one winner, no caching, typed errors."""

from __future__ import annotations

import errno
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import fsspec
import pytest

from airflow_segments_provider.errors import ConfigurationError, LedgerError, LedgerUnavailable
from airflow_segments_provider.sync.ledger import object_store
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.location import ledger_path, open_store, store_at
from airflow_segments_provider.sync.ledger.object_store import ObjectStore, check_exclusive
from airflow_segments_provider.sync.target import SegmentKey


@pytest.fixture(params=["local", "memory"])
def store(request, tmp_path):
    if request.param == "local":
        return LocalStore(tmp_path / "ledger")
    return ObjectStore(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}")


def test_a_file_that_exists_cannot_be_created_again(store):
    assert store.create("generations/1.json", b"first")
    assert not store.create("generations/1.json", b"second")
    assert store.read("generations/1.json") == b"first"


def test_a_missing_file_is_read_as_none_and_its_deletion_is_not_an_error(store, tmp_path):
    assert store.read("a/b") is None
    assert store.names("a") == []
    assert not store.fetch("a/b", tmp_path / "x")
    store.delete("a/b")


def test_names_lists_the_files_of_one_folder_in_order(store, tmp_path):
    for name in ("a/2", "a/1", "a/deeper/3", "b/4"):
        store.create(name, b"")
    assert store.names("a") == ["1", "2"]
    store.delete("a/1")
    assert store.names("a") == ["2"]


def test_a_file_that_was_put_is_fetched_unchanged(store, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(os.urandom(3 << 20))
    store.put("state/1.parquet", source)
    assert store.fetch("state/1.parquet", target)
    assert target.read_bytes() == source.read_bytes()
    assert store.names("state") == ["1.parquet"]


def test_folders_lists_one_level_and_a_deleted_folder_loses_all_its_files(store):
    for name in ("a/2/x", "a/1/deep/y", "a/file", "b/z"):
        store.create(name, b"")
    assert store.folders("a") == ["1", "2"]
    assert store.folders("") == ["a", "b"]
    assert store.folders("none") == store.folders("a/2") == []
    assert sorted(store.files()) == ["a/1/deep/y", "a/2/x", "a/file", "b/z"]
    store.delete_folder("a/1")
    assert (store.folders("a"), store.names("a")) == (["2"], ["file"])
    store.delete_folder("a")
    store.delete_folder("a")
    assert list(store.files()) == ["b/z"]
    store.delete_folder("")
    assert list(store.files()) == []


def test_putting_a_file_replaces_the_previous_one(store, tmp_path):
    source = tmp_path / "source"
    for content in (b"long before", b"now"):
        source.write_bytes(content)
        store.put("reports/1/plan.md", source)
    assert store.read("reports/1/plan.md") == b"now"


WORKERS = 4


@pytest.fixture(scope="module")
def processes():
    """Start processes for concurrent runs."""
    with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
        yield pool


def create_many(folder: str, number: int, names: int) -> list[bool]:
    store = LocalStore(Path(folder))
    return [store.create(f"generations/{name}", str(number).encode()) for name in range(names)]


def test_of_several_processes_exactly_one_creates_each_file(processes, tmp_path):
    folder, names = str(tmp_path / "ledger"), 50
    won = processes.starmap(create_many, [(folder, number, names) for number in range(WORKERS)], chunksize=1)
    store = LocalStore(tmp_path / "ledger")
    for name in range(names):
        (winner,) = (number for number in range(WORKERS) if won[number][name])
        assert store.read(f"generations/{name}") == str(winner).encode()
    assert len(list((tmp_path / "ledger" / "generations").iterdir())) == names  # No temporary file is left.


def create_and_delete(folder: str, number: int) -> list[str]:
    """Write into folders that other processes delete, as one of several concurrent runs."""
    store, wrong = LocalStore(Path(folder)), list[str]()
    source = Path(f"{folder}-source-{number}")
    source.write_bytes(b"x")
    for turn in range(100):
        name = f"{number}-{turn}"
        try:
            store.delete(f"making/{number}")
            if not store.create(f"making/{number}", name.encode()):
                wrong.append("not created")
            if store.read(f"making/{number}") != name.encode():
                wrong.append("lost")
            store.delete(f"making/{number}")
            store.create(f"batches/deep/{turn}/{number}", b"")
            store.put(f"batches/deep/{turn}/{number}-put", source)
            store.delete_folder("batches")
            store.names(f"batches/deep/{turn}")
            store.delete_unfinished(10**15)
        except Exception as error:  # noqa: BLE001  # none may come
            wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def test_writing_while_other_processes_delete_folders_never_fails(processes, tmp_path):
    folder = str(tmp_path / "ledger")
    wrong = processes.starmap(create_and_delete, [(folder, number) for number in range(WORKERS)], chunksize=1)
    assert wrong == [[]] * WORKERS
    assert list(LocalStore(tmp_path / "ledger").files()) == []


def remove_when_empty(folder: str, stop: str) -> None:
    """Delete empty folders as fast as possible, as an earlier version of this package did."""
    while not Path(stop).exists():
        for parent, _, _ in os.walk(folder, topdown=False):
            try:
                Path(parent).rmdir()
            except OSError:
                continue


def test_writing_while_another_process_removes_empty_folders_never_fails(processes, tmp_path):
    stop = tmp_path / "stop"
    remover = processes.apply_async(remove_when_empty, (str(tmp_path / "ledger"), str(stop)))
    try:
        store = LocalStore(tmp_path / "ledger")
        for turn in range(500):
            name = f"{turn % 7}/deep/{turn}"
            assert store.create(name, b"x")
            store.delete(name)
    finally:
        stop.touch()
        remover.get()


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277, 0o777])
def test_only_the_owner_may_read_the_ledger_whatever_the_umask(tmp_path, umask):
    above = tmp_path / "above"
    above.mkdir(mode=0o755)
    above.chmod(0o755)
    source, into = tmp_path / "source", tmp_path / "into"
    source.write_bytes(b"x")
    store = LocalStore(above / "ledger" / "walkme" / "host")
    before = os.umask(umask)
    try:
        store.create("batches/1/1-add.txt", b"x")
        store.put("state/1.parquet", source)
        store.fetch("state/1.parquet", into)
    finally:
        os.umask(before)
    assert mode(above) == "0o755"
    assert mode(into) == "0o600"
    made = list(above.rglob("*"))
    assert {mode(path) for path in made if path.is_dir()} == {"0o700"}
    assert {mode(path) for path in made if path.is_file()} == {"0o600"}
    assert len(made) == 8


class Disk:
    """Records what survives a power failure: the content and the entries that were made durable."""

    def __init__(self, monkeypatch):
        self.sizes: dict[str, int] = {}
        self.folders: list[str] = []
        self.named: list[tuple[str, int | None, int]] = []
        self.fsync, self.link, self.replace = os.fsync, os.link, os.replace
        monkeypatch.setattr(os, "fsync", self.note)
        monkeypatch.setattr(os, "link", lambda old, new: self.name(self.link, old, new))
        monkeypatch.setattr(os, "replace", lambda old, new: self.name(self.replace, old, new))

    def note(self, descriptor):
        path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        if Path(path).is_dir():
            self.folders.append(path)
        else:
            self.sizes[path] = os.fstat(descriptor).st_size
        self.fsync(descriptor)

    def name(self, call, old, new):
        self.named.append((str(new), self.sizes.get(str(old)), Path(old).stat().st_size))
        call(old, new)


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


@needs_proc
@pytest.mark.parametrize("size", [1, 100, 3 << 20])
def test_the_whole_content_of_a_file_is_flushed_before_it_gets_its_name(tmp_path, monkeypatch, size):
    source = tmp_path / "source"
    source.write_bytes(b"x" * size)
    disk = Disk(monkeypatch)
    store = LocalStore(tmp_path / "ledger")
    store.create("generations/1.json", b"x" * size)
    store.put("state/1.parquet", source)
    assert disk.named == [
        (str(tmp_path / "ledger" / name), size, size) for name in ("generations/1.json", "state/1.parquet")
    ]


@needs_proc
@pytest.mark.parametrize("made_before", ["", "ledger", "ledger/walkme/host", "ledger/walkme/host/batches/1"])
def test_the_entry_of_each_new_folder_is_flushed(tmp_path, monkeypatch, made_before):
    """Also the entry of a folder that another process has just created and not flushed yet."""
    folder = tmp_path
    for part in filter(None, made_before.split("/")):
        folder /= part
        folder.mkdir(mode=0o700)
    disk = Disk(monkeypatch)
    LocalStore(tmp_path / "ledger" / "walkme" / "host").create("batches/1/1-add.txt", b"x")
    file = tmp_path / "ledger/walkme/host/batches/1/1-add.txt"
    above = [str(path) for path in file.parents if path.is_relative_to(tmp_path)]
    assert set(above) <= set(disk.folders)
    assert disk.folders[-1] == str(file.parent)


@needs_proc
def test_a_folder_that_another_process_deleted_is_flushed_again_when_it_is_recreated(tmp_path, monkeypatch):
    store = LocalStore(tmp_path / "ledger")
    store.create("batches/1/a", b"x")
    LocalStore(tmp_path / "ledger").delete_folder("")
    disk = Disk(monkeypatch)
    store.create("batches/1/b", b"x")
    assert {str(tmp_path), str(tmp_path / "ledger"), str(tmp_path / "ledger/batches")} <= set(disk.folders)


@needs_proc
def test_the_deletion_of_a_file_or_folder_is_flushed(tmp_path, monkeypatch):
    store = LocalStore(tmp_path / "ledger")
    store.create("plans/1.json", b"x")
    disk = Disk(monkeypatch)
    store.delete("plans/1.json")
    store.delete_folder("plans")
    assert disk.folders == [str(tmp_path / "ledger" / "plans"), str(tmp_path / "ledger")]


@pytest.mark.parametrize("folder", ["batches/000000000001-0123abcd", "batches"])
def test_deleting_a_symbolic_link_in_the_ledger_keeps_its_target(tmp_path, folder):
    (tmp_path / "outside" / "000000000001-0123abcd").mkdir(parents=True)
    (tmp_path / "outside" / "000000000001-0123abcd" / "kept").touch()
    link = tmp_path / "ledger" / folder
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "outside" / folder.partition("/")[2])
    LocalStore(tmp_path / "ledger").delete_folder(folder)
    assert not link.is_symlink()
    assert (tmp_path / "outside" / "000000000001-0123abcd" / "kept").exists()


NO_LINKS = [errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV]


@pytest.mark.parametrize("number", NO_LINKS, ids=errno.errorcode.get)
def test_a_file_system_without_hard_links_is_refused(tmp_path, monkeypatch, number):
    def link(old, new):
        raise OSError(number, os.strerror(number), str(old), None, str(new))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(LedgerError, match=r"no hard links.* Nothing was sent. .*object store") as refused:
        LocalStore(tmp_path / "ledger").create("generations/1.json", b"x")
    assert str(tmp_path / "ledger/generations/1.json") in str(refused.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


USES = {
    "create": lambda store, file: store.create("a/1", b"x"),
    "put": lambda store, file: store.put("a/1", file),
    "read": lambda store, file: store.read("a/1"),
    "fetch": lambda store, file: store.fetch("a/1", file.with_name("into")),
    "names": lambda store, file: store.names("a"),
    "folders": lambda store, file: store.folders("a"),
    "delete": lambda store, file: store.delete("a/1"),
    "delete_folder": lambda store, file: store.delete_folder("a"),
}
WRITES = ("create", "put")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize("use", [name for name in USES if name != "delete_folder"])
def test_a_file_in_place_of_a_ledger_folder_is_an_error_that_names_the_remedy(tmp_path, file, use):
    store = LocalStore(tmp_path / "ledger")
    store.create("a", b"x")
    with pytest.raises(LedgerUnavailable, match=r"Not a directory.* move it away"):
        USES[use](store, file)
    with pytest.raises(LedgerUnavailable, match=r"Not a directory.* move it away"):
        USES[use](LocalStore(file / "ledger"), file)


@pytest.mark.parametrize("use", ["put", "read", "fetch", "delete"])
def test_a_folder_in_place_of_a_ledger_file_is_an_error_that_names_the_remedy(tmp_path, file, use):
    (tmp_path / "ledger" / "a" / "1").mkdir(parents=True)
    with pytest.raises(LedgerUnavailable, match=r"Is a directory.* move it away"):
        USES[use](LocalStore(tmp_path / "ledger"), file)


@pytest.mark.parametrize("use", USES)
def test_a_ledger_path_that_is_too_long_is_an_error_that_names_the_remedy(tmp_path, file, use):
    with pytest.raises(LedgerUnavailable, match=r"File name too long.* Shorten .*base URL"):
        USES[use](LocalStore(tmp_path / ("x" * 300)), file)
    with pytest.raises(LedgerUnavailable, match="File name too long"):
        USES[use](LocalStore(Path(str(tmp_path), *["x" * 200] * 30)), file)
    assert list(tmp_path.iterdir()) == [file]


def test_a_base_url_that_is_too_long_for_a_folder_name_is_an_error_that_names_the_remedy(tmp_path):
    key = SegmentKey("walkme", f"https://gateway.example.com/{'/'.join(['tenant'] * 40)}", "system", "segment")
    with pytest.raises(LedgerUnavailable, match=r"File name too long.* Shorten .*base URL"):
        open_store(str(tmp_path), key.folder).create("generations/1.json", b"x")


@pytest.mark.parametrize("use", WRITES)
def test_a_broken_symbolic_link_in_place_of_a_folder_is_an_error(tmp_path, file, use):
    (tmp_path / "ledger").symlink_to(tmp_path / "nowhere")
    with pytest.raises(LedgerUnavailable, match="broken symbolic link"):
        USES[use](LocalStore(tmp_path / "ledger"), file)


SYSTEM_CALLS = {
    "create": ["mkdir", "open", "fsync", "link"],
    "put": ["mkdir", "open", "fsync", "replace"],
    "read": ["open"],
    "fetch": ["open"],
    "names": ["scandir"],
    "folders": ["scandir"],
    "delete": ["unlink", "fsync"],
    "delete_folder": ["scandir", "unlink", "rmdir", "fsync"],
}
MEANT = {
    errno.ENOSPC: "Free space",
    errno.EDQUOT: "Free space",
    errno.EACCES: "Give the user",
    errno.EROFS: "Mount that file system writable",
    errno.EIO: "mounted and sound",
    errno.ENOTCONN: "mounted and sound",
}


@pytest.mark.parametrize(("use", "call"), [(use, call) for use, calls in SYSTEM_CALLS.items() for call in calls])
@pytest.mark.parametrize("number", MEANT, ids=errno.errorcode.get)
def test_each_system_error_of_the_local_store_is_explained_with_its_remedy(
    tmp_path, file, monkeypatch, use, call, number
):
    store = LocalStore(tmp_path / "ledger")
    store.create("other/1", b"x")
    if use not in WRITES:
        store.create("a/1", b"x")

    def fail(*args, **named):
        raise OSError(number, os.strerror(number))

    targets = {"mkdir": (Path, "mkdir"), "unlink": (Path, "unlink"), "rmdir": (Path, "rmdir"), "open": (os, "open")}
    owner, name = targets.get(call, (os, call))
    if call == "open" and use not in WRITES:
        owner = Path
        monkeypatch.setattr(Path, "read_bytes", fail)
    monkeypatch.setattr(owner, name, fail)
    with pytest.raises(LedgerUnavailable) as refused:
        USES[use](store, file)
    message = str(refused.value)
    assert MEANT[number] in message
    assert os.strerror(number) in message
    assert "No further request was sent" in message
    assert str(tmp_path / "ledger" / "a") in message
    monkeypatch.undo()
    assert LocalStore(tmp_path / "ledger").read("other/1") == b"x"


def test_a_write_beyond_the_space_limit_leaves_no_partial_file(tmp_path):
    """Uses the limit of a process for the size of a file."""
    code = """
import resource, sys
from pathlib import Path
from airflow_segments_provider.errors import LedgerUnavailable
from airflow_segments_provider.sync.ledger.local_store import LocalStore

store = LocalStore(Path(sys.argv[1]))
source = Path(sys.argv[2])
source.write_bytes(b"x" * 100_000)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for use in (lambda: store.create("generations/1", b"x" * 100_000), lambda: store.put("state/1", source)):
    try:
        use()
    except LedgerUnavailable as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "ledger"), str(tmp_path / "source")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("File too large. No further request was sent") == 2, done
    assert [path for path in (tmp_path / "ledger").rglob("*") if path.is_file()] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user that may become another")
def test_a_ledger_of_another_user_is_an_error_for_every_operation():
    code = """
import os, sys
from pathlib import Path
from airflow_segments_provider.errors import LedgerUnavailable
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from tests.sync.ledger.test_stores import USES

os.setuid(65534)
for name, use in USES.items():
    try:
        use(LocalStore(Path(sys.argv[1])), Path("/dev/null"))
    except LedgerUnavailable as error:
        print(name, error)
"""
    with tempfile.TemporaryDirectory() as above:
        Path(above).chmod(0o755)
        ledger = Path(above, "ledger")
        LocalStore(ledger).create("a/1", b"x")
        done = subprocess.run([sys.executable, "-c", code, str(ledger)], capture_output=True, text=True, check=False)
        assert done.stdout.count("Permission denied. No further request was sent") == len(USES), done


def test_a_store_in_which_a_file_can_be_created_twice_is_refused():
    class Careless(ObjectStore):
        def create(self, name, content):
            self.fs.pipe_file(self._path(name), content)
            return True

    with pytest.raises(LedgerError, match="created twice"):
        check_exclusive(Careless(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"))
    check_exclusive(ObjectStore(fsspec.filesystem("memory"), f"/{uuid.uuid4().hex}"))


class DriverError(Exception):
    """An error of a driver that does not translate its errors."""


class BrokenFs:
    """A file system whose driver fails, always or a few times."""

    protocol = "s3"

    def __init__(self, error, times=10**9):
        self.memory = fsspec.filesystem("memory")
        self.error, self.times = error, times

    def unstrip_protocol(self, path):
        return f"s3://{path}"

    def __getattr__(self, name):
        method = getattr(self.memory, name)

        def call(*args, **named):
            self.times -= 1
            if self.times >= 0:
                raise self.error
            return method(*args, **named)

        return method if name == "invalidate_cache" else call


@pytest.fixture
def without_pauses(monkeypatch):
    monkeypatch.setattr(object_store, "PAUSES", (0, 0, None))


ERRORS = [OSError("p001"), TimeoutError("p001"), DriverError("p001"), ValueError("p001"), PermissionError("p001")]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_each_error_of_a_storage_driver_is_a_ledger_error_without_its_message(file, without_pauses, use, error):
    with pytest.raises(
        LedgerUnavailable, match=f"{type(error).__name__}.* No further request was sent.* read, write"
    ) as told:
        USES[use](ObjectStore(BrokenFs(error), "bucket/ledger"), file)
    assert "p001" not in str(told.value)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("error", [error for error in ERRORS if not isinstance(error, PermissionError)], ids=repr)
def test_each_operation_of_an_object_store_is_tried_again_after_a_temporary_failure(file, without_pauses, use, error):
    root = uuid.uuid4().hex
    ObjectStore(fsspec.filesystem("memory"), root).create("a/1" if use not in WRITES else "b", b"x")
    USES[use](ObjectStore(BrokenFs(error, times=1), root), file)


def test_a_missing_target_folder_is_not_taken_for_a_missing_file(tmp_path):
    store = LocalStore(tmp_path / "ledger")
    store.create("state/1", b"x")
    with pytest.raises(LedgerUnavailable, match=r"copied to .*into"):
        store.fetch("state/1", tmp_path / "missing" / "into")


def test_a_local_path_needs_local_executors_or_a_setting_that_says_it_is_shared(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor")
    assert isinstance(open_store(str(tmp_path), "walkme/a/b/c"), LocalStore)
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "LocalExecutor,CeleryExecutor")
    with pytest.raises(LedgerError, match="several machines"):
        open_store(str(tmp_path), "walkme/a/b/c")
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH_IS_SHARED", "True")
    assert isinstance(open_store(f"file://{tmp_path}", "walkme/a/b/c"), LocalStore)


def test_special_characters_in_a_local_ledger_path_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path, folder in [
        (f"{tmp_path}/a b", tmp_path / "a b"),
        (f"{tmp_path}/a%20b#c?d&e=[f]", tmp_path / "a%20b#c?d&e=[f]"),
        (f"{tmp_path}/file:///x", tmp_path / "file:/x"),
        (f"file://{tmp_path}/a b", tmp_path / "a b"),
        (f"FILE://{tmp_path}/x", tmp_path / "x"),
        (f"local://{tmp_path}/x", tmp_path / "x"),
        (f"{tmp_path}/x/", tmp_path / "x"),
        ("~/ledger", tmp_path / "ledger"),
        ("~", tmp_path),
    ]:
        store = store_at(path, "walkme/h%3A1/s/g")
        assert isinstance(store, LocalStore)
        assert store.folder == folder / "walkme/h%3A1/s/g"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("", "relative"),
        ("ledger", "relative"),
        ("./ledger", "relative"),
        ("../ledger", "relative"),
        ("$HOME/ledger", "relative"),
        ("~no-such-user/ledger", "relative"),
        ("file:/srv/ledger", "relative"),
        ("s3:/bucket/ledger", "relative"),
        ("bucket/ledger", "relative"),
        ("file://ledger", "not absolute"),
        ("file://./ledger", "not absolute"),
        ("file://~/ledger", "not absolute"),
        ("file://localhost/srv/ledger", "names a host"),
        ("file:///srv/a%20b", "'%'"),
        ("file:///srv/a#b", "'#'"),
        ("file:///srv/a?b", "'?'"),
        (" /srv/ledger", "white space"),
        ("/srv/ledger\n", "white space"),
        ("/srv/led\tger", "control characters"),
        ("/srv/led\0ger", "control characters"),
        ("s3://bucket/led\nger", "control characters"),
        ("s3://bucket/a#b", "'#'"),
        ("s3://bucket/a?versionId=1", "'?'"),
        ("s3://bucket/a*", "'*'"),
        ("s3://bucket/[a]", "'['"),
        ("s3://", "no bucket"),
        ("s3:///ledger", "no bucket"),
        ("s3://connection@/ledger", "no bucket"),
        ("s3://bucket//ledger", "empty"),
        ("s3://bucket/a/../b", "`..`"),
        ("s3://bucket/./b", "`..`"),
        ("simplecache::s3://bucket/ledger", "cache"),
        ("nosuch://bucket/ledger", "cannot be opened"),
    ],
)
def test_a_ledger_path_that_could_be_read_in_two_ways_is_refused(path, problem):
    with pytest.raises(ConfigurationError, match=re.escape(problem)) as refused:
        store_at(path, "walkme/h/s/g")
    assert "Nothing was sent." in str(refused.value)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("s3://key:secret@bucket/ledger", "has credentials"),
        ("s3://key:a/secret@bucket/ledger", "has credentials"),
        ("abfss://c@account/ledger?sv=1&sig=secret", "has '?'"),
    ],
)
def test_credentials_in_a_ledger_path_are_rejected_and_not_shown(path, problem):
    with pytest.raises(ConfigurationError, match=re.escape(problem)) as refused:
        store_at(path)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("home", "path"),
    [
        (None, "/home/me/airflow/segments_ledger"),
        ("", "/home/me/airflow/segments_ledger"),
        ("/a", "/a/segments_ledger"),
        ("~/a", "/home/me/a/segments_ledger"),
        ("$HOME/a", "/home/me/a/segments_ledger"),
    ],
)
def test_the_default_ledger_path_is_below_airflow_home(monkeypatch, home, path):
    monkeypatch.setenv("HOME", "/home/me")
    if home is None:
        monkeypatch.delenv("AIRFLOW_HOME")
    else:
        monkeypatch.setenv("AIRFLOW_HOME", home)
    assert ledger_path() == path
    assert str(store_at(ledger_path())) == path

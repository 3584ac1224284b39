"""The folder of a run: private during the run, deleted at its end, and deleted by the next run if it was killed."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import duckdb
import pytest

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.sync import workspace as module
from airflow_segments_provider.sync.workspace import Workspace, remove_leftovers

PERSON = "person-0000001@example.org"
# Fills a database, beyond its memory if there are many users, and waits to be killed.
RUN = """
import os, signal, sys
from airflow_segments_provider.sync.workspace import Workspace

with Workspace("20MB") as workspace:
    workspace.run("SET threads = 1")
    workspace.run("SET enable_progress_bar = false")  # which a slow `python -c` prints
    workspace.run("CREATE TABLE people AS SELECT md5(i::VARCHAR) || md5((-i)::VARCHAR) AS id FROM range(?) AS r(i)",
                  [int(sys.argv[1])])
    (workspace.folder / "snapshot.parquet").write_bytes(b"person-0000001@example.org")
    print(workspace.folder, flush=True)
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Create a folder for temporary files of one test."""
    path = tmp_path / "temporary"
    path.mkdir()
    path.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    monkeypatch.setenv("TMPDIR", str(path))
    return path


@pytest.fixture
def start(place):
    """Return a function that starts a run which ends only by a signal."""
    with ExitStack() as started:

        def begin(users=1000):
            command = [sys.executable, "-c", RUN, str(users)]
            run = started.enter_context(subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True))
            started.callback(run.kill)
            assert run.stdout
            folder = run.stdout.readline().strip()
            assert folder.startswith(str(place))
            return run, Path(folder)

        yield begin


def parent_in(place):
    return place / f"airflow-segments-{os.geteuid()}"


def mode(path):
    return oct(stat.S_IMODE(path.stat().st_mode))


def everything(place):
    """Return everything below the private folders."""
    return [path for parent in place.iterdir() for path in parent.rglob("*")]


def test_the_folder_of_a_run_is_private_and_deleted_at_the_end(place):
    with Workspace() as workspace:
        assert workspace.folder.parent == parent_in(place)
        assert (mode(workspace.folder.parent), mode(workspace.folder)) == ("0o700", "0o700")
        (workspace.folder / "file").write_bytes(b"x")
    assert everything(place) == []


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_the_folder_of_a_run_is_private_whatever_the_umask(place, umask):
    before = os.umask(umask)
    try:
        with Workspace() as workspace:
            assert (mode(workspace.folder.parent), mode(workspace.folder)) == ("0o700", "0o700")
    finally:
        os.umask(before)


def test_the_next_run_deletes_the_folder_of_a_killed_run(place, start):
    run, folder = start(users=1_000_000)
    assert any(path.stat().st_size for path in (folder / "spill").iterdir())
    with Workspace():
        assert folder.exists()
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert PERSON in (folder / "snapshot.parquet").read_text()
    with Workspace() as workspace:
        assert not folder.exists()
        assert workspace.folder.exists()
    assert everything(place) == []


def test_the_next_run_deletes_the_folders_of_all_killed_runs_and_no_other(place, start):
    killed = [start() for _ in range(2)]
    _, alive = start()
    for run, _ in killed:
        run.kill()
        run.wait()
    with Workspace() as workspace:
        assert not any(folder.exists() for _, folder in killed)
        assert remove_leftovers() == 0
        assert workspace.folder.exists()
    assert alive.exists()


def left_behind(parent, name="left"):
    folder = parent / name
    folder.mkdir(parents=True)
    (folder / "snapshot.parquet").write_text(PERSON)
    folder.with_suffix(".lock").touch()
    return folder


def test_a_run_deletes_a_limited_number_of_leftover_folders_and_the_command_all(place):
    with Workspace():
        pass
    for number in range(module.MOST_LEFTOVERS + 5):
        left_behind(parent_in(place), f"left{number}")
    with Workspace():
        pass
    assert remove_leftovers(most=2) == 2
    assert remove_leftovers() == 3
    assert remove_leftovers() == 0
    assert everything(place) == []


def test_a_lock_file_without_a_folder_is_deleted_and_not_counted(place):
    with Workspace() as workspace:
        (workspace.folder.parent / "dead.lock").touch()
        assert remove_leftovers() == 0
        assert [path.name for path in workspace.folder.parent.iterdir() if path.stem == "dead"] == []


def test_a_folder_without_a_lock_file_is_kept(place):
    """It may be that of a running process, on a file system without locks."""
    with Workspace() as workspace:
        folder = left_behind(workspace.folder.parent)
        folder.with_suffix(".lock").unlink()
        assert remove_leftovers() == 0
        assert folder.exists()


def test_nested_workspaces_of_one_process_keep_each_others_folders(place):
    with Workspace() as outer, Workspace() as inner:
        assert remove_leftovers() == 0
        assert outer.folder.exists()
        assert inner.folder.exists()


def test_removing_leftovers_where_there_are_none_creates_no_folder(place):
    assert remove_leftovers() == 0
    assert list(place.iterdir()) == []


def work(place: str, turns: int) -> list[str]:
    """Create and delete folders, as one of several concurrent processes."""
    tempfile.tempdir = place
    wrong, database = [], duckdb.connect()
    for turn in range(turns):
        try:
            with Workspace(database=database) as workspace:
                (workspace.folder / "mine").write_text(str(turn))
                remove_leftovers()
                if (workspace.folder / "mine").read_text() != str(turn):
                    wrong.append("another's")
        except Exception as error:  # noqa: BLE001  # none may come
            wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def test_runs_that_start_at_the_same_time_keep_each_others_folders(place):
    workers = 4
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        assert pool.starmap(work, [(str(place), 50)] * workers) == [[]] * workers
    assert everything(place) == []


def test_a_lock_file_that_another_run_deleted_is_created_again(place, monkeypatch):
    """Between its creation and its locking, a lock file looks like a leftover one."""
    flock, calls = fcntl.flock, list[int]()

    def remove_before(descriptor, operation):
        if not calls:
            calls.append(1)
            assert remove_leftovers() == 0
        flock(descriptor, operation)

    with Workspace():
        pass
    monkeypatch.setattr(fcntl, "flock", remove_before)
    with Workspace() as workspace:
        assert calls
        assert workspace.folder.with_suffix(".lock").exists()
        assert remove_leftovers() == 0
        assert workspace.folder.exists()
    assert everything(place) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_on_a_file_system_without_locks_no_folder_is_deleted_by_others(place, monkeypatch, number):
    def flock(descriptor, operation):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", flock)
        workspace = Workspace()
        workspace.__enter__()
        assert remove_leftovers() == 0
    assert remove_leftovers() == 0
    assert workspace.folder.exists()
    workspace.__exit__(None, None, None)
    assert everything(place) == []


def take_by_link(path, elsewhere):
    path.symlink_to(elsewhere)


def take_by_file(path, elsewhere):
    path.touch()


def take_as_another_user(path, elsewhere):
    path.mkdir(mode=0o777)
    os.chown(path, 65534, 65534)


TAKEN = [take_by_link, take_by_file]
if os.geteuid() == 0:
    TAKEN.append(take_as_another_user)


@pytest.mark.parametrize("take", TAKEN)
def test_a_run_uses_another_folder_where_the_name_is_taken_by_another_user(place, tmp_path, take):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    take(parent_in(place), elsewhere)
    with Workspace() as workspace:
        parent = workspace.folder.parent
        assert parent != parent_in(place)
        assert (parent.parent, mode(parent), mode(workspace.folder)) == (place, "0o700", "0o700")
        assert not parent.is_symlink()
    with Workspace() as workspace:
        assert workspace.folder.parent == parent
    left_behind(parent)
    assert remove_leftovers() == 1
    assert list(elsewhere.iterdir()) == []
    assert list(parent.iterdir()) == []


def test_a_folder_of_the_user_that_others_could_enter_is_made_private(place):
    parent_in(place).mkdir()
    parent_in(place).chmod(0o777)
    with Workspace() as workspace:
        assert (workspace.folder.parent, mode(parent_in(place))) == (parent_in(place), "0o700")


def test_a_folder_of_another_user_with_a_similar_name_is_not_cleaned(place):
    similar = left_behind(place / f"{parent_in(place).name}0")
    assert remove_leftovers() == 0
    assert similar.exists()


def test_symbolic_links_in_leftover_folders_are_not_followed(place, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("keep")
    with Workspace() as workspace:
        parent = workspace.folder.parent
    folder = left_behind(parent)
    (folder / "link").symlink_to(precious)
    (folder / "folder").symlink_to(tmp_path)
    (parent / "linked").symlink_to(tmp_path)
    (parent / "linked.lock").symlink_to(precious)
    assert remove_leftovers() == 1
    assert precious.read_text() == "keep"
    assert not folder.exists()


def test_a_leftover_folder_that_cannot_be_deleted_does_not_fail_the_run(place, monkeypatch):
    with Workspace():
        pass
    left_behind(parent_in(place))
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "rmtree", lambda path, ignore_errors: None)
        with Workspace() as workspace:
            assert remove_leftovers() == 0
    assert workspace.folder.exists()
    assert remove_leftovers() == 2
    assert everything(place) == []


@pytest.mark.parametrize("error", [OSError(errno.EIO, "x"), PermissionError(errno.EACCES, "x")], ids=repr)
@pytest.mark.parametrize("name", ["lstat", "glob", "unlink"])
def test_an_error_while_leftovers_are_removed_is_not_raised(place, monkeypatch, name, error):
    with Workspace():
        pass
    left_behind(parent_in(place))

    def fail(*args, **named):
        raise error

    monkeypatch.setattr(Path, name, fail)
    assert remove_leftovers() == 0


def test_a_workspace_that_cannot_be_opened_leaves_no_file(place):
    with pytest.raises(duckdb.Error), Workspace("much"):
        pass
    assert everything(place) == []


def test_a_workspace_whose_database_fails_at_the_end_leaves_no_file(place):
    database = duckdb.connect()
    with pytest.raises(duckdb.Error), Workspace(database=database):
        database.close()
    assert everything(place) == []


def test_a_missing_folder_for_temporary_files_is_a_configuration_error(place, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(place / "missing"))
    with pytest.raises(ConfigurationError, match=r"No such file.* Nothing was sent. .*`TMPDIR`"), Workspace():
        pass
    assert remove_leftovers() == 0


def test_a_workspace_whose_folder_cannot_be_created_leaves_no_file(place, monkeypatch):
    with Workspace():
        pass
    mkdir = Path.mkdir

    def full(self, *args, **named):
        if self.parent == parent_in(place):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        mkdir(self, *args, **named)

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(ConfigurationError, match="No space left on device"), Workspace():
        pass
    assert everything(place) == []

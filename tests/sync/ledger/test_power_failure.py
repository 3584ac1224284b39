"""Power failures and failed writes at each system call: sent requests are recorded, and a repetition succeeds."""

from __future__ import annotations

import errno
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from airflow_segments_provider.errors import LedgerBusy, LedgerUnavailable, PlanRefused
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.local_store import TEMPORARY, LocalStore
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import Segment, people
from tests.sync.ledger.fuzzing import form_of
from tests.sync.ledger.scenes import FREE, HOUR, end_at
from tests.sync.model.memory import KEY, Crash

KINDS = {"generations", "state", "batches", "acknowledged", "leases", "notes", "plans", "approvals", "reports"}
CALLS = ("open", "fsync", "link", "replace", "mkdir")
ERRORS = (errno.ENOSPC, errno.EIO)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")


class Machine:
    """The system calls of a ledger's store: counts them, fails at one, and records what survives a power failure.

    A file survives with its content at its last `fsync`, a folder with its entries at its last `fsync`.

    :param fail_at: The number of the call that fails, from 1; 0 for none.
    :ivar calls: The names and paths of the calls.
    """

    def __init__(self, monkeypatch, root, fail_at=0, error=None):
        self.root, self.fail_at, self.error = root, fail_at, error
        self.calls = list[tuple[str, str]]()
        self._contents = dict[int, bytes]()
        self._entries = dict[Path, dict[str, int | None]]()
        real = {name: getattr(os, name) for name in (*CALLS, "fdopen")}
        self.fsync_now = real["fsync"]
        for name in ("link", "replace", "mkdir", "open"):
            monkeypatch.setattr(os, name, self.counted(name, real[name]))
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "fdopen", lambda descriptor, mode: Written(self, real["fdopen"](descriptor, mode)))

    def counted(self, name, call):
        def calling(path, *given, **named):
            target = str(given[0] if name in ("link", "replace") else path)
            if target.startswith(str(self.root)):
                self.count(name, target)
            return call(path, *given, **named)

        return calling

    def count(self, name, path):
        self.calls.append((name, path))
        if len(self.calls) == self.fail_at:
            raise self.error or Crash

    def fsync(self, descriptor):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        # How many parent folders are synced depends on their modes.
        if path.is_relative_to(self.root):
            self.count("fsync", str(path))
        self.fsync_now(descriptor)
        if not path.is_dir():
            self._contents[path.stat().st_ino] = path.read_bytes()
            return
        inside = [entry for entry in os.scandir(path) if not entry.name.startswith(TEMPORARY)]
        self._entries[path] = {entry.name: None if entry.is_dir() else entry.inode() for entry in inside}

    def durable(self, folder=None):
        """Yield the files that survive a power failure."""
        folder = folder or self.root
        for name, inode in self._entries.get(folder, {}).items():
            if inode is None:
                yield from self.durable(folder / name)
            else:
                yield folder / name, self._contents.get(inode, b"")

    def restart(self, root):
        """Write the surviving files to another folder."""
        for path, content in self.durable():
            target = root / path.relative_to(self.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        self.root = root / "no more"


class Written:
    """An open file whose calls are counted."""

    def __init__(self, machine, file):
        self.machine, self.file = machine, file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()
        if not any(error):
            self.machine.count("close", "")

    def write(self, content):
        half = len(content) // 2
        self.file.write(content[:half])
        self.machine.count("write", "")
        return half + self.file.write(content[half:])

    def flush(self):
        self.machine.count("flush", "")
        self.file.flush()


def local(database, root):
    segment = Segment(database)
    segment.store = LocalStore(root / KEY.folder)  # type: ignore[assignment]
    segment.vendor.bad = {"p003"}
    return segment


def first(segment):
    segment.sync(people(0, 30))


def plan(segment):
    with pytest.raises(PlanRefused):
        segment.sync(people(25, 30))


def approve(segment):
    held = segment.ledger()
    held.head = read_head(segment.store, KEY.folder)
    approvals.approve(held, approvals.kept(segment.store)[-1].plan.digest, "ada")


def apply(segment):
    segment.sync(people(25, 30))


def fail(segment):
    with end_at(segment, 2):
        segment.sync(people(20, 45), **FREE)


def note(segment):
    held = segment.ledger()
    held.head = read_head(segment.store, KEY.folder)
    held.note("add", ["late"])


def last(segment):
    segment.sync(people(22, 50), **FREE)


STEPS = (first, plan, approve, apply, fail, note, last)


def all_steps(segment):
    for step in STEPS:
        step(segment)


def repeated(step, segment):
    """Repeat a step until it succeeds, as a task with retries does."""
    for _ in range(5):
        try:
            return step(segment)
        except (LedgerUnavailable, LedgerBusy):
            segment.now += 2 * HOUR
    raise AssertionError("it never ends")


def check_whole(store):
    """Check that each file with a final name is complete."""
    for name in store.files():
        if form := (None if name.rpartition("/")[2].startswith(TEMPORARY) else form_of(name)):
            content = store.read(name)
            assert re.search("leases/.*/[0-9]", name) or form.decode(content).sha256, name


@pytest.fixture(scope="module")
def calls(database, tmp_path_factory):
    """Return the calls of all steps; check that each file is durable before a request is sent, and at the end."""
    root = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as monkeypatch:
        machine, segment = Machine(monkeypatch, root), local(database, root)
        requests = []

        def carry_out(kind, ids):
            requests.append(kind)
            check_durable(machine, segment.store)
            type(segment.vendor).carry_out(segment.vendor, kind, ids)

        for step in STEPS:
            segment.vendor.carry_out = carry_out
            step(segment)
            check_durable(machine, segment.store)
    assert len(requests) > 8
    return machine.calls


def check_durable(machine, store):
    there = {store.folder / name: store.read(name) for name in store.files()}
    assert dict(machine.durable()) == there


def test_each_kind_of_ledger_file_is_flushed_before_it_gets_its_name(calls):
    named = [number for number, (name, _) in enumerate(calls) if name in ("link", "replace")]
    kinds = {Path(calls[number][1]).parts for number in named}
    assert {kind for kind in KINDS if any(kind in parts for parts in kinds)} == KINDS
    for number in named:
        folder = str(Path(calls[number][1]).parent)
        before = [name for name, _ in calls[:number]]
        written = max(place for place, name in enumerate(before) if name == "write")
        assert before[written : written + 4] == ["write", "flush", "fsync", "close"]
        after = calls[number + 1 : number + 3]
        assert after == [("open", folder), ("fsync", folder)]


def test_a_power_failure_at_one_of_8_system_calls_loses_no_sent_request(database, tmp_path, calls):
    crash(database, tmp_path, calls, 8)


@pytest.mark.slow
def test_a_power_failure_at_any_of_150_system_calls_loses_no_sent_request(database, tmp_path, calls):
    crash(database, tmp_path, calls, 150)


def crash(database, tmp_path, calls, times):
    for number in range(times):
        before, after = tmp_path / f"before-{number}", tmp_path / f"after-{number}"
        before.mkdir()
        segment = local(database, before)
        with pytest.MonkeyPatch.context() as monkeypatch:
            machine = Machine(monkeypatch, before, 1 + number * len(calls) // times)
            with pytest.raises(Crash):
                all_steps(segment)
        segment.vendor.__dict__.pop("carry_out", None)
        machine.restart(after)
        # The new process of the ledger does not inherit the patched calls of the old one.
        segment.store = LocalStore(after / KEY.folder)
        segment.now += 2 * HOUR
        # The first run may apply the approved plan.
        for _ in range(2):
            segment.sync(people(22, 50), run="after", **FREE)
        assert segment.vendor.members - {"late"} == set(people(22, 50)), number
        shutil.rmtree(before)
        shutil.rmtree(after)


def test_a_write_that_fails_at_one_of_12_system_calls_is_a_ledger_error_and_can_be_repeated(database, tmp_path, calls):
    break_writes(database, tmp_path, calls, 12)


@pytest.mark.slow
def test_a_write_that_fails_at_any_of_150_system_calls_is_a_ledger_error_and_can_be_repeated(database, tmp_path, calls):
    break_writes(database, tmp_path, calls, 150)


def break_writes(database, tmp_path, calls, times):
    errors = list[tuple[str, str]]()
    for number in range(times):
        root, code = tmp_path / f"{number}", ERRORS[number % 2]
        root.mkdir()
        segment = local(database, root)
        place = 1 + number * (len(calls) - 1) // times
        with pytest.MonkeyPatch.context() as monkeypatch:
            Machine(monkeypatch, root, place, OSError(code, os.strerror(code)))
            for step in STEPS:
                try:
                    step(segment)
                except LedgerUnavailable as error:
                    errors.append((os.strerror(code), str(error)))
                    check_whole(segment.store)
                    segment.now += 2 * HOUR
                    segment.vendor.__dict__.pop("carry_out", None)
                    repeated(step, segment)
                check_whole(segment.store)
        assert segment.vendor.members - {"late"} == set(people(22, 50)), calls[place - 1]
        shutil.rmtree(root)
    # A failed deletion or release at the end of a run is not an error.
    assert len(errors) > times // 2
    assert all(reason in message for reason, message in errors)


def four_runs(segment):
    for wanted in (people(0, 200), people(0, 201), people(0, 20), people(0, 20)):
        with suppress(PlanRefused):
            segment.sync([*wanted, "x\0"], as_of=segment.now)


@pytest.mark.parametrize(
    "name", ["snapshot.parquet", "delta.parquet", "actions.txt", "rejects.jsonl", "plan.md", "kept.json"]
)
def test_a_file_of_the_working_directory_that_cannot_be_written_is_a_ledger_error(segment, monkeypatch, name):
    """Both files that DuckDB writes and files that Python writes."""

    def enter(workspace):
        entered(workspace)
        # Every write to it fails; DuckDB writes to a file of another name first.
        for path in (name, f"tmp_{name}"):
            (workspace.folder / path).symlink_to("/dev/full")
        return workspace

    entered = Workspace.__enter__
    with monkeypatch.context() as patch:
        patch.setattr(Workspace, "__enter__", enter)
        with pytest.raises(LedgerUnavailable, match=r"working directory .* cannot be written"):
            four_runs(segment)
    segment.now += 2 * HOUR
    segment.sync(people(0, 200), **FREE)
    assert segment.vendor.members == set(people(0, 200))

"""Segments whose ledgers are below a ledger path, and the command run on them."""

from __future__ import annotations

import copy
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace

import duckdb
import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.errors import PlanRefused
from airflow_segments_provider.sync.ledger.location import store_at
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import Segment, people
from tests.sync.model.memory import KEY

HOUR = 3_600_000
FREE = {"max_removed_fraction": 1, "max_added_fraction": None}


class NamedSegment(Segment):
    """A segment with this folder name, whose last run was less than an hour ago."""

    name = connection = ""

    def __init__(self, database, name):
        super().__init__(database)
        self.folder = f"{KEY.folder.rpartition('/')[0]}/{name}"
        self.now = time.time_ns() // 1_000_000 - HOUR

    def ledger(self, **given):
        """Return the ledger of a run."""
        return replace(super().ledger(**given), folder=self.folder, name=self.name, connection=self.connection)


class KeptSegment(NamedSegment):
    """A segment with its ledger below a path."""

    def __init__(self, database, path, name):
        super().__init__(database, name)
        self.store = store_at(path, self.folder)  # type: ignore[assignment]


@pytest.fixture(autouse=True)
def temporary(tmp_path):
    """Return a folder for this test's temporary files: `erase-person` waits for runs that have working directories."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.setenv("TMPDIR", str(folder))
        yield folder


def pytest_generate_tests(metafunc):
    """Run each test with a ledger path on the disk and in an object store, where tests of erasing are slow."""
    named = any(mark.args[0] == "path" for mark in metafunc.definition.iter_markers("parametrize"))
    if "path" in metafunc.fixturenames and not named:
        slow = [pytest.mark.slow] if "test_erasing" in metafunc.module.__name__ else []
        metafunc.parametrize("path", ["local", pytest.param("memory", marks=slow)], indirect=True)


@pytest.fixture
def path(request, tmp_path):
    """Return a ledger path."""
    if request.param == "local":
        return str(tmp_path / "ledgers")
    # Airflow does not know this scheme by itself; where `attach` is depends on its version.
    sys.modules[ObjectStoragePath.__module__].attach("memory", fs=_emptied_memory())
    return f"memory:///{uuid.uuid4().hex}"


def _emptied_memory():
    """Empty the object store in memory: the process has one, and each listing reads every file in it."""
    memory = fsspec.filesystem("memory")
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]
    return memory


@pytest.fixture
def make(path, database):
    """Return a function that creates a segment below the path."""
    return lambda name="segment": KeptSegment(database, path, name)


@pytest.fixture
def ledger(path, capsys):
    """Run ``ledger`` with these arguments; return its status, its output and its error output."""

    def run(command, *arguments):
        status = main(["ledger", command, "--ledger-path", path, *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


@pytest.fixture
def left(make, database, left_before):
    """Return a segment that p000 has left, and whose vendor rejected p003; both are in many files of its ledger."""
    segment, files = make(), left_before.store.files
    for part in ("vendor", "witness", "now", "runs", "shown"):
        setattr(segment, part, copy.deepcopy(getattr(left_before, part)))
    assert all(segment.store.create(name, content) for name, content in files.items())
    return segment


@pytest.fixture(scope="session")
def left_before(database):
    """Return the same in memory, created once and copied."""
    segment = NamedSegment(database, "segment")
    segment.vendor.bad = {"p003"}
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(150, 200))
    segment.sync(people(1, 203))
    segment.sync(people(1, 204))
    return segment


@pytest.fixture
def elsewhere(tmp_path):
    """Run commands as on another machine, without the working directories of this one."""

    @contextmanager
    def moved():
        with pytest.MonkeyPatch.context() as patch:
            (tmp_path / "elsewhere").mkdir(exist_ok=True)
            patch.setattr(tempfile, "tempdir", str(tmp_path / "elsewhere"))
            yield

    return moved


def found(segment, user, tmp_path):
    """Return the folders whose files contain a user, by another search than the command's."""
    names = []
    for name in segment.store.files():
        content = segment.store.read(name)
        if name.endswith(".parquet"):
            copy = tmp_path / "copy.parquet"
            copy.write_bytes(content)
            content = str(duckdb.read_parquet(str(copy)).fetchall()).encode()
        if user.encode() in content:
            names.append(name.partition("/")[0])
    return sorted(set(names))


def known(segment):
    with Workspace(database=segment.database) as workspace:
        segment.ledger().look(workspace)
        return {row[0]: row[1:] for row in workspace.rows("SELECT * FROM known")}


def files_of(segment):
    return {name: segment.store.read(name) for name in segment.store.files()}

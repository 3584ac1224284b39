"""Segments whose ledgers lie below a ledger path, and the command run there."""

from __future__ import annotations

import sys
import time
import uuid
from dataclasses import replace

import duckdb
import fsspec
import pytest
from airflow.providers.common.compat.sdk import ObjectStoragePath

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.members.ledger.places import store_at
from tests.members.conftest import Segment
from tests.members.model.memory import KEY

HOUR = 3_600_000


class KeptSegment(Segment):
    """A segment with its ledger below a path; the last of its runs was less than an hour ago."""

    def __init__(self, database, path, name):
        super().__init__(database)
        self.folder = f"{KEY.folder.rpartition('/')[0]}/{name}"
        self.store = store_at(path, self.folder)  # type: ignore[assignment]
        self.now = time.time_ns() // 1_000_000 - HOUR

    def ledger(self, **given):
        """The ledger of a run."""
        return replace(super().ledger(**given), folder=self.folder)


@pytest.fixture(params=["local", "memory"])
def path(request, tmp_path):
    """A ledger path: on the disk, and in an object store."""
    if request.param == "local":
        return str(tmp_path / "ledgers")
    # Airflow knows no such scheme of its own; where `attach` is differs by its version.
    sys.modules[ObjectStoragePath.__module__].attach("memory", fs=fsspec.filesystem("memory"))
    return f"memory:///{uuid.uuid4().hex}"


@pytest.fixture
def make(path):
    """Make a segment below the path."""
    database = duckdb.connect(config={"threads": 1})
    database.execute("PRAGMA disable_optimizer")
    yield lambda name="segment": KeptSegment(database, path, name)
    database.close()


@pytest.fixture
def ledger(path, capsys):
    """Run ``ledger`` with these arguments; returns its status, and what it printed where."""

    def run(command, *arguments):
        status = main(["ledger", command, "--ledger-path", path, *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run

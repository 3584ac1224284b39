"""``ledger erase-person``: nothing that is left names the person, and everybody else is as before."""

from __future__ import annotations

import io
import subprocess
import sys
import time

import duckdb
import pytest

from airflow_segments_provider.errors import LedgerError, PlanRefused
from airflow_segments_provider.ledger_commands.holding import files_holding
from airflow_segments_provider.members.guard import Guard
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.store import every_file
from airflow_segments_provider.members.workspace import Workspace
from tests.ledger_commands.test_looking import interrupt
from tests.members.conftest import people

COMMAND = [sys.executable, "-m", "airflow_segments_provider", "ledger"]
FREE = Guard(max_removed_fraction=1, max_added_fraction=None)


@pytest.fixture
def left(make):
    """A segment that p000 has left, and that once refused p003; both are in many files of its ledger."""
    segment = make()
    segment.vendor.bad = {"p003"}
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(150, 200))
    segment.sync(people(1, 203))
    segment.sync(people(1, 204))
    return segment


def found(segment, person, tmp_path):
    """Where a person stands, by opening every file in a way of its own."""
    names = []
    for name in every_file(segment.store):
        content = segment.store.read(name)
        if name.endswith(".parquet"):
            copy = tmp_path / "copy.parquet"
            copy.write_bytes(content)
            content = str(duckdb.read_parquet(str(copy)).fetchall()).encode()
        if person.encode() in content:
            names.append(name.partition("/")[0])
    return sorted(set(names))


def known(segment):
    with Workspace(database=segment.database) as workspace:
        segment.ledger().look(workspace)
        return {row[0]: row[1:] for row in workspace.rows("SELECT * FROM known")}


def test_whoever_left_is_gone_from_every_file(left, ledger, tmp_path):
    assert found(left, "p000", tmp_path) == ["batches", "plans", "state"]
    before = known(left)
    status, out, err = ledger("erase-person", " p000 ")
    assert status == 0, err
    assert f"{left.folder}: erased, and looked for in every file that is left.\n" in out
    assert found(left, "p000", tmp_path) == []
    assert known(left) == {person: what for person, what in before.items() if person != "p000"}
    assert sorted({name.partition("/")[0] for name in every_file(left.store)}) == ["generations", "state"]
    requests = left.vendor.requests
    assert left.sync(people(1, 204), data_until=None).outcome == "unchanged"
    assert left.vendor.requests == requests


def test_a_refused_person_goes_too(left, ledger, tmp_path):
    assert found(left, "p003", tmp_path) == ["acknowledged", "batches", "plans", "state"]
    assert ledger("erase-person", "p003")[0] == 0
    assert found(left, "p003", tmp_path) == []
    assert left.sync(people(1, 204)).counts["add"] == 1


def test_a_member_is_not_erased_unless_that_is_meant(left, ledger, tmp_path):
    files = {name: left.store.read(name) for name in every_file(left.store)}
    status, out, _ = ledger("erase-person", "p000", "p001", "p002")
    assert status == 1
    assert f"{left.folder}: 2 vouched for, 0 in doubt." in out
    assert "p00" not in out
    assert {name: left.store.read(name) for name in every_file(left.store)} == files
    assert ledger("erase-person", "--anyway", "p000", "p001", "p002")[0] == 0
    assert [found(left, person, tmp_path) for person in ("p000", "p001", "p002")] == [[], [], []]
    # Nobody knows of them any more: they stay.
    left.sync(people(3, 204), guard=FREE)
    assert left.vendor.members == {"p001", "p002", *people(4, 204)}


def test_nor_somebody_about_whom_a_request_is_in_doubt(left, ledger, tmp_path):
    interrupt(left, people(1, 206))
    status, out, _ = ledger("erase-person", "p205")
    assert (status, f"{left.folder}: 0 vouched for, 1 in doubt." in out) == (1, True)
    assert ledger("erase-person", "p000")[0] == 0
    assert found(left, "p000", tmp_path) == []
    assert known(left)["p205"][1] is not None


def test_of_all_ledgers_or_of_one(make, ledger, tmp_path):
    one, two, three = make("one"), make("two"), make("three")
    for segment in (one, two):
        segment.sync(people(0, 10))
        segment.sync(people(1, 10))
    three.sync(people(5, 10))
    files = list(every_file(three.store))
    assert ledger("erase-person", "p000", "--segment", "two")[0] == 0
    assert found(one, "p000", tmp_path)
    assert found(two, "p000", tmp_path) == []
    status, out, _ = ledger("erase-person", "p000")
    assert (status, f"{one.folder}: erased" in out, two.folder in out) == (0, True, False)
    assert found(one, "p000", tmp_path) == []
    assert list(every_file(three.store)) == files
    assert ledger("erase-person", "p000") == (0, "None of 3 ledgers names them.\n", "")


def test_one_declined_ledger_keeps_all_as_they_are(make, ledger, tmp_path):
    one, two = make("one"), make("two")
    one.sync(people(0, 10))
    one.sync(people(1, 10))
    two.sync(people(0, 10))
    assert ledger("erase-person", "p000")[0] == 1
    assert found(one, "p000", tmp_path)


def test_ids_from_a_file_or_the_standard_input(left, ledger, tmp_path, monkeypatch):
    file = tmp_path / "ids"
    file.write_text("p000\n\n  p003\r\np000\n")
    assert ledger("erase-person", "--from-file", str(file))[0] == 0
    assert found(left, "p000", tmp_path) == found(left, "p003", tmp_path) == []
    left.sync(people(2, 204))
    monkeypatch.setattr(sys, "stdin", io.StringIO("p001\n"))
    assert ledger("erase-person", "--from-file", "-")[0] == 0
    assert found(left, "p001", tmp_path) == []


@pytest.mark.parametrize(("arguments", "said"), [([], "No id"), (["--from-file", "/no/such"], "cannot be read")])
def test_without_ids(ledger, arguments, said):
    status, _, err = ledger("erase-person", *arguments)
    assert (status, said in err) == (2, True)


def test_not_while_a_run_holds_it(left, ledger, monkeypatch):
    def stop(*given, **named):
        raise LedgerError("stopped here")

    left.now = time.time_ns() // 1_000_000
    monkeypatch.setattr(Ledger, "acknowledge", stop)
    with pytest.raises(LedgerError):
        left.sync(people(1, 205))
    monkeypatch.undo()
    status, _, err = ledger("erase-person", "p000")
    assert (status, "Run run is changing this segment" in err) == (1, True)


def test_a_run_that_was_under_way_stops(left, ledger, monkeypatch):
    begin = Ledger.begin

    def erase_first(self, **given):
        monkeypatch.undo()
        assert ledger("erase-person", "p000")[0] == 0
        begin(self, **given)

    monkeypatch.setattr(Ledger, "begin", erase_first)
    requests = left.vendor.requests
    with pytest.raises(LedgerError, match="meanwhile"):
        left.sync(people(1, 205))
    assert left.vendor.requests == requests


def test_cut_short_it_is_finished_by_the_next(left, ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(type(left.store), "delete_folder", lambda self, name: 1 / 0)
    assert ledger("erase-person", "p000")[0] == 2
    monkeypatch.undo()
    assert found(left, "p000", tmp_path)
    assert left.sync(people(1, 204)).outcome == "unchanged"
    assert ledger("erase-person", "p000")[0] == 0
    assert found(left, "p000", tmp_path) == []


def test_what_could_not_be_deleted_is_said(left, ledger, monkeypatch):
    monkeypatch.setattr(type(left.store), "delete_folder", lambda self, name: None)
    status, _, err = ledger("erase-person", "p000")
    assert (status, "still name them, such as batches/" in err, "p000" in err) == (2, True, False)


def test_of_a_first_sync_that_was_refused(make, ledger, tmp_path):
    segment = make()
    with pytest.raises(PlanRefused):
        segment.sync(people(0, 10), guard=Guard(max_members=5))
    assert found(segment, "p000", tmp_path) == ["plans"]
    assert ledger("erase-person", "p000")[0] == 0
    assert list(every_file(segment.store)) == []


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_half_written_files_go_too(left, ledger):
    half = left.store.folder / "state" / ".part-0123"
    half.write_text("p000")
    assert ledger("erase-person", "p000")[0] == 0
    assert not half.exists()


KINDS = {
    "state/1.parquet": None,
    "batches/1/1-add.txt": b"p001\np000\np002",
    "acknowledged/1/1-add.json": b'{"batch": "x", "rejected": {"p000": "status 400"}}',
    "plans/1.json": b'{"plan": ["p000"]}',
    "reports/1/rejects.jsonl": b'{"row": 1}\n{"row": 2, "reason": "p000"}\n',
    "reports/1/plan.md": b"about p000",
    "batches/1/broken.txt": b"\xff\xfe",
    "state/broken.parquet": b"not parquet",
}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_of_file_is_opened_and_read(make, tmp_path, name):
    store, content = make().store, KINDS[name]
    if content is None:
        duckdb.execute(f"COPY (SELECT 1 AS n, 'p000' AS id) TO '{tmp_path / 'p'}' (FORMAT parquet)")
        content = (tmp_path / "p").read_bytes()
    store.create(name, content)
    store.create("batches/1/2-add.txt", b"p0000\np00")
    store.create("generations/1.json", b'{"p000": 1}')
    assert files_holding(store, ["p000"]) == [name]


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_at_a_terminal(left, path, tmp_path):
    done = subprocess.run(
        [*COMMAND, "erase-person", "--ledger-path", path, "--from-file", "-"],
        input="p000\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "p000" not in done.stdout + done.stderr
    assert found(left, "p000", tmp_path) == []

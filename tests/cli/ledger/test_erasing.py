"""``ledger erase-person``: no remaining file contains the user, and all other users are unchanged."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time

import pytest

from airflow_segments_provider.errors import LedgerBusy, LedgerOvertaken, PlanRefused
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.target import Applied
from tests.cli.ledger.conftest import FREE, files_of, found, known
from tests.cli.ledger.test_looking import interrupt
from tests.sync.conftest import people
from tests.sync.model.memory import Crash, MemoryTarget

COMMAND = [sys.executable, "-m", "airflow_segments_provider", "ledger"]


def test_a_former_member_is_erased_from_every_file(left, ledger, tmp_path):
    assert found(left, "p000", tmp_path) == ["batches", "plans", "state"]
    before = known(left)
    status, out, err = ledger("erase-person", " p000 ")
    assert status == 0, err
    assert f"{left.folder}: erased, and every file that is left was searched.\n" in out
    assert found(left, "p000", tmp_path) == []
    assert known(left) == {user: what for user, what in before.items() if user != "p000"}
    assert sorted({name.partition("/")[0] for name in left.store.files()}) == ["generations", "state"]
    requests = left.vendor.requests
    assert left.sync(people(1, 204)).outcome == "unchanged"
    assert left.vendor.requests == requests


def test_a_rejected_user_is_erased_from_every_file(left, ledger, tmp_path, monkeypatch):
    assert found(left, "p003", tmp_path) == ["batches", "plans", "state"]
    # Some vendors name the rejected users of a request that they accept.
    monkeypatch.setattr(MemoryTarget, "add", lambda self, ids: Applied(rejected=dict.fromkeys(ids, "unmatched")))
    left.sync(people(1, 204), retry_rejected_after=0)
    monkeypatch.undo()
    assert found(left, "p003", tmp_path) == ["acknowledged", "batches", "plans", "state"]
    assert ledger("erase-person", "p003")[0] == 0
    assert found(left, "p003", tmp_path) == []
    assert left.sync(people(1, 204)).counts["add"] == 1


def test_a_member_is_not_erased_without_anyway(left, ledger, tmp_path):
    files = {name: left.store.read(name) for name in left.store.files()}
    status, out, _ = ledger("erase-person", "p000", "p001", "p002")
    assert status == 1
    assert f"{left.folder}: 2 owned, 0 uncertain." in out
    assert "p00" not in out
    assert {name: left.store.read(name) for name in left.store.files()} == files
    assert ledger("erase-person", "--anyway", "p000", "p001", "p002")[0] == 0
    assert [found(left, user, tmp_path) for user in ("p000", "p001", "p002")] == [[], [], []]
    # They are not in the ledger any more, so they stay members.
    left.sync(people(3, 204), **FREE)
    assert left.vendor.members == {"p001", "p002", *people(4, 204)}


def test_an_uncertain_user_is_not_erased_without_anyway(left, ledger, tmp_path):
    interrupt(left, people(1, 206))
    status, out, _ = ledger("erase-person", "p205")
    assert (status, f"{left.folder}: 0 owned, 1 uncertain." in out) == (1, True)
    assert ledger("erase-person", "p000")[0] == 0
    assert found(left, "p000", tmp_path) == []
    assert known(left)["p205"][1] is not None


def test_a_user_of_a_late_request_is_not_erased_without_anyway(left, ledger, tmp_path):
    held = left.ledger()
    held.head = read_head(left.store, left.folder)
    for ids in (["late"], ["p000", "p001"]):
        held.note("remove", ids)
    assert found(left, "late", tmp_path) == ["notes"]
    status, out, _ = ledger("erase-person", "late")
    assert (status, f"{left.folder}: 0 owned, 1 uncertain." in out) == (1, True)
    assert ledger("erase-person", "--anyway", "late", "p000")[0] == 0
    assert found(left, "late", tmp_path) == found(left, "p000", tmp_path) == []
    assert left.store.names("notes") == []
    # What the notes say about other users is kept.
    assert known(left)["p001"][:2] == (True, left.now)
    assert left.sync(people(1, 204)).counts["add"] == 1


def test_approvals_are_deleted_with_the_plans_that_contain_the_user(left, ledger, tmp_path):
    with pytest.raises(PlanRefused) as refused:
        left.sync(people(150, 200))
    held = left.ledger()
    held.head = read_head(left.store, left.folder)
    approvals.approve(held, refused.value.digest, "ada")
    assert ledger("erase-person", "p000")[0] == 0
    assert left.store.names("approvals") == left.store.names("plans") == left.store.folders("reports") == []


@pytest.mark.parametrize("path", ["local"], indirect=True)
@pytest.mark.parametrize("word", ["mirror", "limits", "add", "remove", "run", "dag.task", "status 400", "sha256", "p"])
def test_an_id_that_equals_a_word_of_the_ledger_format_is_erased(make, ledger, word, tmp_path):
    segment = make()
    segment.vendor.bad = {"p003"}
    segment.sync([word, *people(0, 5)])
    with pytest.raises(PlanRefused):
        segment.sync([word], max_removals=0)
    segment.sync(people(0, 5))
    assert word in str(files_of(segment))
    status, out, err = ledger("erase-person", word)
    assert (status, f"{segment.folder}: erased" in out) == (0, True), err
    assert ledger("erase-person", word) == (0, "argument 1: not found.\nNone of 1 ledger contains them.\n", "")
    assert word not in known(segment)
    assert segment.sync(people(0, 5)).outcome == "unchanged"


def test_a_user_is_erased_from_all_ledgers_or_from_one(make, ledger, tmp_path):
    one, two, three = make("one"), make("two"), make("three")
    for segment in (one, two):
        segment.sync(people(0, 10))
        segment.sync(people(1, 10))
    three.sync(people(5, 10))
    files = list(three.store.files())
    assert ledger("erase-person", "p000", "--segment", "two")[0] == 0
    assert found(one, "p000", tmp_path)
    assert found(two, "p000", tmp_path) == []
    status, out, _ = ledger("erase-person", "p000")
    assert (status, f"{one.folder}: erased" in out, two.folder in out) == (0, True, False)
    assert found(one, "p000", tmp_path) == []
    assert list(three.store.files()) == files
    assert ledger("erase-person", "p000") == (0, "argument 1: not found.\nNone of 3 ledgers contains them.\n", "")


def test_no_ledger_is_changed_if_the_user_is_a_member_in_one(make, ledger, tmp_path):
    one, two = make("one"), make("two")
    one.sync(people(0, 10))
    one.sync(people(1, 10))
    two.sync(people(0, 10))
    assert ledger("erase-person", "p000")[0] == 1
    assert found(one, "p000", tmp_path)


def test_ids_are_read_from_a_file_or_the_standard_input(left, ledger, tmp_path, monkeypatch):
    file = tmp_path / "ids"
    file.write_text("p000\n\n  p003\r\np000\n")
    assert ledger("erase-person", "--from-file", str(file))[0] == 0
    assert found(left, "p000", tmp_path) == found(left, "p003", tmp_path) == []
    left.sync(people(2, 204))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"p001\n")))
    assert ledger("erase-person", "--from-file", "-")[0] == 0
    assert found(left, "p001", tmp_path) == []


@pytest.mark.parametrize(("arguments", "said"), [([], "No ID"), (["--from-file", "/no/such"], "cannot be read")])
def test_an_erasure_without_ids_is_refused(ledger, arguments, said):
    status, _, err = ledger("erase-person", *arguments)
    assert (status, said in err) == (2, True)


def test_a_ledger_that_a_run_holds_is_not_changed(left, ledger):
    left.now = time.time_ns() // 1_000_000
    interrupt(left, people(1, 205), error=Crash())
    files = files_of(left)
    status, _, err = ledger("erase-person", "p000", "--wait", "0")
    assert (status, "the run run holds the ledger since" in err) == (1, True)
    assert files_of(left) == files


def test_a_ledger_with_a_replacement_that_has_not_settled_is_not_changed(left, ledger, tmp_path):
    interrupt(left, people(1, 205), replace=True)
    status, _, err = ledger("erase-person", "p000", "--anyway")
    assert (status, "may still be carried out" in err) == (1, True)
    # The replacement has to settle before any later run continues.
    with pytest.raises(LedgerBusy):
        left.sync(people(1, 204))
    left.now = time.time_ns() // 1_000_000 + 40 * 60_000
    left.sync(people(1, 204), **FREE)
    left.now = time.time_ns() // 1_000_000
    assert ledger("erase-person", "p000")[0] == 0
    assert found(left, "p000", tmp_path) == []


def test_a_run_that_is_under_way_during_an_erasure_is_overtaken(left, ledger, elsewhere, monkeypatch):
    begin = Ledger.begin

    def erase_first(self, *given, **named):
        monkeypatch.undo()
        with elsewhere():
            assert ledger("erase-person", "p000")[0] == 0
        begin(self, *given, **named)

    monkeypatch.setattr(Ledger, "begin", erase_first)
    requests = left.vendor.requests
    with pytest.raises(LedgerOvertaken, match="meanwhile"):
        left.sync(people(1, 205))
    assert left.vendor.requests == requests


def test_an_interrupted_erasure_is_finished_by_the_next_one(left, ledger, tmp_path, monkeypatch):
    monkeypatch.setattr(type(left.store), "delete_folder", lambda self, name: 1 / 0)
    assert ledger("erase-person", "p000")[0] == 2
    monkeypatch.undo()
    assert found(left, "p000", tmp_path)
    assert left.sync(people(1, 204)).outcome == "unchanged"
    assert ledger("erase-person", "p000")[0] == 0
    assert found(left, "p000", tmp_path) == []


def test_files_that_still_contain_the_user_are_named(left, ledger, monkeypatch):
    monkeypatch.setattr(type(left.store), "delete_folder", lambda self, name: None)
    status, out, err = ledger("erase-person", "p000")
    assert (status, "p000" in out + err) == (2, False)
    still = [name for name in left.store.files() if b"p000" in left.store.read(name)]
    assert still
    for name in still:
        assert f"{left.folder}: {name} still contains the ID of argument 1.\n" in out


def test_a_user_of_a_refused_first_sync_is_erased(make, ledger, tmp_path):
    segment = make()
    with pytest.raises(PlanRefused):
        segment.sync(people(0, 10), max_members=5)
    assert found(segment, "p000", tmp_path) == ["plans"]
    assert ledger("erase-person", "p000")[0] == 0
    assert list(segment.store.files()) == []


def test_a_forgotten_ledger_stays_forgotten_after_an_erasure(left, ledger):
    assert ledger("forget", "segment", "--yes")[0] == 0
    with pytest.raises(PlanRefused):
        left.sync(people(0, 10), max_members=5)
    assert ledger("erase-person", "p000")[0] == 0
    # Without the mark of the forgotten ledger, the witness would report a lost ledger.
    assert left.sync(people(1, 10)).counts["baseline"] == 0


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_unfinished_files_of_killed_writers_are_deleted_whatever_their_time(left, ledger):
    code = (
        "import os, signal, stat, sys\n"
        "from pathlib import Path\n"
        "from airflow_segments_provider.sync.ledger import local_store\n"
        "def kill(descriptor):\n"
        "    if stat.S_ISREG(os.fstat(descriptor).st_mode):\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fsync = kill\n"
        "local_store.LocalStore(Path(sys.argv[1])).create('batches/000000000009-dead/000001-add.txt', b'linus')\n"
    )
    folder = left.store.folder
    assert subprocess.run([sys.executable, "-c", code, str(folder)], check=False).returncode == -signal.SIGKILL
    (half,) = folder.rglob(".*")
    for name in ("state", "notes", "plans", "acknowledged/000000000003"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        half.with_name(half.name + "0").write_text("linus")
        half.with_name(half.name + "0").rename(folder / name / half.name)
    # The clock of a file server may be ahead.
    os.utime(half, times=(time.time() + 3600,) * 2)
    status, out, err = ledger("erase-person", "linus")
    assert (status, err) == (0, "")
    assert f"argument 1: found in {left.folder} (half-written files: 5).\nNone of 1 ledger contains them." in out
    assert list(folder.rglob(".*")) == []


@pytest.mark.parametrize("path", ["local"], indirect=True)
def test_the_command_in_a_terminal_prints_no_user(left, path, tmp_path):
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


def test_an_erasure_keeps_the_names_of_segment_and_connection(make, ledger):
    segment = make()
    segment.name, segment.connection = "Trial users", "walkme_default"
    segment.sync(people(0, 12))
    segment.sync(people(1, 12))
    assert ledger("erase-person", "p000")[0] == 0
    status, out, _ = ledger("show", "Trial users")
    assert (status, "'Trial users' (connection 'walkme_default')" in out) == (0, True)

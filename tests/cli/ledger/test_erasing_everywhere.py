"""``ledger erase-person --from-file``: the places where an ID can remain, the report, and concurrent runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import airflow
import pytest
import s3fs

from airflow_segments_provider.cli.ledger import erasure
from airflow_segments_provider.errors import LedgerOvertaken, PlanRefused
from airflow_segments_provider.sync.ledger import retention
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.location import store_at
from airflow_segments_provider.sync.ledger.manifest import Acknowledgement, Release
from airflow_segments_provider.sync.ledger.names import UNMATCHED
from airflow_segments_provider.sync.workspace import Workspace
from airflow_segments_provider.targets import parse as comparison
from tests.cli.ledger.conftest import FREE, KeptSegment, files_of, found, known
from tests.cli.ledger.test_looking import interrupt
from tests.databases import small_database
from tests.sync.conftest import people
from tests.sync.ledger.test_s3 import BUCKET, refuse, running, s3  # noqa: F401
from tests.sync.model.memory import Crash

attach = import_module("airflow.io.store" if airflow.__version__.startswith("2.") else "airflow.sdk.io").attach

local = pytest.mark.parametrize("path", ["local"], indirect=True)


@pytest.fixture
def erase(ledger, tmp_path):
    """Run ``erase-person --from-file`` with this content and these arguments, and check that no ID is printed."""

    def run(content, *arguments, wait="0"):
        file = tmp_path / "ids"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        status, out, err = ledger("erase-person", "--from-file", str(file), "--wait", wait, *arguments)
        for line in file.read_text(encoding="utf-8-sig").split():
            assert line.strip('"') not in out + err
        return status, out, err

    return run


@pytest.fixture
def slept(monkeypatch):
    """Return a list of functions, each called once in place of a wait."""
    doing: list[Callable[[], object]] = []

    class Clock:
        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def sleep(seconds):
            doing.pop(0)()

    monkeypatch.setattr(erasure, "time", Clock)
    return doing


# How an editor saves a file, and how the ledger spells IDs ---------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfp000\r\np001\r\n", b'"p000"\n"p001"', b"\xef\xbb\xbf\"p000\"\r\n\"p001\"\r\n",
        "\ufeffp000\r\np001".encode("utf-16-le"), "p000\u200b\n\u00a0p001\n".encode(),
    ],
)  # fmt: skip
@local
def test_a_file_of_ids_is_read_in_every_form_that_an_editor_saves(make, ledger, tmp_path, content):
    segment = make()
    segment.sync(people(0, 30))
    segment.sync(people(2, 30), **FREE)
    (tmp_path / "ids").write_bytes(content)
    assert ledger("erase-person", "--from-file", str(tmp_path / "ids"))[0] == 0
    assert found(segment, "p000", tmp_path) == found(segment, "p001", tmp_path) == []


def test_a_file_that_export_wrote_is_read(make, ledger, tmp_path):
    odd = ["a,b", 'a"b', '"c"', "d;e", "f g", "\u00e9", "e\u0301", "\u200bh\ufeff", "i\u00a0", "=j", "-k"]
    segment = make()
    segment.sync([*odd, "p001"])
    file = tmp_path / "export.csv"
    assert ledger("export", "segment", "--output", str(file))[0] == 0
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "p001" not in line))
    segment.sync(["p001"], **FREE)
    status, out, _ = ledger("erase-person", "--from-file", str(file))
    assert (status, out.count(f": found in {segment.folder} (batches: 2, state: ")) == (0, len(odd))
    assert known(segment).keys() == {"p001"}
    assert [user for user in odd if found(segment, user, tmp_path)] == []


def test_ids_are_found_whatever_invisible_characters_the_ledger_has(make, erase, tmp_path):
    segment = make()
    segment.sync(["\ufeffp000", "p001\u200b\u200d", "p002"])
    segment.sync(["p002"], **FREE)
    status, out, _ = erase("p000\np001\n")
    assert (status, out.count("found in")) == (0, 2)
    assert found(segment, "p000", tmp_path) == found(segment, "p001", tmp_path) == []
    segment.sync(["p002", "p003\u200b"])
    assert erase("p003")[0] == 1
    assert erase("p003", "--anyway")[0] == 0
    assert found(segment, "p003", tmp_path) == []


RULES = [
    # the rule, in the ledger, in the file, whether they are one user
    (None, "Ann", "ann", False),
    (None, "\u00e9va", "e\u0301va", False),
    ("lower", "ann", "ANN", True),
    ("lower", "\u00e9va", "e\u0301va", False),
    ("lower", "stra\u00dfe", "strasse", False),
    ("form", "\u00e9va", "e\u0301va", True),
    ("form", "ann", "ANN", False),
]


@pytest.mark.parametrize(("rule", "stored", "given", "same"), RULES)
@local
def test_ids_are_compared_by_case_and_unicode_form_as_the_vendor_does(
    make, erase, monkeypatch, tmp_path, rule, stored, given, same
):
    rules = {"lower": str.lower, "form": lambda user: unicodedata.normalize("NFC", user)}
    if rule:
        memory = SimpleNamespace(normalise=lambda ids: [rules[rule](user) for user in ids])
        monkeypatch.setitem(comparison.TARGETS, "memory", memory)
    segment = make()
    segment.sync([stored, "p001"])
    segment.sync(["p001"], **FREE)
    status, out, _ = erase(given)
    assert (status, "line 1: found in" in out) == (0, same)
    assert bool(found(segment, stored, tmp_path)) is not same


@pytest.mark.parametrize("given", ["P000", "p000x", "\uff50000"])
def test_walkme_ids_are_compared_exactly(given):
    assert comparison.normaliser("walkme")([given]) == [given]


def test_each_id_is_reported_by_its_line(left, erase):
    status, out, _ = erase("\r\np000\r\nnever\r\np003\r\np000\r\n")
    assert status == 0, out
    assert out.splitlines()[:3] == [
        f"line 2: found in {left.folder} (batches: 2, plans: 1, state: 2).",
        "line 3: not found.",
        f"line 4: found in {left.folder} (batches: 1, plans: 1, state: 1).",
    ]


def test_ids_that_a_segment_may_have_as_members_are_reported(left, erase):
    status, out, _ = erase("p000\np001\n")
    assert status == 1
    assert "line 1: found in" in out
    assert f"; {left.folder} may have this member" not in out.splitlines()[0]
    assert f"; {left.folder} may have this member." in out.splitlines()[1]
    assert f"{left.folder}: 1 owned, 0 uncertain.\n" in out


def test_an_ambiguous_file_of_ids_changes_nothing(left, erase):
    files = files_of(left)
    status, out, err = erase('p000\np001,p002\n"p003\n')
    assert (status, out) == (2, "")
    assert "2 problems: (1) line 2: " in err
    assert "(2) line 3: " in err
    assert files_of(left) == files


# Files that no manifest names --------------------------------------------------------------------------------------


def orphan(segment, wanted, run="other", **settings):
    """Let a run die after it wrote its batches, before its intent."""

    def die(self, *given, **named):
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "begin", die)
        with pytest.raises(Crash):
            segment.sync(wanted, run=run, **settings)


@pytest.mark.parametrize("ahead", [0, 7])
def test_orphaned_batches_of_a_superseded_run_are_erased(left, erase, tmp_path, ahead):
    """Let the ledger's count be ahead, as after a run on a ledger that was restored.

    :param ahead: by how many generations.
    """
    keep = Ledger.keep

    def later(self, batches):
        self._newest += ahead
        return keep(self, batches)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "keep", later)
        orphan(left, ["ghost", *people(1, 204)])
    left.sync(people(1, 204), run="newer")
    (name,) = [name for name in left.store.files() if b"ghost" in left.store.read(name)]
    assert name.startswith("batches/")
    status, out, _ = erase("ghost")
    assert (status, f"line 1: found in {left.folder} (batches: 1)." in out) == (0, True)
    assert found(left, "ghost", tmp_path) == []
    assert left.sync(people(1, 204)).outcome == "unchanged"


def test_orphaned_batches_of_a_first_sync_are_erased(make, erase, tmp_path):
    segment = make()
    orphan(segment, people(0, 5), owner="dag.former")
    assert found(segment, "p000", tmp_path) == ["batches"]
    assert erase("p000")[0] == 0
    assert found(segment, "p000", tmp_path) == []
    # Nothing was ever sent: the next run is the first sync, of any task.
    segment.vendor.members = {"by hand"}
    segment.ours = False
    result = segment.sync(people(1, 5), owner="dag.task", first_sync="replace")
    assert (result.plan.first, segment.vendor.members) == (True, set(people(1, 5)))
    assert segment.sync(people(1, 5)).outcome == "unchanged"


def test_a_first_sync_that_is_under_way_during_an_erasure_is_overtaken(make, erase, elsewhere, tmp_path):
    segment, begin = make(), Ledger.begin

    def erase_first(self, *given, **named):
        patch.undo()
        with elsewhere():
            assert erase("p000")[0] == 0
        begin(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "begin", erase_first)
        with pytest.raises(LedgerOvertaken):
            segment.sync(people(0, 5))
    assert segment.vendor.requests == 0
    assert found(segment, "p000", tmp_path) == []
    assert segment.sync(people(1, 5)).counts["applied"] == 4


@local
def test_a_first_sync_that_starts_during_an_erasure_is_not_disturbed(make, erase, elsewhere, monkeypatch):
    segment = make()
    with pytest.raises(PlanRefused):
        segment.sync(people(0, 10), max_members=5)
    heads = []

    def sync_after_it_was_read(store, folder):
        heads.append(read_head(store, folder))
        # The first call looks for a lease.
        if len(heads) == 2:
            with elsewhere():
                segment.sync(people(1, 10))
        return heads[-1]

    monkeypatch.setattr(erasure, "read_head", sync_after_it_was_read)
    assert erase("p000")[0] == 0
    assert len(heads) == 2
    assert segment.sync(people(1, 10)).outcome == "unchanged"


@local
def test_files_that_runs_write_after_the_erasure_are_kept(left, erase, elsewhere, monkeypatch):
    delete_replaced = retention.delete_replaced

    def run_first(*given, **named):
        with elsewhere(), pytest.raises(PlanRefused):
            left.sync(people(150, 200))
        orphan(left, ["alive", *people(1, 204)], run="other")
        delete_replaced(*given, **named)

    monkeypatch.setattr(retention, "delete_replaced", run_first)
    assert erase("p000")[0] == 0
    assert len(left.store.names("plans")) == 2
    assert len(left.store.folders("reports")) == 2
    assert len(left.store.folders("batches")) == 1


@local
def test_acknowledgements_without_a_manifest_are_erased(make, erase):
    segment = make()
    batch = "batches/000000000001-0123abcd/000001-add.txt"
    answer = Acknowledgement(
        generation=1, token="t", kind="add", batch=batch, users=1, sent_at=1, rejected={"ghost": "status 400"}
    )
    segment.store.create("acknowledged/000000000001/000001-add-000000.json", answer.encoded)
    assert erase("ghost")[0] == 0
    assert [name for name in segment.store.files() if not name.startswith(("generations/", "state/"))] == []


@local
def test_an_erasure_without_any_ledger_fails(erase, path):
    status, out, _ = erase("p000")
    assert (status, f"There are no ledgers below {path}" in out) == (1, True)


def test_a_forgotten_ledger_stays_forgotten_after_orphaned_batches_were_erased(left, ledger, erase):
    assert ledger("forget", "segment", "--yes")[0] == 0
    orphan(left, people(0, 10))
    assert erase("p000")[0] == 0
    assert left.sync(people(1, 10)).counts["baseline"] == 0


def test_only_the_report_that_contains_the_id_is_deleted(left, erase):
    name = "reports/000000000001-aa/rejects.jsonl"
    assert left.store.create(name, b'{"row": 1, "reason": "ghost is blank"}\n')
    files = files_of(left)
    del files[name]
    assert erase("ghost")[0] == 0
    assert files_of(left) == files


@pytest.mark.parametrize("name", ["batches/by-hand.txt", "state/copy", "notes.txt", "more/deeper/export.csv"])
def test_a_file_that_does_not_belong_to_the_ledger_is_named_and_kept(left, erase, name):
    left.store.create(name, b"p000,ghost\n")
    status, out, _ = erase("p000\n")
    assert status == 2
    assert f"{left.folder}: {name} still contains the ID of line 1.\n" in out
    assert out.count("still contains") == 1
    assert left.store.read(name) == b"p000,ghost\n"
    left.store.delete(name)
    assert erase("p000\n")[0] == 0


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"PAR1 cut"])
def test_an_erasure_with_a_file_that_cannot_be_read_fails_and_names_it(left, erase, content):
    left.store.create("copy", content)
    status, out, _ = erase("never")
    assert (status, f"{left.folder}: copy cannot be read, and may contain any of them.\n" in out) == (2, True)


def test_files_beside_the_ledgers_are_searched(make, path, ledger, erase):
    segment = make()
    segment.sync(people(0, 5))
    beside = KeptSegment(small_database(), path, "../..")
    beside.store.create("old/export.csv", b"ghost\n")
    beside.store.create("making/x.json", b"1700000000000")
    status, out, _ = erase("ghost")
    assert status == 2
    assert "line 1: found in " in out
    assert "old/export.csv still contains the ID of line 1.\n" in out
    assert "making" not in out
    # With `--segment`, files beside the ledgers are not searched.
    assert erase("ghost", "--segment", "segment")[0] == 0
    beside.store.delete("old/export.csv")
    assert erase("ghost")[0] == 0


def test_a_note_that_no_run_has_accounted_for_is_not_lost(left, erase, monkeypatch):
    rewrite = Ledger.rewrite

    def note_first(self, *given, **named):
        late = left.ledger()
        late.head = read_head(left.store, left.folder)
        late.note("add", ["late", "p000"])
        rewrite(self, *given, **named)

    monkeypatch.setattr(Ledger, "rewrite", note_first)
    status, out, _ = erase("p000")
    assert (status, "notes/" in out) == (2, True)
    monkeypatch.undo()
    assert known(left)["late"][1] is not None
    assert erase("p000", "--anyway")[0] == 0
    assert known(left)["late"][1] is not None


# Unfinished files and working directories --------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from airflow_segments_provider.sync.workspace import Workspace
with Workspace() as workspace:
    workspace.run("COPY (SELECT 'ghost' AS id) TO '" + str(workspace.folder / "part-0.parquet") + "'")
    (workspace.folder / "actions.txt").write_text("add\\tother\\nremove\\tghost\\n")
    print(workspace.folder, flush=True)
    sys.stdin.read(1)
    if sys.argv[1:] == ["dies"]:
        os.kill(os.getpid(), signal.SIGKILL)
print("ended", flush=True)
"""


@contextmanager
def at_work(*arguments):
    """Run a process with a working directory, and wait until something is written to it."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        try:
            yield process
        finally:
            if process.poll() is None:
                end(process)


def end(process):
    process.communicate("x")


@local
def test_the_working_directory_of_a_killed_run_is_deleted(left, erase, temporary):
    with at_work("dies") as process:
        end(process)
        assert process.returncode == -signal.SIGKILL
    (parent,) = temporary.iterdir()
    assert len(list(parent.iterdir())) == 2
    status, out, _ = erase("ghost\nnever\n")
    assert status == 0, out
    assert "line 1: found in working directories of killed runs (other files: 2).\nline 2: not found.\n" in out
    assert list(parent.iterdir()) == []


@local
def test_the_working_directories_of_many_killed_runs_are_deleted(left, erase, temporary):
    with Workspace() as workspace:
        parent = workspace.folder.parent
    for number in range(30):
        (parent / f"{number}").mkdir()
        (parent / f"{number}" / "spilt").write_bytes(b"\xff" * 100)
        (parent / f"{number}.lock").touch()
    assert erase("ghost")[0] == 0
    assert list(parent.iterdir()) == []


@local
def test_a_working_directory_without_a_lock_file_is_named_and_kept(left, erase, temporary):
    with Workspace() as workspace:
        parent = workspace.folder.parent
    (parent / "other").mkdir()
    status, out, _ = erase("ghost")
    assert (status, f"{parent / 'other'} may contain them, and could not be deleted" in out) == (2, True)
    assert (parent / "other").exists()
    (parent / "other").rmdir()
    assert erase("ghost")[0] == 0


@local
def test_a_copy_of_a_source_that_a_killed_run_left_is_named(left, erase, temporary):
    (temporary / "segments-abcd_123.parquet").write_text("ghost")
    (temporary / "segments-of-another-program").write_text("ghost")
    (temporary / "segments-12345678.parquet").write_text("ghosts")
    status, out, _ = erase("ghost")
    assert (status, "segments-abcd_123.parquet" in out) == (2, True)
    (temporary / "segments-abcd_123.parquet").unlink()
    (temporary / "segments-12345678.parquet").unlink()
    assert erase("ghost")[0] == 0


@local
def test_a_run_at_work_on_this_machine_is_reported_and_nothing_is_changed(left, erase):
    files = files_of(left)
    with at_work() as process:
        status, out, err = erase("p000")
        assert (status, out) == (1, "")
        assert "A run of this user is at work on this machine" in err
        assert "Nothing was changed" in err
        assert files_of(left) == files
        assert process.poll() is None
    assert erase("p000")[0] == 0


@local
def test_a_run_at_work_on_this_machine_is_waited_for(left, erase, slept, tmp_path):
    with at_work() as process:
        slept += [lambda: None, lambda: end(process)]
        assert erase("p000", wait="600")[0] == 0
        assert process.returncode == 0
    assert found(left, "p000", tmp_path) == []


@local
def test_the_working_directory_of_a_run_that_is_killed_during_the_wait_is_deleted(left, erase, slept):
    with at_work("dies") as process:
        slept += [lambda: end(process)]
        status, out, _ = erase("ghost", wait="600")
    assert (status, "found in working directories of killed runs" in out) == (0, True)


@local
def test_a_run_that_starts_on_this_machine_during_an_erasure_is_reported(left, erase, monkeypatch, tmp_path):
    rewrite, running_now = Ledger.rewrite, []

    def begin_one(self, *given, **named):
        running_now.append(at_work())
        running_now[0].__enter__()
        rewrite(self, *given, **named)

    monkeypatch.setattr(Ledger, "rewrite", begin_one)
    try:
        status, out, _ = erase("p000")
    finally:
        running_now[0].__exit__(None, None, None)
    assert (status, "began while this command was at work" in out) == (2, True)
    assert found(left, "p000", tmp_path) == []


# A running sync ----------------------------------------------------------------------------------------------------


def during(segment, do, wanted, **settings):
    """Do something while a run sends its first request."""
    carry_out, done = segment.vendor.carry_out, list[Any]()

    def first(kind, ids):
        if not done:
            done.append(do())
        carry_out(kind, ids)

    segment.vendor.carry_out = first
    try:
        segment.sync(wanted, **settings)
    finally:
        segment.vendor.carry_out = carry_out
    return done[0]


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_sync_that_is_running_is_reported_and_not_disturbed(left, erase, elsewhere, where, tmp_path):
    left.now = time.time_ns() // 1_000_000 - 60_000

    def do():
        files = files_of(left)
        if where == "here":
            answer = erase("p000")
        else:
            with elsewhere():
                answer = erase("p000")
        assert files_of(left) == files
        return answer

    status, out, err = during(left, do, people(1, 206))
    assert (status, out) == (1, "")
    assert ("at work on this machine" if where == "here" else "the run run holds the ledger since") in err
    # The sync is not disturbed.
    assert left.vendor.members == set(people(1, 206)) - {"p003"}
    assert left.sync(people(1, 206)).outcome == "unchanged"
    assert erase("p000")[0] == 0
    assert found(left, "p000", tmp_path) == []


def test_the_result_of_a_run_that_was_waited_for_decides_whether_a_user_is_a_member(left, erase, slept):
    left.now = time.time_ns() // 1_000_000 - 60_000
    interrupt(left, ["p000", *people(1, 204)], error=Crash())
    generation = read_head(left.store, left.folder).generation

    def commit():
        left.store.create(f"leases/{generation:012d}/released.json", Release(at=left.now, replacing=False).encoded)
        left.sync(["p000", *people(1, 204)])

    slept += [lambda: None, commit]
    status, out, _ = erase("p000", wait="600")
    # The user is a member now.
    assert (status, f"{left.folder}: 1 owned, 0 uncertain." in out) == (1, True)
    assert out.splitlines()[0].endswith(f"; {left.folder} may have this member.")


def test_a_lease_that_ends_within_the_wait_is_waited_for(left, erase, slept, tmp_path):
    left.now = time.time_ns() // 1_000_000 - 60_000
    interrupt(left, people(1, 206), error=Crash())
    generation = read_head(left.store, left.folder).generation
    released = Release(at=left.now, replacing=False).encoded
    slept += [lambda: left.store.create(f"leases/{generation:012d}/released.json", released)]
    assert erase("p000", wait="600")[0] == 0
    assert found(left, "p000", tmp_path) == []
    # Requests without a response are not forgotten.
    assert known(left)["p205"][1] is not None


@local
def test_files_that_a_run_wrote_during_the_wait_are_erased(left, erase, slept, tmp_path):
    left.now = time.time_ns() // 1_000_000 - 60_000
    interrupt(left, people(1, 206), error=Crash())
    left.store.create("reports/000000000001-aa/rejects.jsonl", b'{"row": 1, "reason": "ghost is blank"}\n')
    generation = read_head(left.store, left.folder).generation

    def refuse_another():
        left.store.create(f"leases/{generation:012d}/released.json", Release(at=left.now, replacing=False).encoded)
        with pytest.raises(PlanRefused):
            left.sync(["ghost"])

    slept += [refuse_another]
    assert erase("ghost", wait="600")[0] == 0
    assert found(left, "ghost", tmp_path) == []


def test_a_replacement_that_settles_after_the_wait_is_reported_at_once(left, erase, slept):
    left.now = time.time_ns() // 1_000_000
    interrupt(left, people(1, 205), replace=True)
    status, _, err = erase("p000", "--anyway", wait="5")
    assert (status, "may still be carried out" in err) == (1, True)
    assert slept == []


def test_a_run_that_starts_between_look_and_change_is_not_undone(left, erase, elsewhere, slept, monkeypatch):
    open_ledger = Ledger.open

    def add_first(self, *given, **named):
        monkeypatch.setattr(Ledger, "open", open_ledger)
        with elsewhere():
            left.sync(["p000", *people(1, 204)])
        return open_ledger(self, *given, **named)

    monkeypatch.setattr(Ledger, "open", add_first)
    slept += [lambda: None]
    status, out, _ = erase("p000", wait="600")
    assert (status, f"{left.folder}: 1 owned, 0 uncertain." in out) == (1, True)
    assert "p000" in known(left)


def test_a_run_that_starts_between_look_and_change_is_reported_if_no_time_is_left(left, erase, elsewhere, monkeypatch):
    open_ledger = Ledger.open

    def add_first(self, *given, **named):
        monkeypatch.setattr(Ledger, "open", open_ledger)
        with elsewhere():
            left.sync(["p000", *people(1, 204)])
        return open_ledger(self, *given, **named)

    monkeypatch.setattr(Ledger, "open", add_first)
    status, _, err = erase("p000")
    assert (status, "another run changed this ledger meanwhile" in err) == (2, True)
    assert "p000" in known(left)


def test_none_of_many_ledgers_is_changed_while_a_run_holds_one(make, erase):
    one, two = make("one"), make("two")
    for segment in (one, two):
        segment.sync(people(0, 30))
        segment.sync(people(1, 30))
    two.now = time.time_ns() // 1_000_000 - 60_000
    interrupt(two, people(1, 31), error=Crash())
    files = files_of(one), files_of(two)
    assert erase("p000")[0] == 1
    assert (files_of(one), files_of(two)) == files


# Stores ------------------------------------------------------------------------------------------------------------


@local
@pytest.mark.parametrize("arguments", [(), ("--segment", "segment")])
def test_unfinished_uploads_to_s3_are_deleted_after_their_time(s3, ledger, monkeypatch, arguments):  # noqa: F811
    attach(protocol="s3", conn_id="ledgers", fs=s3fs.S3FileSystem(**s3.options))
    prefix, client = f"uploads-{os.getpid()}-{time.time_ns()}", s3.client()
    segment = KeptSegment(small_database(), f"s3://ledgers@{BUCKET}/{prefix}", "segment")
    segment.sync(people(0, 3))

    def begin(key):
        upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        client.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=b"ghost")

    names = [f"{prefix}/{segment.folder}/state/{number}.parquet" for number in (1, 2)]
    for name in (*names, f"{prefix}-of-others/1"):
        begin(name)

    def keys():
        uploads = client.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
        return {upload["Key"] for upload in uploads if upload["Key"].startswith(prefix)}

    command = ["erase-person", "--ledger-path", f"s3://ledgers@{BUCKET}/{prefix}", "ghost", *arguments]
    # moto reports that each upload started in 2010.
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "UPLOAD_ENDS", timedelta(days=365 * 100))
        status, out, _ = ledger(*command)
        assert (status, ": 2 uploads were begun less than 36500 days, 0:00:00 ago" in out) == (2, True)
        assert keys() == {*names, f"{prefix}-of-others/1"}
    assert ledger(*command)[0] == 0
    assert keys() == {f"{prefix}-of-others/1"}


@local
def test_uploads_that_the_connection_may_not_list_are_reported(s3, ledger):  # noqa: F811
    attach(protocol="s3", conn_id="ledgers", fs=s3fs.S3FileSystem(**s3.options))
    path = f"s3://ledgers@{BUCKET}/denied-{os.getpid()}-{time.time_ns()}"
    KeptSegment(small_database(), path, "segment").sync(people(0, 3))

    def deny(environ, start_response):
        if "uploads" in environ["QUERY_STRING"]:
            return refuse(environ, start_response, "403 Forbidden", "AccessDenied")
        return s3.app(environ, start_response)

    s3.answer = deny
    status, out, err = ledger("erase-person", "--ledger-path", path, "ghost")
    assert (status, "this connection cannot delete unfinished uploads" in out) == (0, True), out + err


@local
def test_a_user_is_erased_from_a_ledger_on_s3(s3, ledger, tmp_path):  # noqa: F811
    attach(protocol="s3", conn_id="ledgers", fs=s3fs.S3FileSystem(**s3.options))
    path = f"s3://ledgers@{BUCKET}/erasing-{os.getpid()}-{time.time_ns()}"
    segment = KeptSegment(small_database(), path, "segment")
    segment.sync(people(0, 12))
    with pytest.raises(PlanRefused):
        segment.sync(people(11, 12), max_removals=1)
    orphan(segment, people(0, 13))
    segment.sync(people(1, 12))
    assert found(segment, "p000", tmp_path) == ["batches", "plans", "state"]
    (tmp_path / "ids").write_bytes(b'\xef\xbb\xbf"p000"\r\n')
    command = ["erase-person", "--ledger-path", path, "--from-file", str(tmp_path / "ids")]
    status, out, err = ledger(*command)
    assert (status, "line 1: found in" in out) == (0, True), err
    assert found(segment, "p000", tmp_path) == []
    assert segment.sync(people(1, 12)).outcome == "unchanged"


def test_a_store_lists_all_files_but_those_of_left_out_folders(make, path):
    one, two = make("one"), make("two")
    for store in (one.store, two.store):
        store.create("a/b/c", b"1")
        store.create("d", b"2")
    root = store_at(path)
    inside = {f"{one.folder}/a/b/c", f"{one.folder}/d", f"{two.folder}/a/b/c", f"{two.folder}/d"}
    assert set(root.files()) == inside
    assert set(root.files(without=[one.folder])) == {name for name in inside if not name.startswith(one.folder)}
    assert sorted(one.store.files()) == ["a/b/c", "d"]


def test_the_help_names_the_wait_in_seconds(capsys):
    with pytest.raises(SystemExit):
        import_module("airflow_segments_provider.__main__").main(["ledger", "erase-person", "--help"])
    assert "--wait SECONDS" in capsys.readouterr().out


@pytest.mark.parametrize("wait", ["-1", "nan", "inf", "soon"])
def test_a_wait_that_is_not_a_number_of_seconds_is_refused(ledger, wait, capsys):
    with pytest.raises(SystemExit) as refused:
        ledger("erase-person", "x", f"--wait={wait}")
    assert refused.value.code == 2
    assert "argument --wait: invalid number of seconds\n" in capsys.readouterr().err


def test_lists_of_unmatched_users_are_searched_without_case_and_deleted(make, path, ledger, erase):
    make().sync(people(0, 5))
    store = store_at(path, UNMATCHED)
    lists = {f"2026-01-0{day}/dag/task/run/-1.{day}.jsonl": user for day, user in ((1, "Ghost@X.example"), (2, "kay"))}
    for name, user in lists.items():
        store.create(name, b'{"user_id": "%s", "reason": "no such user"}\n' % user.encode())
    status, out, _ = erase("ghost@x.example")
    assert status == 0, out
    assert "Deleted 1 lists of unmatched users" in out
    assert "ghost" not in out.lower()
    assert [name for name in lists if store.read(name)] == [name for name, user in lists.items() if user == "kay"]

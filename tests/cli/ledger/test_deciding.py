"""``ledger approve`` and ``ledger forget``: each has its effect once, or reports why not."""

from __future__ import annotations

import os
import pwd
import re
import shlex
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from airflow_segments_provider.errors import InvalidInput, LedgerBusy, LedgerError, LedgerLost, PlanRefused
from airflow_segments_provider.sync.approvals import KeptPlan
from airflow_segments_provider.sync.ledger.history import generations, read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from tests.cli.ledger.test_looking import interrupt
from tests.sync.conftest import people
from tests.sync.model.memory import Crash


@pytest.fixture
def refused(make):
    """Return a segment with a refused plan."""
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as caught:
        segment.sync(people(150, 200))
    segment.digest = caught.value.digest
    return segment


@pytest.mark.parametrize("given", [slice(None), slice(7, None), slice(7, 15), slice(0, 15)])
def test_an_approved_plan_is_applied_once_by_the_next_run(refused, ledger, given):
    status, out, _ = ledger("approve", "segment", refused.digest[given])
    said = f"The next run of {refused.folder} applies the plan {refused.digest}, once. Approved by "
    assert (status, out.startswith(said)) == (0, True)
    refused.sync(people(199, 200))
    assert refused.vendor.members == set(people(150, 200))
    with pytest.raises(PlanRefused):
        refused.sync(people(199, 200))


def test_the_command_in_a_refusal_approves_its_plan(make, ledger):
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as caught:
        segment.sync(people(150, 200))
    (command,) = re.findall(r"ledger (approve (?:.*\\\n)+.+)", caught.value.details)
    assert ledger(*shlex.split(command.replace("\\\n", " ")))[0] == 0


def test_a_plan_of_an_older_generation_cannot_be_approved(refused, ledger):
    refused.sync(people(0, 201))
    status, out, _ = ledger("approve", "segment", refused.digest)
    assert status == 1
    assert "is of generation 2, and the ledger is at 4: it no longer holds" in out
    with pytest.raises(PlanRefused):
        refused.sync(people(150, 200))


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("0" * 64, "No refused plan of memory/vendor.example/system/segment begins with 0000"),
        ("sha256:", "is not the digest"),
        ("1234567", "nor its first 8 digits"),
        ("../../../x", "is not the digest"),
    ],
)
def test_a_digest_that_matches_no_plan_is_refused(refused, ledger, digest, said):
    status, out, _ = ledger("approve", "segment", digest)
    assert status == 1
    assert said in out
    assert refused.store.names("approvals") == []


def test_a_digest_prefix_of_two_plans_is_refused(refused, ledger):
    other = refused.digest[:-1] + ("0" if refused.digest[-1] != "0" else "1")
    for name in refused.store.names("plans"):
        content = refused.store.read(f"plans/{name}")
        if name.endswith(".json"):
            stored = KeptPlan.decode(content)
            content = stored.model_copy(update={"plan": replace(stored.plan, digest=other)}).encoded
        refused.store.create(f"plans/{name.replace(refused.digest[7:], other[7:])}", content)
    status, out, _ = ledger("approve", "segment", refused.digest[7:20])
    assert (status, "pass more digits" in out) == (1, True)
    assert ledger("approve", "segment", refused.digest)[0] == 0


def test_a_plan_from_before_a_late_request_cannot_be_approved(refused, ledger):
    held = refused.ledger()
    held.head = read_head(refused.store, refused.folder)
    held.note("add", ["late"])
    status, out, _ = ledger("approve", "segment", refused.digest)
    assert (status, "with a later note of a late request: it no longer holds" in out) == (1, True)
    with pytest.raises(PlanRefused) as caught:
        refused.sync(people(150, 200))
    assert ledger("approve", "segment", caught.value.digest)[0] == 0
    refused.sync(people(150, 200))
    assert refused.vendor.members == set(people(150, 200))


def test_an_approval_is_listed_and_can_be_withdrawn(refused, ledger):
    assert ledger("approvals") == (0, "No plan is approved.\n", "")
    assert ledger("approve", "segment", refused.digest, "--by", "Ada Lovelace")[0] == 0
    by = f"{refused.folder}  {refused.digest}  by Ada Lovelace at "
    status, out, _ = ledger("approvals", "segment")
    assert (status, out.startswith(by), out.endswith(": the next run applies it\n")) == (0, True, True)
    status, out, _ = ledger("withdraw", "segment", refused.digest[7:19])
    assert status == 0
    assert f"No run of {refused.folder} applies the plan {refused.digest}, unless it is approved again. " in out
    assert f"Withdrawn by {pwd.getpwuid(os.getuid()).pw_name} at 2" in out
    out = ledger("approvals")[1]
    assert re.search(f"^{re.escape(by)}.*: withdrawn by {pwd.getpwuid(os.getuid()).pw_name} at 2", out)
    with pytest.raises(PlanRefused):
        refused.sync(people(199, 200))
    assert ledger("approve", "segment", refused.digest, "--by", "Grace")[0] == 0
    assert "by Grace at" in ledger("approvals")[1]
    refused.sync(people(199, 200))
    assert refused.vendor.members == set(people(150, 200))


def test_the_first_user_who_approved_a_plan_is_kept(refused, ledger):
    ledger("approve", "segment", refused.digest, "--by", "Ada")
    assert " Approved by Ada at " in ledger("approve", "segment", refused.digest, "--by", "Grace")[1]


def test_an_approval_that_a_run_has_taken_cannot_be_withdrawn(refused, ledger, monkeypatch):
    ledger("approve", "segment", refused.digest)
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "begin", lambda self, *given, **named: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            refused.sync([], run="dag/run/task/-1")
    assert ": taken by dag/run/task/-1 at 2" in ledger("approvals")[1]
    status, out, _ = ledger("withdraw", "segment", refused.digest)
    assert (status, "The run dag/run/task/-1 began to apply the plan" in out, "too late" in out) == (1, True, True)


def test_an_approval_from_before_a_late_request_is_listed_as_outdated(refused, ledger):
    ledger("approve", "segment", refused.digest)
    held = refused.ledger()
    held.head = read_head(refused.store, refused.folder)
    held.note("add", ["late"])
    assert ledger("approvals")[1].endswith(": outdated\n")
    status, out, _ = ledger("withdraw", "segment", refused.digest)
    assert (status, "so no run applies it" in out) == (1, True)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[2J", "a\u202eb", "x" * 201])
def test_a_user_name_that_is_not_printable_is_refused(ledger, name, capsys):
    with pytest.raises(SystemExit):
        ledger("approve", "segment", "0" * 64, "--by", name)
    assert "argument --by: invalid name: use 1 to 200 printable characters\n" in capsys.readouterr().err


def test_a_damaged_approval_is_reported(refused, make, ledger):
    ledger("approve", "segment", refused.digest)
    (name,) = refused.store.names("approvals")
    refused.store.delete(f"approvals/{name}")
    refused.store.create(f"approvals/{name}", b"{}")
    status, out, _ = ledger("approvals")
    assert (status, f"{refused.folder}: approvals/{name} is damaged." in out) == (1, True)


def test_forget_explains_itself_and_changes_nothing_without_yes(refused, ledger):
    files = list(refused.store.files())
    status, out, _ = ledger("forget", "segment")
    assert (status, "the next run is a first sync" in out, "--yes" in out) == (1, True, True)
    assert list(refused.store.files()) == files


def test_after_forget_a_sync_starts_anew_and_continues_the_generation_number(refused, ledger):
    seen = refused.witness.seen
    assert ledger("forget", "segment", "--yes")[0] == 0
    assert list(refused.store.files()) == ["forgotten/000000000000.json"]
    assert ledger("list")[1].startswith("There are no ledgers below ")
    refused.ours = False
    with pytest.raises(InvalidInput, match="first_sync"):
        refused.sync(people(190, 210))
    done = refused.sync(people(190, 210), first_sync="add", owner="other.task")
    assert done.counts["baseline"] == 0
    assert refused.vendor.members == set(people(0, 210))
    assert generations(refused.store) == [seen.generation + 1, seen.generation + 2]
    assert refused.sync(people(190, 210), owner="other.task").outcome == "unchanged"


def test_the_mark_of_a_forgotten_ledger_expires(refused, ledger):
    ledger("forget", "segment", "--yes")
    for last in (10, 11, 12, 13):
        refused.sync(people(0, last))
        refused.now += 31 * 24 * 3_600_000
    assert refused.store.names("forgotten") == []
    refused.store.delete_folder("")
    with pytest.raises(LedgerLost):
        refused.sync(people(0, 12))


@pytest.mark.parametrize("damage", ["manifest", "state", "all"])
def test_a_ledger_that_cannot_be_read_can_be_forgotten(make, ledger, damage):
    segment = make()
    segment.sync(people(0, 10))
    if damage == "manifest":
        segment.store.delete("generations/000000000002.json")
        segment.store.create("generations/000000000002.json", b"{")
    elif damage == "state":
        segment.store.delete_folder("state")
    else:
        segment.store.delete_folder("")
    with pytest.raises(LedgerError):
        segment.sync(people(0, 10))
    status, _, err = ledger("forget", segment.folder, "--yes")
    assert status == 0, err
    assert segment.sync(people(0, 10)).counts["add"] == 10


def test_a_ledger_that_a_run_holds_cannot_be_forgotten(make, ledger):
    segment = make()
    segment.now = time.time_ns() // 1_000_000
    interrupt(segment, people(0, 10), error=Crash())
    status, _, err = ledger("forget", "segment", "--yes")
    assert (status, "the run run holds the ledger since" in err) == (1, True)


@pytest.mark.parametrize("settings", [{}, {"replace": True}], ids=["addition", "replacement"])
@pytest.mark.parametrize("corrected", [False, True])
def test_nor_while_a_lost_request_may_still_be_carried_out(make, ledger, settings, corrected):
    """It would undo what is sent after that."""
    segment = make()
    segment.now = time.time_ns() // 1_000_000 - 120_000
    interrupt(segment, people(0, 10), **settings)
    if corrected:
        with suppress(LedgerBusy):
            segment.sync([], run="next", allow_empty=True)
    status, _, err = ledger("forget", "segment", "--yes")
    assert (status, "may still be carried out" in err) == (1, True)
    assert segment.store.names("generations")


def test_but_after_that(make, ledger):
    segment = make()
    interrupt(segment, people(0, 10), replace=True)
    assert ledger("forget", "segment", "--yes")[0] == 0


def test_an_interrupted_forget_leaves_a_ledger_that_is_refused_and_can_be_forgotten(make, ledger, monkeypatch):
    segment = make()
    segment.sync(people(0, 10))
    segment.sync(people(0, 11))
    monkeypatch.setattr(type(segment.store), "delete", lambda self, name: 1 / 0)
    assert ledger("forget", "segment", "--yes")[0] == 2
    monkeypatch.undo()
    with pytest.raises(LedgerError):
        segment.sync(people(0, 11))
    assert ledger("forget", "segment", "--yes")[0] == 0
    assert segment.sync(people(0, 11)).counts["add"] == 11


@pytest.mark.parametrize(
    "arguments", [("forget", "", "--yes"), ("forget", "/", "--yes"), ("show", " "), ("approvals", "")]
)
def test_an_empty_segment_does_not_stand_for_the_only_one(refused, ledger, arguments):
    files = list(refused.store.files())
    with pytest.raises(SystemExit, match="2"):
        ledger(*arguments)
    assert list(refused.store.files()) == files


@pytest.mark.parametrize("option", ["--segment", "--ledger-path"])
def test_an_empty_option_does_not_stand_for_all_ledgers(refused, ledger, option):
    with pytest.raises(SystemExit, match="2"):
        ledger("erase-person", "--anyway", option, "", "p160")
    assert refused.store.names("plans")


@pytest.mark.parametrize("folder", ["../a/b/c", "a/b/../..", "./a/b/c", "a//b/c", "a/b/c"])
def test_forget_takes_no_folder_outside_of_the_ledger_path(refused, ledger, folder):
    status, _, err = ledger("forget", folder, "--yes")
    assert (status, "the description of its Airflow variable" in err) == (2, True)
    assert refused.store.names("plans")


def test_forget_says_where_a_ledger_has_no_file(refused, ledger):
    said = "There was no file of it: if it was not lost, check the spelling."
    lost = f"/{refused.folder.rpartition('/')[0]}/another/"
    assert [said in ledger("forget", name, "--yes")[1] for name in (lost, "segment")] == [True, False]

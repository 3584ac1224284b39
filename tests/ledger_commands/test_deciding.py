"""``ledger approve`` and ``ledger forget``: each does it once, or says why not."""

from __future__ import annotations

import re
import time

import pytest

from airflow_segments_provider.errors import InvalidInput, LedgerError, PlanRefused
from airflow_segments_provider.members.ledger.ledger import Ledger
from airflow_segments_provider.members.ledger.store import every_file
from tests.members.conftest import people


@pytest.fixture
def refused(make):
    """A segment with a plan that was refused."""
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as caught:
        segment.sync(people(150, 200))
    segment.digest = caught.value.digest
    return segment


@pytest.mark.parametrize("given", [slice(None), slice(7, None), slice(7, 15), slice(0, 15)])
def test_an_approved_plan_is_applied_by_the_next_run_once(refused, ledger, given):
    status, out, _ = ledger("approve", "segment", refused.digest[given])
    assert (status, out) == (0, f"The next run of {refused.folder} applies the plan {refused.digest}, once.\n")
    refused.sync(people(199, 200))
    assert refused.vendor.members == set(people(150, 200))
    with pytest.raises(PlanRefused):
        refused.sync(people(199, 200))


def test_the_refusal_names_the_command(make, ledger):
    segment = make()
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as caught:
        segment.sync(people(150, 200))
    (arguments,) = re.findall("ledger approve (.+?)`", str(caught.value))
    assert ledger("approve", *arguments.split())[0] == 0


def test_a_plan_that_is_no_longer_true(refused, ledger):
    refused.sync(people(0, 201))
    status, out, _ = ledger("approve", "segment", refused.digest)
    assert status == 1
    assert "is of generation 2, and the ledger is at 4: what it would do is no longer true" in out
    with pytest.raises(PlanRefused):
        refused.sync(people(150, 200))


@pytest.mark.parametrize(
    ("digest", "said"),
    [
        ("0" * 64, "No refused plan of memory/vendor.example/system/segment begins with 0000"),
        ("sha256:", "is no digest"),
        ("1234567", "nor the first 8 digits"),
        ("../../../x", "is no digest"),
    ],
)
def test_no_such_plan(refused, ledger, digest, said):
    status, out, _ = ledger("approve", "segment", digest)
    assert status == 1
    assert said in out
    assert refused.store.names("approvals") == []


def test_digits_that_two_plans_begin_with(refused, ledger):
    for name in refused.store.names("plans"):
        if name.endswith(".json"):
            content = refused.store.read(f"plans/{name}")
            other = refused.digest[:-1] + ("0" if refused.digest[-1] != "0" else "1")
            renamed = name.replace(refused.digest[7:], other[7:])
            refused.store.create(f"plans/{renamed}", content.replace(refused.digest.encode(), other.encode()))
    status, out, _ = ledger("approve", "segment", refused.digest[7:20])
    assert (status, "give more of its digits" in out) == (1, True)
    assert ledger("approve", "segment", refused.digest)[0] == 0


def test_forgetting_says_first_what_it_means(refused, ledger):
    files = list(every_file(refused.store))
    status, out, _ = ledger("forget", "segment")
    assert (status, "the next run is a first sync" in out, "--yes" in out) == (1, True, True)
    assert list(every_file(refused.store)) == files


def test_after_it_a_sync_begins_anew_though_the_task_remembers(refused, ledger):
    witness = refused.sync(people(0, 200)).witness
    assert ledger("forget", "segment", "--yes")[0] == 0
    assert list(every_file(refused.store)) == ["forgotten/000000000000.json"]
    assert ledger("list")[1].startswith("There are no ledgers below ")
    refused.ours = False
    with pytest.raises(InvalidInput, match="first_sync"):
        refused.sync(people(190, 210), witness=witness)
    done = refused.sync(people(190, 210), witness=witness, first_sync="add", owner="other.task")
    assert done.counts["baseline"] == 0
    assert refused.vendor.members == set(people(0, 210))
    assert refused.sync(people(190, 210), witness=done.witness, owner="other.task").outcome == "unchanged"


def test_word_that_a_ledger_was_forgotten_does_not_stay_for_ever(refused, ledger):
    ledger("forget", "segment", "--yes")
    refused.sync(people(0, 10))
    witness = refused.sync(people(0, 11)).witness
    for last in (12, 13):
        refused.now += 31 * 24 * 3_600_000
        refused.sync(people(0, last))
    assert refused.store.names("forgotten") == []
    refused.store.delete_folder("")
    with pytest.raises(LedgerError, match="lost, emptied or replaced"):
        refused.sync(people(0, 12), witness=witness)


@pytest.mark.parametrize("damage", ["manifest", "state", "all"])
def test_one_that_cannot_be_read_can_be_forgotten(make, ledger, damage):
    segment = make()
    witness = segment.sync(people(0, 10)).witness
    if damage == "manifest":
        segment.store.delete("generations/000000000002.json")
        segment.store.create("generations/000000000002.json", b"{")
    elif damage == "state":
        segment.store.delete_folder("state")
    else:
        segment.store.delete_folder("")
    with pytest.raises(LedgerError, match="ledger forget"):
        segment.sync(people(0, 10), witness=witness)
    status, _, err = ledger("forget", segment.folder, "--yes")
    assert status == 0, err
    assert segment.sync(people(0, 10), witness=witness).counts["add"] == 10


def test_not_while_a_run_holds_it(make, ledger, monkeypatch):
    segment = make()
    segment.now = time.time_ns() // 1_000_000

    def stop(*given, **named):
        raise LedgerError("stopped here")

    monkeypatch.setattr(Ledger, "acknowledge", stop)
    with pytest.raises(LedgerError):
        segment.sync(people(0, 10))
    monkeypatch.undo()
    status, _, err = ledger("forget", "segment", "--yes")
    assert (status, "Run run is changing this segment, or died doing so" in err) == (1, True)
    segment.sync(people(0, 10))
    assert ledger("forget", "segment", "--yes")[0] == 0


def test_cut_short_it_leaves_nothing_that_looks_whole(make, ledger, monkeypatch):
    segment = make()
    segment.sync(people(0, 10))
    segment.sync(people(0, 11))
    monkeypatch.setattr(type(segment.store), "delete", lambda self, name: 1 / 0)
    assert ledger("forget", "segment", "--yes")[0] == 2
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="ledger forget"):
        segment.sync(people(0, 11))
    assert ledger("forget", "segment", "--yes")[0] == 0
    assert segment.sync(people(0, 11)).counts["add"] == 11

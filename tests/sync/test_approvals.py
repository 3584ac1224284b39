"""An approval applies to exactly one plan: the digest covers every user, and a stored plan is checked against it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import LedgerError, PlanRefused
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.approvals import KeptPlan
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.timing import moment
from tests.sync.conftest import people
from tests.sync.model.memory import KEY, Crash
from tests.sync.test_sync import Unread

DAY = 24 * 3600 * 1000


@pytest.fixture
def segment(segment):
    segment.sync(people(0, 200), as_of=segment.now)
    return segment


def refused(segment, wanted, **settings):
    with pytest.raises(PlanRefused) as error:
        segment.sync(wanted, **settings)
    return error.value.digest


def approved_by_file(segment, digest):
    ledger = segment.ledger()
    ledger.head = read_head(segment.store, KEY.folder)
    approvals.approve(ledger, digest, "ada")


@pytest.mark.parametrize("swapped", [("p199", "p149"), ("p150", "p000"), ("p199", "evil")])
def test_plans_that_differ_in_one_user_have_different_digests(segment, swapped):
    """Also where the numbers of additions and removals are equal."""
    one = segment.sync([*people(150, 200), "good"], plan_only=True).plan
    others = dict([swapped, ("good", "bad")]) if swapped[1] == "evil" else dict([swapped])
    two = segment.sync([others.get(user, user) for user in [*people(150, 200), "good"]], plan_only=True).plan
    assert one.digest != two.digest
    if swapped[1] != "evil":
        assert one.counts == two.counts


def test_the_order_of_the_source_does_not_change_the_digest(segment):
    digests = {
        segment.sync(wanted, plan_only=True).plan.digest for wanted in (people(150, 200), people(150, 200)[::-1])
    }
    assert len(digests) == 1


def test_the_digest_of_a_plan_can_be_computed_without_the_database(segment):
    """The digest is the SHA-256 of a line of JSON, and of the actions in the order of their bytes."""
    plan = segment.sync(people(150, 200), plan_only=True).plan
    lines = sorted(f"remove\t{user}\n" for user in people(0, 150))
    assert plan.digest == "sha256:" + hashlib.sha256(plan.header + "".join(lines).encode()).hexdigest()


@pytest.mark.parametrize("ending", ["txt", "json"])
@pytest.mark.parametrize("how", ["argument", "file"])
def test_a_kept_plan_that_was_changed_is_not_applied(segment, ending, how):
    digest = refused(segment, people(150, 200))
    (name,) = [name for name in segment.store.files if name.startswith("plans/") and name.endswith(ending)]
    content = segment.store.files[name]
    if ending == "txt":
        segment.store.files[name] = content.replace(b"p000", b"p160")
    else:
        stored = KeptPlan.decode(content)
        changed = stored.model_copy(update={"plan": replace(stored.plan, mode="add")})
        segment.store.files[name] = changed.encoded
    if how == "file":
        approved_by_file(segment, digest)
    with pytest.raises(LedgerError, match="is not what is kept"):
        segment.sync(people(150, 200), approve=digest if how == "argument" else None)
    assert segment.vendor.members == set(people(0, 200))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"plan": {}, "breaches": []}', b'{"plan": null}'])
def test_a_kept_plan_that_is_damaged_is_not_applied(segment, content):
    digest = refused(segment, people(150, 200))
    (name,) = [name for name in segment.store.files if name.startswith("plans/") and name.endswith("json")]
    segment.store.files[name] = content
    with pytest.raises(LedgerError, match="is damaged"):
        segment.sync(people(150, 200), approve=digest)


def test_an_approval_applies_only_to_the_plan_with_its_digest(segment):
    one, two = refused(segment, people(150, 200)), refused(segment, people(140, 200))
    approved_by_file(segment, one)
    segment.sync([], approve=two)
    assert segment.vendor.members == set(people(140, 200))
    # The other approval no longer applies: removals from the new state need a new approval.
    with pytest.raises(PlanRefused):
        segment.sync(people(199, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(199, 200), approve=one)


def test_of_two_approvals_in_the_ledger_the_one_with_newer_data_applies(segment):
    older = refused(segment, people(150, 200), as_of=segment.now)
    newer = refused(segment, people(140, 200), as_of=segment.now + DAY // 48)
    for digest in (newer, older):
        approved_by_file(segment, digest)
    segment.sync([])
    assert segment.vendor.members == set(people(140, 200))


def test_an_approval_that_matches_no_kept_plan_is_reported(segment):
    nothing = "sha256:" + 64 * "0"
    done = segment.sync(people(0, 201), approve=nothing)
    assert nothing in done.notices[0]
    assert "no plan of that digest is kept" in done.notices[0]
    with pytest.raises(PlanRefused) as error:
        segment.sync(people(199, 200), approve=nothing)
    assert "no plan of that digest is kept" in " ".join(error.value.details.split())


@pytest.mark.parametrize("how", ["file", "argument"])
def test_an_approved_plan_is_not_applied_by_a_run_of_another_mode(segment, how):
    digest = refused(segment, people(150, 200))
    if how == "file":
        approved_by_file(segment, digest)
    done = segment.sync(people(150, 201), mode="add", **({"approve": digest} if how == "argument" else {}))
    assert segment.vendor.members == set(people(0, 201))
    assert 'is not applied: it was made with `mode="mirror"`' in done.notices[0]


def test_an_approved_plan_is_applied_without_reading_the_source(segment):
    digest = refused(segment, people(150, 200))
    done = segment.sync(Unread(), approve=digest)
    assert (done.plan.approved, done.plan.digest, done.counts["applied"]) == (True, digest, 150)


def test_an_approved_plan_commits_the_time_that_its_own_data_represents(segment):
    made = segment.now
    digest = refused(segment, people(150, 200), as_of=made)
    segment.now += DAY
    segment.sync([], approve=digest, as_of=segment.now)
    # So the refused run can be cleared, and so can those after it.
    segment.sync(people(150, 200), as_of=made)
    segment.sync(people(151, 200), as_of=made + 1)


def test_an_approved_plan_is_not_applied_after_another_run_has_changed_the_segment(segment):
    digest = refused(segment, people(150, 200))
    segment.sync(people(0, 201))
    with pytest.raises(PlanRefused) as error:
        segment.sync(people(150, 200), approve=digest)
    assert "no plan of that digest is kept" in " ".join(error.value.details.split())


def test_an_approved_plan_is_not_applied_after_a_late_sender_has_written_a_note(segment):
    digest = refused(segment, people(150, 200))
    ledger = segment.ledger()
    ledger.head = read_head(segment.store, KEY.folder)
    ledger.note("add", ["p777"])
    with pytest.raises(PlanRefused) as error:
        segment.sync(people(150, 200), approve=digest)
    assert "no plan of that digest is kept" in " ".join(error.value.details.split())


def test_a_plan_can_be_approved_when_the_retention_time_is_zero(segment):
    segment.keep = timedelta(0)
    digest = refused(segment, people(150, 200))
    segment.sync([], approve=digest)
    assert segment.vendor.members == set(people(150, 200))


@pytest.mark.parametrize("wanted", [people(0, 30), people(2, 30)], ids=["the same", "fewer"])
def test_removals_that_were_approved_and_acknowledged_need_no_second_approval_after_a_crash(
    segment, monkeypatch, wanted
):
    given = {"mode": "remove", "max_removals": 5}
    digest = refused(segment, people(0, 30), **given)
    carry_out = segment.vendor.carry_out

    def once(*request):
        carry_out(*request)
        monkeypatch.setattr(segment.vendor, "carry_out", crash)

    def crash(*request):
        raise Crash

    monkeypatch.setattr(segment.vendor, "carry_out", once)
    with pytest.raises(Crash):
        segment.sync(people(0, 30), approve=digest, **given)
    monkeypatch.setattr(segment.vendor, "carry_out", carry_out)
    assert segment.vendor.members == set(people(10, 200))
    # At a vendor that lists no members, all of them are sent again.
    segment.sync(wanted, **given)
    assert segment.vendor.members == set(people(30, 200))
    refused(segment, wanted, **given)


def withdrawn(segment, digest):
    ledger = segment.ledger()
    ledger.head = read_head(segment.store, KEY.folder)
    return approvals.withdraw(ledger, digest, "bob")


@pytest.mark.parametrize("how", ["argument", "file"])
def test_a_withdrawn_approval_never_applies(segment, how):
    digest = refused(segment, people(150, 200))
    if how == "file":
        approved_by_file(segment, digest)
    assert withdrawn(segment, digest).by == "bob"
    with pytest.raises(PlanRefused) as error:
        segment.sync(people(150, 200), approve=digest if how == "argument" else None)
    assert ("withdrawn" in error.value.details) == (how == "argument")
    assert segment.vendor.members == set(people(0, 200))
    approved_by_file(segment, digest)
    segment.sync([])
    assert segment.vendor.members == set(people(150, 200))


def test_an_approval_that_is_withdrawn_while_a_run_prepares_its_requests_stops_that_run(segment, monkeypatch):
    digest = refused(segment, people(150, 200))
    approved_by_file(segment, digest)
    keep = Ledger.keep

    def kept(ledger, batches):
        found = keep(ledger, batches)
        withdrawn(segment, digest)
        return found

    monkeypatch.setattr(Ledger, "keep", kept)
    generation = read_head(segment.store, KEY.folder).generation
    with pytest.raises(PlanRefused, match=r"was withdrawn by bob at .* Nothing was sent"):
        segment.sync([])
    assert segment.vendor.members == set(people(0, 200))
    assert read_head(segment.store, KEY.folder).generation == generation


def test_an_approval_that_a_run_has_taken_cannot_be_withdrawn(segment, monkeypatch):
    digest = refused(segment, people(150, 200))
    approved_by_file(segment, digest)
    monkeypatch.setattr(Ledger, "begin", lambda self, *given, **named: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        segment.sync([], run="first")
    assert (withdrawn(segment, digest).withdrawn, withdrawn(segment, digest).by) == (False, "first")
    monkeypatch.undo()
    segment.sync([], run="second")
    assert segment.vendor.members == set(people(150, 200))


def test_the_report_of_an_approved_plan_names_the_user_and_the_time_of_the_approval(segment):
    digest = refused(segment, people(150, 200))
    at = moment(segment.now)
    approved_by_file(segment, digest)
    done = segment.sync([])
    assert done.plan.approved_by == f"ada at {at}"
    name = f"{done.report.rpartition('reports/')[2]}"
    assert f"Approved by ada at {at}." in segment.store.files[f"reports/{name}/plan.md"].decode()
    assert json.loads(segment.store.files[f"reports/{name}/plan.json"])["approved_by"] == f"ada at {at}"


def test_an_approval_that_was_renamed_to_another_plan_is_damaged(segment):
    digest = refused(segment, people(150, 200))
    other = refused(segment, people(199, 200))
    approved_by_file(segment, digest)
    (name,) = [name for name in segment.store.files if name.startswith("approvals/")]
    segment.store.files[name.replace(digest[7:], other[7:])] = segment.store.files.pop(name)
    with pytest.raises(LedgerError, match=r"approvals/.* is damaged. Nothing was sent. Delete"):
        segment.sync(people(150, 200))


@pytest.mark.parametrize("counts", [{"remove": 149}, {"remove": 0, "gone": 150}, {"add": 1}, {"waiting": None}])
def test_a_kept_plan_whose_counts_differ_from_its_actions_is_not_applied(segment, counts):
    digest = refused(segment, people(150, 200))
    (name,) = [name for name in segment.store.files if name.startswith("plans/") and name.endswith("json")]
    stored = KeptPlan.decode(segment.store.files.pop(name))
    users = segment.store.files.pop(name.replace(".json", ".txt"))
    changed = {name: count for name, count in {**stored.plan.counts, **counts}.items() if count is not None}
    plan = replace(stored.plan, counts=changed)
    forged = hashlib.sha256(plan.header + users).hexdigest()
    plan = replace(plan, digest=f"sha256:{forged}")
    new = name.replace(digest[7:], forged)
    segment.store.files |= {new: stored.model_copy(update={"plan": plan}).encoded, new.replace(".json", ".txt"): users}
    with pytest.raises(LedgerError, match="is not what is kept"):
        segment.sync([], approve=plan.digest)
    assert segment.vendor.members == set(people(0, 200))

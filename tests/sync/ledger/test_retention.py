"""Files that a commit has replaced are deleted after the retention time; needed files stay, wherever deleting stops."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from airflow_segments_provider.errors import InvalidInput, LedgerOvertaken, PlanRefused
from airflow_segments_provider.sync import approvals
from airflow_segments_provider.sync.ledger import ledger as ledgers
from airflow_segments_provider.sync.ledger.history import read_head
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.retention import clean
from airflow_segments_provider.sync.workspace import Workspace
from tests.sync.conftest import people
from tests.sync.model.memory import KEY, Crash

FREE = {"max_removed_fraction": 1, "max_added_fraction": None}
DAY = 24 * 3600 * 1000


def folders(segment):
    found: dict[str, list[str]] = {}
    for name in sorted(segment.store.files):
        folder, _, rest = name.partition("/")
        found.setdefault(folder, []).append(rest)
    return found


def numbers(segment, folder):
    return sorted({int(name[:12]) for name in folders(segment).get(folder, [])})


def named(segment):
    """Return the state files of the newest generation."""
    return {part.name for part in read_head(segment.store, KEY.folder).state.files}


def test_files_that_a_commit_replaced_are_deleted_after_the_retention_time_and_not_before(segment):
    segment.sync(people(0, 100))
    segment.sync(people(1, 101))
    segment.now += 29 * DAY
    segment.sync(people(2, 102))
    assert numbers(segment, "generations") == [1, 2, 3, 4, 5, 6]
    segment.now += 2 * DAY
    segment.sync(people(3, 103))
    # 3 and 4 were written with the second run, more than thirty days ago.
    assert numbers(segment, "generations") == [5, 6, 7, 8]
    assert numbers(segment, "batches") == numbers(segment, "acknowledged") == [5, 7]
    assert named(segment) <= set(segment.store.files)
    assert segment.sync(people(3, 103)).outcome == "unchanged"


def test_a_run_without_changes_deletes_expired_files(segment):
    segment.sync(people(0, 100))
    segment.sync(people(0, 101))
    segment.now += 31 * DAY
    assert segment.sync(people(0, 101)).outcome == "unchanged"
    assert folders(segment).keys() == {"generations", "state"}
    assert numbers(segment, "generations") == [5]
    assert {f"state/{name}" for name in folders(segment)["state"]} == named(segment)


def test_a_run_long_after_the_last_one_needs_only_the_files_that_were_kept(segment):
    segment.sync(people(0, 100))
    for number in range(1, 8):
        segment.now += 31 * DAY
        segment.sync(people(number, 100 + number))
        assert len(folders(segment)["generations"]) <= 4
    assert segment.vendor.members == set(people(7, 107))
    assert segment.sync(people(7, 107)).outcome == "unchanged"


def test_cleaning_without_expired_files_lists_twice_and_reads_once(segment):
    for number in range(3):
        segment.sync(people(0, 10 + number))
    calls = list[str]()
    for name in ("names", "folders", "read", "delete", "delete_folder", "delete_unfinished"):
        call = getattr(segment.store, name)
        setattr(segment.store, name, counted(calls, name, call))
    clean(segment.store, read_head(segment.store, KEY.folder), before=0)
    of_the_head = ["names", "read"]
    assert calls == [*of_the_head, "names", "names", "read"]


def counted(calls, name, call):
    """Return ``call`` with a record of each call."""

    def counting(*given):
        calls.append(name)
        return call(*given)

    return counting


def test_files_of_runs_that_died_before_their_intent_are_deleted(segment, monkeypatch):
    segment.sync(people(0, 100))
    monkeypatch.setattr(Ledger, "begin", die)
    with pytest.raises(Crash):
        segment.sync(people(0, 105))
    monkeypatch.undo()
    monkeypatch.setattr(Ledger, "_write", die)
    with pytest.raises(Crash):
        segment.sync(people(0, 105))
    monkeypatch.undo()
    stray = {name for name in segment.store.files if name.startswith("batches/000000000003-")}
    assert len(stray) == 2
    segment.sync(people(0, 106))
    segment.now += 31 * DAY
    segment.sync(people(0, 107))
    assert not stray & segment.store.files.keys()
    assert numbers(segment, "batches") == [5]


def die(*given, **named):
    raise Crash


def test_a_cleaning_that_is_cut_short_anywhere_keeps_needed_files_and_the_next_run_finishes_it(segment, monkeypatch):
    for number in range(4):
        segment.sync(people(number, 30 + number))
    segment.now += 31 * DAY
    files, seen, deletions = dict(segment.store.files), segment.witness.seen, 0
    while True:
        segment.store.files, segment.vendor.members = dict(files), set(people(3, 33))
        segment.witness.seen = seen
        cut_after(segment, monkeypatch, deletions)
        try:
            segment.sync(people(4, 34))
        except Crash:
            monkeypatch.undo()
            deletions += 1
        else:
            break
        assert named(segment) <= set(segment.store.files)
        assert segment.sync(people(4, 34)).outcome == "unchanged"
        assert numbers(segment, "generations") == [9, 10, 11]
        assert numbers(segment, "batches") == numbers(segment, "acknowledged") == [9]
    assert deletions > 20


def cut_after(segment, monkeypatch, count):
    delete, left = segment.store.delete, [count]

    def cut(name):
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        delete(name)

    monkeypatch.setattr(segment.store, "delete", cut)


def test_a_store_that_refuses_to_delete_does_not_fail_the_run(segment, monkeypatch, caplog):
    segment.sync(people(0, 100))
    segment.sync(people(0, 101))
    segment.now += 31 * DAY

    def refuse(*given):
        raise PermissionError("p001 may not")

    monkeypatch.setattr(segment.store, "delete", refuse)
    segment.sync(people(0, 102))
    assert "could not be deleted (PermissionError). The next run tries again" in caplog.text
    assert "p001" not in caplog.text
    monkeypatch.undo()
    segment.sync(people(0, 102))
    assert numbers(segment, "generations") == [5, 6, 7]


def test_refused_plans_are_deleted_after_the_retention_time_and_used_approvals_at_once(segment):
    segment.sync(people(0, 200))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200))
    held = segment.ledger()
    held.head = read_head(segment.store, KEY.folder)
    approvals.approve(held, refused.value.digest, "ada")
    segment.sync(people(150, 200))
    assert segment.vendor.members == set(people(150, 200))
    assert numbers(segment, "plans") == [2]
    assert "approvals" not in folders(segment)
    segment.now += 31 * DAY
    segment.sync(people(150, 201))
    assert "plans" not in folders(segment)


def test_a_refused_plan_of_an_old_ledger_is_kept_while_it_can_be_approved(segment):
    segment.sync(people(0, 200))
    segment.now += 365 * DAY
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(150, 200))
    with pytest.raises(PlanRefused):
        segment.sync(people(160, 200))
    segment.now += 29 * DAY
    segment.sync(people(0, 200), approve=refused.value.digest)
    assert segment.vendor.members == set(people(150, 200))


@pytest.mark.parametrize("settings", [{}, {"plan_only": True}], ids=["refused", "only planned"])
def test_plans_and_reports_expire_while_no_run_commits(segment, settings):
    """The source is wrong each day in another way, and has invalid rows."""
    digest = ""
    segment.sync(people(0, 200))
    for day in range(45):
        segment.now += DAY - 60_000
        wanted = [*people(150, 200), f"day{day}", *[""] * 10]
        if settings:
            segment.sync(wanted, **settings)
        else:
            with pytest.raises(PlanRefused) as refused:
                segment.sync(wanted)
            digest = refused.value.digest
        kept = folders(segment)
        assert 0 < len({name.partition("/")[0] for name in kept["reports"]}) <= 31
        assert len(kept.get("plans", [])) <= 2 * 31
    if not settings:
        segment.sync(people(0, 200), approve=digest)
        assert segment.vendor.members == {*people(150, 200), "day44"}


def test_one_report_of_invalid_rows_is_kept_for_each_generation_and_expires(segment):
    segment.sync(people(0, 200))
    for day in range(3):
        with pytest.raises(InvalidInput):
            segment.sync([*people(0, 10), *[""] * (100 + day)])
    reports = {name.partition("/")[0] for name in folders(segment)["reports"]}
    assert sum(name.endswith("-invalid") for name in reports) == 1
    for last in (201, 202):
        segment.now += 31 * DAY
        segment.sync(people(0, last))
    assert not any("-invalid" in name for name in folders(segment)["reports"])


def test_a_note_is_kept_until_a_committed_generation_accounts_for_it_and_the_retention_time_is_over(segment):
    segment.sync(people(0, 10))
    held = segment.ledger()
    held.head = read_head(segment.store, KEY.folder)
    held.note("add", ["late"])
    (note,) = segment.store.names("notes")
    segment.sync(people(0, 11))
    assert read_head(segment.store, KEY.folder).state.notes == (note,)
    assert segment.store.names("notes") == [note]
    segment.now += 31 * DAY
    with pytest.raises(PlanRefused):
        segment.sync([])
    assert segment.store.names("notes") == [note]
    segment.sync(people(0, 12))
    assert segment.store.names("notes") == []
    segment.sync(people(0, 12))
    assert read_head(segment.store, KEY.folder).state.notes == ()


def test_a_ledger_is_accepted_after_the_generation_of_its_witness_was_deleted(segment):
    segment.sync(people(0, 10))
    first = segment.witness.seen
    segment.sync(people(0, 11))
    segment.now += 31 * DAY
    segment.sync(people(0, 12))
    assert first.generation not in numbers(segment, "generations")
    segment.witness.seen = first
    assert segment.sync(people(0, 12)).outcome == "unchanged"


@pytest.mark.parametrize("batches", ["kept", "deleted"])
def test_an_overtaken_run_stops_after_all_generations_in_between_were_deleted(segment, batches):
    segment.keep = timedelta(0)
    if batches == "kept":
        segment.store.delete_folder = lambda folder: None
    segment.sync(people(0, 100))
    requests = []
    carry_out = segment.vendor.carry_out

    def overtaken(kind, ids):
        carry_out(kind, ids)
        segment.vendor.carry_out = carry_out
        segment.sync(people(0, 105), **FREE)
        requests.append(segment.vendor.requests)

    segment.vendor.carry_out = overtaken
    with pytest.raises(LedgerOvertaken, match="took this segment over"):
        segment.sync(people(0, 140))
    assert segment.vendor.requests == requests[0]
    assert segment.vendor.members == set(people(0, 105))


@pytest.mark.parametrize("witness", [True, False], ids=["witness", "no witness"])
def test_an_overtaken_run_cannot_commit_a_generation_below_the_newest(segment, monkeypatch, witness):
    segment.keep = timedelta(0)
    if not witness:
        segment.witness.write = lambda seen: None
    segment.sync(people(0, 100))
    commit, seen = Ledger.commit, list[list[int]]()

    def overtaken(self, members, **given):
        if not seen:
            seen.append([])
            segment.sync(people(0, 105))
            segment.sync(people(0, 106))
            seen.append(numbers(segment, "generations"))
        return commit(self, members, **given)

    monkeypatch.setattr(Ledger, "commit", overtaken)
    with pytest.raises(LedgerOvertaken, match="meanwhile"):
        segment.sync(people(0, 101))
    monkeypatch.undo()
    assert numbers(segment, "generations") == seen[1]
    assert segment.sync(people(0, 106)).outcome == "unchanged"


def test_a_run_reads_at_most_one_snapshot_and_twenty_deltas(segment, monkeypatch):
    segment.limit = 1_000
    segment.sync(people(0, 400))
    fetch, fetched, most = segment.store.fetch, list[str](), 0

    def counting(name, into):
        fetched.append(name)
        return fetch(name, into)

    monkeypatch.setattr(segment.store, "fetch", counting)
    for number in range(1, 26):
        fetched.clear()
        segment.sync(people(number, 400 + number), **FREE)
        assert len([name for name in fetched if "snapshot" in name]) == 1
        most = max(most, len(fetched))
    assert most == 1 + ledgers.MOST_DELTAS
    assert known(segment) == dict.fromkeys(people(25, 425), True)
    assert segment.vendor.members == set(people(25, 425))


def known(segment):
    with Workspace(database=segment.database) as workspace:
        segment.ledger().look(workspace)
        return dict(workspace.rows("SELECT id, owned FROM known"))


def test_each_manifest_that_is_kept_names_only_files_that_exist(segment):
    """All generations that are kept, including older ones, which a user may want to read."""
    for number in range(6):
        segment.now += 12 * DAY
        segment.sync(people(number, 50 + number))
    for name in folders(segment)["generations"]:
        manifest = json.loads(segment.store.files[f"generations/{name}"])
        state, intent = manifest["state"], manifest["intent"] or {"batches": []}
        parts = [*intent["batches"], *state["deltas"], state["snapshot"]]
        assert {part["name"] for part in parts if part} <= set(segment.store.files)


def test_unfinished_files_of_killed_writers_are_deleted_after_a_while(tmp_path):
    store = LocalStore(tmp_path)
    store.create("state/1", b"whole")
    temporary = tmp_path / "state" / ".part-1"
    temporary.write_bytes(b"half")
    written = int(temporary.stat().st_mtime * 1000)
    store.delete_unfinished(written - 1000)
    assert temporary.exists()
    store.delete_unfinished(written + 1000)
    assert not temporary.exists()
    assert store.read("state/1") == b"whole"

"""Damaged ledgers: the sync is right, or it is refused with a remedy; it is never wrong."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import (
    LedgerBusy,
    LedgerDamaged,
    LedgerError,
    LedgerLost,
    PlanRefused,
    RunSuperseded,
)
from airflow_segments_provider.sync.ledger.history import generations, read_head
from airflow_segments_provider.sync.ledger.local_store import LocalStore
from airflow_segments_provider.sync.ledger.manifest import Batch, digest_of
from airflow_segments_provider.sync.ledger.state import read_batch
from tests.sync.conftest import people
from tests.sync.ledger.scenes import (
    FREE,
    HOUR,
    SCENES,
    Scene,
    approved,
    committed,
    failed,
    noted,
    older,
    replaced,
)
from tests.sync.model.memory import KEY

WAYS_OUT = ("replace=True", "Delete", "Use that version")
WANTED = people(30, 75)


@pytest.fixture(scope="module", params=SCENES, ids=lambda build: build.__name__)
def scene(request, database):
    return Scene(request.param, database)


def test_a_run_on_a_damaged_ledger_makes_the_right_change_or_none(scene):
    compare(scene, range(2))


@pytest.mark.slow
def test_many_runs_on_damaged_ledgers_make_the_right_change_or_none(scene):
    compare(scene, range(2, 40))


def compare(scene, seeds):
    for number, (name, content, what) in enumerate(scene.damages(seeds)):
        # Without a witness, a ledger without its newest generation cannot be told from an older one.
        witness = number % 2 == 0 or (content is None and name.startswith("generations/"))
        found, right = scene.play({name: content}, witness=witness), scene.right
        if found.error is not None:
            assert found.requests == 0, what
            if isinstance(found.error, LedgerError) and not isinstance(found.error, RunSuperseded):
                assert any(way in str(found.error) for way in WAYS_OUT), what
            continue
        assert right.error is None, what
        assert found.members == right.members, what
        assert found.owned == right.owned, what
        assert (found.as_of, found.replacement) == (right.as_of, right.replacement), what
        # A user who is needlessly uncertain is sent once more.
        assert all(found.uncertain.get(user, 0) >= since for user, since in right.uncertain.items()), what


def test_a_run_does_not_need_the_files_of_earlier_generations(scene):
    found = scene.play({name: None for name in scene.files if name not in scene.needed})
    assert (type(found.error), found.members) == (type(scene.right.error), scene.right.members)
    assert (found.owned, found.uncertain) == (scene.right.owned, scene.right.uncertain)


def replace_all(segment):
    """Run with ``replace=True`` until a run succeeds, and return it: one run waits, and one needs an approval."""
    requests = segment.vendor.requests
    with pytest.raises(LedgerBusy, match="may still be carried out") as busy:
        segment.sync(WANTED, run="recovery", replace=True)
    segment.now = busy.value.until - 120_000
    with pytest.raises(LedgerBusy):
        segment.sync(WANTED, run="recovery", replace=True)
    with pytest.raises(PlanRefused, match="the ledger was lost, so it is unknown how many members") as refused:
        segment.sync(WANTED, run="recovery", replace=True)
    assert segment.vendor.requests == requests
    return segment.sync(WANTED, run="recovery", replace=True, approve=refused.value.digest)


RECOVERED = [
    *((build, "generations", None) for build in (failed, noted, committed, replaced)),
    *((build, "generations", b"{") for build in (failed, noted, committed, replaced)),
    *((build, "state", None) for build in (failed, noted, committed, replaced)),
    *((build, "state", b"{") for build in (failed, noted, committed, replaced)),
    *((build, "batches", None) for build in (failed, replaced)),
    *((build, "acknowledged", b"{") for build in (failed, replaced)),
    (noted, "notes", b"{"),
]


@pytest.mark.parametrize(
    ("build", "folder", "content"), RECOVERED, ids=lambda given: getattr(given, "__name__", str(given))
)
def test_a_replacement_recovers_a_damaged_ledger(database, build, folder, content):
    scene = Scene(build, database)
    name = [name for name in scene.needed if name.startswith(folder)][-1]
    segment = scene.reset({name: content})
    segment.vendor.bad, segment.vendor.members = set(), {*segment.vendor.members, "by hand"}
    # An older manifest may be that of a run whose lease has not ended.
    segment.now += HOUR
    with pytest.raises(LedgerError):
        segment.sync(WANTED, run="recovery")
    assert segment.vendor.requests == 0
    assert replace_all(segment).outcome == "changed"
    assert segment.vendor.members == set(WANTED)
    assert segment.sync(WANTED, run="recovery").outcome == "unchanged"
    segment.sync(people(31, 76), run="next")
    assert segment.vendor.members == set(people(31, 76))


@pytest.mark.parametrize("witness", [True, False], ids=["witness", "no witness"])
def test_a_replacement_of_a_damaged_ledger_continues_its_generation_number_and_time(database, witness):
    scene = Scene(older, database)
    name = f"generations/{scene.head.generation:012d}.json"
    segment = scene.reset({name: b"{"}, witness=witness)
    if witness:
        # The witness has the time of the data; without a witness it is unknown.
        with pytest.raises(RunSuperseded):
            segment.sync(WANTED, as_of=segment.now - 2 * HOUR, replace=True)
    replace_all(segment)
    assert generations(segment.store)[-3:] == [scene.head.generation + number for number in (1, 2, 3)]


def copies(segment):
    """Sync some times; return the ledger's files after each generation, beginning with the empty ledger."""
    found = [dict(segment.store.files)]
    create = segment.store.create

    def creating(name, content):
        created = create(name, content)
        if name.startswith("generations/"):
            found.append(dict(segment.store.files))
        return created

    segment.store.create = creating
    for last in (20, 22, 23, 23):
        segment.sync(people(0, last))
    segment.store.create = create
    return found


def test_an_older_copy_or_an_emptied_ledger_is_refused_until_a_replacement(segment):
    before = copies(segment)
    newest, seen = before.pop(), segment.witness.seen
    assert len(before) == 7
    for files in before:
        segment.store.files, segment.witness.seen = dict(files), seen
        segment.vendor.members, segment.vendor.requests = {*people(0, 23), "by hand"}, 0
        head = read_head(segment.store, KEY.folder).generation
        with pytest.raises(LedgerLost, match=f"its generation {seen.generation}\\)") as lost:
            segment.sync(people(0, 24), run="next")
        assert "Nothing was sent" in str(lost.value)
        with pytest.raises(RunSuperseded):
            segment.sync(people(0, 24), as_of=seen.as_of - 1, run="next", replace=True)
        assert generations(segment.store)[-1:] == ([head] if head else [])
        replace_all(segment)
        assert segment.vendor.members == set(WANTED)
        assert [number for number in generations(segment.store) if number > head] == [
            seen.generation + number for number in (1, 2, 3)
        ]
    # The newest copy is not an older one.
    segment.store.files, segment.witness.seen = newest, seen
    segment.vendor.members = set(people(0, 23))
    assert segment.sync(people(0, 23)).outcome == "unchanged"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b'{"format": 4}'])
def test_the_error_for_a_damaged_manifest_names_the_file_and_replace(segment, content):
    segment.sync(people(0, 10))
    segment.store.files["generations/000000000002.json"] = content
    with pytest.raises(LedgerError, match=r"generations/000000000002\.json is damaged\. .* set `replace=True`"):
        segment.sync(people(0, 10))


def test_the_error_for_a_ledger_of_another_version_says_so(segment):
    segment.sync(people(0, 10))
    name = "generations/000000000002.json"
    segment.store.files[name] = segment.store.files[name].replace(b'"format": 4', b'"format": 3')
    with pytest.raises(LedgerError, match="another version of this package"):
        segment.sync(people(0, 10))


def test_the_error_for_the_manifest_of_another_segment_says_so(segment):
    segment.sync(people(0, 10))
    manifest = read_head(segment.store, KEY.folder).manifest
    assert manifest is not None
    copied = manifest.model_copy(update={"folder": "memory/elsewhere/-/2"})
    segment.store.files["generations/000000000002.json"] = copied.encoded
    with pytest.raises(LedgerError, match="own folder below the ledger path"):
        segment.sync(people(0, 10))


def test_deleting_a_damaged_acknowledgement_repairs_the_ledger(database):
    scene = Scene(failed, database)
    name = next(name for name in scene.needed if name.startswith("acknowledged/"))
    assert f"{name} of {KEY.folder} is damaged. Nothing was sent. Delete that file" in str(
        scene.play({name: b"{"}).error
    )
    found = scene.play({name: None})
    assert (found.members, found.owned, found.error) == (scene.right.members, scene.right.owned, None)


def test_a_damaged_plan_or_one_whose_approval_is_lost_is_not_applied(database):
    scene = Scene(approved, database)
    plans, approvals = ([name for name in scene.needed if name.startswith(f)] for f in ("plans/", "approvals/"))
    users = next(name for name in plans if name.endswith(".txt") and approvals[0].rpartition("/")[2][:-5] in name)
    other = scene.files[users].replace(b"p020", b"p000")
    assert "a file was changed or is damaged" in str(scene.play({users: other}).error)
    assert isinstance(scene.play({approvals[0]: None}).error, PlanRefused)


def test_deltas_are_merged_into_a_snapshot_when_they_are_many_or_large(segment):
    segment.limit = 1_000
    segment.sync(people(0, 400))
    for number in range(1, 30):
        segment.sync(people(0, 400 + number), **FREE)
        state = json.loads(segment.store.files[newest(segment)])["state"]
        assert len(state["deltas"]) <= 20
        assert sum(part["rows"] for part in state["deltas"]) <= 0.25 * state["snapshot"]["rows"]
    segment.sync(people(0, 800), **FREE)
    state = json.loads(segment.store.files[newest(segment)])["state"]
    assert (state["deltas"], state["snapshot"]["rows"]) == ([], 800)
    segment.sync(people(300, 800), **FREE)
    assert segment.vendor.members == set(people(300, 800))
    assert segment.sync(people(300, 800)).outcome == "unchanged"


def newest(segment):
    return max(name for name in segment.store.files if name.startswith("generations/"))


@pytest.fixture
def batch_of(tmp_path):
    def write(content, users):
        store = LocalStore(tmp_path)
        name = "batches/000000000001-00000000/000001-add.txt"
        store.create(name, content)
        return store, Batch(name=name, kind="add", users=users, sha256=digest_of(content))

    return write


@pytest.mark.parametrize("ids", [["a"], ["ada@x", "b!~"], ["Zoë", "ada"], ["ada lovelace"], ["ada\u200blovelace", "b"]])
def test_a_batch_is_read_as_it_was_written(batch_of, ids):
    assert read_batch(*batch_of("\n".join(ids).encode(), len(ids))) == ids


@pytest.mark.parametrize(
    ("content", "users"),
    [
        (b"", 0),
        (b"", 1),
        (b"a\nb", 1),
        (b"a\nb", 3),
        (b"a\nb\n", 2),
        (b"a\nb\n", 3),
        (b"a\n\nb", 3),
        (b" a\nb", 2),
        (b"a \nb", 2),
        (b"a\r\nb", 2),
        (b"a\tb", 1),
        (b"a\x00b", 1),
        (b"a\x7fb", 1),
        ("a\nb\ufeff".encode(), 2),
        ("a\u2028b".encode(), 1),
        (b"a\n\xff", 2),
    ],
)
def test_a_batch_that_no_sync_could_have_written_is_damaged(batch_of, content, users):
    """Also with the right digest: a user who can write to the ledger can write both."""
    with pytest.raises(LedgerDamaged, match="missing or damaged"):
        read_batch(*batch_of(content, users))

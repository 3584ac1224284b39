"""A ledger with arbitrary content: a run succeeds or raises one of its errors, and executes nothing of the ledger."""

from __future__ import annotations

import json
import logging
import re
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_segments_provider.errors import LedgerDamaged, LedgerError, PlanRefused, RunSuperseded, SegmentsError
from airflow_segments_provider.sync.ledger.manifest import digest_of
from airflow_segments_provider.sync.ledger.names import USER_ID
from tests.sync.conftest import Segment, people
from tests.sync.ledger.fuzzing import CANARY, SQL, USER, cases, sealed
from tests.sync.ledger.scenes import SCENES, Scene, committed, failed

SHOWN = re.compile(r"\bp\d{3}\b|ada@")


@pytest.fixture(scope="module", params=SCENES, ids=lambda build: build.__name__)
def scene(request, database):
    return Scene(request.param, database)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_a_run_on_a_fuzzed_ledger_ends_normally_or_with_a_segments_error(scene, caplog):
    check(scene, 20, caplog)


@pytest.mark.slow
def test_many_runs_on_fuzzed_ledgers_end_normally_or_with_a_segments_error(scene, caplog):
    for part in range(5):
        check(scene, 60, caplog, f"more {part} ")


def check(scene, count, caplog, seed=""):
    for what, changes in cases(scene, count, f"{seed}{scene.go_on.__qualname__}"):
        segment = scene.reset(changes)
        newest = f"generations/{scene.head.generation:012d}.json"
        # The witness is changed as well, as by a user who can write to both.
        if (content := changes.get(newest)) and segment.witness.seen:
            segment.witness.seen = replace(segment.witness.seen, digest=digest_of(content))
        sent = list[str]()
        segment.vendor.carry_out = lambda kind, ids, sent=sent: sent.extend(ids)
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            error = outcome(scene, what)
        assert not SHOWN.search(" ".join(messages(error))), what
        del segment.vendor.carry_out
        assert not Path(CANARY).exists(), what
        assert list(Path.cwd().iterdir()) == [], what
        assert all(re.fullmatch(USER_ID, user) for user in sent), what
        assert not SHOWN.search(caplog.text), what
        if isinstance(error, LedgerError) and not isinstance(error, (RunSuperseded, PlanRefused)):
            assert segment.vendor.requests == 0, what
        with suppress(SegmentsError):
            scene.go_on()


def messages(error):
    """Yield what a log shows of an error and of its causes."""
    while error is not None:
        yield str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def outcome(scene, what):
    try:
        scene.go_on()
    except SegmentsError as error:
        return error
    except Exception as error:
        raise AssertionError(what) from error
    return None


def ids(sql="'p000' AS id", **columns):
    """Return the SQL of a state file with one user and changed columns."""
    given = {"owned": "true", "uncertain": "NULL::BIGINT", "pending": "NULL::VARCHAR", "rejected": "NULL::BIGINT"}
    given |= {"size": "NULL::INTEGER", "reason": "NULL::VARCHAR", **columns}
    return f"SELECT {', '.join([sql, *(f'{value} AS {name}' for name, value in given.items())])}"


STATES = {
    "a column whose name is SQL": f'{ids()}, 1 AS "x""\'); COPY (SELECT 1) TO \'{CANARY}\'; --"',
    "columns in another order": f"SELECT owned, * EXCLUDE owned FROM ({ids()})",
    "a column less": f"SELECT * EXCLUDE reason FROM ({ids()})",
    "a column of another type": ids(owned="'true'"),
    "a nested column": ids(reason="['x']"),
    "no ID": ids("NULL::VARCHAR AS id"),
    "a blank ID": ids("'' AS id"),
    "two IDs in one": ids("'p000' || chr(10) || 'p001' AS id"),
    "neither owned nor not": ids(owned="NULL::BOOLEAN"),
    "another action": ids(pending=f"'{CANARY}'"),
    "a size below zero": ids(size="-1::INTEGER"),
    "a time that no calendar has": ids(uncertain="9223372036854775807::BIGINT"),
    "a time before all calendars": ids(rejected="(-9223372036854775807)::BIGINT"),
    "a reason of two lines": ids(reason="'x' || chr(10) || 'y'"),
    "more rows than are named": f"{ids()} UNION ALL {ids()}",
    "no rows": f"{ids()} LIMIT 0",
}


def with_state(scene, content, rows=1):
    """Return the changes that make these bytes the state of a ledger."""
    newest = f"generations/{scene.head.generation:012d}.json"
    document = json.loads(scene.files[newest])
    part = document["state"]["snapshot"]
    document["state"] |= {"snapshot": {**part, "rows": rows, "sha256": digest_of(content)}, "deltas": []}
    return {newest: sealed(newest, document), part["name"]: content}


def parquet_of(database, sql, tmp_path):
    path = tmp_path / "made"
    database.execute(f"COPY ({sql}) TO '{path}' (FORMAT parquet)")
    content = path.read_bytes()
    path.unlink()
    return content


@pytest.fixture(scope="module")
def last(database):
    return Scene(committed, database)


def test_a_state_file_with_the_expected_schema_is_read(last, database, tmp_path):
    found = last.play(with_state(last, parquet_of(database, ids(), tmp_path)), witness=False)
    assert (found.error, "p000" in found.members) == (None, False)
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("name", STATES)
def test_a_state_file_with_another_schema_is_damage(last, database, tmp_path, name):
    found = last.play(with_state(last, parquet_of(database, STATES[name], tmp_path)), witness=False)
    assert isinstance(found.error, LedgerDamaged)
    assert (found.requests, list(Path.cwd().iterdir())) == (0, [])


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"id,owned\np000,true\n"])
def test_a_state_file_that_is_not_parquet_is_damage(last, content):
    assert isinstance(last.play(with_state(last, content), witness=False).error, LedgerDamaged)


BATCHES = {
    "as it was": (lambda ids: ids, True),
    "not UTF-8": (lambda ids: ids + b"\xff", False),
    "a line more": (lambda ids: ids + b"\np999", False),
    "a blank line": (lambda ids: ids.rpartition(b"\n")[0] + b"\n", False),
    "white space around an ID": (lambda ids: ids + b" ", False),
    "a control character": (lambda ids: ids.replace(b"p0", b"\x1b0", 1), False),
    "ends of lines with two characters": (lambda ids: ids.replace(b"\n", b"\r\n"), False),
}


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_with_the_right_digest_but_another_format_is_damage(database, name):
    scene = Scene(failed, database)
    newest, (change, right) = f"generations/{scene.head.generation:012d}.json", BATCHES[name]
    document = json.loads(scene.files[newest])
    # The last batch was not acknowledged, so it is read completely.
    batch = document["intent"]["batches"][-1]
    content = change(scene.files[batch["name"]])
    batch["sha256"] = digest_of(content)
    found = scene.play({newest: sealed(newest, document), batch["name"]: content}, witness=False)
    assert isinstance(found.error, LedgerDamaged) is not right


def test_files_with_unknown_names_in_the_ledger_are_ignored(scene):
    others = [
        f"generations/{scene.head.generation + 1:012d}.json.bak",
        f"generations/.{scene.head.generation + 1:012d}.json",
        f"generations/{scene.head.generation + 1:013d}.json",
        f"acknowledged/{scene.head.generation:012d}/copy of 000001-add-000000.json",
        f"leases/{scene.head.generation:012d}/9{'9' * 200}.json",
        f"leases/{scene.head.generation:012d}/999999999999999.json",
        f"notes/{scene.head.generation:012d}-copy.json",
        f"approvals/{scene.head.generation:012d}-{64 * '0'}",
        f"plans/{scene.head.generation:012d}-copy.json",
        "state/README",
        "README",
    ]
    found = scene.play(dict.fromkeys(others, b"x"))
    assert (type(found.error), found.members) == (type(scene.right.error), scene.right.members)
    assert (found.owned, found.uncertain) == (scene.right.owned, scene.right.uncertain)


@pytest.mark.parametrize("name", ["it's", 'a "b"', "x=1", "[1]*?", "é $HOME `id` \\n"])
def test_a_sync_works_in_a_temporary_folder_with_special_characters_in_its_name(tmp_path, monkeypatch, name):
    (tmp_path / name).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / name))
    segment = Segment(None)
    segment.sync(people(0, 20))
    segment.sync(people(0, 21))
    with pytest.raises(PlanRefused) as refused:
        segment.sync(people(15, 21))
    segment.sync([], approve=refused.value.digest)
    assert segment.vendor.members == set(people(15, 21))


FIELDS: dict[str, list[Any]] = {
    "state/snapshot/name": ["../../outside.parquet", "/etc/passwd", "state/x.parquet", "", SQL],
    "state/snapshot/rows": [-1, 1.0, True, "1", 10**15],
    "state/snapshot/sha256": ["", "A" * 64, "a" * 63, "a" * 64 + "\n"],
    "state/deltas": [None, {}, [{"name": "x", "rows": 1, "sha256": "a" * 64}]],
    "state/notes": [["../x"], ["x.json"], [1]],
    "state/as_of": [10**15, -(10**15), "1", 1.5],
    "state/as_of_run": ["a\nb", "\x1b[2J", USER, None],
    "state/replacement": ["a\nb", SQL],
    "state/changed_in": [-1, 10**12],
    "state/more": [1],
    "writer/token": ["", "a b", "\0", "x" * 65],
    "writer/owner": ["dag task", "a\nb", SQL],
    "writer/run": [USER, "a\tb"],
    "writer/try_number": [-1, 2**31],
    "written_at": [10**15, None],
    "previous": ["x"],
    "generation": [0, -1, 10**12],
    "mode": ["x", "MIRROR", None],
    "digest": ["x", "sha256:x"],
    "counts": [{"Add": 1}, {"\x1b[2J": 1}, {"x" * 41: 1}, {"add": -1}, {"add": 2**31}, {"add": "1"}, [["add", 1]]],
    "intent": [{}, {"accepted": "anybody", "replacing": False, "batches": [], "lease_until": 1}],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field in FIELDS for value in FIELDS[field]], ids=ascii)
def test_a_manifest_with_an_invalid_value_is_damage(last, field, value):
    newest = f"generations/{last.head.generation:012d}.json"
    document = json.loads(last.files[newest])
    *above, name = field.split("/")
    inside, before = document, document["state"]["snapshot"]["name"]
    for step in above:
        inside = inside[step]
    inside[name] = value
    # The file exists, so only its name is wrong.
    there = {value: last.files[before]} if field == "state/snapshot/name" else {}
    found = last.play({newest: sealed(newest, document), **there}, witness=False)
    assert isinstance(found.error, LedgerDamaged)
    assert found.requests == 0


ANSWERS: dict[str, tuple[dict[str, Any], bool]] = {
    "as it was": ({}, True),
    "of another generation": ({"generation": 1}, False),
    "of a batch that was not sent": ({"batch": "batches/000000000001-0123abcd/000001-add.txt"}, False),
    "of no batch": ({"batch": ""}, False),
    "of another kind": ({"kind": "remove"}, False),
    "of more users than were sent": ({"users": 11}, False),
    "of users after the last": ({"start": 1}, False),
    "of users of whom another is": ({"users": 9, "start": 1, "name": "x"}, False),
    "with more rejected users than it has": ({"rejected": {f"p{number:03}": "x" for number in range(11)}}, False),
    "with a reason that a terminal reads": ({"rejected": {"p083": "\x1b[2J"}}, False),
    "with an ID of two lines": ({"rejected": {"p083\np084": "x"}}, False),
    "at no time": ({"sent_at": 10**15}, False),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_an_acknowledgement_that_does_not_match_a_sent_request_is_damage(database, what):
    scene, (change, right) = Scene(failed, database), ANSWERS[what]
    name = next(name for name in scene.needed if name.startswith("acknowledged/"))
    document = {**json.loads(scene.files[name]), **change}
    written = name.replace("-000000.json", "-000001.json") if document.pop("name", None) else name
    found = scene.play({written: sealed(name, document)})
    assert isinstance(found.error, LedgerDamaged) is not right
    assert right or found.requests == 0

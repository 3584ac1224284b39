"""Unusual WalkMe servers through hook, operators, sensor and sync.

Each result matches the server's true state, or it is an error of the package and nothing was changed. `make test` tests
some of the servers, in which every value of every choice occurs; `make test-all` tests all combinations.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_segments_provider.errors import (
    PermissionDenied,
    RejectedRequest,
    SegmentsError,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.operators.walkme import (
    WalkMeCreateSegmentOperator,
    WalkMeDeleteSegmentOperator,
    WalkMeListSegmentsOperator,
    WalkMeUpdateSegmentOperator,
)
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sync.engine import Sync
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.sync.ledger.manifest import Writer
from airflow_segments_provider.sync.ledger.timing import Timing
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.workspace import Workspace
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.databases import small_database
from tests.operators.task import context
from tests.sync.conftest import Remembered
from tests.sync.model.memory import MemoryStore
from tests.unusual.walkme_server import (
    BAD,
    DELETES,
    FIELDS,
    LISTS,
    UNSUPPORTED,
    WRITES,
    UnusualWalkMe,
    Variant,
    lists,
)

TRIAL = "Trial"
START: dict[str, set[str]] = {"One": {"a"}, "Two": set(), TRIAL: {"a", "b"}}
LONG_AGO = datetime.now(UTC) - timedelta(hours=1)


class Scene:
    """One server, and the operations of the tests on it."""

    def __init__(self, server: UnusualWalkMe, database: Any) -> None:
        self.server = server
        self.database = database
        self.variant = Variant()

    def begin(self, variant: Variant, **members: set[str]) -> None:
        self.variant = variant
        self.server.reset(variant, **(members or START))

    def attempt(self, call: Callable[[], Any]) -> Any:
        """Return the result, or the package's error."""
        try:
            return call()
        except SegmentsError as error:
            return error

    def run(self, operator: type[Any], **given: Any) -> Any:
        task = operator(task_id="task", **given)
        return self.attempt(lambda: task.execute(context()))

    def sync(self, name: str, wanted: list[str]) -> Any:
        target = WalkMeSegment(name, create=True).open()
        with Workspace(database=self.database) as workspace:
            store, witness = MemoryStore(lambda: None), Remembered()
            writer = Writer(token="1", owner="dag.task", run="run", try_number=1)

            def ledger(key: Any) -> Ledger:
                return Ledger(store, key.folder, writer, timedelta(seconds=10), Timing(), witness)

            return self.attempt(lambda: Sync(target, wanted, ledger, workspace, Settings(first_sync="add")).run())


@pytest.fixture(scope="module")
def server() -> Iterator[UnusualWalkMe]:
    with UnusualWalkMe() as server:
        yield server


@pytest.fixture
def scene(server, monkeypatch) -> Scene:
    monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps(server.connection))
    return Scene(server, small_database())


def check_reads(scene: Scene, variant: Variant) -> None:
    """Check that a read returns all segments or raises an error, never some of them or "no such segment"."""
    scene.begin(variant)
    hook, guid = WalkMeHook(), str(uuid.UUID(scene.server.guid(TRIAL)))
    found = {
        "hook": scene.attempt(lambda: [segment.name for segment in hook.get_segments()]),
        "operator": scene.run(WalkMeListSegmentsOperator),
        "name": scene.attempt(lambda: hook.find_segment(name=TRIAL)),
        "guid": scene.attempt(lambda: hook.find_segment(segment_guid=guid)),
        "id": scene.attempt(lambda: hook.find_segment(external_id=f"ext-{TRIAL}")),
        "none": scene.attempt(lambda: hook.find_segment(name="No such")),
        "sensor": scene.run(WalkMeSegmentPropagationSensor, name=TRIAL, changed_at=LONG_AGO),
    }
    if not variant.readable:
        assert {type(value) for value in found.values()} == {UnexpectedReply}, found
        return
    assert found["hook"] == [entry["name"] for entry in found["operator"]] == list(START)
    assert found["name"].segment_guid == found["guid"].segment_guid == found["sensor"]["segment_guid"] == guid
    assert found["none"] is None
    expected = guid if variant.lists_external_ids else None
    assert getattr(found["id"], "segment_guid", None) == expected, found["id"]
    assert isinstance(found["id"], UnexpectedReply) or expected


def check_creation(scene: Scene, variant: Variant) -> None:
    """Check that a creation makes one segment with the users or raises an error, also when it is repeated."""
    scene.begin(variant)
    before, name = scene.server.state(), "New"
    for _ in range(2):
        result = scene.run(WalkMeCreateSegmentOperator, name=name, user_ids=["a", BAD])
        after = scene.server.state()
        if not variant.readable or variant.write == "false":
            expected = RejectedRequest if variant.readable else UnexpectedReply
            assert (type(result), after) == (expected, before), result
        elif variant.write in ("part", "count"):
            assert (type(result), after) == (RejectedRequest, sorted([*before, (name, ("a",))])), result
            assert result.maybe_done
        else:
            assert after == sorted([*before, (name, ("a", BAD))])
            assert uuid.UUID(result["segment_guid"]).hex == scene.server.guid(name)


def check_first(scene: Scene, variant: Variant) -> None:
    """Check the creation of the first segment of a system, whose list is empty, in each form of an empty list."""
    scene.begin(variant, gone=set())
    scene.server.segments.clear()
    result = scene.attempt(lambda: WalkMeHook().create_segment("First", ["a"]))
    made = [] if variant.write == "false" else [("First", ("a",))]
    assert scene.server.state() == made, result
    if variant.write == "false":
        assert isinstance(result, RejectedRequest)
    elif variant.fields == "two":
        assert isinstance(result, UnexpectedReply)
        assert result.maybe_done
        assert "may exist now" in str(result)
        assert "`guid`" in str(result)
    else:
        assert uuid.UUID(result.segment_guid).hex == scene.server.guid("First")


def check_changes(scene: Scene, variant: Variant) -> None:
    """Check that users are added and removed, or an error says that some were not."""
    for action, users, right in (("add", ["c", BAD], {"a", "b", "c", BAD}), ("remove", ["a"], {"b"})):
        for key in ({"name": TRIAL}, {"segment_guid": None}):
            scene.begin(variant)
            found = not key.get("name", "") or variant.readable
            key = key if "name" in key else {"segment_guid": scene.server.guid(TRIAL)}
            before = scene.server.state()
            result = scene.run(WalkMeUpdateSegmentOperator, action=action, user_ids=users, **key)
            if not found or variant.write == "false":
                assert isinstance(result, RejectedRequest if found else UnexpectedReply)
                assert scene.server.state() == before
            elif variant.write in ("part", "count") and BAD in users:
                assert isinstance(result, RejectedRequest)
                assert scene.server.members(TRIAL) == right - {BAD}
            else:
                assert result["users_sent"] == len(users)
                assert scene.server.members(TRIAL) == right


def check_sync(scene: Scene, variant: Variant) -> None:
    """Check that applied users are members, that rejected users are not, and that a new segment is made once."""
    for name, there in ((TRIAL, {"a", "b"}), ("New", set())):
        scene.begin(variant)
        before, wanted = scene.server.state(), ["c", "d", BAD, "e", "f"]
        result = scene.sync(name, wanted)
        if not variant.readable or (variant.write == "false" and name == "New"):
            assert isinstance(result, RejectedRequest if variant.readable else UnexpectedReply)
            assert scene.server.state() == before
            continue
        lacking = {"false": set(wanted), "part": {BAD}, "count": {BAD}}.get(variant.write, set())
        assert scene.server.members(name) == {*there, *wanted} - lacking
        assert (result.counts["applied"], result.counts["rejected"]) == (len(wanted) - len(lacking), len(lacking))


def check_deletion(scene: Scene, variant: Variant) -> None:
    """Check that a segment is deleted or emptied, or an error is raised; only a complete list makes it "missing"."""
    unsupported = variant.delete in UNSUPPORTED
    gone = {"segment_guid": str(uuid.UUID(int=7))}
    # Nothing is written to a segment that does not exist.
    for key in ({"name": TRIAL}, {"segment_guid": TRIAL}, *([gone] if variant.write == "object" else [])):
        scene.begin(variant)
        if "segment_guid" in key and key is not gone:
            key = {"segment_guid": scene.server.guid(TRIAL)}
        before = scene.server.state()
        result = scene.run(WalkMeDeleteSegmentOperator, **key)
        listed = "name" in key or key is gone or variant.delete == "404 gateway"
        kept = (TRIAL, ("a", "b")), (TRIAL, ())
        error: type[VendorError] | None = None
        outcome, after = "missing", before
        if variant.delete == "403" and (variant.readable or "name" not in key):
            error = PermissionDenied
        elif listed and not variant.readable:
            error = UnexpectedReply
        elif key is gone:
            pass
        elif variant.delete == "false" or (unsupported and variant.write == "false"):
            error = RejectedRequest
        elif unsupported:
            outcome, after = "emptied", sorted([entry for entry in before if entry != kept[0]] + [kept[1]])
        else:
            outcome, after = "deleted", [entry for entry in before if entry != kept[0]]
        assert scene.server.state() == after, result
        if error:
            assert isinstance(result, error), result
        else:
            assert result["outcome"] == outcome


def check(scene: Scene, variant: Variant, deletes: Any) -> None:
    """Check one list and one response to writes, with these responses to deletions."""
    try:
        check_creation(scene, variant)
        check_first(scene, variant)
        check_changes(scene, variant)
        check_sync(scene, variant)
        for delete in deletes:
            variant = replace(variant, delete=delete)
            check_deletion(scene, variant)
    except Exception as error:
        error.add_note(f"the server: {variant}")
        raise


def test_a_list_without_names_prevents_a_creation_by_name(scene, monkeypatch):
    """Whether a name is taken is unknown, so only a segment found by its external ID is changed."""
    monkeypatch.setitem(FIELDS, "documented", ("guid", "id", ""))
    scene.begin(Variant())
    before = scene.server.state()
    with pytest.raises(UnexpectedReply, match="`name`"):
        WalkMeHook().create_segment(TRIAL, ["c"])
    assert scene.server.state() == before
    assert WalkMeHook().create_segment(TRIAL, ["c"], external_id=f"ext-{TRIAL}").outcome == "reused"
    assert scene.server.members(TRIAL) == {"a", "b", "c"}


def test_unusual_servers_with_each_form_of_list_are_handled_without_a_wrong_result(scene, tell):
    """One server for each list; their other choices are spread so that each value occurs."""
    chosen = random.Random(12).sample([*lists()], k=len([*lists()]))
    some = [next(variant for variant in chosen if (variant.envelope, variant.paging) == pair) for pair in LISTS]
    for number, variant in enumerate(some):
        check_reads(scene, variant)
        write, delete = WRITES[number % len(WRITES)], DELETES[number % len(DELETES)]
        check(scene, replace(variant, write=write), [delete])
    tell(f"{len(some):,} servers of {len([*lists()]) * len(WRITES) * len(DELETES):,}")


@pytest.mark.slow
@pytest.mark.parametrize(("envelope", "paging"), LISTS)
def test_all_unusual_servers_are_handled_without_a_wrong_result(scene, envelope, paging, tell):
    """Test all combinations."""
    tried = 0
    for variant in lists():
        if (variant.envelope, variant.paging) != (envelope, paging):
            continue
        check_reads(scene, variant)
        for write in WRITES:
            check(scene, replace(variant, write=write), DELETES)
            tried += len(DELETES)
    tell(f"{tried:,} servers")

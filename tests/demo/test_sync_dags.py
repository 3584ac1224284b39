"""The DAGs that keep segments in sync, on several days and on every Airflow."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from example_dags.demo.people import People

SEGMENT = "People on trial"
ONE = {"segment_name": SEGMENT, "plan_only": False, "approve": "", "propagation_seconds": 0}
MANY = {"plan_only": False, "propagation_seconds": 0}

Fill = Callable[[dict[str, list[str]]], None]


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(tmp_path / "ledger"))
    return tmp_path / "ledger"


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fill:
    """Replace the table's users and segments."""
    path = tmp_path / "many.db"
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def write(segments: dict[str, list[str]]) -> None:
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE people (user_id TEXT, segment TEXT)")
            rows = [(user, segment) for segment, users in segments.items() for user in users]
            database.executemany("INSERT INTO people VALUES (?, ?)", rows)

    return write


def some(first: int, last: int) -> list[str]:
    return [f"p{number:03}" for number in range(first, last)]


def states(dag_run: Any) -> dict[str, str]:
    return {
        f"{ti.task_id}[{ti.map_index}]" if ti.map_index >= 0 else ti.task_id: str(ti.state)
        for ti in dag_run.get_task_instances()
    }


def plan(dag_run: Any) -> dict[str, Any]:
    (sync,) = [ti for ti in dag_run.get_task_instances() if ti.task_id == "sync"]
    told: dict[str, Any] = sync.xcom_pull(task_ids="sync", key="plan")
    return told


def test_the_sync_example_previews_fills_keeps_refuses_and_applies_an_approved_plan(
    example, people: People, walkme_sandbox, connect, stored
):
    connect(users_per_request=40)
    dag = example("walkme_sync")

    def updates():
        return walkme_sandbox.counts().get("walkme.update", 0)

    people.move(1, "free", "trial")
    people.move(1, "paid", "trial")
    assert states(dag.test(run_conf={**ONE, "plan_only": True})) == {
        "sync": "success",
        "wait": "skipped",
    }
    assert (walkme_sandbox.segments(), updates()) == ([], 0)

    assert set(states(dag.test(run_conf=ONE)).values()) == {"success"}
    before = people.audience("trial").people
    assert walkme_sandbox.members(SEGMENT) == before
    assert (len(before), updates()) == (86, 3)

    assert states(dag.test(run_conf=ONE))["wait"] == "success"
    assert updates() == 3

    people.move(0.6, "trial", "ended")
    refused = dag.test(run_conf=ONE)
    assert states(refused) == {"sync": "failed", "wait": "upstream_failed"}
    assert (walkme_sandbox.members(SEGMENT), updates()) == (before, 3)

    digest = plan(refused)["digest"]
    assert set(states(dag.test(run_conf={**ONE, "approve": digest})).values()) == {"success"}
    assert walkme_sandbox.members(SEGMENT) == people.audience("trial").people < before
    assert stored("@example.com") == stored("@example.org") == []


@pytest.mark.parametrize("name", ["walkme_sync", "walkme_sync_many"])
@pytest.mark.parametrize("wrong", [{"approve": "yes"}, {"plan_only": "maybe"}])
def test_an_invalid_param_of_a_sync_example_is_refused_before_any_request(example, people, walkme_sandbox, wrong, name):
    with pytest.raises(Exception, match=f"Invalid input for param {next(iter(wrong))}"):
        example(name).test(run_conf={**ONE, **wrong})
    assert walkme_sandbox.counts() == {}


def test_each_of_many_segments_gets_its_own_users_when_their_indexes_shift(example, fill: Fill, walkme_sandbox, stored):
    dag = example("walkme_sync_many")
    given = {"Beginners": some(0, 30), "Experts": some(20, 60)}
    fill(given)
    assert set(states(dag.test(run_conf=MANY)).values()) == {"success"}
    # A segment must not be taken for the one that had its map index before, neither in the mapping nor in what is
    # remembered.
    given = {"Administrators": some(0, 3), "Beginners": some(0, 31), "Experts": some(20, 60)}
    fill(given)
    before = walkme_sandbox.counts()["walkme.update"]
    found = states(dag.test(run_conf=MANY))

    assert found == dict.fromkeys(
        ("segments", "sync[0]", "sync[1]", "sync[2]", "changed_last", "wait"),
        "success",
    )
    assert {one.name: walkme_sandbox.members(one.guid) for one in walkme_sandbox.segments()} == {
        name: set(users) for name, users in given.items()
    }
    assert walkme_sandbox.counts()["walkme.update"] == before + 2
    assert stored("p030") == []


def test_one_refused_segment_of_many_does_not_delay_the_others(example, fill: Fill, walkme_sandbox):
    dag = example("walkme_sync_many")
    fill({"Beginners": some(0, 30), "Experts": some(0, 30)})
    dag.test(run_conf=MANY)
    fill({"Beginners": some(0, 3), "Experts": some(1, 31)})
    ended = dag.test(run_conf=MANY)

    found = states(ended)
    assert (found["sync[0]"], found["sync[1]"], str(ended.state)) == ("failed", "success", "failed")
    assert walkme_sandbox.members("Beginners") == set(some(0, 30))
    assert walkme_sandbox.members("Experts") == set(some(1, 31))


def test_each_approved_plan_of_many_is_applied_to_its_segment_and_the_others_are_synced(
    example, fill: Fill, walkme_sandbox
):
    dag = example("walkme_sync_many")
    fill({"Beginners": some(0, 30), "Experts": some(0, 30), "Masters": some(0, 30), "Teachers": some(0, 30)})
    dag.test(run_conf=MANY)
    lost = {"Beginners": some(0, 3), "Experts": some(0, 4), "Masters": some(0, 5), "Teachers": some(0, 30)}
    fill(lost)
    refused = {ti.map_index: ti for ti in dag.test(run_conf=MANY).get_task_instances() if ti.task_id == "sync"}
    assert [str(refused[index].state) for index in range(4)] == ["failed", "failed", "failed", "success"]
    digest = [refused[index].xcom_pull(task_ids="sync", key="plan", map_indexes=index)["digest"] for index in range(3)]

    fill(lost | {"Teachers": some(0, 31)})
    found = states(dag.test(run_conf={**MANY, "approve": f"{digest[1]} {digest[0]}"}))
    assert [found[f"sync[{index}]"] for index in range(4)] == ["success", "success", "failed", "success"]
    members = {one.name: walkme_sandbox.members(one.guid) for one in walkme_sandbox.segments()}
    expected = lost | {"Masters": some(0, 30), "Teachers": some(0, 31)}
    assert members == {name: set(users) for name, users in expected.items()}
    # A single digest, as it is copied from a message.
    assert states(dag.test(run_conf={**MANY, "approve": digest[2]}))["sync[2]"] == "success"


def test_a_segment_name_from_the_table_is_not_rendered(example, fill: Fill, walkme_sandbox):
    fill({"{{ 40 + 2 }}": some(0, 2), "{{": some(2, 4)})
    found = states(example("walkme_sync_many").test(run_conf=MANY))
    assert set(found.values()) == {"success"}
    assert {one.name for one in walkme_sandbox.segments()} == {"{{ 40 + 2 }}", "{{"}

"""The example DAG for Docebo against the sandbox."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "example_dags" / "docebo_group.py"
GROUP = "People in onboarding"


@pytest.fixture
def example_dag(airflow_db: Path) -> Iterator[Any]:
    """Load the DAG of the example from the DAGs folder, where ``dag.test()`` needs it."""
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / EXAMPLE.name
    path.parent.mkdir(exist_ok=True)
    shutil.copy(EXAMPLE, path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.dag
    path.unlink()


class People:
    """A database of users with their stage, to which the connection ``people_db`` leads."""

    def __init__(self, database: Path, sandbox: Any) -> None:
        self.database = database
        everybody = sandbox.seed_users(12)
        self.stages = {person: "onboarding" if person in everybody[:8] else "done" for person in everybody}
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("CREATE TABLE people (user_id, stage TEXT)")
            connection.executemany("INSERT INTO people VALUES (?, ?)", self.stages.items())
            # Duplicates and invalid values, as in a real source.
            connection.executemany("INSERT INTO people VALUES (?, 'onboarding')", [(None,), ("n/a",), (everybody[0],)])

    def at(self, stage: str) -> set[int]:
        return {person for person, at in self.stages.items() if at == stage}

    def finish(self, count: int) -> None:
        done = sorted(self.at("onboarding"))[:count]
        self.stages |= dict.fromkeys(done, "done")
        with closing(sqlite3.connect(self.database)) as connection, connection:
            connection.executemany("UPDATE people SET stage = 'done' WHERE user_id = ?", [(one,) for one in done])


@pytest.fixture
def people(tmp_path, docebo_sandbox, monkeypatch) -> People:
    people = People(tmp_path / "people.db", docebo_sandbox)
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", f'{{"conn_type": "sqlite", "host": "{people.database}"}}')
    return people


@pytest.fixture(autouse=True)
def slept(docebo_sandbox, monkeypatch):
    """Advance the sandbox's clock in place of the triggerer's sleeps."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))
        docebo_sandbox.advance(seconds)

    monkeypatch.setattr("airflow_segments_provider.triggers.docebo.sleep", sleep)
    return slept


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def test_a_run_of_the_docebo_example_waits_for_the_background_job_and_stores_no_user(
    example_dag, people, docebo_sandbox, slept, stored, tmp_path
):
    docebo_sandbox.settings(background_threshold=5)
    path = tmp_path / "members.jsonl"
    dag_run = example_dag.test(run_conf={"list_path": str(path)})

    assert states(dag_run) == dict.fromkeys(example_dag.task_ids, "success") | {"delete": "skipped"}
    assert slept == [15, 30, 60, 15, 15]
    assert docebo_sandbox.members(GROUP) == people.at("onboarding")
    listed = [json.loads(line) for line in path.read_text().splitlines()]
    assert {int(member["user_id"]) for member in listed} == people.at("onboarding")
    assert docebo_sandbox.counts()["docebo.add_members"] == 1
    # Airflow 3 stores the files of other tests' DAGs, which may contain these users.
    places = set(stored(*(f"learner{person}" for person in people.stages)))
    assert places <= {"dag_code.source_code", "serialized_dag.data", "serialized_dag.data_compressed"}


def test_a_second_run_of_the_docebo_example_follows_the_source_and_deletes_the_group_on_request(
    example_dag, people, docebo_sandbox, slept
):
    assert set(states(example_dag.test()).values()) == {"success", "skipped"}
    people.finish(3)

    example_dag.test()
    assert docebo_sandbox.members(GROUP) == people.at("onboarding")
    assert slept == []
    assert [group.name for group in docebo_sandbox.groups()].count(GROUP) == 1

    dag_run = example_dag.test(run_conf={"delete_at_end": True})
    assert set(states(dag_run).values()) == {"success"}
    assert GROUP not in [group.name for group in docebo_sandbox.groups()]

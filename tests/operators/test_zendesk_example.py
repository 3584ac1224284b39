"""The example DAG for Zendesk against the sandbox: run repeatedly, and without a user in Airflow's database."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "example_dags" / "zendesk_user_segment.py"


@pytest.fixture
def example_dag(airflow_db) -> Iterator[Any]:
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


@pytest.fixture
def plan(zendesk_sandbox, tmp_path, monkeypatch):
    """Fill the database with six users on trial, one of whom Zendesk does not have, and one row without an ID.

    Return a function that sets a user's plan.
    """
    database = tmp_path / "people.db"
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", f'{{"conn_type": "sqlite", "host": "{database}"}}')
    people = [f"ext-{number}" for number in zendesk_sandbox.seed_users(5)]
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE people (person, plan TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, 'trial')", [(one,) for one in [*people, "ext-0", None]])

    def put(person: str, plan: str) -> None:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE people SET plan = ? WHERE person = ?", (plan, person))

    return people, put


@pytest.fixture(autouse=True)
def slept(zendesk_sandbox, monkeypatch):
    """Advance the sandbox's clock in place of the trigger's sleeps."""
    zendesk_sandbox.settings(job_queue_seconds=25)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))
        zendesk_sandbox.advance(seconds)

    monkeypatch.setattr("airflow_segments_provider.triggers.zendesk.sleep", sleep)
    return slept


def run(dag: Any, **params: Any) -> dict[str, tuple[str, Any]]:
    dag_run = dag.test(run_conf=params)
    return {ti.task_id: (str(ti.state), ti.xcom_pull(task_ids=ti.task_id)) for ti in dag_run.get_task_instances()}


def test_runs_of_the_zendesk_example_follow_the_source_and_the_last_one_deletes_all(
    zendesk_sandbox, example_dag, plan, slept, stored
):
    people, put = plan
    ids = {person: zendesk_sandbox.user(person).id for person in people}
    article = zendesk_sandbox.articles()[0].id

    done = run(example_dag, article_id=article)
    left = {"delete_wanted", "clear", "delete"}
    assert {name: state for name, (state, _) in done.items() if name not in left} == dict.fromkeys(
        set(done) - left, "success"
    )
    assert (done["clear"][0], done["delete"][0]) == ("skipped", "skipped")
    assert slept == [10, 20]
    for name in ("create", "tag_users"):
        result = done[name][1]
        assert result["users_sent"] == 5
        assert sum(result["users_rejected"].values()) == sum(result["users_unmatched"].values()) == 1
    assert done["wait"][1] == {"jobs": 1, "users_updated": 5, "users_failed": {}}
    (segment,) = zendesk_sandbox.segments()
    assert (segment.name, set(segment.added_user_ids)) == ("People on trial", set(ids.values()))
    assert zendesk_sandbox.articles()[0].user_segment_ids == [segment.id]
    assert {tuple(zendesk_sandbox.user(person).tags) for person in people} == {("trial",)}

    put(people[0], "paid")
    done = run(example_dag, article_id=article, delete_at_end=True)
    assert {state for state, _ in done.values()} == {"success"}
    assert done["create"][1]["outcome"] == "reused"
    assert (done["remove_converted"][1]["users_removed"], done["delete"][1]["outcome"]) == (1, "deleted")
    assert zendesk_sandbox.segments() == []
    assert zendesk_sandbox.articles()[0].user_segment_ids == []

    assert stored(*ids, *map(str, ids.values())) == []


@pytest.mark.parametrize("wrong", [{"article_id": 0}, {"article_id": 5, "tag": ""}])
def test_an_invalid_param_of_the_zendesk_example_is_refused_before_any_request(
    zendesk_sandbox, example_dag, plan, wrong
):
    from airflow.providers.common.compat.sdk import ParamValidationError

    # Airflow 3.2 raises the latter.
    with pytest.raises((ParamValidationError, ValueError)):
        example_dag.test(run_conf=wrong)
    assert zendesk_sandbox.counts() == {}

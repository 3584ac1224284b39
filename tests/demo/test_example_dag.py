"""The example DAGs: they parse, are stored without users, and `walkme_segment` does what its description says."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from example_dags.demo.people import People
from tests.demo.conftest import EXAMPLES

SEGMENT = "People on trial"


ALL = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@cache
def parse() -> list[list[dict[str, Any]]]:
    """Parse the examples in two processes that hash texts differently."""
    command = [sys.executable, str(Path(__file__).with_name("parse.py")), *(f"{EXAMPLES / name}.py" for name in ALL)]
    started = [
        subprocess.Popen(
            command,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(EXAMPLES.parent)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    ended = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    return [json.loads(output.splitlines()[-1]) for output, _ in ended]


@pytest.fixture
def example_dag(example) -> Any:
    return example("walkme_segment")


def states(dag_run: Any) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


@pytest.mark.parametrize("name", ALL)
def test_parsing_reads_no_file_warns_of_nothing_and_gives_the_same_dag_in_two_processes(name: str):
    first, second = (found[ALL.index(name)] for found in parse())

    assert first == second
    assert first["warnings"] == []
    stored = json.dumps(first["dag"])
    assert "SqlMembers(conn_id=" in stored or "FileMembers('{{ params.path }}'" in stored
    assert "SELECT" not in stored


@pytest.mark.parametrize("name", ALL)
def test_each_example_has_one_run_at_a_time_retries_and_an_alert(example, name: str, caplog):
    dag = example(name)
    assert dag.max_active_runs == 1
    assert '"retries": 2, "retry_delay": timedelta(minutes=5)' in (EXAMPLES / f"{name}.py").read_text()
    alert = dag.default_args["on_failure_callback"]
    assert {task.task_id: task.on_failure_callback for task in dag.tasks} == dict.fromkeys(
        dag.task_ids, [alert] if isinstance(dag.tasks[0].on_failure_callback, list) else alert
    )
    alert({"task_instance": "<TaskInstance: sync>", "exception": ValueError("the reason")})
    assert caplog.messages == ["<TaskInstance: sync> failed: the reason"]


def test_airflow_finds_each_example_in_the_folder_and_no_part_of_the_demo():
    moved = "airflow.dag_processing.dagbag"  # since Airflow 3.2
    module = moved if importlib.util.find_spec(moved) else "airflow.models.dagbag"
    found = importlib.import_module(module).DagBag(dag_folder=str(EXAMPLES))
    assert found.import_errors == {}
    assert sorted(found.dags) == ALL
    assert len(found.dagbag_stats) == len(ALL)


def test_a_run_of_the_walkme_example_sets_the_members_and_stores_no_user(
    example_dag, people: People, walkme_sandbox, stored
):
    dag_run = example_dag.test(run_conf={"propagation_seconds": 0})

    assert states(dag_run) == dict.fromkeys(example_dag.task_ids, "success") | {"delete": "skipped"}
    wanted = (people.audience("trial").people - people.audience("paid").people) | people.audience("extended").people
    assert walkme_sandbox.members(SEGMENT) == wanted
    for domain in ("@example.com", "@example.org", "@mail.example.com"):
        assert stored(domain) == []


def test_a_second_run_of_the_walkme_example_follows_the_source_and_deletes_on_request(
    example_dag, people: People, walkme_sandbox
):
    assert set(states(example_dag.test(run_conf={"propagation_seconds": 0})).values()) == {"success", "skipped"}
    before = walkme_sandbox.members(SEGMENT)
    assert people.move(0.1, "trial", "paid")

    example_dag.test(run_conf={"propagation_seconds": 0})
    assert walkme_sandbox.members(SEGMENT) == before - people.audience("paid").people
    assert len(walkme_sandbox.segments()) == 1

    dag_run = example_dag.test(run_conf={"propagation_seconds": 0, "delete_at_end": True})
    assert set(states(dag_run).values()) == {"success"}
    assert walkme_sandbox.segments() == []


@pytest.mark.parametrize("wrong", [{"segment_name": ""}, {"propagation_seconds": -1}, {"delete_at_end": "maybe"}])
def test_an_invalid_param_of_the_walkme_example_is_refused_before_any_request(
    example_dag, people, walkme_sandbox, wrong
):
    from airflow.providers.common.compat.sdk import ParamValidationError

    # Airflow 3.2 raises the latter.
    with pytest.raises((ParamValidationError, ValueError), match=f"Invalid input for param {next(iter(wrong))}"):
        example_dag.test(run_conf=wrong)
    assert walkme_sandbox.counts() == {}

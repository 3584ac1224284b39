"""The contract of every vendor's operators, as tasks that Airflow runs."""

from __future__ import annotations

import json
import os
import re
from types import SimpleNamespace

import pytest

from airflow_segments_provider.errors import Stopped
from tests.contract.contracted import NAME

HEAD = """
import json, os
PEOPLE = json.loads(os.environ["PEOPLE"])
"""


@pytest.fixture
def people(vendor, monkeypatch) -> list[str]:
    """Return seven users whom the DAG file does not name."""
    found: list[str] = vendor.people(7)
    monkeypatch.setenv("PEOPLE", json.dumps(found))
    return found


@pytest.fixture
def dag_of(vendor, dag_file):
    """Return a DAG of some of the vendor's operators, in their order; a connection ID may be a template."""

    def make(*names, conn_id=vendor.conn_id):
        lines = [vendor.imports]
        for name in names:
            given = f'task_id="{name}", {vendor.conn_argument}="{conn_id}"'
            lines.append(f"{name} = {vendor.operators[name].replace('...', given)}")
        lines.append(" >> ".join(names))
        return dag_file(HEAD + "\n".join(lines))

    return make


@pytest.mark.parametrize("name", ["2026", "None"])
def test_a_name_that_looks_like_another_value_stays_text(vendor, people, dag_file, name):
    """This includes DAGs in which Airflow itself would make a number or None of it."""
    create = vendor.operators["create"].replace("...", 'task_id="create"').replace(NAME, name)
    run(dag_file(f"{HEAD}{vendor.imports}\n{create}", "render_template_as_native_obj=True"))
    assert vendor.names() == [name]


def run(dag):
    """Return the tasks' results; all tasks must succeed."""
    tasks = dag.test().get_task_instances()
    states = {ti.task_id: str(ti.state) for ti in tasks}
    assert set(states.values()) == {"success"}, states
    return {ti.task_id: ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index) for ti in tasks}


def test_a_repeated_run_changes_nothing_and_stores_no_user(vendor, people, dag_of, stored):
    """Results are JSON and contain no user; neither does Airflow's database."""
    names = [name for name in vendor.operators if name != "delete"]
    dag, told = dag_of(*names), ""
    for outcome in ("created", "reused"):
        results = run(dag)
        assert results["create"]["outcome"] == outcome
        assert results["add"]["users_sent"] == 7
        assert [entry["name"] for entry in listed(results["list"]) if not entry.get("built_in")] == [NAME]
        assert vendor.members() == set(people[1:])
        assert vendor.names() == [NAME]
        told = json.dumps(results)
        assert [one for one in people if re.search(rf"(?<![\w.]){re.escape(one)}(?![\w.])", told)] == []
    if vendor.members_endpoint is not None:
        assert '"members": 6' in told or '"added_users": 6' in told or '"added_user_ids": 6' in told, told
    assert stored(vendor.conn_id)
    assert stored(*(one for one in people if len(one) > 5)) == []

    dag = dag_of("delete")
    assert [run(dag)["delete"]["outcome"] for _ in range(2)] == ["deleted", "missing"]
    assert vendor.names() == []


def listed(result):
    """Return the entries of a list's result, which may be within an object."""
    return result if isinstance(result, list) else next(value for value in result.values() if isinstance(value, list))


def test_the_connection_may_be_a_template(vendor, people, dag_of, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_CONTRACT", os.environ[f"AIRFLOW_CONN_{vendor.conn_id.upper()}"])
    monkeypatch.delenv(f"AIRFLOW_CONN_{vendor.conn_id.upper()}")
    run(dag_of(*vendor.operators, conn_id="{{ 'con' ~ 'tract' }}"))


def test_a_killed_task_sends_no_further_request(vendor, people, dag_of):
    dag = dag_of(*vendor.operators)
    for name in vendor.operators:
        task = dag.get_task(name)
        task.on_kill()  # before it starts: nothing to stop
        assert task.hook.client
        task.on_kill()
        with pytest.raises(Stopped):
            task.execute({"ti": SimpleNamespace(xcom_push=lambda **kwargs: None)})
    assert vendor.sandbox.counts() == {}

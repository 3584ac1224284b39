"""What Airflow stores and logs of the user IDs that a sync is given: nothing but their number."""

from __future__ import annotations

import pytest

from tests.assets.conftest import AIRFLOW_2, Airflow

# Made of parts, because Airflow stores the DAG file itself.
PERSON = "grace.hopper.4711"
HEAD = """
from airflow_segments_provider.operators.members import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment

PERSON = "grace." + "hopper.4711"
TARGET = {{"target": WalkMeSegment("Trial users", create=True), "ledger_path": {ledger!r}}}

@task(show_return_value_in_logs=False)
def people(each=()):
    return [PERSON, "b", *each]

@task(show_return_value_in_logs=False)
def lists():
    return [["{{{{ 7 * 7 }}}}", PERSON, "b"]]

@task(show_return_value_in_logs=False)
def sources():
    return [{{"source": [PERSON, "b"]}}]

MAPPED = {{"task_id": "sync", "ledger_path": TARGET["ledger_path"]}}
TARGETS = [{{"vendor": "walkme", "name": "Trial users", "create": True}}]

"""


@pytest.fixture
def synced(connect, dag_file, airflow_db, tmp_path, capfd):
    """Have Airflow store and run a DAG; return all that was printed or logged."""
    connect()

    def run(tasks, expected="success"):
        dag = dag_file(HEAD.format(ledger=str(tmp_path / "ledger")) + tasks)
        if AIRFLOW_2:  # newer versions store a DAG when it is tested
            Airflow(airflow_db).parse()
        dag_run = dag.test()
        printed = "".join(capfd.readouterr())
        states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
        assert set(states.values()) <= {"success", expected}, printed[-5000:]
        return printed

    return run


UPSTREAM = [
    "SyncMembersOperator(task_id='sync', source=people(), **TARGET)",
    "SyncMembersOperator(task_id='sync', source=['b', people()], **TARGET)",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source=lists())",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs(sources())",
    "SyncMembersOperator.partial(source=people(), **MAPPED).expand(target=TARGETS)",
]
LITERAL = [
    "SyncMembersOperator(task_id='sync', source=[PERSON, 'b'], **TARGET)",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source=[[PERSON, 'b']])",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs([{'source': [PERSON, 'b']}])",
    "SyncMembersOperator.partial(source=[PERSON, 'b'], **MAPPED).expand(target=TARGETS)",
]


@pytest.mark.parametrize("tasks", UPSTREAM)
def test_a_result_of_another_task_is_stored_only_as_that_tasks_result(synced, stored, walkme_sandbox, tasks):
    printed = synced(tasks)
    # A user ID is data, also where it looks like a template.
    assert walkme_sandbox.members("Trial users") == {PERSON, "b", *(["{{ 7 * 7 }}"] if "lists()" in tasks else [])}
    assert stored(PERSON) == ["xcom.value"]
    assert PERSON not in printed


@pytest.mark.parametrize("tasks", LITERAL)
def test_a_list_of_the_dag_file_is_stored_as_its_number(synced, stored, walkme_sandbox, tasks):
    printed = synced(tasks)
    assert walkme_sandbox.members("Trial users") == {PERSON, "b"}
    assert stored(PERSON) == []
    assert PERSON not in printed


@pytest.mark.parametrize(
    "tasks",
    [
        "SyncMembersOperator.partial(task_id='sync', mode='{{ unknown.more }}', **TARGET).expand(source=lists())",
    ],
)
def test_a_template_that_fails_is_logged_without_the_other_arguments(synced, stored, tasks):
    printed = synced(tasks, expected="failed")
    assert "'unknown' is undefined" in printed
    assert stored(PERSON) == ["xcom.value"]
    assert PERSON not in printed

"""Airflow stores and logs only the number of the user IDs of a sync, never the IDs."""

from __future__ import annotations

import re

import pytest

from tests.assets.conftest import AIRFLOW_2, Airflow

PARAMS = 'params={"b": "b"}'
# Composed of parts, because Airflow stores the DAG file itself.
PERSON = "grace.hopper.4711"
HEAD = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment

PERSON = "grace." + "hopper.4711"
TEMPLATE = "{{{{ ['grace.' ~ 'hopper.4711', params.b] | tojson }}}}"
TARGET = {{"target": WalkMeSegment("Trial users", create=True), "ledger_path": {ledger!r}}}

@task(show_return_value_in_logs=False)
def people(each=()):
    return [PERSON, "b", *each]

@task(show_return_value_in_logs=False)
def lists():
    return [["{{{{ 7 * 7 }}}}", PERSON, "b"]]

@task(show_return_value_in_logs=False)
def keywords():
    return [{{"users": ["{{{{ 7 * 7 }}}}", PERSON, "b"]}}]

@task(show_return_value_in_logs=False)
def sources():
    return [{{"source": ["{{{{ 7 * 7 }}}}", PERSON, "b"]}}]

@task(show_return_value_in_logs=False)
def texts():
    import json
    return [{{"source": json.dumps(["{{{{ 7 * 7 }}}}", PERSON, "b"])}}]

@task.sync_members(**TARGET)
def sync(users, more=()):
    assert isinstance(users, (list, tuple, set)), type(users)
    for part in (*users, *more):
        yield from part if isinstance(part, (list, tuple)) else [part]

@task.sync_members(**TARGET)
def sync_text(users):
    import json
    assert isinstance(users, str)
    return json.loads(users)

@task.sync_members(**TARGET)
def sync_named(users, /, *, more):
    assert isinstance(users, dict)
    assert isinstance(more, int)
    return [*users["nested"][0], *users["nested"][1]["deep"]]

MAPPED = {{"task_id": "sync", "ledger_path": TARGET["ledger_path"]}}
TARGETS = [{{"vendor": "walkme", "name": "Trial users", "create": True}}]

"""


@pytest.fixture
def synced(connect, dag_file, airflow_db, tmp_path, capfd):
    """Return a function that lets Airflow store and run a DAG, and returns all that was printed or logged."""
    connect()

    def run(tasks, expected="success"):
        dag = dag_file(HEAD.format(ledger=str(tmp_path / "ledger")) + tasks, PARAMS)
        if AIRFLOW_2:  # Newer versions store a DAG when it is tested.
            Airflow(airflow_db).parse()
        dag_run = dag.test()
        printed = "".join(capfd.readouterr())
        states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
        assert set(states.values()) <= {"success", expected}, printed[-5000:]
        return printed

    return run


ODD = re.compile(r"\b(lists|keywords|sources|texts)\(\)")
UPSTREAM = [
    "sync(people())",
    "sync(users=people())",
    "sync([people()], more=['b', people()])",
    "sync_named({'nested': ([PERSON], {'deep': people()})}, more=7)",
    """people() >> sync_text("{{ ti.xcom_pull(task_ids='people') | tojson }}")""",
    """people() >> sync(users=["{{ ti.xcom_pull(task_ids='people')[0] }}", "b"])""",
    "sync.expand(users=lists().map(lambda users: [*users, 'b']))",
    "sync.override(task_id='other').expand(users=lists())",
    "sync.partial(users=people()).expand(more=[['b']])",
    "sync.partial(users=['b']).expand(more=lists())",
    "sync.expand_kwargs(keywords())",
    "SyncMembersOperator(task_id='sync', source=people(), **TARGET)",
    "SyncMembersOperator(task_id='sync', source=['b', people()], **TARGET)",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source=lists())",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs(sources())",
    "SyncMembersOperator.partial(source=people(), **MAPPED).expand(target=TARGETS)",
]
LITERAL = [
    "sync([PERSON, 'b'])",
    "sync(users=(PERSON, 'b'))",
    "sync({PERSON, 'b'})",
    "sync([PERSON, '{{ params.b }}'])",
    "sync_text('[\"' + PERSON + '\", \"b\"]')",
    "sync_named({'nested': ([PERSON], {'deep': ['b']})}, more=7)",
    "sync.partial(users=[PERSON]).expand(more=[['b']])",
    "sync.expand(users=[[PERSON, 'b']])",
    "sync.override(task_id='other').expand(users=[[PERSON, 'b']])",
    "sync.expand_kwargs([{'users': [PERSON, 'b']}])",
    "SyncMembersOperator(task_id='sync', source=[PERSON, 'b'], **TARGET)",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source=[[PERSON, 'b']])",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs([{'source': [PERSON, 'b']}])",
    "SyncMembersOperator.partial(source=[PERSON, 'b'], **MAPPED).expand(target=TARGETS)",
    # Airflow maps over a dict, too: each item is a tuple.
    "sync.expand(users={PERSON: 'b'})",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source={PERSON: 'b'})",
    # Beside templates, which are rendered in mapped tasks, too.
    "sync.partial(users=[PERSON]).expand(more=[['{{ params.b }}']])",
    "sync.partial(users=['{{ params.b }}']).expand_kwargs([{'more': [PERSON]}])",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand(source=[[PERSON, '{{ params.b }}']])",
    "SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs([{'source': [PERSON, '{{ params.b }}']}])",
    "SyncMembersOperator.partial(source=[PERSON, '{{ params.b }}'], **MAPPED).expand(target=TARGETS)",
    "SyncMembersOperator.partial(source=TEMPLATE, **MAPPED).expand(target=TARGETS)",
]


@pytest.mark.parametrize("tasks", UPSTREAM)
def test_a_result_of_another_task_is_stored_only_as_the_result_of_that_task(synced, stored, walkme_sandbox, tasks):
    printed = synced(tasks)
    # A user ID is data, even if it looks like a template.
    assert walkme_sandbox.members("Trial users") == {PERSON, "b", *(["{{ 7 * 7 }}"] if ODD.search(tasks) else [])}
    assert stored(PERSON) == ["xcom.value"]
    assert PERSON not in printed


def test_the_text_of_a_list_that_another_task_returned_is_refused(synced, walkme_sandbox):
    printed = synced("SyncMembersOperator.partial(task_id='sync', **TARGET).expand_kwargs(texts())", expected="failed")
    assert walkme_sandbox.counts() == {}
    assert PERSON not in printed


@pytest.mark.parametrize("tasks", LITERAL)
def test_a_list_in_the_dag_file_is_stored_as_its_length(synced, stored, walkme_sandbox, tasks):
    printed = synced(tasks)
    assert walkme_sandbox.members("Trial users") == {PERSON, "b"}
    assert stored(PERSON) == []
    assert PERSON not in printed


@pytest.mark.parametrize(
    "tasks",
    [
        "sync(people(), more='{{ unknown.more }}')",
        "sync.partial(more='{{ unknown.more }}').expand(users=lists())",
        "SyncMembersOperator.partial(task_id='sync', mode='{{ unknown.more }}', **TARGET).expand(source=lists())",
    ],
)
def test_a_template_that_fails_is_logged_without_the_other_arguments(synced, stored, tasks):
    printed = synced(tasks, expected="failed")
    assert "'unknown' is undefined" in printed
    assert stored(PERSON) == ["xcom.value"]
    assert PERSON not in printed


def test_arguments_of_a_decorated_function_are_shown_as_their_sizes(synced, stored):
    synced("sync([PERSON], more=('b', 'c'))")
    assert set(stored("1 value")) == set(stored("2 values")) >= {"rendered_task_instance_fields.rendered_fields"}

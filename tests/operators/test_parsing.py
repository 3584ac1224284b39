"""Parsing of a DAG file by Airflow: no source is read, and the dependencies are known."""

from __future__ import annotations

import sys
from collections import Counter

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.sources.sql import SqlMembers
from tests.assets.conftest import Airflow
from tests.operators.every import OPERATORS

touched: Counter[str] = Counter()
watched: list[str] = []


@sys.addaudithook
def _note(event, given):
    """Count each opening of a watched file, whatever function opens it."""
    if watched and event in ("open", "sqlite3.connect") and watched[0] in str(given[0]):
        touched[event] += 1


class Users:
    """Iterable that counts how often its users are requested."""

    def __iter__(self):
        touched["iterable"] += 1
        return iter(["a"])


def generated():
    """Yield a user, and count it."""
    touched["generator"] += 1
    yield "a"


FIELDS = {
    name: field
    for name, operator in OPERATORS.items()
    for field in operator.template_fields
    if isinstance(getattr(operator, field, None), UserIdsField)
}
HEAD = """
import os
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.operators.user_ids import UserIdsField
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.operators.every import OPERATORS
from tests.operators.test_parsing import FIELDS, Users, generated

FOLDER = {folder!r}
SOURCES = {{
    "query": lambda: SqlMembers("SELECT user_id FROM users", "users_db", parameters=["{{{{ params.plan }}}}"]),
    "query of a file": lambda: SqlMembers("users.sql", "users_db"),
    "file": lambda: FileMembers(FOLDER + "/users.csv", "user_id"),
    "file with a template": lambda: FileMembers(FOLDER + "/{{{{ params.plan }}}}.csv", "user_id"),
    "iterable": Users,
    "generator": generated,
    "sources": lambda: [SqlMembers("SELECT 1", "users_db"), FileMembers(FOLDER + "/users.csv", "user_id")],
}}
TARGET = {{"target": WalkMeSegment("A", create=True)}}

@task
def upstream():
    raise AssertionError("a task runs while the file is parsed")

"""
WAYS = {
    "plain": "OPERATORS[name](task_id=task_id, **{field: make()}, **more)",
    "partial": "OPERATORS[name].partial(task_id=task_id, **{field: make()}, **more).expand(params=[{'n': 1}])",
    "expand": "OPERATORS[name].partial(task_id=task_id, **more).expand(**{field: [make(), make()]})",
    "expand_kwargs": "OPERATORS[name].partial(task_id=task_id).expand_kwargs([{field: make(), **more}])",
    "default_args": "OPERATORS[name](task_id=task_id, default_args={field: make()}, **more)",
}
EACH = """
import inspect
for number, (name, field) in enumerate(FIELDS.items()):
    arguments = inspect.signature(OPERATORS[name].__init__).parameters.values()
    needed = {one.name for one in arguments if one.default is one.empty and one.kind is one.KEYWORD_ONLY}
    more = dict.fromkeys(needed - {field}, "x")
    for kind, make in SOURCES.items():
        task_id = f"{number}_{kind}".replace(" ", "_")
"""
DECORATED = """
@task.sync_members(**TARGET)
def sync(users, more=()):
    raise AssertionError("a function runs while the file is parsed")

for make in SOURCES.values():
    sync(make())
    sync(users=[make()], more=make())
    sync.partial(more=make()).expand(users=[make(), make()])
    sync.expand_kwargs([{"users": make(), "more": [make()]}])
"""


@pytest.fixture
def parse(dag_file, airflow_db, tmp_path, monkeypatch):
    """Parse a DAG file as the tests do, and as Airflow's DAG processor does, which also stores the DAG."""
    touched.clear()
    (tmp_path / "users.csv").write_text("user_id\na\n")
    monkeypatch.setenv("AIRFLOW_CONN_USERS_DB", f"sqlite:///{tmp_path}/users.db")
    for owner, name in ((SqlMembers, "read_ids"), (FileMembers, "read_ids"), (BaseHook, "get_connection")):
        monkeypatch.setattr(owner, name, lambda *given, what=f"{owner.__name__}.{name}": touched.update([what]))
    watched.append(str(tmp_path))

    def parsed(tasks):
        dag = dag_file(HEAD.format(folder=str(tmp_path)) + tasks, "params={'plan': 'trial'}")
        Airflow(airflow_db).parse()
        return dag

    yield parsed
    watched.clear()


@pytest.mark.parametrize("way", WAYS)
def test_no_source_is_read_when_a_dag_is_parsed(parse, way):
    dag = parse(f"{EACH}        {WAYS[way]}\n")
    assert len(dag.tasks) == len(FIELDS) * 7
    assert not touched


def test_no_source_of_a_decorated_function_is_read_when_a_dag_is_parsed(parse):
    parse(DECORATED)
    assert not touched


def test_each_way_to_read_a_source_is_counted_by_these_tests(parse, tmp_path):
    """Show that the tests above can fail."""
    list(Users())
    list(generated())
    SqlMembers("SELECT 1", "users_db").read_ids()
    FileMembers("x").read_ids()
    BaseHook.get_connection("x")
    (tmp_path / "users.csv").read_text()
    assert set(touched) == {
        "iterable",
        "generator",
        "SqlMembers.read_ids",
        "FileMembers.read_ids",
        "BaseHook.get_connection",
        "open",
    }


GIVEN = {
    "the path of a file": 'source=FileMembers(upstream(), "user_id"), target="x"',
    "the column of a file": 'source=FileMembers("x.csv", upstream()), target="x"',
    "a query": 'source=SqlMembers(upstream(), "db"), target="x"',
    "the connection of a query": 'source=SqlMembers("SELECT 1", upstream()), target="x"',
    "a parameter of a query": 'source=SqlMembers("SELECT 1", "db", parameters=["x", upstream()]), target="x"',
    "a named parameter of a query": 'source=SqlMembers("SELECT 1", "db", parameters={"x": upstream()}), target="x"',
    "one source of several": 'source=[FileMembers("x.csv"), SqlMembers(upstream(), "db")], target="x"',
    "one list of several": 'source=["a", upstream()], target="x"',
    "the source": 'source=upstream(), target="x"',
    "the name of a target": 'source=["a"], target=WalkMeSegment(upstream())',
    "the system of a target": 'source=["a"], target=WalkMeSegment("x", system_guid=upstream())',
    "a target that is a dict": 'source=["a"], target={"vendor": "walkme", "name": upstream()}',
    "the target": 'source=["a"], target=upstream()',
    "a parameter": 'source=["a"], target="x", max_removals=upstream()',
    "a switch": 'source=["a"], target="x", plan_only=upstream()',
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_result_of_another_task_in_an_argument_makes_a_dependency(parse, given):
    dag = parse(f"""
given = lambda: dict({GIVEN[given]})
SyncMembersOperator(task_id="plain", **given())
SyncMembersOperator.partial(task_id="partial", **given()).expand(params=[{{"n": 1}}])
SyncMembersOperator.partial(task_id="kwargs").expand_kwargs([given()])
SyncMembersOperator.partial(task_id="expand", mode="add").expand(
    **{{name: value if name == "target" and hasattr(value, "resolve") else [value] for name, value in given().items()}}
)
""")
    for task_id in ("plain", "partial", "kwargs", "expand"):
        assert [one.split("__")[0] for one in dag.get_task(task_id).upstream_task_ids] == ["upstream"], task_id
    assert not touched


@pytest.mark.parametrize(
    "call",
    [
        "sync(FileMembers(upstream()))",
        "sync([FileMembers(upstream())])",
        "sync.partial(more=FileMembers(upstream())).expand(users=[['a']])",
        "sync.expand(users=[FileMembers(upstream())])",
        "sync.expand_kwargs([{'users': FileMembers(upstream())}])",
    ],
)
def test_a_result_of_another_task_within_an_argument_of_a_decorated_function_makes_a_dependency(parse, call):
    begin = DECORATED.partition("for make")[0]
    assert parse(f"{begin}{call}\n").get_task("sync").upstream_task_ids == {"upstream"}


def test_a_result_of_another_task_in_a_concealed_search_makes_a_dependency(parse):
    dag = parse("""
OPERATORS["DoceboListGroupUsersOperator"](task_id="list", search_text=upstream())
OPERATORS["DoceboRemoveGroupUsersOperator"](task_id="remove", user_filters=[upstream()])
""")
    assert [len(dag.get_task(task_id).upstream_task_ids) for task_id in ("list", "remove")] == [1, 1]

"""A text stays the same text, also in a DAG that renders templates to objects."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.operators.every import OPERATORS, held

TEXTS = ["2026", "007", "1e5", "1_000", "0x10", "None", "True", "[1]", "{'a': 1}", "report.sql", " 5 ", "'x'"]


def rendered(operator, arguments, *, native=True, **params):
    """Render the fields of a task, and return the task."""
    with DAG("dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), render_template_as_native_obj=native):
        task = operator(task_id="task", **arguments)
    task.render_template_fields({"params": params})
    return task


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_unchanged_in_every_field_of_every_operator(text, native):
    """Airflow reads a rendered text as a Python literal, which would change 007 and 1_000."""
    for name, operator in OPERATORS.items():
        for given in (text, "{{ params.text }}"):
            task = rendered(operator, dict.fromkeys(operator.template_fields, given), native=native, text=text)
            for field in operator.template_fields:
                assert held(getattr(task, field)) == ([text] if field == "user_id" else text), (name, field)


@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_unchanged_in_a_source_and_in_a_target(text, native):
    given = {
        "source": [SqlMembers("SELECT 1", text, parameters={"a": [text, "{{ params.text }}"]}), "{{ params.text }}"],
        "target": WalkMeSegment(text, external_id="{{ params.text }}"),
    }
    task = rendered(SyncMembersOperator, given, native=native, text=text)
    assert held(task.source) == [
        {"sql": "SELECT 1", "conn_id": text, "parameters": {"a": [text, text]}},
        text,
    ]
    assert (task.target.name, task.target.external_id) == (text, text)
    as_dict = rendered(SyncMembersOperator, {"source": [], "target": {"name": text, "create": True}}, native=native)
    assert as_dict.target == {"name": text, "create": True}


@pytest.mark.parametrize(
    ("value", "field", "native", "plain"),
    [
        (2026, "target", "2026", "2026"),
        (True, "plan_only", "True", "True"),
        (0.25, "max_removed_fraction", "0.25", "0.25"),
        (None, "approve", None, None),
        (["a", 1], "target", ["a", 1], "['a', 1]"),
        ({"name": "1_000"}, "target", {"name": "1_000"}, "{'name': '1_000'}"),
        (timedelta(hours=2), "max_duration", "2:00:00", "2:00:00"),
    ],
)
def test_a_field_of_one_expression_has_its_native_type_only_with_native_rendering(value, field, native, plain):
    for chosen, expected in ((True, native), (False, plain)):
        given = {"source": [], "target": "x", field: "{{ params.value }}"}
        found = getattr(rendered(SyncMembersOperator, given, native=chosen, value=value), field)
        assert (type(found), found) == (type(expected), expected)


@pytest.mark.parametrize("value", [5, 0.5, True, ["a"], {"a": 1}])
def test_a_field_for_values_keeps_the_type_of_a_rendered_value(value):
    change = {"suspended": "{{ params.value }}"}
    operator = OPERATORS["ZendeskUpdateUsersOperator"]
    assert rendered(operator, {"user_ids": [], "change": change}, value=value).change == {"suspended": value}
    source = SqlMembers("SELECT 1", "db", parameters=["{{ params.value }}", "{{ params.value }}!"])
    task = rendered(SyncMembersOperator, {"source": source, "target": "x"}, value=value)
    assert task.source.parameters == [value, f"{value}!"]
    assert source.parameters == ["{{ params.value }}", "{{ params.value }}!"]


@pytest.mark.parametrize("template", ["a{{ params.value }}", "{{ params.value }}{{ params.value }}", "{{ [] }}{{ 1 }}"])
def test_a_template_of_more_than_one_expression_renders_to_text(template):
    found = rendered(SyncMembersOperator, {"source": [], "target": template}, value=[]).target
    assert isinstance(found, str)


def test_a_none_within_a_text_renders_to_the_word_none():
    found = rendered(SyncMembersOperator, {"source": [], "target": "a {{ params.value }}"}, value=None).target
    assert found == "a None"


def test_a_rendered_value_is_not_rendered_again():
    """Airflow renders a task again, for example after a failure; a copy of the task behaves the same."""
    given = {"source": ["{{ params.user }}"], "target": {"name": "{{ params.user }}"}, "mode": "{{ params.user }}"}
    task = rendered(SyncMembersOperator, given, user="{{ 7 * 7 }}")
    for again in (task, copy.copy(task), task.prepare_for_execution()):
        again.render_template_fields({"params": {"user": "other"}})
        found = (held(again.source), again.target, again.mode)
        assert found == (["{{ 7 * 7 }}"], {"name": "{{ 7 * 7 }}"}, "{{ 7 * 7 }}")


def test_only_the_query_of_a_source_is_read_from_a_sql_file(tmp_path):
    (tmp_path / "users.sql").write_text("SELECT '{{ params.plan }}' -- {{ params.attack }}")
    with DAG(
        "dag", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), template_searchpath=str(tmp_path)
    ) as dag:
        task = SyncMembersOperator(task_id="task", source=SqlMembers("users.sql", "x.sql"), target="users.sql")
    dag.resolve_template_files()
    task.render_template_fields({"params": {"plan": "trial", "attack": "{{ 7 * 7 }}"}})
    assert held(task.source) == {"sql": "SELECT 'trial' -- {{ 7 * 7 }}", "conn_id": "x.sql", "parameters": None}
    assert task.target == "users.sql"

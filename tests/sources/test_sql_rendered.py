"""A query's file and parameters, rendered by Airflow within an operator's field, in a real task."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_segments_provider.operators.walkme import WalkMeCreateSegmentOperator
from airflow_segments_provider.sources.sql import SqlMembers

TASKS = """
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment

@task
def plan():
    return "paid"

paid = plan()
SyncMembersOperator.partial(
    task_id="mapped",
    source=SqlMembers(
        "people.sql",
        conn_id="{{{{ params.conn_id }}}}",
        parameters={{"plan": "{{{{ task.target.name }}}}", "least": 2}},
    ),
    ledger_path="{ledger}",
).expand(target=[{{"vendor": "walkme", "name": name, "create": True}} for name in ("trial", "paid")])
one = SyncMembersOperator(
    task_id="one",
    target=WalkMeSegment("one", create=True),
    source=SqlMembers(
        "SELECT id FROM people WHERE plan = ? OR plan = ?", "people_db", parameters=[paid, "{{{{ ti.task_id }}}}"]
    ),
    ledger_path="{ledger}",
)
paid >> one
"""


@pytest.fixture
def ran(walkme_sandbox, connect, dag_file, tmp_path, monkeypatch):
    connect()
    with sqlite3.connect(tmp_path / "people.db") as database:
        database.execute("CREATE TABLE people (id TEXT, plan TEXT, seats INTEGER)")
        rows = [("p001", "trial", 2), ("p002", "paid", 1), ("p003", "paid", 2), ("p004", "paid", 3), ("p005", "one", 1)]
        database.executemany("INSERT INTO people VALUES (?, ?, ?)", rows)
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "people.db")}
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps(connection))
    (tmp_path / "people.sql").write_text(
        "SELECT id FROM people -- for {{ task.target.name }}\n"
        "WHERE plan = :plan AND seats >= :least AND '{{ params.day }}' > ''"
    )
    options = f"""template_searchpath="{tmp_path}", params={{"conn_id": "people_db", "day": "2026-01-01"}}"""
    return dag_file(TASKS.format(ledger=tmp_path / "ledger"), options).test()


def test_one_query_with_parameters_fills_many_segments_and_is_shown_without_users(
    ran, walkme_sandbox, stored, airflow_db
):
    assert walkme_sandbox.members("trial") == {"p001"}
    assert walkme_sandbox.members("paid") == {"p003", "p004"}
    assert walkme_sandbox.members("one") == {"p002", "p003", "p004", "p005"}
    assert {str(ti.state) for ti in ran.get_task_instances()} == {"success"}
    assert stored("p003") == []

    with closing(sqlite3.connect(airflow_db)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        if "rtif_v2" in tables:  # Since Airflow 3.4.
            query = (
                "SELECT task_id, region_index, rendered_fields FROM rtif_v2 "
                "JOIN task_instance ON task_instance.id = task_instance_id"
            )
        else:
            query = "SELECT task_id, map_index, rendered_fields FROM rendered_task_instance_fields"
        rows = database.execute(
            f"{query} WHERE run_id = ? AND dag_id = ? AND task_id IN ('one', 'mapped')", [ran.run_id, ran.dag_id]
        ).fetchall()
    shown = {(task_id, index): json.loads(fields)["source"] for task_id, index, fields in rows}
    from_file = (
        "SqlMembers(conn_id='people_db', parameters=['plan', 'least'])\n"
        "SELECT id FROM people -- for {{ task.target.name }}\n"
        "WHERE plan = :plan AND seats >= :least AND '2026-01-01' > ''"
    )
    assert shown == {
        ("mapped", 0): from_file,
        ("mapped", 1): from_file,
        ("one", -1): "SqlMembers(conn_id='people_db', parameters=2)\nSELECT id FROM people WHERE plan = ? OR plan = ?",
    }


class Task:
    """A task whose result is a user ID."""

    def xcom_pull(self, task_ids):
        return "ada"


DATES = {"ds": "2026-01-02", "params": {"plan": "trial", "users": ["ada"], "long": "ada," * 40}, "ti": Task()}


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("SELECT '{{ ds }}', '{{- params.plan | upper }}' {# ada #}", "SELECT '2026-01-02', 'TRIAL' "),
        ("SELECT '{{ params['plan'] ~ ds }}'", "SELECT 'trial2026-01-02'"),
        ("SELECT '{{ ti.xcom_pull('users') }}'", None),
        (
            "SELECT '{{ ds ~ ti.xcom_pull('users') }}', '{{ ds }}'",
            "SELECT '{{ ds ~ ti.xcom_pull('users') }}', '2026-01-02'",
        ),
        ("SELECT '{{ params.users | tojson }}', '{{ params.long }}'", None),
        ("SELECT '{{ params | tojson }}', '{{ params.values() | list }}'", None),
        ("{% set ds = ti.xcom_pull('users') %}SELECT '{{ ds }}'", None),
        ("{% for user in params.users %}'{{ user }}'{% endfor %} {{ ds }}", None),
        ("{% raw %}{{ ds }}{% endraw %}", None),
    ],
)
@pytest.mark.parametrize("native", [True, False])
def test_the_rendered_field_shows_no_value_that_could_be_a_user(sql, shown, native):
    source = users_of(SqlMembers(sql, "db"), native)
    assert str(source) == source.serialize() == f"SqlMembers(conn_id='db')\n{shown or sql}"
    assert str(users_of([SqlMembers(sql, "db"), "ada"], native)) == f"{source}\n1 user id"


def users_of(given, native):
    """Return the rendered users of a task."""
    with DAG("dag", schedule=None, render_template_as_native_obj=native):
        task = WalkMeCreateSegmentOperator(task_id="task", name="x", user_ids=given)
    task.render_template_fields(DATES)  # type: ignore[arg-type]
    return task.user_ids


def test_a_query_that_another_task_returned_is_not_shown(
    dag_file, stored, walkme_sandbox, connect, monkeypatch, tmp_path
):
    connect()
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "x.db")}))
    dag = dag_file(
        """
        @task
        def made():
            return "SELECT 'user-of-the-query' AS id"

        WalkMeCreateSegmentOperator(task_id="create", name="Made", user_ids=SqlMembers(made(), "people_db"))
        """
    )
    assert {str(ti.state) for ti in dag.test().get_task_instances()} == {"success"}
    assert walkme_sandbox.members("Made") == {"user-of-the-query"}
    found = stored("user-of-the-query")
    assert not [column for column in found if column.startswith(("rendered", "serialized"))]

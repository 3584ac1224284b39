"""A query's file and parameters, rendered by Airflow within an operator's field, in a real task."""

from __future__ import annotations

import json
import sqlite3

import pytest

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
        "SELECT id FROM people -- for {{ task.target.name }}\nWHERE plan = :plan AND seats >= :least"
    )
    options = f"""template_searchpath="{tmp_path}", params={{"conn_id": "people_db"}}"""
    return dag_file(TASKS.format(ledger=tmp_path / "ledger"), options).test()


def test_one_query_feeds_many_segments(ran, walkme_sandbox, stored):
    assert walkme_sandbox.members("trial") == {"p001"}
    assert walkme_sandbox.members("paid") == {"p003", "p004"}
    assert walkme_sandbox.members("one") == {"p002", "p003", "p004", "p005"}
    assert {str(ti.state) for ti in ran.get_task_instances()} == {"success"}
    assert stored("p003") == []

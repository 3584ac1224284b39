"""Results of upstream tasks as an operator and a sync read them in a real task."""

from __future__ import annotations

import json
import sqlite3

import airflow
import pytest
from packaging.version import Version

# Earlier versions cannot pass on a data frame of pandas 3.
PASSES_FRAMES = Version(airflow.__version__) >= Version("3.3")

TASKS = """
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_segments_provider.operators.sync import SyncMembersOperator

@task
def frame():
    import pandas as pd
    return pd.DataFrame({{"user_id": ["u1", "u2"]}})

@task
def dicts():
    return [{{"user_id": "u1"}}, {{"user_id": "u2"}}]

@task
def nested():
    return [["u1", "u2"], ["u3", "u4"]]

def query(name, columns):
    return SQLExecuteQueryOperator(task_id=name, conn_id="users_db", sql=f"SELECT {{columns}} FROM users")

tasks = {{
    "dicts": dicts(),
    "nested": nested(),
    "rows": query("rows", "user_id").output,
    "wide_rows": query("wide_rows", "user_id, plan").output,
}}
if {frames}:
    tasks["frame"] = frame()
for name, given in tasks.items():
    SyncMembersOperator(
        task_id=f"sync_{{name}}",
        source=given,
        target={{"vendor": "walkme", "name": f"sync {{name}}", "create": True}},
        ledger_path="{ledger}",
    )
WalkMeCreateSegmentOperator(task_id="create_rows", name="create rows", user_ids=tasks["rows"])
WalkMeCreateSegmentOperator(task_id="create_wide_rows", name="create wide_rows", user_ids=tasks["wide_rows"])
two = [tasks["dicts"], tasks["rows"], ["u3"]]
WalkMeCreateSegmentOperator(task_id="create_two", name="create two", user_ids=two)
SyncMembersOperator(
    task_id="sync_two",
    source=two,
    target={{"vendor": "walkme", "name": "sync two", "create": True}},
    ledger_path="{ledger}",
)
"""
READ = {
    "sync dicts": {"u1", "u2"},
    "sync rows": {"u1", "u2"},
    "sync two": {"u1", "u2", "u3"},
    "create rows": {"u1", "u2"},
    "create two": {"u1", "u2", "u3"},
}
FRAMES = {"sync frame": {"u1", "u2"}}
REJECTED = {"sync nested", "sync wide_rows", "create wide_rows"}


@pytest.mark.timeout(600)
def test_results_of_rows_with_one_column_are_read_and_others_rejected(
    walkme_sandbox, connect, dag_file, tmp_path, monkeypatch
):
    connect()
    with sqlite3.connect(tmp_path / "users.db") as database:
        database.execute("CREATE TABLE users (user_id TEXT, plan TEXT)")
        database.executemany("INSERT INTO users VALUES (?, ?)", [("u1", "trial"), ("u2", "paid")])
    connection = {"conn_type": "sqlite", "host": str(tmp_path / "users.db")}
    monkeypatch.setenv("AIRFLOW_CONN_USERS_DB", json.dumps(connection))
    ran = dag_file(TASKS.format(ledger=tmp_path / "ledger", frames=PASSES_FRAMES)).test()
    states = {ti.task_id: str(ti.state) for ti in ran.get_task_instances()}
    made = {segment.name for segment in walkme_sandbox.segments()}
    for name, members in (READ | FRAMES if PASSES_FRAMES else READ).items():
        assert states[name.replace(" ", "_")] == "success"
        assert walkme_sandbox.members(name) == members
    for name in REJECTED:
        assert states[name.replace(" ", "_")] == "failed"
        assert name not in made

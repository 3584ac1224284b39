"""The DAGs of the pages, run against the sandbox, and the members afterwards."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.docs import dags
from tests.docs.pages import DOCS, README, blocks

USERS = [
    ("ada", "ada@example.com", "trial", "Trial users"),
    ("grace", "grace@example.com", "trial", "Trial users"),
    ("alan", "alan@example.com", "partner", "Partners"),
]
BEFORE = {"barbara"}
TRIAL = {"ada", "grace"}
FROM_FILE = {"edsger", "ada"}
# By page: the members of each segment after one run.
EXPECTED = {
    "README": {"Trial users": TRIAL},
    "alerting": {"Trial users": TRIAL},
    "approval": {"Trial users": TRIAL},
    "catch-up": {"Active users": {"ada"}},
    "file": {"Partners": FROM_FILE},
    "first-sync": {"Existing segment": TRIAL | BEFORE},
    "many-segments": {"Trial users": TRIAL, "Partners": {"alan"}},
    "mapping": {"Trial users": TRIAL, "Partners": {"alan"}},
    "migrate": {"Existing segment": TRIAL},
    "query": {"Trial users": TRIAL},
    "two-sources": {"Beta testers": TRIAL | FROM_FILE},
}
# Pages whose tests are elsewhere, and one whose segment is in no sandbox.
ELSEWHERE = {"identity", "assets"}


@pytest.fixture
def load(airflow_db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], Any]]:
    """Return the DAG of a page, from Airflow's folder, with users in ``warehouse`` and in files."""
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir(exist_ok=True)
    database = tmp_path / "warehouse.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE users (user_id, email, plan, segment)")
        connection.executemany("INSERT INTO users VALUES (?, ?, ?, ?)", USERS)
        connection.execute("CREATE TABLE logins (user_id, day)")
        connection.executemany("INSERT INTO logins VALUES (?, ?)", [("ada", "2026-01-01"), ("alan", "2999-01-01")])
    (tmp_path / "partners").mkdir()
    (tmp_path / "partners" / "all.csv").write_text("user_id\n" + "\n".join(FROM_FILE))
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", f'{{"conn_type": "sqlite", "host": "{database}"}}')
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(tmp_path / "ledger"))

    def loaded(page: Path) -> Any:
        (block,) = (one for one in blocks(page) if one.language == "python" and "with DAG(" in one.code)
        path = folder / f"page_{page.stem.replace('-', '_')}.py"
        # No test waits minutes for a retry.
        path.write_text(block.code.replace("/data/", f"{tmp_path}/").replace('"retries": 2', '"retries": 0'))
        (dag,) = dags.load(path).values()
        return dag

    yield loaded
    shutil.rmtree(folder)


def page_of(name: str) -> Path:
    return README if name == "README" else DOCS / "how-to" / f"{name}.md"


@pytest.mark.parametrize("name", EXPECTED)
def test_the_dag_of_a_page_sets_the_members_of_its_segments(name: str, load, walkme_sandbox) -> None:
    if "Existing segment" in EXPECTED[name]:
        walkme_sandbox.create_segment("Existing segment", user_ids=BEFORE)
    run = load(page_of(name)).test()
    assert str(run.state) == "success"
    assert {segment.name: walkme_sandbox.members(segment.name) for segment in walkme_sandbox.segments()} == EXPECTED[
        name
    ]


def test_each_how_to_page_with_a_dag_is_run() -> None:
    pages = {
        page.stem
        for page in (DOCS / "how-to").glob("*.md")
        if any("with DAG(" in block.code for block in blocks(page) if block.language == "python")
    }
    assert pages == EXPECTED.keys() - {"README"} | ELSEWHERE


def test_the_dag_of_the_identity_page_looks_users_up_by_address(load, docebo_sandbox) -> None:
    user = docebo_sandbox.add_user("alan", email="alan@example.com")
    assert str(load(page_of("identity")).test().state) == "success"
    assert docebo_sandbox.members("Partners") == {user}


@dags.CALLS_BACK
def test_the_alert_of_the_alerting_page_is_sent_for_a_refused_plan(load, tmp_path, walkme_sandbox, capfd) -> None:
    assert str(load(page_of("alerting")).test().state) == "success"
    with closing(sqlite3.connect(tmp_path / "warehouse.db")) as connection, connection:
        connection.execute("DELETE FROM users")
    capfd.readouterr()
    assert str(load(page_of("alerting")).test().state) == "failed"
    assert "#data alerting.sync: " in capfd.readouterr().out
    assert walkme_sandbox.members("Trial users") == TRIAL

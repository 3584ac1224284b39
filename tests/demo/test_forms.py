"""The form by which Airflow's UI starts an example DAG can be submitted as it opens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.assets.conftest import AIRFLOW_2, Airflow
from tests.browser import BROWSER, browser, ended, free_port, wait_until_it_answers
from tests.demo.conftest import EXAMPLES

ALL = sorted(path.stem for path in EXAMPLES.glob("*.py"))
OPEN = "document.querySelector('[data-testid=trigger-dag-button], [aria-label^=Trigger]')"
SUBMIT = "document.querySelector('[data-testid=trigger-dag-submit]')"


def is_required(schema: dict[str, Any]) -> bool:
    """Return whether the form requires a value: every typed field does, unless null is one of several types."""
    kind = schema.get("type")
    return bool(kind) and not (isinstance(kind, list) and "null" in kind)


@pytest.mark.parametrize("name", ALL)
def test_no_required_field_of_the_form_of_an_example_is_empty(example: Callable[[str], Any], name: str) -> None:
    """Airflow 3's UI disables the button while such a field is empty."""
    params = example(name).params
    empty = [
        key for key in params if is_required(params.get_param(key).schema) and params.get_param(key).value in (None, "")
    ]
    assert empty == []
    params.validate()


@pytest.mark.slow
@pytest.mark.skipif(AIRFLOW_2, reason="the rule is that of Airflow 3's UI")
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
def test_the_button_of_the_form_starts_a_run_of_each_example(example: Callable[[str], Any], airflow_db: Path) -> None:
    for name in ALL:
        example(name)
    Airflow(airflow_db).parse()
    with server() as url, browser(Path(os.environ["AIRFLOW_HOME"], "browser")) as page:
        for name in ALL:
            page.open(f"{url}/dags/{name}")
            page.click(OPEN)
            page.wait_for(f"{SUBMIT} !== null && !{SUBMIT}.disabled")
            page.evaluate(f"{SUBMIT}.click()")
            page.wait_for(f"{SUBMIT} === null")
            assert runs(airflow_db, name) == ["queued"], name


def runs(database: Path, dag_id: str) -> list[str]:
    """Return the states of a DAG's runs."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM dag_run WHERE dag_id = ?", [dag_id])]


@contextmanager
def server() -> Iterator[str]:
    """Run Airflow's API server, which needs no login, until the end of the block."""
    port = free_port()
    env = {**os.environ, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    command = [sys.executable, "-m", "airflow", "api-server", "--port", str(port), "--workers", "1"]
    with ended(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
        wait_until_it_answers(f"http://127.0.0.1:{port}/api/v2/version")
        yield f"http://127.0.0.1:{port}"

"""The example DAGs, where Airflow finds them, and few users for them."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from example_dags.demo.people import People

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"


@pytest.fixture
def example(airflow_db: Path) -> Iterator[Callable[[str], Any]]:
    """Return the DAG of an example, from the DAGs folder, where ``dag.test()`` needs it."""
    folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    folder.mkdir(exist_ok=True)

    def load(name: str) -> Any:
        path = folder / f"{name}.py"
        # A task that fails unexpectedly must not wait minutes for its retry.
        path.write_text((EXAMPLES / path.name).read_text().replace('"retries": 2', '"retries": 0'))
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.dag

    yield load
    shutil.rmtree(folder)


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    """Return some dozens of users in a database, to which the connection ``people_db`` leads."""
    people = People(tmp_path / "people.db", share=0.001)
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", f'{{"conn_type": "sqlite", "host": "{people.database}"}}')
    return people

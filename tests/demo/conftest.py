"""The example DAG, where Airflow finds it, and few people for it."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from example_dags.demo.people import People

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"


@pytest.fixture
def example_dag(airflow_db: Path) -> Iterator[Any]:
    """The DAG of the example, from the DAGs folder: ``dag.test()`` needs it there."""
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "walkme_segment.py"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(EXAMPLES / path.name, path)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.dag
    path.unlink()


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> People:
    """Some dozens of people in a database, to which the connection ``people_db`` leads."""
    people = People(tmp_path / "people.db", share=0.001)
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", f'{{"conn_type": "sqlite", "host": "{people.database}"}}')
    return people

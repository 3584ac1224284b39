"""Fixtures: runs of a DAG with a sync, and Airflow variables without a database."""

from __future__ import annotations

import pytest

from airflow_segments_provider.operators import witness_variable as ledger_variable
from tests.operators.runs import Runs


class Variables:
    """Airflow variables in memory."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.descriptions: dict[str, str | None] = {}
        self.writes = 0

    def get(self, key, default=None):
        return self.values.get(key, default)

    def set(self, key, value, description=None):
        self.values[key], self.descriptions[key] = value, description
        self.writes += 1


@pytest.fixture
def variables(monkeypatch):
    """Replace Airflow's variables by variables in memory."""
    found = Variables()
    monkeypatch.setattr(ledger_variable, "Variable", found)
    return found


@pytest.fixture(autouse=True)
def _variables_without_a_database(request):
    if "airflow_db" not in request.fixturenames:
        request.getfixturevalue("variables")


@pytest.fixture
def runs(walkme_sandbox, connect, dag_file, airflow_db, tmp_path, capfd):
    """Return a function that makes a DAG with a sync, which can be run many times."""
    connect(users_per_request=10)
    return lambda task: Runs(dag_file, airflow_db, walkme_sandbox, tmp_path / "ledger", capfd, task)

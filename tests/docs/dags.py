"""The DAGs of a file or a folder, as Airflow's scheduler loads them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import airflow
import pytest

# `dag.test()` of Airflow 3.1 does not call callbacks.
CALLS_BACK = pytest.mark.skipif(airflow.__version__.startswith("3.1."), reason="dag.test() calls no callback")


def load(path: Path) -> dict[str, Any]:
    """Return the DAGs by their IDs; a file that cannot be loaded fails the test."""
    try:
        module = importlib.import_module("airflow.dag_processing.dagbag")
        bag = module.DagBag(dag_folder=str(path))
    except ImportError:  # before Airflow 3.2
        bag = importlib.import_module("airflow.models").DagBag(dag_folder=str(path), include_examples=False)
    assert bag.import_errors == {}
    found: dict[str, Any] = bag.dags
    return found

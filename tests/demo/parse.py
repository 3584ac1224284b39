"""Started by a test: parse the example DAGs without access to files and network, and print their serialized forms."""

from __future__ import annotations

import json
import runpy
import sys
import warnings
from contextlib import suppress
from typing import Any

# Before the guard: what Airflow itself opens at its start is not tested.
import airflow.providers.common.compat.sdk as sdk

for name in ("DAG", "BaseHook", "BaseOperator", "BaseSensorOperator", "Param", "conf", "task"):
    getattr(sdk, name)

FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "sqlite3.connect")


def guard(event: str, _: tuple[Any, ...]) -> None:
    """Refuse network, name look-ups and databases, and with them any look-up of a connection."""
    if event in FORBIDDEN:
        raise RuntimeError(f"parsing the DAG does {event}")


def serialised(dag: Any) -> dict[str, Any]:
    """Return the DAG as Airflow stores it; the class for it moved in Airflow 3.2."""
    import airflow.serialization.serialized_objects as module

    for name in ("DagSerialization", "SerializedDAG"):
        with suppress(AttributeError):
            stored: dict[str, Any] = getattr(module, name).to_dict(dag)
            return stored
    raise AssertionError("no way to serialise a DAG")


def parsed(path: str) -> dict[str, Any]:
    """Return one example, and the warnings during its parsing."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = runpy.run_path(path)["dag"]
    return {"warnings": [str(one.message) for one in caught], "dag": serialised(found)}


sys.addaudithook(guard)
sys.stdout.write(json.dumps([parsed(path) for path in sys.argv[1:]], sort_keys=True) + "\n")

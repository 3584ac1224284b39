"""A task instance for operators that are executed without Airflow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


class Events:
    """Records the events of any asset."""

    def __init__(self) -> None:
        self.recorded: list[Any] = []

    def __getitem__(self, outlet: object) -> Any:
        return SimpleNamespace(add=lambda *given, **named: self.recorded.append(named))


def context(**run: Any) -> dict[str, Any]:
    """Return the context of a task instance.

    :param run: Attributes of the task instance and of its DAG run.
    """
    ti = SimpleNamespace(
        dag_id="dag",
        task_id="sync",
        run_id="run",
        map_index=-1,
        try_number=1,
        xcom_push=lambda **given: None,
        xcom_pull=lambda **given: None,
    )
    ti.__dict__.update(run)
    return {"ti": ti, "task_instance": ti, "outlet_events": Events()}

"""Every operator and sensor of the package, for tests of their common behaviour."""

from __future__ import annotations

import importlib
import inspect
import json
import os
import pkgutil
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator

import airflow_segments_provider.operators
import airflow_segments_provider.sensors
from airflow_segments_provider.operators.rendering import reveal
from airflow_segments_provider.operators.user_ids import UserIds


def _public() -> dict[str, type[BaseOperator]]:
    found = {}
    for package in (airflow_segments_provider.operators, airflow_segments_provider.sensors):
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(info.name)
            for name in getattr(module, "__all__", ()):
                value = getattr(module, name)
                if inspect.isclass(value) and issubclass(value, BaseOperator):
                    found[name] = value
    return found


OPERATORS = _public()


def held(value: Any) -> Any:
    """Return the value of a field, also where it is concealed."""
    if isinstance(value, UserIds):
        value = value._ids
    value = reveal(value)
    if isinstance(value, (list, tuple)):
        return [held(part) for part in value]
    if isinstance(value, dict):
        return {key: held(part) for key, part in value.items()}
    if hasattr(value, "template_fields"):
        return {name: held(getattr(value, name)) for name in value.template_fields}
    return value


def look(context: Any) -> None:
    """Record the rendered fields of a task in place of its execution; passed as ``pre_execute``."""
    task, ti = context["task"], context["ti"]
    fields = {name: held(getattr(task, name)) for name in task.template_fields if name != "python_callable"}
    with Path(os.environ["LOOKED"]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([ti.task_id, ti.map_index, fields], default=str) + "\n")
    raise AirflowSkipException("looked")

"""Arguments of a decorated function that Airflow neither stores nor shows.

Airflow writes the rendered arguments of a task into its database. Those of a sync may be user IDs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_segments_provider.operators.base import depend_on_nested_results
from airflow_segments_provider.operators.rendering import conceal

__all__ = ["ArgumentsField", "concealing"]


class ArgumentsField:
    """The attribute of an operator that holds arguments of its function: a list or a dict of :class:`Concealed`.

    Results of other tasks remain as they are until Airflow resolves them, because they make the dependencies.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the concealed arguments."""
        return self if instance is None else instance.__dict__[self._slot]

    def __set__(self, instance: Any, value: Any) -> None:
        """Conceal the arguments.

        The second time they are what Airflow rendered. Arguments of a mapped task that :func:`concealing` has not
        wrapped are the result of another task, which Airflow would render in ``expand_kwargs()``.
        """
        rendered = self._slot in instance.__dict__ or getattr(instance, "_BaseOperator__from_mapped", False)
        if isinstance(value, Mapping):
            instance.__dict__[self._slot] = {name: conceal(part, rendered=rendered) for name, part in value.items()}
        else:
            instance.__dict__[self._slot] = [conceal(part, rendered=rendered) for part in value]


def concealing(task: Any) -> Any:
    """Let a decorated task conceal its mapped arguments before Airflow stores them.

    :param task: an object of a class that is private to Airflow.
    """
    partial, expand, expand_kwargs, override = task.partial, task.expand, task.expand_kwargs, task.override

    def expand_kwargs_concealed(groups: Any, *, strict: bool = True) -> Any:
        if isinstance(groups, (list, tuple)):
            groups = [_conceal_values(group) if isinstance(group, Mapping) else group for group in groups]
        return _waiting(expand_kwargs(groups, strict=strict), groups)

    def expand_concealed(**mapped: Any) -> Any:
        return _waiting(expand(**{name: _conceal_each(values) for name, values in mapped.items()}), mapped)

    task.partial = lambda **arguments: concealing(partial(**_conceal_values(arguments)))
    task.expand = expand_concealed
    task.expand_kwargs = expand_kwargs_concealed
    task.override = lambda **arguments: concealing(override(**arguments))
    return task


def _waiting(task: Any, mapped: Any) -> Any:
    """Let a mapped task wait for the tasks whose results are within its arguments."""
    depend_on_nested_results(task.operator, [task.operator.partial_kwargs.get("op_kwargs"), mapped])
    return task


def _conceal_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: conceal(value) for name, value in arguments.items()}


def _conceal_each(values: Any) -> Any:
    """Conceal mapped values that are known when the DAG is parsed."""
    if isinstance(values, Mapping):
        values = list(values.items())  # as Airflow maps over a dict
    return [conceal(value) for value in values] if isinstance(values, (list, tuple)) else values

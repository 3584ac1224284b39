"""Arguments of a decorated function that Airflow neither stores nor shows.

Airflow writes the rendered arguments of a task into its database. Those of a sync may be user IDs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["Argument", "ArgumentsField", "concealing", "reveal"]


class Argument:
    """A value that shows as its size, or as its type.

    :param rendered: it is data already; Airflow must not render it as a template.
    """

    def __init__(self, value: Any, *, rendered: bool = False) -> None:
        self.value = value
        self.rendered = rendered

    def __str__(self) -> str:
        """What Airflow stores and shows; the same in every process."""
        if not isinstance(self.value, (list, tuple, set, frozenset, dict)):
            return type(self.value).__name__
        count = len(self.value)
        return "1 value" if count == 1 else f"{count:,} values"

    __repr__ = __str__

    def serialize(self) -> str:
        """Return what newer Airflow versions store of an object in a template field."""
        return str(self)


class ArgumentsField:
    """The attribute of an operator that holds arguments of its function: a list or a dict of :class:`Argument`.

    Results of other tasks remain as they are until Airflow resolves them, because they make the dependencies.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the concealed arguments."""
        return self if instance is None else instance.__dict__[self._slot]

    def __set__(self, instance: Any, value: Any) -> None:
        """Conceal what is given.

        The second time it is what Airflow rendered. What a mapped task is given and :func:`concealing` has not wrapped,
        is the result of another task, which Airflow would render in ``expand_kwargs()``.
        """
        rendered = self._slot in instance.__dict__ or getattr(instance, "_BaseOperator__from_mapped", False)
        if isinstance(value, Mapping):
            instance.__dict__[self._slot] = {name: conceal(part, rendered=rendered) for name, part in value.items()}
        else:
            instance.__dict__[self._slot] = [conceal(part, rendered=rendered) for part in value]


def concealing(task: Any) -> Any:
    """Let a decorated task conceal what it is mapped over before Airflow stores it.

    :param task: as Airflow makes it; the class is private to Airflow.
    """
    partial, expand, expand_kwargs, override = task.partial, task.expand, task.expand_kwargs, task.override

    def expand_kwargs_concealed(groups: Any, *, strict: bool = True) -> Any:
        if isinstance(groups, (list, tuple)):
            groups = [_conceal_values(group) if isinstance(group, Mapping) else group for group in groups]
        return expand_kwargs(groups, strict=strict)

    task.partial = lambda **arguments: concealing(partial(**_conceal_values(arguments)))
    task.expand = lambda **mapped: expand(**{name: _conceal_each(values) for name, values in mapped.items()})
    task.expand_kwargs = expand_kwargs_concealed
    task.override = lambda **arguments: concealing(override(**arguments))
    return task


def conceal(value: Any, *, rendered: bool = False) -> Any:
    """Wrap a value; within containers, leave the results of other tasks visible to Airflow."""
    if value is None or isinstance(value, (bool, Argument)) or _is_result(value):
        return value
    if _has_results(value):
        return _rebuilt(value, lambda part: conceal(part, rendered=rendered))
    return Argument(value, rendered=rendered)


def reveal(value: Any) -> Any:
    """Return the value itself."""
    if isinstance(value, Argument):
        return value.value
    return _rebuilt(value, reveal)


def _conceal_values(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: conceal(value) for name, value in arguments.items()}


def _conceal_each(values: Any) -> Any:
    """Conceal what a task is mapped over, where that is known already."""
    return [conceal(value) for value in values] if isinstance(values, (list, tuple)) else values


def _has_results(value: Any) -> bool:
    """Whether a container holds results of other tasks, at any depth."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set)):
        return _is_result(value)
    return any(_has_results(part) for part in value)


def _is_result(value: Any) -> bool:
    """Whether Airflow has still to resolve a value; paths also have a method ``resolve``."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container of the same type with changed parts; anything else as it is."""
    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, (list, tuple, set)):
        return type(value)(map(change, value))
    return value

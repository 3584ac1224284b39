"""Values that Airflow neither stores nor shows, because they may name a user.

Airflow stores template fields in its database and shows them in its UI, when a DAG is parsed and when a task runs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Concealed:
    """A value that shows as its size, or as its type.

    :param rendered: it is data already; it must not be rendered as a template.
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


class ConcealedField:
    """The attribute of an operator that holds a :class:`Concealed` value, or the result of another task."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        """Return the concealed value; see :func:`reveal`."""
        return self if instance is None else instance.__dict__[self._slot]

    def __set__(self, instance: Any, value: Any) -> None:
        """Conceal a value."""
        instance.__dict__[self._slot] = conceal(value)

    def conceal(self, value: Any) -> Any:
        """Conceal what is written in ``partial()`` or ``expand()``."""
        return conceal(value)


def conceal(value: Any, *, rendered: bool = False) -> Any:
    """Wrap a value; within containers, leave the results of other tasks visible to Airflow."""
    if value is None or isinstance(value, (bool, Concealed)) or is_result(value):
        return value
    if _has_results(value):
        return rebuilt(value, lambda part: conceal(part, rendered=rendered))
    return Concealed(value, rendered=rendered)


def reveal(value: Any) -> Any:
    """Return the value itself."""
    if isinstance(value, Concealed):
        return value.value
    return rebuilt(value, reveal)


def is_result(value: Any) -> bool:
    """Return whether Airflow has still to resolve a value; paths also have a method ``resolve``."""
    return hasattr(value, "resolve") and hasattr(value, "iter_references")


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a container of the same type with changed parts; anything else as it is."""
    if isinstance(value, dict):
        return {key: change(part) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(change, value))
    if isinstance(value, (list, tuple, set)):
        return type(value)(map(change, value))
    return value


def _has_results(value: Any) -> bool:
    """Return whether a container holds results of other tasks, at any depth."""
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple, set)):
        return is_result(value)
    return any(_has_results(part) for part in value)

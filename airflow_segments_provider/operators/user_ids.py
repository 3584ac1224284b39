"""People's ids as an operator's argument: they may be a list, an upstream result or a template, and never show.

Airflow stores template fields in its database and shows them in its UI, when a DAG is parsed and when a task runs.
"""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterable, Iterator
from typing import Any, overload

from airflow_segments_provider.errors import InvalidInput

__all__ = ["UserIds"]


class UserIds:
    """Ids that show as their count.

    Operators wrap what they are given by themselves. Only literal lists in ``.partial()`` and ``.expand()`` of a mapped
    task should be wrapped by hand: Airflow stores those before an operator exists.

    :param ids: the ids; a text is a rendered template that must hold a list, as JSON or as Python writes it.
    """

    def __init__(self, ids: Any) -> None:
        self._ids = ids

    def __iter__(self) -> Iterator[object]:
        """Yield the ids.

        :raises InvalidInput: there is nothing to iterate over.
        """
        ids = _parsed(self._ids) if isinstance(self._ids, str) else self._ids
        if isinstance(ids, (str, bytes, dict)) or not isinstance(ids, Iterable):
            found = "a text that holds no list" if isinstance(ids, (str, bytes)) else f"of type {type(ids).__name__}"
            problem = (
                f"`user_ids` is {found}; it must be a list or another iterable of ids. A template must render to a "
                "list: use `| tojson`, or `render_template_as_native_obj=True` on the DAG."
            )
            raise InvalidInput("The list of people", [problem])
        for value in ids:
            if isinstance(value, (UserIds, list, tuple)):  # one of several lists
                yield from value if isinstance(value, UserIds) else UserIds(value)
            else:
                yield value

    def __str__(self) -> str:
        """The count: this is what Airflow stores and shows."""
        ids = _parsed(self._ids) if isinstance(self._ids, str) else self._ids
        if isinstance(ids, (list, tuple, set, frozenset)):
            count = sum(1 for _ in self)
            return "1 user id" if count == 1 else f"{count:,} user ids"
        return "user ids"

    __repr__ = __str__

    def serialize(self) -> str:
        """What newer Airflow versions ask an object in a template field for."""
        return str(self)


class UserIdsField:
    """The attribute of an operator that holds people's ids.

    What is data becomes :class:`UserIds` at once. What Airflow has still to render (a template, an upstream result)
    stays as it is until Airflow sets the rendered value, which is data. A source with template fields of its own is
    handed out as a copy, because Airflow renders those in place and the operator may run again in the same process.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> UserIdsField: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        """The ids, or what they will be rendered from."""
        if instance is None:
            return self
        try:
            value = instance.__dict__[self._slot]
        except KeyError:
            raise AttributeError(self._slot.removeprefix("_")) from None
        return copy.copy(value) if hasattr(value, "template_fields") else value

    def __set__(self, instance: object, value: Any) -> None:
        """Conceal what is data."""
        rendered = self._slot in instance.__dict__
        instance.__dict__[self._slot] = _concealed(value) if rendered else _concealed_but_templates(value)


def _concealed(value: Any) -> Any:
    """A source names its people by itself; everything else is data."""
    return value if isinstance(value, UserIds) or hasattr(value, "template_fields") else UserIds(value)


def _concealed_but_templates(value: Any) -> Any:
    """As above, but leave what Airflow has still to render, also within a list."""
    if _awaits_rendering(value):
        return value
    if isinstance(value, (list, tuple)) and any(_awaits_rendering(part) for part in value):
        return [part if _awaits_rendering(part) else UserIds([part]) for part in value]
    return _concealed(value)


def _awaits_rendering(value: Any) -> bool:
    """Whether this is a template, or the result of another task."""
    return ("{{" in value or "{%" in value) if isinstance(value, str) else hasattr(value, "resolve")


def _parsed(text: str) -> Any:
    """The list that a rendered template holds, or the text itself."""
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return text

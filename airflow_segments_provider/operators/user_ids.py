"""User IDs as an operator's argument: a list, an upstream result or a template, which shows as its count.

Airflow stores template fields in its database and shows them in its UI, when a DAG is parsed and when a task runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, overload

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.rendering import is_result, rebuilt
from airflow_segments_provider.sources.values import concatenated, is_source, read_values
from airflow_segments_provider.vendors.base.template_text import from_text

# Airflow renders what is in these, at any depth.
_CONTAINERS = (list, tuple, set, frozenset, dict)


class Text(str):
    """A text of the DAG's author, or a rendered template: it may hold a list, as JSON or as Python writes it.

    The text that another task returned is data: a text that looks like a list is one ID.
    """


class UserIds:
    """User IDs that show as their count.

    :param several: ``ids`` is a list of results and templates, each of which is one ID or holds several.
    """

    def __init__(self, ids: Any, *, several: bool = False) -> None:
        self._ids = ids
        self._several = several

    def read_ids(self) -> Iterator[object]:
        """Return the raw values.

        :raises InvalidInput: see :func:`~airflow_segments_provider.sources.values.read_values`.
        """
        if self._several:
            return concatenated(UserIds(_part(part)) for part in self._ids)
        return read_values(_read_text(self._ids))

    def __str__(self) -> str:
        """Return the count, or the sources: this is what Airflow stores and shows."""
        count = self.count()
        if self._several and count is None:
            parts = [part if is_source(part) else UserIds(_part(part)) for part in self._ids]
            return "\n".join(map(str, parts))
        if count is None:
            return "user ids"
        return "1 user id" if count == 1 else f"{count:,} user ids"

    __repr__ = __str__

    def count(self) -> int | None:
        """Return the number of values, invalid ones included; None where only reading would show it."""
        if self._several:
            counts = [UserIds(_part(part)).count() for part in self._ids]
            return None if None in counts else sum(count or 0 for count in counts)
        if isinstance(self._ids, UserIds):
            return self._ids.count()
        ids = from_text(self._ids) if isinstance(self._ids, Text) else self._ids
        return len(ids) if isinstance(ids, (list, tuple, set, frozenset)) else None

    def serialize(self) -> str:
        """Return what newer Airflow versions store of an object in a template field."""
        return str(self)


class UserIdsField:
    """The attribute of an operator that holds user IDs.

    Data becomes :class:`UserIds` at once. A template or an upstream result stays as it is until the rendered value is
    set, which is data. An argument of a mapped task may be either: it is data if the same object is set again.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    @overload
    def __get__(self, instance: None, owner: type) -> UserIdsField: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Any: ...
    def __get__(self, instance: object | None, owner: type) -> Any:
        """Return the IDs, or what they will be rendered from."""
        if instance is None:
            return self
        try:
            return instance.__dict__[self._slot]
        except KeyError:
            raise AttributeError(self._slot.removeprefix("_")) from None

    def __set__(self, instance: object, value: Any) -> None:
        """Conceal data."""
        if self._slot in instance.__dict__:
            value = _rendered(instance.__dict__[self._slot], value)
        elif not getattr(instance, "_BaseOperator__from_mapped", False):
            value = self.conceal(value)
        instance.__dict__[self._slot] = value

    def conceal(self, value: Any) -> Any:
        """Conceal a value of the DAG file; leave what Airflow has still to render, also within a list."""
        if isinstance(value, (set, frozenset)) and _awaits_rendering(value):
            value = sorted(value, key=str)  # the same in every process
        if _awaits_rendering(value):
            return rebuilt(value, _concealed_part)
        return _concealed(Text(value) if isinstance(value, str) else value)


def _rendered(written: Any, value: Any) -> Any:
    """Conceal a rendered value.

    :param written: the value before rendering; the same object where it is data.
    """
    if value is written:
        return _concealed(value)
    if isinstance(written, str) and isinstance(value, str):
        return UserIds(Text(value))
    if not isinstance(written, (list, tuple)) or not _awaits_rendering(written) or len(written) != len(value):
        return _concealed(value)
    return UserIds(list(map(_rendered_part, written, value)), several=True)


def _concealed_part(value: Any) -> Any:
    """Conceal the data of a list's part, also within a row."""
    if not _awaits_rendering(value):
        return UserIds([value])
    return rebuilt(value, _concealed_part)


def _rendered_part(before: Any, value: Any) -> Any:
    """Return a part as :class:`UserIds` reads it: what was written as a list is a row, not several IDs."""
    if isinstance(before, _CONTAINERS):
        return UserIds([value])
    return Text(value) if isinstance(value, str) and isinstance(before, str) else value


def _concealed(value: Any) -> Any:
    """Wrap data; a source shows no IDs by itself."""
    return value if is_source(value) else UserIds(value)


def _awaits_rendering(value: Any) -> bool:
    """Return whether a value is or contains a template, the result of another task, or a source with fields."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, _CONTAINERS):
        return any(map(_awaits_rendering, value.values() if isinstance(value, dict) else value))
    return is_result(value) or hasattr(value, "template_fields")


def _part(value: Any) -> Any:
    """Return one of several: text that does not begin a list, and what is not iterable, is one ID."""
    if isinstance(value, str):
        return value if isinstance(value, Text) and value.lstrip().startswith("[") else [value]
    return value if is_source(value) or isinstance(value, Iterable) else [value]


def _read_text(ids: Any) -> Any:
    """Return the list that a template rendered to.

    :raises InvalidInput: it rendered to other text.
    """
    found = from_text(ids) if isinstance(ids, Text) else ids
    if isinstance(ids, Text) and not isinstance(found, (list, tuple, set)):
        problem = (
            "a template rendered to text that is not a list. Let it render to one: use `| tojson`, or "
            "`render_template_as_native_obj=True` on the DAG."
        )
        raise InvalidInput("The list of user IDs", [problem])
    return found

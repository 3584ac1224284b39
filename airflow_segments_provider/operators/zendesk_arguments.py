"""Arguments of Zendesk's operators that a template renders to text, or that are about people."""

from __future__ import annotations

import ast
import json
from typing import Any

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.operators.user_ids import UserIds, UserIdsField
from airflow_segments_provider.sources.values import read_values


class OptionalUserIdsField(UserIdsField):
    """People's ids, or None where the DAG's author gives none; a template that renders to None is no such None."""

    def __set__(self, instance: object, value: Any) -> None:
        """Conceal what is given."""
        if value is None and instance.__dict__.get(self._slot) is None:
            instance.__dict__[self._slot] = None
        else:
            super().__set__(instance, value)


class UserIdField(OptionalUserIdsField):
    """The id of one person, or None; held as a list of one, so that it shows as a count."""

    def __set__(self, instance: object, value: Any) -> None:
        """Conceal what is given."""
        held = value is None or isinstance(value, (list, UserIds))
        super().__set__(instance, value if held else [value])


def the_user_id(user_ids: Any) -> Any:
    """The id that a :class:`UserIdField` holds.

    :raises InvalidInput: it holds none, as where a template rendered to nothing, or several.
    """
    given = () if user_ids is None else read_values(user_ids)
    ids = [value for value in given if value is not None and value not in ("", "None")]
    if len(ids) != 1:
        raise InvalidInput("The task", [f"`user_id` must be the id of one user; it holds {len(ids)}."])
    return ids[0]


def from_text(value: Any) -> Any:
    """The list or object that a template rendered to text, as JSON or as Python writes it; else the value itself."""
    if isinstance(value, str):
        for parse in (json.loads, ast.literal_eval):
            try:
                found = parse(value)
            except (ValueError, SyntaxError, MemoryError, RecursionError):
                continue
            return found if isinstance(found, (list, tuple, dict)) else value
    return value

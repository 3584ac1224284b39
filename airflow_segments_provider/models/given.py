"""What a method or an operator is given: the shared part of every vendor's input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Given(BaseModel):
    """Input; empty texts, as absent values render to, count as not given, and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_absent(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if value is not None and value not in ("", "None")}


def with_result(values: dict[str, Any], result: str, keys: Sequence[str]) -> dict[str, Any]:
    """``values``, with what is not given in them taken from the result of an earlier task.

    :param result: the name under which it is given.
    :param keys: what of it is taken.
    :raises ValueError: it is no such result.
    """
    values = dict(values)
    found = values.pop(result, None)
    if found is None:
        return values
    if isinstance(found, BaseModel):
        found = found.model_dump()
    if not isinstance(found, Mapping):
        raise ValueError(f"`{result}` must be the result of a create or update, such as `create.output`")
    given = {key: value for key, value in values.items() if value is not None and value != ""}
    return {key: found.get(key) for key in keys} | given

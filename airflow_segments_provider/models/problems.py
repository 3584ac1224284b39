"""Validates input with pydantic, and says every problem without quoting a value: it may be a person or a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_segments_provider.errors import InvalidInput

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: dict[str, Any], problems: list[str]) -> Model | None:
    """``model`` made of ``values``, or None after its problems were appended to ``problems``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems.extend(problems_of(error, known=model))
        return None


def accepted(subject: str, model: type[Model], values: dict[str, Any], problems: Sequence[str] = ()) -> Model:
    """``model`` made of ``values``, if nothing is wrong with them and there were no problems before.

    :raises InvalidInput: with every problem found.
    """
    found: list[str] = []
    wanted = validated(model, values, found)
    if wanted is None or found or problems:
        raise InvalidInput(subject, [*found, *problems])
    return wanted


def problems_of(error: ValidationError, *, known: type[BaseModel] | None = None) -> list[str]:
    """One sentence a problem: the field and what is wrong with it."""
    found = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(str(part) for part in detail["loc"] if not str(part).startswith("function-"))
        if detail["type"] == "extra_forbidden" and known is not None:
            found.append(f"`{field}` is not known; known are {', '.join(sorted(known.model_fields))}.")
        elif detail["type"] == "missing":
            found.append(f"`{field}` is missing.")
        else:
            said = detail["msg"].removeprefix("Value error, ")
            found.append(f"`{field}`: {said}." if field else f"{said[:1].upper()}{said[1:]}.")
    return list(dict.fromkeys(found))

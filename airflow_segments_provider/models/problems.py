"""Validates input with pydantic, and says every problem without quoting a value: it may be a person or a secret."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.models.given import GivenUsers
from airflow_segments_provider.sources.batches import StagedUserIds

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: dict[str, Any], problems: list[str]) -> Model | None:
    """``model`` made of ``values``, or None after its problems were appended to ``problems``."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems.extend(problems_of(error, known=model))
        return None


def accepted(
    subject: str,
    model: type[Model],
    values: dict[str, Any],
    problems: Sequence[str] = (),
    staged: StagedUserIds | None = None,
) -> Model:
    """``model`` made of ``values``, if nothing is wrong with them and there were no problems before.

    :param staged: the users of a write, whose invalid ones may be too many.
    :raises InvalidInput: with every problem found.
    """
    found: list[str] = []
    wanted = validated(model, values, found)
    found += limit_problems(wanted, staged)
    if wanted is None or found or problems:
        raise InvalidInput(subject, [*found, *problems])
    return wanted


def limit_problems(wanted: BaseModel | None, staged: StagedUserIds | None) -> list[str]:
    """Return what is wrong with leaving out the invalid ones of a write's users."""
    if staged is None or not isinstance(wanted, GivenUsers):
        return []
    invalid = staged.invalid.total()
    problem = wanted.invalid_problem(invalid, invalid + staged.users)
    return [problem] if problem else []


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

"""The parameters that writes of several vendors share, and their checks.

A message never quotes a value: it may be a user ID or a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.sources.batches import StagedUserIds
from airflow_segments_provider.sources.ids import OnInvalid
from airflow_segments_provider.sources.limits import (
    MAX_INVALID_FRACTION,
    MAX_REMOVED_FRACTION,
    MAX_UNMATCHED_FRACTION,
    Share,
    breach_of_invalid,
)
from airflow_segments_provider.vendors.base.template_text import from_text

OnUnmatched = Literal["fail", "skip"]
IfExists = Literal["reuse", "update", "fail"]
IfMissing = Literal["skip", "fail"]

# The names of fields and types.
_NAME = re.compile(r"[\w,\[\]-]{1,60}")


def _listed(value: Any) -> Any:
    """Return any iterable as a list, also the one that a template rendered to text."""
    value = from_text(value)
    if isinstance(value, str):
        raise ValueError("is a text that is not a list; in a template use `| tojson`")
    if getattr(value, "ndim", 1) != 1 or any(hasattr(value, name) for name in ("columns", "column_names")):
        raise ValueError("is a table or an array of several dimensions; it must be a list")
    if hasattr(value, "tolist"):  # its own values are numbers of other types
        value = value.tolist()
    return list(value) if isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)) else value


def is_absent(value: Any) -> bool:
    """Return whether a parameter is not set: None, or the empty text that a template renders for an absent value."""
    return value is None or (isinstance(value, str) and not value)


def _object(value: Any) -> Any:
    """Return the object that a template rendered to text."""
    value = from_text(value)
    if isinstance(value, str):
        raise ValueError("is a text that is not an object; in a template use `| tojson`")
    return value


def _number_as_text(value: Any) -> Any:
    """Convert a whole number to text, as another task may return a name such as 2026; not a fraction."""
    return str(value) if type(value) is int else value


# For a parameter that is a list or an object, and may be the text of a template; and for a text that may be a number.
AS_LIST = BeforeValidator(_listed)
AS_OBJECT = BeforeValidator(_object)
AS_TEXT = BeforeValidator(_number_as_text)


class Parameters(BaseModel):
    """Parameters; an empty text, as a template renders an absent value, counts as not set. Unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_absent(cls, values: Any) -> Any:
        if not isinstance(values, dict):  # of a parameter that is an object
            return values
        return {key: value for key, value in values.items() if not is_absent(value)}

    @field_validator("*", mode="before")
    @classmethod
    def _numbers_as_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Convert whole numbers to text where a text is expected; those of a list in text have :data:`AS_TEXT`."""
        kind = cls.model_fields[str(info.field_name)].annotation
        if not _allows(kind, str) or _allows(kind, int):
            return value
        if isinstance(value, (list, tuple)):
            return list(map(_number_as_text, value))
        return _number_as_text(value)


def _allows(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_allows(part, kind) for part in get_args(annotation))


class UsersParameters(Parameters):
    """The parameters that every write with users has.

    :param on_invalid: ``fail`` rejects all user IDs if one is invalid; ``skip`` leaves those out and counts them.
    :param max_invalid_fraction: the largest share of 100 user IDs or more that ``on_invalid="skip"`` may leave out.
    """

    on_invalid: OnInvalid = "fail"
    max_invalid_fraction: Share = MAX_INVALID_FRACTION

    def invalid_problem(self, invalid: int, users: int) -> str:
        """Return the problem if the invalid user IDs cannot be left out, or an empty text."""
        breach = self.on_invalid == "skip" and breach_of_invalid(invalid, users, self.max_invalid_fraction)
        if not breach:
            return ""
        remedy = "Correct the source" if invalid == users else "Correct the source, or raise the limit"
        return f"{invalid:,} of {users:,} user IDs are invalid: {breach}. {remedy}."


class LookupParameters(UsersParameters):
    """The parameters of a write that may look up its users.

    :param on_unmatched: ``fail`` rejects all users if one is not found, or if several users have its identity; ``skip``
        leaves those out and counts them.
    :param max_unmatched_fraction: the largest share of 100 users or more that ``on_unmatched="skip"`` may leave out.
    """

    on_unmatched: OnUnmatched = "fail"
    max_unmatched_fraction: Share = MAX_UNMATCHED_FRACTION


class ReplaceParameters(Parameters):
    """The parameters of a write that may remove all other members.

    :param allow_empty: let an empty list of users remove all members.
    :param max_removed_fraction: the largest share of 100 members or more that may be removed.
    """

    allow_empty: bool = False
    max_removed_fraction: Share = MAX_REMOVED_FRACTION


def with_result(values: dict[str, Any], result: str, keys: Sequence[str], more: Sequence[str] = ()) -> dict[str, Any]:
    """Complete parameters from the result of an earlier task.

    Parameters that are set take precedence.

    :param result: the parameter that has the result.
    :param keys: the fields that are taken from it, unless one is set: a name must not be joined with another one's ID.
    :param more: other fields that are taken from it.
    :raises ValueError: the parameter is not a result.
    """
    values = dict(values)
    found = from_text(values.pop(result, None))
    if found is None:
        return values
    if isinstance(found, BaseModel):
        found = found.model_dump()
    if not isinstance(found, Mapping):
        raise ValueError(f"`{result}` must be the result of a create or update, such as `create.output`")
    present = {key: value for key, value in values.items() if not is_absent(value)}
    taken = more if any(key in present for key in keys) else (*more, *keys)
    return {key: found.get(key) for key in taken} | present


class Key(Parameters):
    """The parameters that identify one segment or group.

    :cvar result: the parameter that takes the result of a task that made or changed it.
    :cvar keys: the parameters that identify it; taken from the result unless one is set.
    :cvar more_keys: other parameters that are taken from the result.
    """

    result: ClassVar[str]
    keys: ClassVar[tuple[str, ...]]
    more_keys: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_result(values, cls.result, cls.keys, cls.more_keys)

    @model_validator(mode="after")
    def _one_at_least(self) -> Self:
        if not any(getattr(self, key) for key in self.keys):
            *names, last = (f"`{name}`" for name in (self.result, *self.keys))
            raise ValueError(f"one of {', '.join(names)} and {last} must be given")
        return self


Model = TypeVar("Model", bound=BaseModel)


@dataclass
class Problems:
    """The problems of parameters.

    :ivar texts: a sentence for each problem.
    :ivar fields: the parameters that are wrong.
    """

    texts: list[str] = field(default_factory=list)
    fields: set[str] = field(default_factory=set)


def parsed(model: type[Model], values: dict[str, Any]) -> tuple[Model | None, Model, Problems]:
    """Check parameters.

    :return: the parameters, None where some are wrong; the same with defaults in place of wrong ones; and the problems.
    """
    try:
        parameters = model.model_validate(values)
    except ValidationError as error:
        fields = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
        problems = Problems(problems_of(error, known=model), fields)
        return None, _readable(model, values, problems.fields), problems
    return parameters, parameters, Problems()


def _readable(model: type[Model], values: dict[str, Any], wrong: set[str]) -> Model:
    readable = {}
    for name, info in model.model_fields.items():
        if name not in wrong and not is_absent(values.get(name)):
            with suppress(ValidationError):
                kind: Any = Annotated[info.annotation, info]
                readable[name] = TypeAdapter(kind).validate_python(values[name])
    return model.model_construct(**readable)


def validated(model: type[Model], values: dict[str, Any], problems: list[str]) -> Model | None:
    """Return the model made of values, or None after its problems were appended."""
    parameters, _, found = parsed(model, values)
    problems += found.texts
    return parameters


def accepted(subject: str, model: type[Model], values: dict[str, Any], problems: Sequence[str] = ()) -> Model:
    """Return the model made of values.

    :raises InvalidInput: with every problem, ``problems`` included.
    """
    parameters, _, found = parsed(model, values)
    if parameters is None or problems:
        raise InvalidInput(subject, [*found.texts, *problems])
    return parameters


def limit_problems(wanted: BaseModel | None, staged: StagedUserIds | None) -> list[str]:
    """Return the problem if the invalid user IDs of a write cannot be left out, in a list."""
    if staged is None or not isinstance(wanted, UsersParameters):
        return []
    invalid = staged.invalid.total()
    problem = wanted.invalid_problem(invalid, invalid + staged.users)
    return [problem] if problem else []


def problems_of(error: ValidationError, *, known: type[BaseModel] | None = None) -> list[str]:
    """Return a sentence for each problem: the field and what is wrong with it."""
    found = []
    for detail in error.errors(include_url=False, include_input=False, include_context=False):
        field = ".".join(_part(part) for part in map(str, detail["loc"]) if not part.startswith("function-"))
        if detail["type"] == "extra_forbidden" and known is not None:
            found.append(f"`{field}` is not known; known are {', '.join(sorted(known.model_fields))}.")
        elif detail["type"] == "missing":
            found.append(f"`{field}` is missing.")
        else:
            said = detail["msg"].removeprefix("Value error, ")
            found.append(f"`{field}`: {said}." if field else f"{said[:1].upper()}{said[1:]}.")
    return list(dict.fromkeys(found))


def _part(name: str) -> str:
    """Return a part of a field's name; a key of an object may be data, such as an address with a password."""
    return name if _NAME.fullmatch(name) else "…"

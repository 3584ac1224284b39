"""The control API: which methods of the sandbox's state are its operations, and how they refuse."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import cache
from inspect import getmembers
from typing import Any, TypeVar

from pydantic import TypeAdapter

_MARK = "_sandbox_control"
_F = TypeVar("_F", bound=Callable[..., Any])
T = TypeVar("T")
D = TypeVar("D")


class ControlRefused(Exception):
    """A control operation cannot be carried out; nothing was changed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def control(function: _F) -> _F:
    """Mark a method as an operation of the control API, under the method's name.

    The arguments are those of the signature, validated by pydantic; the result is returned as JSON.
    """
    setattr(function, _MARK, True)
    return function


def operations(owner: object) -> dict[str, Callable[..., Any]]:
    """Return the control operations of an object, by name."""
    kind = type(owner)
    names = [name for name, value in getmembers(kind, callable) if _is_marked(kind, name)]
    return {name: getattr(owner, name) for name in names}


def only(found: list[T], what: str, text: object) -> T:
    """Return the one object that a text names, or refuse the operation."""
    if len(found) != 1:
        raise ControlRefused(409 if found else 404, f"{len(found)} {what} match {text!r}")
    return found[0]


def _is_marked(kind: type, name: str) -> bool:
    return any(getattr(vars(base).get(name), _MARK, False) for base in kind.__mro__)


def revised(record: D, fields: Mapping[str, Any], fixed: Container[str]) -> D:
    """Return a record with some fields changed and all of them validated.

    :param fixed: fields that cannot be changed
    """
    known = vars(record)
    if unknown := [name for name in fields if name not in known or name in fixed]:
        raise ControlRefused(422, f"not a field of {type(record).__name__}: {', '.join(sorted(unknown))}")
    kind: Any = type(record)
    changed: D = _adapter(kind).validate_python({**known, **fields})
    return changed


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)

"""Reads schemas of a Swagger 2 or OpenAPI 3 document: references, parts that are joined, alternatives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

# No honest schema is as deep; one that refers to itself is.
DEEPEST = 40


class Unreadable(Exception):
    """A document, or a part of one, that cannot be understood; the sentence says why."""


def as_object(value: Any, what: str) -> dict[str, Any]:
    """``value``, if it is a JSON object.

    :raises Unreadable: it is something else.
    """
    if not isinstance(value, dict):
        raise Unreadable(f"{what} is no JSON object.")
    return value


def resolved(root: dict[str, Any], node: Any, what: str) -> dict[str, Any]:
    """``node``, or what it refers to within the same document.

    :raises Unreadable: it refers to elsewhere, to nothing, or to itself.
    """
    found = as_object(node, what)
    for _ in range(DEEPEST):
        reference = found.get("$ref")
        if not isinstance(reference, str):
            return found
        found = as_object(_pointed_to(root, reference), f"{what}, by {shown(reference)},")
    raise Unreadable(f"{what} refers to itself without end.")


def _pointed_to(root: dict[str, Any], reference: str) -> Any:
    if not reference.startswith("#/"):
        raise Unreadable(f"{shown(reference)} leads out of the document; it was not followed.")
    found: Any = root
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise Unreadable(f"{shown(reference)} leads to nothing.")
        found = found[name]
    return found


@dataclass(frozen=True)
class Schema:
    """What a value must look like, as a document says it.

    :param root: the whole document.
    :param node: the schema's own part of it.
    """

    root: dict[str, Any]
    node: Any

    @property
    def types(self) -> set[str]:
        """The JSON types that a value may have; empty: any."""
        found = {one for part in self.parts() for one in _texts(part.get("type"))}
        if not found and self.properties:
            return {"object"}
        return found - {"null"}

    @property
    def values(self) -> list[Any] | None:
        """The only values that there may be, or None."""
        return next((part["enum"] for part in self.parts() if isinstance(part.get("enum"), list)), None)

    @property
    def properties(self) -> dict[str, Schema]:
        """The fields of an object."""
        return {
            str(name): Schema(self.root, node)
            for part in self.parts()
            for name, node in as_object(part.get("properties") or {}, "The properties of a schema").items()
        }

    @property
    def required(self) -> list[str]:
        """The fields that must be sent; those that only an answer has are not among them."""
        named = [name for part in self.parts() for name in _texts(part.get("required"))]
        known = self.properties
        return [name for name in dict.fromkeys(named) if not (name in known and known[name].read_only)]

    @property
    def read_only(self) -> bool:
        """Whether it stands in answers only."""
        return any(part.get("readOnly") is True for part in self.parts())

    @property
    def is_open(self) -> bool:
        """Whether an object may have fields that are not named."""
        return not self.properties or any(part.get("additionalProperties") for part in self.parts())

    @property
    def items(self) -> Schema | None:
        """What an array holds."""
        return next((Schema(self.root, part["items"]) for part in self.parts() if part.get("items")), None)

    @property
    def alternatives(self) -> list[Schema]:
        """Of which any one must fit."""
        nodes = (part.get(name) for part in self.parts() for name in ("oneOf", "anyOf"))
        return [Schema(self.root, node) for found in nodes if isinstance(found, list) for node in found]

    def parts(self, depth: int = 0) -> Iterator[dict[str, Any]]:
        """The schema and, joined by ``allOf``, those that belong to it."""
        if depth > DEEPEST:
            raise Unreadable("A schema holds itself without end.")
        own = resolved(self.root, self.node, "A schema")
        yield own
        joined = own.get("allOf")
        for node in joined if isinstance(joined, list) else ():
            yield from Schema(self.root, node).parts(depth + 1)


def shown(text: str) -> str:
    """A name from a document, fit for a terminal: a description may hold anything."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in text)
    return printable if len(printable) <= 100 else f"{printable[:99]}…"


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str)]

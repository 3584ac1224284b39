"""One request that a hook makes, in the form in which it is compared with the vendor's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

ANY = "any"

# What goes as JSON: an object by its fields, an array by its one kind of item, one of several texts, or the name of a
# JSON type. A field whose name ends in "?" is not always sent.
Shape: TypeAlias = "str | tuple[str, ...] | list[Shape] | dict[str, Shape]"


@dataclass(frozen=True)
class Operation:
    """One thing that this package does at a vendor.

    :param does: what, for the report.
    :param spellings: ``"METHOD /path"`` below the base URL, with ``{}`` for what varies. Several: the client takes
        whichever the vendor has, in this order.
    :param query: names of the query's parameters; those that end in ``?`` are not always sent.
    :param absent: what to know where the vendor does not name it.
    """

    does: str
    spellings: tuple[str, ...]
    query: tuple[str, ...] = ()
    body: Shape | None = None
    absent: str = ""


def sent(name: str) -> str:
    """The name as it is sent."""
    return name.removesuffix("?")


def always(name: str) -> bool:
    """Whether it is always sent."""
    return not name.endswith("?")

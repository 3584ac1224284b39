"""Pieces of SQL that several stores need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True)
class Page:
    """What part of a list is wanted; ``sort`` is a column of the list's own."""

    number: int
    size: int
    search: str
    sort: str
    descending: bool = False

    @property
    def order(self) -> str:
        """The ORDER BY and LIMIT of the page; equal rows keep one order over all pages."""
        way = "DESC" if self.descending else "ASC"
        return f" ORDER BY {self.sort} {way}, idst {way} LIMIT {self.size} OFFSET {(self.number - 1) * self.size}"

    def by(self, column: str) -> Self:
        """Return the same page, sorted by another column."""
        return replace(self, sort=column)


def contains(text: str, columns: Sequence[str]) -> tuple[str, list[str]]:
    """Return a condition that one of the columns contains the text, whatever its case, and its parameters."""
    if not text:
        return "1", []
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    condition = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in columns)
    return f"({condition})", [f"%{escaped}%"] * len(columns)


def numbers(values: Iterable[int]) -> str:
    """Return a list of whole numbers for IN."""
    return f"({', '.join(str(int(value)) for value in values)})"


def select(columns: str, source: str, condition: str) -> str:
    """Return a query; what it is made of is the sandbox's own, values are parameters."""
    return " ".join(("SELECT", columns, "FROM", source, "WHERE", condition))

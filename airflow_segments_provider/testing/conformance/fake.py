"""What the tests ask of a vendor's fake."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_segments_provider.sync.target import Target

ODD = (
    "user+tag@example.org",
    'o\'hara "x" <y>',
    "with space",
    "a/b?c=d&e#f",
    "50%41",
    "back\\slash",
    "comma,semicolon;",
    "null",
    "0012",
    "Zoë",
    "日本",
    "🦊🦊",
    "ﬁ",
)


@dataclass(frozen=True)
class Write:
    """A request that changes members, as the fake received it; also one that was refused, or not answered.

    :param people: how many ids it names.
    """

    kind: Literal["add", "remove", "replace"]
    people: int


class VendorFake(ABC):
    """A vendor with one segment, which is there from the start and without members.

    :cvar pages: how many members a page of the vendor's list holds; 0 where it lists none.
    :cvar replaces: whether the vendor can make the members exactly those of one request.
    """

    pages: int = 0
    replaces: bool = False

    @abstractmethod
    def open(self, limit: int) -> Target:
        """A new target of the segment, as another process would make it, with no more than ``limit`` ids a request."""

    @abstractmethod
    def people(self, count: int) -> Sequence[str]:
        """So many ids that the vendor takes, each another, normalised; the same at each call."""

    def odd_people(self) -> Sequence[str]:
        """Ids that are easily spoilt on their way; empty where the vendor's are numbers of its own."""
        return ODD

    @abstractmethod
    def members(self) -> Collection[str]:
        """Who is in the segment, in truth; who is there twice, twice."""

    @abstractmethod
    def put(self, people: Sequence[str]) -> None:
        """Put people into the segment by hand; not a request that :meth:`writes` tells."""

    @abstractmethod
    def writes(self) -> Sequence[Write]:
        """All requests that would change members, in the order in which they came."""

    @abstractmethod
    def calls(self) -> int:
        """How many requests of any kind there were so far, those of the credentials apart."""

    @abstractmethod
    def fail(self, how: Literal["busy", "lost"], times: int | None = 1) -> None:
        """Let the next requests that change members fail.

        :param how: ``busy``: answered by 429, and not carried out. ``lost``: carried out, but the connection ends
            without an answer.
        :param times: how many; None for all that come.
        """

    @abstractmethod
    def mend(self) -> None:
        """Let nothing fail any more."""

    @abstractmethod
    def refuse(self, people: Sequence[str]) -> None:
        """From now on, refuse to add these, in the way in which the vendor does: alone, or their whole request."""

    @abstractmethod
    def names(self) -> Collection[str]:
        """What must not be part of the segment's key: the connection's id, and the segment's name."""

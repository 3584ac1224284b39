"""The interface of a vendor's fake, as the tests need it."""

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


WriteKind = Literal["add", "remove", "replace", "list"]


@dataclass(frozen=True)
class Write:
    """A request that changes members, as the fake received it; also one that it rejected or did not respond to.

    :param kind: ``list``: all members as they should be, with any addition and removal in it.
    :param users: the number of IDs in it.
    """

    kind: WriteKind
    users: int


class VendorFake(ABC):
    """A vendor with one segment, which exists from the start and has no members.

    :cvar pages: members on a page of the vendor's list; 0 where it lists none.
    :cvar replaces: whether the vendor can make the members exactly those of one request.
    """

    pages: int = 0
    replaces: bool = False

    @abstractmethod
    def open(self, limit: int) -> Target:
        """Return a new target of the segment, as in another process, with at most ``limit`` IDs in a request."""

    @abstractmethod
    def users(self, count: int) -> Sequence[str]:
        """Return so many different, normalised IDs that the vendor accepts; the same at each call."""

    def odd_users(self) -> Sequence[str]:
        """Return IDs with special characters; empty where the vendor's IDs are numbers."""
        return ODD

    @abstractmethod
    def members(self) -> Collection[str]:
        """Return the actual members; one that the segment has twice, twice."""

    @abstractmethod
    def put(self, users: Sequence[str]) -> None:
        """Add members without a request that :meth:`writes` returns."""

    @abstractmethod
    def writes(self) -> Sequence[Write]:
        """Return all requests that would change members, in the order of arrival."""

    @abstractmethod
    def calls(self) -> int:
        """Return the number of requests of any kind so far, apart from those for credentials."""

    @abstractmethod
    def fail(self, how: Literal["busy", "lost"], times: int | None = 1) -> None:
        """Let the next requests that change members fail.

        :param how: ``busy``: status 429, and not carried out. ``lost``: carried out, but the connection ends without a
            response.
        :param times: how many; None for all.
        """

    @abstractmethod
    def recover(self) -> None:
        """End the failures, and let the list show the actual members."""

    @abstractmethod
    def refuse(self, users: Sequence[str]) -> None:
        """From now on, reject additions of these as the vendor does: alone, or with their whole request."""

    @abstractmethod
    def names(self) -> Collection[str]:
        """Return what must not be part of the segment's key: the connection's ID, and the segment's name."""

    # Without these, the tests that need them do nothing.

    def identities(self) -> Sequence[str]:
        """Return what the users of a source may be identified by, besides ``id``."""
        return ()

    def open_by(self, identity: str, limit: int) -> Target:
        """Return a target as :meth:`open` does, for a source with one of the :meth:`identities`."""
        raise NotImplementedError

    def identity_of(self, identity: str, user: str) -> str:
        """Return the identity of one of :meth:`users`."""
        raise NotImplementedError

    def spellings(self, identity: str, value: str) -> Sequence[str]:  # noqa: ARG002
        """Return other spellings of a user's identity; where the vendor compares exactly, none."""
        return (value.upper(),)

    def share(self, identity: str, user: str) -> bool:  # noqa: ARG002
        """Let another user, not one of :meth:`users`, have the identity of one; return False where none can."""
        return False

    def ignore(self, users: Sequence[str]) -> bool:  # noqa: ARG002
        """From now on, acknowledge additions of these and do not carry them out; return False where it always does."""
        return False

    def hide(self, users: Sequence[str]) -> bool:  # noqa: ARG002
        """From now on, do not list these, who may be members; return False where every list is right."""
        return False

    def linger(self, users: Sequence[str]) -> bool:  # noqa: ARG002
        """From now on, list these, who may not be members any more; return False where every list is right."""
        return False

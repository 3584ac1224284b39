"""The witness: what is recorded of a ledger outside of it, to detect a lost or older one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Seen:
    """A generation of the ledger that was written.

    :param digest: the SHA-256 of its manifest.
    :param as_of: the time that the committed data represents, in milliseconds since 1970.
    """

    generation: int
    digest: str
    as_of: int | None


class Witness(Protocol):
    """The newest generation of a ledger, recorded in another place."""

    def read(self) -> Seen | None:
        """Return the highest generation that was recorded, or None."""

    def write(self, seen: Seen) -> None:
        """Record a generation; called after it was created, and before its first request."""


class NoWitness:
    """No witness: a lost ledger looks like a first sync."""

    def read(self) -> Seen | None:
        """Return None."""
        return None

    def write(self, seen: Seen) -> None:
        """Do nothing."""

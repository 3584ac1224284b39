"""What is known of a ledger outside of it, so that a lost or older one is detected."""

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
    """The newest generation of one segment's ledger, kept where the ledger is not."""

    def read(self) -> Seen | None:
        """Return the highest generation that was written, or None where none is known."""

    def write(self, seen: Seen) -> None:
        """Remember a generation; called after it was created, and before its first request."""


class NoWitness:
    """Knows nothing, so that a lost ledger looks like a first sync."""

    def read(self) -> Seen | None:
        """Return None."""
        return None

    def write(self, seen: Seen) -> None:
        """Do nothing."""

"""Moments as the API spells them."""

from __future__ import annotations

from datetime import UTC, datetime


def spelled(seconds: float) -> str:
    """Return a moment of the sandbox's clock."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(text: str) -> float | None:
    """Return the moment that a text spells, in UTC where it names no zone (an assumption); None for any other text."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()

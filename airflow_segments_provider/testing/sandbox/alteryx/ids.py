"""Alteryx's ids: 24 hexadecimal digits, in lower case within the sandbox."""

from __future__ import annotations

import re
import secrets

_ID = re.compile(r"[0-9a-fA-F]{24}")


def read(text: str) -> str | None:
    """Return the id that a text spells; None for any other text. That case does not matter is an assumption."""
    return text.lower() if _ID.fullmatch(text) else None


def new() -> str:
    """Return an id that nothing has."""
    return secrets.token_hex(12)


def of_number(number: int) -> str:
    """Return the id of the user with a number: the same in every sandbox."""
    return f"5f{number:022x}"

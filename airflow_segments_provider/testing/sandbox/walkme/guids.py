"""The two spellings of a GUID; within the sandbox it is 32 hexadecimal digits in lower case."""

from __future__ import annotations

import re
from typing import Literal

_HYPHENATED = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_DIGITS = re.compile(r"[0-9a-fA-F]{32}")


def from_path(text: str) -> str | None:
    """Return the digits of a hyphenated GUID; None for any other text."""
    return text.replace("-", "").lower() if _HYPHENATED.fullmatch(text) else None


def from_anything(text: str) -> str | None:
    """Return the digits of a GUID with or without hyphens; None for any other text."""
    return text.lower() if _DIGITS.fullmatch(text) else from_path(text)


def hyphenated(digits: str) -> str:
    """Return the form that paths take."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def spelled(digits: str, form: Literal["hex32", "hyphenated", "upper"]) -> str:
    """Return the form that replies are set to give."""
    if form == "hyphenated":
        return hyphenated(digits)
    return digits.upper() if form == "upper" else digits

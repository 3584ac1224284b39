"""How vendors compare names and addresses: exactly, except for case."""

from __future__ import annotations


def same(one: str, other: str) -> bool:
    """Return whether two texts differ at most in letters that are each other's upper and lower case (assumed)."""
    if one.isascii() and other.isascii():
        return one.lower() == other.lower()
    return len(one) == len(other) and all(map(_same_letter, one, other))


def contains(text: str, part: str) -> bool:
    """Return whether a part of a text is the same as another, except for case."""
    if text.isascii() and part.isascii():
        return part.lower() in text.lower()
    return any(same(text[start : start + len(part)], part) for start in range(len(text) - len(part) + 1))


def _same_letter(one: str, other: str) -> bool:
    return one == other or _is_upper(one, other) or _is_upper(other, one)


def _is_upper(upper: str, lower: str) -> bool:
    return upper.lower() == lower and lower.upper() == upper

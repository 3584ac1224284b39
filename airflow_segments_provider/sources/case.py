"""The one rule by which names and e-mail addresses are compared without regard to case."""

from __future__ import annotations


class _Lower(dict[int, int]):
    """The lower-case letter of each character, where upper-casing that gives the character back."""

    def __missing__(self, point: int) -> int:
        letter = chr(point)
        lower = letter.lower()
        self[point] = ord(lower) if len(lower) == 1 and lower.upper() == letter else point
        return self[point]


_LOWER = _Lower()


def without_case(text: str) -> str:
    """Return a text in lower case, letter by letter, and only where this can be undone.

    At most an upper-case letter and its own lower-case letter become the same. `str.casefold` and `str.lower` also map
    different letters to one (ß and ss, the Kelvin sign and k, long s and s), and thereby different users. Unicode forms
    are not normalised for the same reason: NFC maps the Kelvin sign to K.
    """
    return text.lower() if text.isascii() else text.translate(_LOWER)

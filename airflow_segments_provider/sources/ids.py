"""The only rules for user IDs: which ones are valid, and how names and e-mail addresses are compared without case."""

from __future__ import annotations

import math
import re
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from numbers import Rational, Real
from typing import Any, Literal

OnInvalid = Literal["fail", "skip"]

BLANK = "blank"
TOO_LONG = "too long"
CONTROL = "control characters"
BOOLEAN = "boolean"
FRACTION = "fraction"
INEXACT = "inexact number"
BYTES = "bytes"
NESTED = "nested value"
NOT_TEXT = "not text"
NOT_WHOLE = "not a whole number"

# The predicates of an error's sentence, for one ID and for several.
_SENTENCES = {
    BLANK: ("is blank", "are blank"),
    TOO_LONG: ("is longer than {max_length} characters", "are longer than {max_length} characters"),
    CONTROL: ("contains control characters", "contain control characters"),
    BOOLEAN: ("is a boolean", "are booleans"),
    FRACTION: ("is a number with a fraction", "are numbers with a fraction"),
    INEXACT: (
        "is a floating-point number too large to be exact: cast the column to text or to an integer type",
        "are floating-point numbers too large to be exact: cast the column to text or to an integer type",
    ),
    BYTES: ("is bytes: decode the column to text", "are bytes: decode the column to text"),
    NESTED: ("is a nested value", "are nested values"),
    NOT_TEXT: ("is neither text nor a whole number", "are neither text nor whole numbers"),
    NOT_WHOLE: ("is not a whole number", "are not whole numbers"),
}

# Control characters and the line separators of Unicode, for a character class of any regular expression engine.
CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f" + "\u2028\u2029"
# Lone surrogates as well.
_UNUSABLE = re.compile(f"[{CONTROL_CHARACTERS}\ud800-\udfff]")
# Letters and marks without a glyph. Tags (from U+E0000) are allowed: emoji of flags end in them.
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
# White space, zero-width and soft characters, byte order and direction marks, and the fillers.
INVISIBLE = "".join(
    map(
        chr,
        [
            *(*range(0x9, 0xE), *range(0x1C, 0x21), 0x85, 0xA0, 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x1680),
            *(0x17B4, 0x17B5, 0x180E, *range(0x2000, 0x2010), *range(0x2028, 0x2030), *range(0x205F, 0x2070)),
            *(0x2800, 0x3000, 0x3164, 0xFEFF, 0xFFA0, *range(0xFFF9, 0xFFFC)),
        ],
    )
)
# Selectors of a variant, and tags: part of an emoji or a letter before them, nothing by themselves.
_SELECTORS = "\u180b-\u180f\ufe00-\ufe0f\U000e0000-\U000e0fff"
_FILLER = re.compile(f"[{_FILLERS}{_SELECTORS}]")
_NOTHING = re.compile(f"[{INVISIBLE}{_SELECTORS}]*")

# IDs that match this, and are short enough, are valid without a change: a test for engines other than Python.
PLAIN = "[!-~]+"
# The same for whole numbers.
WHOLE = "[1-9][0-9]{0,17}"

# Missing values of pandas and NumPy.
_MISSING = {"NAType", "NaTType", "MaskedConstant"}
# Derived from NumPy's integers.
_NOT_NUMBERS = {"timedelta64"}
# Below this a floating-point number of so many bits in its significand stands for one integer only.
_SIGNIFICANDS = {"float16": 11, "float32": 24}
# A vendor's whole numbers are positive and fit into 64 bits.
MAX_DIGITS = 19
_LARGEST = 2**63


def as_is(ids: Sequence[str]) -> Sequence[str]:
    """Return the IDs unchanged, for a vendor that compares them exactly."""
    return ids


class IdCheck:
    """The conversion of raw values to user IDs; counts invalid values.

    Text is stripped of white space and of invisible characters at both ends. Whole numbers of any type, UUIDs and
    integral floats that are exact become text.

    :param max_length: the longest ID of the vendor.
    :param whole_numbers: the vendor's IDs are whole numbers, without leading zeros.
    :param normalise: makes IDs of the same user equal, by the vendor's rule: same number, same order.
    :param on_invalid: called with the row, counted from 1, and the reason.
    :ivar rows: how many values were checked.
    :ivar changed: how many texts were stripped or normalised.
    :ivar invalid: how many were invalid, by reason.
    """

    def __init__(
        self,
        max_length: int,
        *,
        whole_numbers: bool = False,
        normalise: Callable[[Sequence[str]], Sequence[str]] = as_is,
        on_invalid: Callable[[int, str], None] = lambda row, reason: None,
    ) -> None:
        self.max_length = max_length
        self.whole_numbers = whole_numbers
        self.normalise = normalise
        self.rows = 0
        self.changed = 0
        self.invalid: Counter[str] = Counter()
        self._on_invalid = on_invalid

    def take(self, chunk: Sequence[Any]) -> Sequence[str]:
        """Return the IDs of a chunk, in its order, duplicates included."""
        values, texts = chunk, chunk
        if not self.whole_numbers and self._is_right(chunk):
            self.rows += len(chunk)
        else:
            values, texts = self._sifted(chunk)
        taken = self.normalise(texts)
        if taken is not chunk:
            self.changed += sum(
                isinstance(value, str) and text != value for text, value in zip(taken, values, strict=True)
            )
        return taken

    def _sifted(self, chunk: Sequence[Any]) -> tuple[list[Any], list[str]]:
        """Return the valid values of a chunk, and the same as text."""
        values, texts = [], []
        for value in chunk:
            self.rows += 1
            text, reason = self.parse(value)
            if reason:
                self.invalid[reason] += 1
                self._on_invalid(self.rows, reason)
            else:
                values.append(value)
                texts.append(text)
        return values, texts

    def parse(self, value: Any) -> tuple[str, str]:
        """Return the ID of a value, or the reason why it is invalid."""
        text, reason = ("", BLANK) if value is None else (value, "") if isinstance(value, str) else self._as_text(value)
        if reason:
            return "", reason
        text = text.strip(INVISIBLE)
        if _NOTHING.fullmatch(text):
            return "", BLANK
        if len(text) > self.max_length:
            return "", TOO_LONG
        if _UNUSABLE.search(text):
            return "", CONTROL
        return _whole_number(text) if self.whole_numbers else (str(text), "")

    def problems(self) -> list[str]:
        """Return a sentence for each reason why values were invalid, without any ID."""
        return [
            f"1 user ID {_SENTENCES[reason][0].format(max_length=self.max_length)}."
            if count == 1
            else f"{count:,} user IDs {_SENTENCES[reason][1].format(max_length=self.max_length)}."
            for reason, count in sorted(self.invalid.items())
        ]

    def _is_right(self, chunk: Sequence[Any]) -> bool:
        """Return whether all values are IDs already: a fast test, true for nearly every chunk."""
        try:
            joined = "".join(chunk)
        except TypeError:
            return False
        if not joined.isprintable() or (not joined.isascii() and _FILLER.search(joined)):
            return False
        lengths = set(map(len, chunk))
        # Of printable characters, the space is the only one that is stripped.
        stripped = " " not in joined or list(map(str.strip, chunk)) == list(chunk)
        return stripped and 0 not in lengths and max(lengths, default=0) <= self.max_length

    def _as_text(self, value: Any) -> tuple[str, str]:
        if isinstance(value, uuid.UUID):
            return str(value), ""
        if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):  # NumPy's
            return "", BOOLEAN
        if isinstance(value, Decimal):
            return self._decimal(value)
        if type(value).__name__ in _NOT_NUMBERS:
            return "", NOT_TEXT
        if isinstance(value, Rational):
            return self._integer(int(value.numerator)) if value.denominator == 1 else ("", FRACTION)
        if isinstance(value, Real):
            return _float(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return "", BYTES
        if type(value).__name__ in _MISSING:
            return "", BLANK
        return "", NESTED if hasattr(value, "__len__") else NOT_TEXT

    def _integer(self, value: int) -> tuple[str, str]:
        # Python refuses to write very long numbers.
        return ("", TOO_LONG) if value.bit_length() > 4 * self.max_length else (str(value), "")

    def _decimal(self, value: Decimal) -> tuple[str, str]:
        if value.is_nan():
            return "", BLANK
        if value.is_infinite():
            return "", FRACTION
        if value.adjusted() > self.max_length:  # before it becomes an integer of a million digits
            return "", TOO_LONG
        return self._integer(int(value)) if value == value.to_integral_value() else ("", FRACTION)


def _float(value: Any) -> tuple[str, str]:
    if math.isnan(value):  # as data frames write a missing value
        return "", BLANK
    if math.isinf(value):
        return "", FRACTION
    if abs(value) >= 2 ** _SIGNIFICANDS.get(type(value).__name__, sys.float_info.mant_dig):
        return "", INEXACT
    return (str(int(value)), "") if value == int(value) else ("", FRACTION)


def _whole_number(text: str) -> tuple[str, str]:
    right = len(text) <= MAX_DIGITS and text.isascii() and text.isdigit() and 0 < int(text) < _LARGEST
    return (str(int(text)), "") if right else ("", NOT_WHOLE)


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


def all_without_case(texts: Sequence[str]) -> Sequence[str]:
    """Return texts without outer white space, and by :func:`without_case`: same order, same number."""
    return [without_case(text.strip()) for text in texts]

"""The removal of secrets and user IDs from a vendor's text, before a message or a log shows it."""

from __future__ import annotations

import binascii
import html
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import unquote

from pydantic_core import from_json

SHOWN = 500
# The characters of text, and of markup, that are searched: a page may have any size, and a request 25,000 user IDs.
READ = 20_000
_PAGE = 200_000
# The length of the longest user ID with every character escaped.
_LONGEST = 600
# An id as short as this is replaced only where it stands alone: "1" is part of every other number.
_SHORT = 3
# A vendor may show only so many characters of a secret, or more.
_BEGINNING = 8
# How many nested encodings are read.
_LAYERS = 8

# Placeholders for removed text; _readable removes these characters from the vendor's text first.
_SECRET, _USER = "\ue000", "\ue001"

_TAG = re.compile(
    r"<(script|style)\b.*?(?:</\1>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
# Bounded repetitions: without a bound, a long text without a match takes minutes.
_EMAIL = re.compile(r"(?:\"[^\"@]{1,100}\"|[^\s@\"'<>(),;:=]{1,100})@[^\s@\"'<>(),;]+")
_TOKEN = re.compile(r"\b(?:Bearer|Basic)\s+[\w\-.~+/=]+|\beyJ[\w\-]{1,4000}\.[\w\-.]+", re.IGNORECASE)
_UNICODE = re.compile(r"(?:[\\%]u[0-9a-f]{4})+", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(?:x([0-9a-f]{2})|([\\/\"']))", re.IGNORECASE)
_QUOTED = re.compile(r"=([0-9a-f]{2})|=\s|(.)", re.DOTALL | re.IGNORECASE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{6,}")
_HEX = re.compile(r"[0-9A-Fa-f]{8,}")
_STANDARD = str.maketrans("-_", "+/")

# The keys of a JSON error that say what went wrong.
_WORDED = ("error", "error_description", "description", "message", "detail", "details", "title", "modelState")

# A text for comparison, and for each of its characters from where to where it stands in the text shown.
_View = tuple[str, list[tuple[int, int]]]


def clean(text: str, *, secrets: Iterable[str] = (), user_ids: Iterable[str] = ()) -> str:
    """Return the first 500 characters of a vendor's text, on one line, without secrets and user IDs.

    Markup is dropped, and every encoding (JSON, percent, HTML) is decoded, layer by layer. Each layer is searched in
    any case, in quoted-printable, base64 and hex. The text is cut only afterwards: half an ID would not be recognised.

    :param secrets: strings that must not appear: client secret, tokens; nor the first eight characters or more of one.
    :param user_ids: the user IDs in the request.
    """
    readable, whole = _readable(text)
    hidden = [(_Needles(secrets, short=0), _SECRET), (_Needles(user_ids, short=_SHORT), _USER)]
    text = _one_line(readable[:READ])
    for _ in range(_LAYERS):
        for needles, mark in hidden:
            text = needles.replaced(text, mark)
        decoded = _one_line(_decoded(text))
        if decoded == text:
            break
        text = decoded
    else:
        return "(a response that is encoded too many times to be shown)"
    # Only in the last layer: in an outer one they may match the beginning of an encoded secret, and leave its rest.
    text = hidden[0][0].replaced(text, _SECRET, beginning=_BEGINNING)
    text = _EMAIL.sub(_USER, _TOKEN.sub(_SECRET, text))
    if not whole or len(readable) > READ:
        # The cut may have left the beginning of a user ID.
        text = text[:-_LONGEST] + "…"
    text = text.replace(_SECRET, "***").replace(_USER, "[user id]")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


class _Needles:
    """The strings that are removed from a text.

    :param short: a string of at most so many characters is removed only where it is a word of its own.
    """

    def __init__(self, values: Iterable[str], *, short: int) -> None:
        self._folded: set[str] = set()
        alone: set[str] = set()
        for value in values:
            folded = _folded(value)[0]
            # Folding may leave too little of a string with few letters, so that one is searched for literally.
            if len(folded) > _SHORT or (folded and not short):
                self._folded.add(folded)
                if not value.isascii():  # its bytes, as base64 decodes to them
                    self._folded.add(_folded(value.encode("utf-8", "replace").decode("latin-1"))[0])
            elif plain := _one_line(value):
                alone.add(rf"(?<!\w){re.escape(plain)}(?!\w)" if len(plain) <= short else re.escape(plain))
        ordered = sorted(alone, key=len, reverse=True)
        self._alone = [
            re.compile("|".join(ordered[start : start + 500]), re.IGNORECASE) for start in range(0, len(ordered), 500)
        ]

    def replaced(self, text: str, mark: str, *, beginning: int | None = None) -> str:
        """``text`` with ``mark`` in place of whatever is found.

        :param beginning: of a string, so many of its first characters are enough.
        """
        views = _views(text) if self._folded else ()
        spans = sorted(span for view in views for span in self._found(view, beginning))
        parts, end = [], 0
        for first, last in spans:
            if first >= end:
                parts += [text[end:first], mark]
            end = max(end, last)
        text = "".join([*parts, text[end:]])
        for pattern in self._alone:
            text = pattern.sub(mark, text)
        return text

    def _found(self, view: _View, beginning: int | None) -> Iterator[tuple[int, int]]:
        text, places = view
        # A request may have 25,000 user IDs: a look at their beginnings rules most of them out.
        beginnings = {text[start : start + length] for length in (1, 2, 3, 4) for start in range(len(text))}
        for needle in self._folded:
            head = needle[:beginning]
            start = text.find(head) if needle[:4] in beginnings else -1
            while start >= 0:
                length = len(head)
                while length < len(needle) and text.startswith(needle[length], start + length):
                    length += 1
                yield places[start][0], places[start + length - 1][1]
                start = text.find(head, start + 1)


def _views(text: str) -> Iterator[_View]:
    """Yield the text, and its quoted-printable, base64 and hex decoded; the last two from each possible position."""
    yield _folded(text)
    if "=" in text:
        yield _unquoted(text)
    squeezed = [(char, place) for place, char in enumerate(text) if not char.isspace()]
    joined = "".join(char for char, _ in squeezed)
    places = [place for _, place in squeezed]
    for pattern, size, width, decode in ((_BASE64, 4, 3, _from_base64), (_HEX, 2, 1, bytes.fromhex)):
        for offset in range(size):
            yield _decoded_runs(joined, places, pattern, offset, size, width, decode)


def _unquoted(text: str) -> _View:
    """Decode quoted-printable; not as a layer, because ``code=404`` is more often meant as it is."""
    found = [part for part in _QUOTED.finditer(text) if part.lastindex]
    folded, indexes = _folded("".join(part[2] or chr(int(part[1], 16)) for part in found))
    return folded, [found[index].span() for index, _ in indexes]


def _decoded_runs(
    text: str,
    places: list[int],
    pattern: re.Pattern[str],
    offset: int,
    size: int,
    width: int,
    decode: Callable[[str], bytes],
) -> _View:
    """Decode every run of an encoding from ``offset`` characters after its start.

    :param size: characters that stand for ``width`` bytes.
    """
    chars: list[str] = []
    spans: list[tuple[int, int]] = []
    for run in pattern.finditer(text):
        encoded = run[0][offset:]
        encoded = encoded[: len(encoded) // size * size] if size == 2 else encoded + "A" * (-len(encoded) % size)
        first = run.start() + offset
        for index, char in enumerate(decode(encoded).decode("latin-1")):
            last = min(run.end(), first + -(-(index + 1) * size // width)) - 1
            chars.append(char)
            spans.append((places[min(first + index * size // width, last)], places[last] + 1))
        chars.append(_SECRET)
        spans.append((0, 0))
    folded, indexes = _folded("".join(chars))
    return folded, [spans[index] for index, _ in indexes]


def _from_base64(text: str) -> bytes:
    return binascii.a2b_base64(text.translate(_STANDARD))


def _folded(text: str) -> _View:
    """Return a text for comparison: no case, accents, white space, plus signs, backslashes, control characters."""
    chars: list[str] = []
    places: list[tuple[int, int]] = []
    for place, char in enumerate(text):
        if char.isascii():
            parts = char.lower() if _is_compared(char) else ""
        elif char in (_SECRET, _USER):
            parts = char
        else:
            decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold())
            parts = "".join(part for part in decomposed if _is_compared(part))
        for part in parts:
            chars.append(part)
            places.append((place, place + 1))
    return "".join(chars), places


def _is_compared(char: str) -> bool:
    return char not in " +\\" and char.isprintable() and unicodedata.category(char) != "Mn"


def _one_line(text: str) -> str:
    """Return the text without control and direction characters, and with each white space made one space."""
    if not text.isprintable():
        text = "".join(
            char if char.isprintable() or char in (_SECRET, _USER) else " " if char.isspace() else "" for char in text
        )
    return " ".join(text.split())


def _decoded(text: str) -> str:
    """Decode one layer of encodings."""
    text = html.unescape(text) if "&" in text else text
    text = unquote(text, errors="replace") if "%" in text else text
    text = _UNICODE.sub(lambda found: _of_units(found[0]), text)
    return _ESCAPED.sub(lambda found: found[2] or chr(int(found[1], 16)), text)


def _of_units(text: str) -> str:
    r"""Return the characters of ``\u0041\ud83d\ude00``."""
    units = b"".join(int(text[start + 2 : start + 6], 16).to_bytes(2, "little") for start in range(0, len(text), 6))
    return units.decode("utf-16-le", "replace")


def _readable(text: str) -> tuple[str, bool]:
    """Return the words of a JSON error, or of a page without its markup, and whether these are all."""
    text = text.replace(_SECRET, "").replace(_USER, "")
    try:
        said = from_json(text)
    except ValueError:
        page = text[:_PAGE]
        return (_TAG.sub(" ", page) if "<" in page else page), len(text) <= _PAGE
    if isinstance(said, dict):
        words = [
            _words(said[key]) for key in _WORDED if isinstance(said.get(key), (str, int, list, dict)) and said[key]
        ]
        if words:
            return ": ".join(words), True
    return json.dumps(said, ensure_ascii=False), True


def _words(value: object) -> str:
    """Join a list of texts; return a text unchanged, and anything else as JSON."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""Takes secrets and people out of what a vendor says, before it reaches a message or a log."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable

SHOWN = 500
# An error page may have any size and a request 25,000 ids: so much of it is looked at.
READ = 100_000
# The longest id, if every character of it were escaped.
_LONGEST = 600
# An id as short as this is replaced only where it stands alone: "1" is part of every other number.
_SHORT = 3

_TAG = re.compile(
    r"<(script|style)\b.*?(?:</\1>|\Z)|<!--.*?(?:-->|\Z)|<[^<>]*>",
    re.DOTALL | re.IGNORECASE,
)
# Bounded, or a long text without what they look for takes minutes.
_EMAIL = re.compile(r"[^\s@\"'<>(),;:=]{1,100}@[^\s@\"'<>(),;]+")
_TOKEN = re.compile(r"\b(?:Bearer|Basic)\s+[\w\-.~+/=]+|\beyJ[\w\-]{1,4000}\.[\w\-.]+", re.IGNORECASE)


def clean(text: str, *, secrets: Iterable[str] = (), people: Iterable[str] = ()) -> str:
    """The first 500 characters of what a vendor said, on one line, without secrets and people's ids.

    Markup is dropped, and JSON is read first, so that an id escaped in it is found too. Cleaning comes before cutting:
    half an id would not be recognised.

    :param secrets: strings that must not appear: client secret, tokens.
    :param people: ids that were sent with the request that the vendor speaks of.
    """
    readable = _readable(text)
    text = " ".join(readable[:READ].split())
    hidden = {form for secret in secrets for form in _spellings(secret)}
    for form in sorted(hidden, key=len, reverse=True):
        text = text.replace(form, "***")
    text = _TOKEN.sub("***", text)
    present = {form for person in people for form in _spellings(person) if form in text}
    ordered = sorted(present, key=len, reverse=True)
    for start in range(0, len(ordered), 500):
        text = re.sub("|".join(map(_pattern, ordered[start : start + 500])), "[user id]", text)
    text = _EMAIL.sub("[user id]", text)
    if len(readable) > READ:
        # What was cut off may have been the rest of an id.
        text = text[:-_LONGEST] + "…"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _spellings(value: str) -> set[str]:
    """How ``value`` may stand in a text: as it is, with its spaces made one, or escaped as in JSON."""
    plain = " ".join(value.split())
    if value.isascii() and "\\" not in plain and '"' not in plain:
        return {plain} - {""}
    return {plain, json.dumps(value)[1:-1], json.dumps(plain)[1:-1], json.dumps(plain, ensure_ascii=False)[1:-1]}


def _pattern(person: str) -> str:
    return re.escape(person) if len(person) > _SHORT else rf"(?<!\w){re.escape(person)}(?!\w)"


def _readable(text: str) -> str:
    """What a person would read: a JSON error's own words, a page's words without its markup."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return html.unescape(_TAG.sub(" ", text[: 2 * READ])) if "<" in text else text
    if isinstance(said, dict):
        words = [
            _words(said[key])
            for key in ("error", "error_description", "description", "message", "detail", "details", "title")
            if isinstance(said.get(key), (str, int, list, dict)) and said[key]
        ]
        if words:
            return ": ".join(words)
    return json.dumps(said, ensure_ascii=False)


def _words(value: object) -> str:
    """A text as it is, several after one another, anything else as JSON."""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return "; ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

"""Takes secrets and people out of what a vendor says, before it reaches a message or a log."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable

SHOWN = 500

_TAG = re.compile(r"<(script|style)\b.*?</\1>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_EMAIL = re.compile(r"[^\s@\"'<>(),;:=]+@[^\s@\"'<>(),;]+")
_TOKEN = re.compile(r"\b(?:Bearer|Basic)\s+[\w\-.~+/=]+|\beyJ[\w\-]+\.[\w\-.]+", re.IGNORECASE)


def clean(text: str, *, secrets: Iterable[str] = (), people: Iterable[str] = ()) -> str:
    """The first 500 characters of what a vendor said, on one line, without secrets and people's ids.

    Markup is dropped, and JSON is read first, so that an id escaped in it is found too. Cleaning comes before cutting:
    half an id would not be recognised.

    :param secrets: strings that must not appear: client secret, tokens.
    :param people: ids that were sent with the request that the vendor speaks of.
    """
    text = _readable(text)
    for secret in sorted((s for s in secrets if s), key=len, reverse=True):
        text = text.replace(secret, "***")
    text = _TOKEN.sub("***", text)
    text = _EMAIL.sub("[user id]", text)
    present = sorted({person for person in people if person and person in text}, key=len, reverse=True)
    for start in range(0, len(present), 500):
        names = "|".join(re.escape(person) for person in present[start : start + 500])
        text = re.sub(rf"(?<!\w)(?:{names})(?!\w)", "[user id]", text)
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _readable(text: str) -> str:
    """What a person would read: a JSON error's own words, a page's words without its markup."""
    try:
        said = json.loads(text)
    except ValueError:
        return html.unescape(_TAG.sub(" ", text)) if "<" in text else text
    if isinstance(said, dict):
        words = [
            str(said[key])
            for key in ("error", "error_description", "message", "detail", "details", "title")
            if isinstance(said.get(key), (str, int, list, dict)) and said[key]
        ]
        if words:
            return ": ".join(words)
    return json.dumps(said, ensure_ascii=False)

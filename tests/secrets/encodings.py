"""The encodings in which a response may repeat what must not be shown, and the search for all of them."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from functools import cache
from urllib.parse import quote, quote_plus

ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper": str.upper,
    "percent": lambda text: quote(text, safe=""),
    "lower percent": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "json": lambda text: "".join(f"\\u{ord(char):04x}" for char in text),
    "json in json": lambda text: json.dumps(json.dumps({"a": text})),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of more": lambda text: base64.b64encode(f"x:{text}:y".encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "hex": lambda text: text.encode().hex(),
    "html": html.escape,
    "html numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "html hex in percent": lambda text: quote("".join(f"&#x{ord(char):x};" for char in text)),
    "split": lambda text: f"{text[:5]}\n  {text[5:]}",
    "directions": "\u202e".join,
}
# This many encodings fit into the 500 characters of a response that a message may quote.
GROUPS = [list(ENCODINGS)[start : start + 4] for start in range(0, len(ENCODINGS), 4)]


def found_in(text: str, needles: tuple[str, ...]) -> list[str]:
    """Return the encoded needles that a text contains, ignoring line breaks."""
    plain = "".join(text.split()).replace("\u202e", "").lower()
    return [form for form in spellings(needles) if form in plain]


@cache
def spellings(needles: tuple[str, ...]) -> set[str]:
    """Return the encoded needles, without white space and without ends that depend on adjacent text."""
    found = set()
    for needle in needles:
        for encode in ENCODINGS.values():
            found.add("".join(encode(needle).replace("\u202e", "").split()).lower().strip("=").strip('"'))
    return {form[:-4] if len(form) > 24 else form for form in found}

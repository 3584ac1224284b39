"""Replies as XML, for callers that do not accept JSON by name; the element names are invented."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from airflow_segments_provider.testing.sandbox.messages import Call, Reply

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def accepts_json(call: Call) -> bool:
    """Return whether a caller accepts JSON by name; that ``*/*`` is not enough is an assumption on the safe side."""
    ranges = call.headers.get("accept", "").lower().split(",")
    return any(text.partition(";")[0].strip() in ("application/json", "text/json") for text in ranges)


def as_xml(reply: Reply, root: str) -> Reply:
    """Return a JSON reply as XML."""
    if reply.content_type != "application/json":
        return reply
    content = _element(root, json.loads(reply.content)).encode()
    return replace(reply, content=content, content_type="application/xml; charset=utf-8")


def _element(name: str, value: object) -> str:
    tag = name[:1].upper() + name[1:] if _NAME.fullmatch(name) else "Entry"
    start = tag if _NAME.fullmatch(name) else f"Entry Name={quoteattr(_clean(name))}"
    return f"<{start}>{_inner(value)}</{tag}>"


def _inner(value: object) -> str:
    if isinstance(value, dict):
        return "".join(_element(str(name), item) for name, item in value.items())
    if isinstance(value, list):
        return "".join(_element("item", item) for item in value)
    if value is None:
        return ""
    return escape(_clean(value if isinstance(value, str) else json.dumps(value)))


def _clean(text: str) -> str:
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)

"""Replies as XML, for callers who do not say that they accept JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from xml.sax.saxutils import escape, quoteattr

from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, Reply

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def spelled(handle: Callable[[Call], Reply], settings: Callable[[], AlteryxSettings]) -> Callable[[Call], Reply]:
    """Return a handler whose replies and refusals are XML where the caller and the settings will have it so.

    That ``*/*`` is no word for JSON is an assumption on the safe side. The element names are invented.
    """

    def handle_and_spell(call: Call) -> Reply:
        xml_for = "none" if _accepts_json(call) else settings().xml_for
        try:
            reply = handle(call)
        except Refused as refusal:
            raise Refused(refusal.reply if xml_for == "none" else _as_xml(refusal.reply, "Error")) from None
        return _as_xml(reply, "Reply") if xml_for == "all" else reply

    return handle_and_spell


def _accepts_json(call: Call) -> bool:
    ranges = call.headers.get("accept", "").lower().split(",")
    return any(text.partition(";")[0].strip() in ("application/json", "text/json") for text in ranges)


def _as_xml(reply: Reply, root: str) -> Reply:
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

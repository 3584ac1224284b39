"""The fields of a token call, in each of the three types that clients send."""

from __future__ import annotations

from email import message_from_bytes
from urllib.parse import parse_qsl

from airflow_segments_provider.testing.sandbox.messages import Call

URLENCODED, MULTIPART, JSON = "application/x-www-form-urlencoded", "multipart/form-data", "application/json"


def read_fields(call: Call) -> dict[str, str] | None:
    """Return the fields; None for another type, a broken body, or a field given twice."""
    readers = {URLENCODED: _urlencoded, MULTIPART: _multipart, JSON: _json}
    if call.content_type not in readers:
        return None
    try:
        pairs = readers[call.content_type](call)
    except ValueError:
        return None
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else None


def _urlencoded(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.body.decode(), keep_blank_values=True)


def _multipart(call: Call) -> list[tuple[str, str]]:
    head = f"content-type: {call.headers['content-type']}\r\n\r\n".encode()
    message = message_from_bytes(head + call.body)
    if not message.is_multipart():
        raise ValueError("the parts cannot be told")
    pairs = []
    for part in message.get_payload():
        # Always messages in a multipart message; a text only in others.
        if isinstance(part, str):
            raise ValueError("a part that is none")
        content = part.get_payload(decode=True)
        text = content.decode() if isinstance(content, bytes) else ""
        pairs.append((str(part.get_param("name", "", "content-disposition")), text))
    return pairs


def _json(call: Call) -> list[tuple[str, str]]:
    body = call.json
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise ValueError("no object of texts")
    pairs = list(body.items())
    # JSON may spell half of a surrogate pair, which is no character: a ValueError.
    "".join(text for pair in pairs for text in pair).encode()
    return pairs

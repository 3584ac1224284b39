"""What goes between the web framework and a vendor: a call, a reply, a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from airflow_segments_provider.testing.sandbox.calls import CallRecord


@dataclass(frozen=True)
class Call:
    """A whole request; header names are in lower case, ``received_at`` is by the sandbox's clock.

    Of a query parameter given more than once, ``query`` holds the last value.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    record: CallRecord
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @cached_property
    def json(self) -> object:
        """The body; ValueError when it is no JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What a vendor answers."""

    status: int
    content: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One operation of a vendor: its name in faults and counts, what carries it out, and what the log says of it.

    ``describe`` runs before any fault and must not fail, whatever the body.
    """

    name: str
    handle: Callable[[Call], Reply]
    describe: Callable[[Call], None] | None = None


class Refused(Exception):
    """A vendor's answer that ends the handling of a call; what was begun is rolled back."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with a JSON body."""
    content = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Reply(status, content, "application/json", headers or {})


def error_reply(status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with an error code and a sentence."""
    return json_reply(status, {"error": error, "message": message}, headers)

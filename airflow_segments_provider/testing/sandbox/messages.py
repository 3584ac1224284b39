"""What passes between the web framework and a vendor: a call, a reply, a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from airflow_segments_provider.testing.sandbox.calls import CallRecord

JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class BadBody(Exception):
    """A body that is not JSON; ``reason`` is "content type", "empty" or "content"."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the body is not JSON, by its {reason}" if reason != "empty" else "the body is empty")
        self.reason = reason


@dataclass
class Call:
    """A whole request; header names are in lower case, ``received_at`` is by the sandbox's clock.

    Of a query parameter that occurs more than once, ``query`` holds the last value. The check of the call sets
    ``caller``.
    """

    method: str
    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at: float
    record: CallRecord
    query: Mapping[str, str] = field(default_factory=dict)
    caller: Any = None

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in lower case."""
        return self.headers.get("content-type", "").split(";", 1)[0].strip().lower()

    @property
    def origin(self) -> str:
        """Scheme and host under which the sandbox was reached."""
        return f"http://{self.headers.get('host', 'localhost')}"

    @property
    def bearer(self) -> str | None:
        """The token of a Bearer authorization."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else None

    @cached_property
    def json(self) -> Any:
        """The body; ValueError when it is not JSON."""
        return json.loads(self.body)

    @property
    def json_or_none(self) -> Any:
        """The body; None when it is not JSON."""
        try:
            return self.json
        except ValueError:
            return None

    def read_json(self, *content_types: str) -> Any:
        """Return the body, or raise :class:`BadBody`."""
        if self.content_type not in (content_types or (JSON,)):
            raise BadBody("content type")
        if not self.body:
            raise BadBody("empty")
        try:
            return self.json
        except ValueError:
            raise BadBody("content") from None


@dataclass(frozen=True)
class Reply:
    """What a vendor answers."""

    status: int
    content: bytes = b""
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One operation of a vendor: its name in faults and counts, and the methods of :class:`.api.Api` that serve it."""

    name: str
    handle: Callable[[Call], Reply]
    describe: Callable[[Call], None]
    refuse: Callable[[Exception], Reply]


class Refused(Exception):
    """A vendor's reply that ends the handling of a call; what was begun is rolled back."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None, content_type: str = JSON) -> Reply:
    """Answer with a JSON body."""
    content = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    return Reply(status, content, content_type, headers or {})


def token_reply(token: str, lifetime: float, token_type: str, expires_in_as: str, **fields: object) -> Reply:
    """Answer with a token.

    :param expires_in_as: "number", "string" or "absent"
    """
    body: dict[str, object] = {"access_token": token, "token_type": token_type}
    if expires_in_as != "absent":
        body["expires_in"] = str(int(lifetime)) if expires_in_as == "string" else int(lifetime)
    return json_reply(200, body | fields, {"cache-control": "no-store"})


def error_reply(status: int, error: str, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with an error code and a sentence."""
    return json_reply(status, {"error": error, "message": message}, headers)

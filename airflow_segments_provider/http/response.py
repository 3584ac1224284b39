"""The parsing of a vendor's response: a :class:`Response`, or the error that fits it."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic_core import from_json

from airflow_segments_provider.errors import (
    AuthenticationError,
    Conflict,
    NotFound,
    PermissionDenied,
    RateLimited,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.http.redact import clean
from airflow_segments_provider.http.retry import http_date, retry_after

_REQUEST_ID_HEADERS = ("X-Request-Id", "X-Correlation-Id", "X-Amzn-RequestId", "CF-Ray")
_ERRORS: dict[int, type[VendorError]] = {
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
}

# Of a body in JSON: each object and list takes some 100 bytes of memory, each other value some 40, however short.
MOST_OBJECTS, MOST_VALUES = 1_000_000, 5_000_000


@dataclass(frozen=True)
class Call:
    """A call as error messages name it.

    :param secrets: returns what no message about its response may show.
    :param user_ids: returns the user IDs in the request, which no message may show either.
    """

    vendor: str
    method: str
    path: str
    secrets: Callable[[], Iterable[str]] = field(default=tuple, repr=False, compare=False)
    user_ids: Callable[[], Iterable[str]] = field(default=tuple, repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def context(self) -> dict[str, Any]:
        """The context of its errors."""
        return {"vendor": self.vendor, "method": self.method, "path": self.path}

    def clean(self, text: str, *, user_ids: Iterable[str] = ()) -> str:
        """Return what a message may quote of a response's text.

        :param user_ids: user IDs of the response.
        """
        return clean(text, secrets=self.secrets(), user_ids=[*self.user_ids(), *user_ids])


@dataclass(frozen=True)
class Response:
    """A successful response.

    :param json: the parsed body, or None where there was none.
    :param sent: how many requests it took, repeats included.
    :param call: the request, for errors that a reader of the body finds.
    :param in_doubt: the response to an earlier try was lost: the vendor may still carry that try out, after this one.
    """

    status: int
    headers: Mapping[str, str]
    json: Any
    sent: int
    call: Call
    in_doubt: bool = False

    @property
    def context(self) -> dict[str, Any]:
        """The context of an error about it."""
        found = {"status": self.status, "request_id": request_id(self.call, self.headers), "in_doubt": self.in_doubt}
        return {**found, **self.call.context}

    @property
    def date(self) -> datetime | None:
        """The vendor's clock when it answered."""
        return http_date(self.headers.get("Date", ""))


def request_id(call: Call, headers: Mapping[str, str]) -> str | None:
    """Return the vendor's own id of a call, if it gave one."""
    return next((call.clean(headers[name])[:100] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def parse_body(call: Call, status: int, headers: Mapping[str, str], body: bytes, *, may_be_empty: bool) -> Any:
    """Return the JSON of a 2xx response.

    :raises UnexpectedReply: the body is not declared as JSON, is cut short, has too many values, or is missing where it
        matters. The request itself may have been carried out.
    """
    if not body.strip():
        if may_be_empty or status == 204:
            return None
        raise _unexpected(call, status, headers, "with an empty body")
    content_type = headers.get("Content-Type", "").partition(";")[0].strip()
    if not (content_type.lower() == "application/json" or content_type.lower().endswith("+json")):
        raise _unexpected(
            call, status, headers, f"as {call.clean(content_type)[:60] or 'an unnamed type'}, not as JSON"
        )
    if body.count(b"{") + body.count(b"[") > MOST_OBJECTS or body.count(b",") > MOST_VALUES:
        raise _unexpected(call, status, headers, "with more values in its JSON than are read into memory")
    # Raised outside of the handler: the decoder's error quotes the body, and would be the context of this one.
    with suppress(ValueError, RecursionError):
        return _decoded(body.removeprefix(codecs.BOM_UTF8))
    raise _unexpected(call, status, headers, "with JSON that is damaged or cut short")


def _decoded(body: bytes) -> Any:
    """Decode JSON.

    :raises ValueError: it is damaged, cut short, or nested too deeply.
    """
    try:
        return from_json(body)
    except ValueError as error:
        # Python's decoder goes to the interpreter's own limit of depth, where finalizers may fail.
        if "recursion limit" in str(error):
            raise
    return json.loads(body)  # accepts half of a surrogate pair, as in a name that a vendor cut within an emoji


def _unexpected(call: Call, status: int, headers: Mapping[str, str], how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{call.vendor} answered {call} with status {status} {how}. "
        "A proxy or login page in between, or a wrong host in the connection, often looks like this.",
        status=status,
        request_id=request_id(call, headers),
        maybe_done=True,
        **call.context,
    )


def error_of(call: Call, status: int, headers: Mapping[str, str], body: bytes) -> VendorError:
    """Return the typed error of a response that is neither 2xx nor a redirect."""
    said = call.clean(body.decode("utf-8", "replace"))
    quoted = f" It says: {said}{'' if said.endswith('.') else '.'}" if said else " It says nothing more."
    vendors_id = request_id(call, headers)
    reference = f" (request id {vendors_id})" if vendors_id else ""
    message = f"{call.vendor} answered {call} with status {status}{reference}.{quoted}"
    context = {"status": status, "request_id": vendors_id, "said": said, **call.context}
    if status in (429, 503):
        context["retry_after"] = wait = retry_after(headers)
        message += f" It asks to wait {wait:.0f} s." if wait is not None else ""
    if status == 429:
        return RateLimited(message, **context)
    if status >= 500 or status == 408:
        return VendorUnavailable(message, maybe_done=status != 408, **context)
    if 400 <= status < 500:
        return _ERRORS.get(status, RejectedRequest)(message, **context)
    return UnexpectedReply(message, maybe_done=True, **context)

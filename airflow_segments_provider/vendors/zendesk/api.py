"""Calls to Zendesk: both halves of its API, their pages and warnings, and advice for errors."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from urllib.parse import parse_qs, urlsplit

from airflow_segments_provider.errors import (
    AuthenticationError,
    NotFound,
    PermissionDenied,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.http.pages import pages
from airflow_segments_provider.vendors.base.api import VendorApi
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey
from airflow_segments_provider.vendors.zendesk.responses import User, UserSegment, parse_segment, parse_user, select

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.zendesk.connection import ZendeskConnectionFields


logger = logging.getLogger(__name__)

Parsed = TypeVar("Parsed")
Half = Literal["help_center", "community", "support"]

PAGE_SIZE = 100
WARNING_HEADER = "x-zendesk-api-warn"
_DROPPED = re.compile(r"(unpermitted_keys|invalid_values)\"?\s*(?:=>|:)\s*\[([^\]]*)\]")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')

NOT_A_MANAGER = (
    "User segments need a Help Center manager (Guide admin), a token with the scope `hc:read hc:write` or `read "
    "write`, and, to make some, a plan that has them (Suite Growth, Guide Professional, or above). An agent can only "
    "list the segments of one user."
)
NO_HELP_CENTER = (
    "Zendesk gives the same response where the plan has no Help Center, or it is not set up: if the credentials are "
    "right, look there."
)

_PATHS: dict[Half, tuple[str, ...]] = {
    "help_center": ("api", "v2", "help_center"),
    "community": ("api", "v2", "community"),
    "support": ("api", "v2"),
}
# Zendesk counts the requests of its two halves separately.
_RATE_BUCKETS: dict[Half, dict[str, float | None]] = {
    "help_center": {"help center": None},
    "community": {"help center": None},
    "support": {"support": None},
}

Cursor = tuple[tuple[str, str], ...]
FIRST_BY_CURSOR: Cursor = (("page[size]", str(PAGE_SIZE)),)
FIRST_BY_OFFSET: Cursor = (("page", "1"), ("per_page", str(PAGE_SIZE)))


@dataclass(frozen=True)
class _Page:
    entries: list[Any]
    response: Response


class ZendeskApi(VendorApi):
    """Calls the endpoints of the Help Center and of Support.

    :param conn_id: the Airflow connection, for messages.
    """

    vendor = "Zendesk"
    fields: ZendeskConnectionFields

    def call(
        self,
        half: Half,
        method: str,
        *path: str,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        idempotent: bool = True,
        once: bool = False,
        may_be_empty: bool = False,
        user_ids: Callable[[], Iterable[str]] = tuple,
        rate_buckets: Mapping[str, float | None] | None = None,
        handle_warnings: bool = True,
    ) -> Response:
        """Call an endpoint of one half.

        :param rate_buckets: rate buckets besides that of the half.
        :param handle_warnings: False leaves it to the caller to call :meth:`handle_warning`.
        :raises UnexpectedReply: Zendesk warns of dropped fields, and the connection has ``warnings_are_errors``.
        """
        try:
            response = self.client.request(
                method,
                (*_PATHS[half], *path),
                body=body,
                query=query,
                idempotent=idempotent,
                once=once,
                may_be_empty=may_be_empty,
                user_ids=user_ids,
                rate_buckets={**_RATE_BUCKETS[half], **(rate_buckets or {})},
            )
        except VendorError as error:
            for hint in self._hints(error, half):
                error.add_hint(hint)
            raise self._located(error) from None
        if handle_warnings:
            self.handle_warning(response)
        return response

    def _hints(self, error: VendorError, half: Half) -> Iterator[str]:
        if isinstance(error, AuthenticationError):
            if self.fields.auth != "oauth":
                yield "This token is not renewed: put another into the connection, or use `auth` oauth."
            if half != "support":
                yield NO_HELP_CENTER
        elif isinstance(error, PermissionDenied) and half != "support":
            yield NOT_A_MANAGER
        elif isinstance(error, PermissionDenied):
            yield "Users need an agent, and a token with the scope `users:read users:write` or `read write`."
        elif isinstance(error, NotFound):
            yield "Zendesk does not have what the path names, or the connection's host is not that of the account."

    def _located(self, error: VendorError) -> VendorError:
        return error if self.where in error.hints else error.add_hint(self.where)

    def handle_warning(self, response: Response) -> None:
        """Log a warning of Zendesk about fields that it dropped.

        :raises UnexpectedReply: the connection has ``warnings_are_errors``.
        """
        said = response.headers.get(WARNING_HEADER)
        if not said or (what := _dropped(said)) == "":
            return
        message = (
            f"Zendesk carried {response.call} out only in part and warns: {response.call.clean(what)}. What it names "
            "was dropped. Check the names of the fields."
        )
        if self.fields.warnings_are_errors:
            raise self._located(UnexpectedReply(message, maybe_done=response.call.method != "GET", **response.context))
        logger.warning("%s %s", message, self.where)

    def read_key(self, response: Response, key: str, parse: Callable[[Any], Parsed]) -> Parsed:
        """Parse the value of a key in a response.

        :raises UnexpectedReply: the key is missing, or its value is invalid.
        """
        if not isinstance(response.json, Mapping) or key not in response.json:
            raise self.unexpected(response, f"it lacks `{key}`.")
        return self._parsed(response, response.json[key], parse)

    def _parsed(self, response: Response, value: Any, parse: Callable[[Any], Parsed]) -> Parsed:
        try:
            return parse(value)
        except UnexpectedReply as error:
            raise self.unexpected(response, str(error)) from None

    def unexpected(self, response: Response, said: str) -> UnexpectedReply:
        """Return the error of a response that is invalid; a write may have been carried out."""
        error = UnexpectedReply(
            f"Zendesk answered {response.call} with status {response.status}, but: {said}",
            maybe_done=response.call.method != "GET",
            **response.context,
        )
        error.add_hint(self.where)
        return error

    # Lists ---------------------------------------------------------------------------------------------------------

    def listed(
        self,
        half: Half,
        *path: str,
        parse: Callable[[Any], Parsed],
        query: Mapping[str, str] | None = None,
        first: Cursor = FIRST_BY_CURSOR,
        user_ids: Callable[[], Iterable[str]] = tuple,
    ) -> Iterator[Parsed]:
        """Yield the entries of a list, with one page in memory.

        :param first: the first page by cursor or by offset; if Zendesk answers with the other kind, that is followed.
        :raises UnexpectedReply: a page is invalid, or leads back to an earlier one.
        """
        key = _KEYS.get(path[-1], path[-1])

        def fetch(cursor: Any) -> _Page:
            response = self.call(half, "GET", *path, query={**(query or {}), **dict(cursor)}, user_ids=user_ids)
            return _Page(self.read_key(response, key, _as_list), response)

        try:
            for page in pages(fetch, first, self._following):
                for entry in page.entries:
                    yield self._parsed(page.response, entry, parse)
        except UnexpectedReply as error:
            raise self._located(error) from None

    def _following(self, page: _Page) -> Cursor | None:
        """Return the next page's cursor or number; not its address, which may have another host.

        Support has a link to a next page even on the last one, so ``has_more`` decides.
        """
        body = page.response.json
        meta = body.get("meta")
        if isinstance(meta, Mapping):
            if meta.get("has_more") is False:
                return None
            links = body.get("links")
            link = links.get("next") if isinstance(links, Mapping) else None
            after = meta.get("after_cursor") or _of_link(link, "page[after]")
            if meta.get("has_more") is True and isinstance(after, str):
                return (*FIRST_BY_CURSOR, ("page[after]", after))
        elif body.get("next_page") is not None:
            number = _of_link(body["next_page"], "page") or ""
            if number.isascii() and number.isdigit():
                return (("page", number), ("per_page", str(PAGE_SIZE)))
        elif "next_page" in body or len(page.entries) < PAGE_SIZE:
            return None
        raise self.unexpected(page.response, "the page does not show whether and where the list continues.")

    # Who calls -----------------------------------------------------------------------------------------------------

    def caller(self) -> User | None:
        """Return the user of these credentials, or None if Zendesk refuses them.

        This call needs no permission and has no 401, so an expired token is renewed here, once.
        """
        token = self.client.token().value
        found = self._caller()
        if found is None and self.client.token(refused=token).value != token:
            found = self._caller()
        return found

    def _caller(self) -> User | None:
        return self.read_key(self.call("support", "GET", "users", "me"), "user", _as_caller)

    # User segments -------------------------------------------------------------------------------------------------

    def segments(self, built_in: bool | None = None) -> Iterator[UserSegment]:
        """Yield all user segments, or only built-in ones, or only others."""
        query = {} if built_in is None else {"built_in": str(built_in).lower()}
        for segment in self.listed("help_center", "user_segments", parse=parse_segment, query=query):
            if built_in is None or segment.built_in == built_in:
                yield segment

    def segment(self, user_segment_id: int) -> UserSegment:
        """Return a user segment by its ID."""
        response = self.call("help_center", "GET", "user_segments", str(user_segment_id))
        return self.read_key(response, "user_segment", parse_segment)

    def find(self, key: UserSegmentKey) -> UserSegment | None:
        """Find a segment by its name.

        :raises Conflict: several segments have that name.
        """
        return select(list(self.segments(built_in=False)), key)

    def found(self, key: UserSegmentKey) -> UserSegment:
        """Return a segment; an ID needs one call, a name the whole list.

        :raises NotFound: Zendesk does not have it.
        """
        if key.user_segment_id:
            return self.segment(key.user_segment_id)
        found = self.find(key)
        if found is None:
            raise self.missing(key)
        return found

    def missing(self, key: UserSegmentKey) -> NotFound:
        """Return the error of a segment that does not exist."""
        error = NotFound(
            f"Zendesk has no {key}; nothing was changed. Create it first, or name another. Built-in segments are named "
            "by their `user_segment_id`.",
            vendor=self.vendor,
        )
        error.add_hint(self.where)
        return error


# The key of a list in its response, if it is not the last part of the path.
_KEYS = {"applicable": "user_segments", "search": "users"}


def _dropped(warning: str) -> str:
    """Return the fields in a warning, which is JSON or a Ruby hash; for any other text, the whole text."""
    lists = [(kind, _QUOTED.findall(fields)) for kind, fields in _DROPPED.findall(warning)]
    named = "; ".join(f"{kind} {', '.join(fields)}" for kind, fields in lists if fields)
    return named if lists else warning


def _as_caller(value: Any) -> User | None:
    if isinstance(value, Mapping) and (not value.get("id") or value.get("name") == "Anonymous user"):
        return None
    return parse_user(value)


def _as_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise UnexpectedReply("the list is not an array.")
    return value


def _of_link(link: Any, parameter: str) -> str | None:
    """Return a parameter of a link's query."""
    try:
        found = parse_qs(urlsplit(link).query).get(parameter) if isinstance(link, str) else None
    except ValueError:
        return None
    return found[0] if found else None

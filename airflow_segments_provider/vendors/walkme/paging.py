"""The pages of WalkMe's list of segments. WalkMe does not document any paging, so the common forms are recognised."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

from requests.utils import parse_header_links

from airflow_segments_provider.errors import NotFound, RejectedRequest, UnexpectedReply
from airflow_segments_provider.http.pages import pages
from airflow_segments_provider.http.transport import origin_of
from airflow_segments_provider.vendors.walkme.responses import (
    ResponseField,
    failure_of_list,
    fields,
    find_entries,
    guid_in,
    parse_segments,
    plain,
    whole_number,
)

if TYPE_CHECKING:
    from airflow_segments_provider.http import Response
    from airflow_segments_provider.vendors.walkme.responses import Segment


_NEXT = re.compile(r"(odata)?next(link|url|uri|href|page|pageurl|pagelink|pageuri)?")
_TOKEN = re.compile(r"next(page)?(cursor|token|offset|skip|start|startindex)|continuationtoken|cursor")
_MORE = re.compile(
    r"(has|is)?(more|next)(available|pages?|results|items|data)?|(is)?truncated|(is)?partial|(is)?incomplete(results)?"
)
_LAST = re.compile(r"(is)?last(page)?|(is)?(complete|done)")
_PAGES = re.compile(r"(total|num|numberof)?pages?(total|count)|(total|num|numberof)?pages|(total|last)page|last")
_TOTAL = re.compile(
    r"(odata)?count|total(count|results?|items?|elements?|records?|segments?|size|rows|entries|number|hits)?"
    r"|(segments?|records?|results?|items?|elements?|entries|rows)(count|total)"
)
_NUMBER = re.compile(r"page(number|no|index)?|currentpage|current")
_OFFSET = re.compile(r"offset|skip|start|startindex|startat")
_SIZE = re.compile(r"limit|pagesize|pagelimit|perpage|itemsperpage|maxresults|top|take")
# Keys that may announce more pages in an unknown form; and keys that only resemble them.
_SUSPECT = re.compile(r"next|more|cursor|continuation|total|remaining|truncat|pagetoken|scroll")
_BEHIND = re.compile(r"(prev|first|self|last|current|start|before|hasprev|hasfirst).*")
_IN_HEADERS = re.compile(r"x-|(total|page|next|pagination)-")
_HEADER_PREFIX = re.compile(r"^x-(?!.*(rate|time)).*?(?=total|next)|^(x-)?(pagination-)?")
_RANGE = re.compile(r"\s*\w+ .*/(\d{1,9})\s*")
_URL = re.compile(r"(https?:)?//|/|[\w./-]*\?[\w.-]+=", re.IGNORECASE)
_ADDRESSES = ("href", "url", "link", "uri")
_PARAMETERS = frozenset(
    {"cursor", "after", "token", "pagetoken", "page", "pagenumber", "offset", "skip", "startindex"}
) | {
    "limit",
    "size",
    "pagesize",
    "perpage",
}

Query = tuple[tuple[str, str], ...]


@dataclass
class Paging:
    """The statements of a page about other pages; several values of one kind may contradict one another.

    :param url: of the list, without a query.
    :ivar queries: of the next page, from an address or an object.
    :ivar tokens: of the next page, with the parameter that takes it.
    :ivar more: whether there are further pages.
    :ivar numbers: of this page; ``offsets``: of its first segment; with the parameter that asks for it.
    :ivar ends: the page has a field for a next page, which is empty.
    :ivar unclear: a key that may announce more pages in an unknown form.
    """

    url: str
    queries: set[Query] = field(default_factory=set)
    tokens: set[tuple[str, str]] = field(default_factory=set)
    more: set[bool] = field(default_factory=set)
    totals: set[int] = field(default_factory=set)
    pages: set[int] = field(default_factory=set)
    numbers: set[tuple[str, int]] = field(default_factory=set)
    offsets: set[tuple[str, int]] = field(default_factory=set)
    sizes: set[int] = field(default_factory=set)
    ends: bool = False
    unclear: str = ""

    def read(self, answer: Any, entries: list[Any], status: int, headers: Mapping[str, str]) -> Paging:
        """Read the statements of a page; its segments are skipped.

        :raises UnexpectedReply: the next page is not one of this list on this server.
        """
        for found in fields(answer, but=entries):
            self._take(found)
        for found in _header_fields(headers):
            self._take(found)
        for link in parse_header_links(headers.get("Link", "")):
            self._take_link(link)
        if total := _RANGE.fullmatch(headers.get("Content-Range", "")):
            self.totals.add(int(total[1]))
        elif status == 206:
            self.more.add(True)
        return self

    def _take(self, found: ResponseField) -> None:
        name, value = found.plain, found.value
        if _NEXT.fullmatch(found.parent) or _BEHIND.fullmatch(found.parent):
            return  # read with the parent, or irrelevant
        if isinstance(value, list):
            for link in value if name in ("link", "links") else ():
                self._take_link(link)
            if value and _is_suspect(name):
                self.unclear = found.key
        elif _NEXT.fullmatch(name):
            self._take_next(found)
        elif isinstance(value, Mapping):
            pass  # its fields are read one by one
        elif _TOKEN.fullmatch(name):
            self._take_token(found)
        elif isinstance(value, bool) and _LAST.fullmatch(name):
            self.more.add(not value)
        elif _MORE.fullmatch(name):
            self.more.add(_truth(value))
        elif not self._take_number(found) and _is_suspect(name) and _truth(value):
            self.unclear = found.key

    def _take_number(self, found: ResponseField) -> bool:
        """Take a number; return whether its kind is known."""
        name, number = found.plain, whole_number(found.value)
        if number is None:
            return False
        if _PAGES.fullmatch(name) or (name == "total" and found.parent in ("page", "pages")):
            self.pages.add(number)
        elif _TOTAL.fullmatch(name):
            self.totals.add(number)
        elif _NUMBER.fullmatch(name) or (name == "number" and found.parent == "page"):
            self.numbers.add((found.key if name.startswith("page") or name == "current" else "page", number))
        elif _OFFSET.fullmatch(name):
            self.offsets.add((found.key, number))
        elif _SIZE.fullmatch(name):
            self.sizes.add(number)
        else:
            return False
        return True

    def _take_next(self, found: ResponseField) -> None:
        value = found.value
        if isinstance(value, Mapping):
            self._take_object(found)
        elif not _truth(value):
            self.ends = True
        elif isinstance(value, str) and _URL.match(value):
            self.queries.add(self._query_of(value))
        elif value is True or found.plain == "next":
            # The number of the next page, or true; for a bare token, the parameter is unknown.
            known = value is True or whole_number(value) is not None
            self.more.add(True)
            self.unclear = self.unclear if known else found.key
        elif whole_number(value) is not None:
            self._take_token(found)
        else:
            self.unclear = found.key

    def _take_object(self, found: ResponseField) -> None:
        """Take the object that describes the next page: its address, or its parameters."""
        if address := next((value for key, value in found.value.items() if plain(key) in _ADDRESSES and value), None):
            self.queries.add(self._query_of(str(address)))
        elif not any(_truth(value) for value in found.value.values()):
            self.ends = True
        elif all(plain(key) in _PARAMETERS and _is_scalar(value) for key, value in found.value.items()):
            self.queries.add(tuple((key, str(value)) for key, value in found.value.items()))
        else:
            self.unclear = found.key

    def _take_token(self, found: ResponseField) -> None:
        if not _truth(found.value):
            self.ends = True
            return
        parameter = found.key
        if found.plain != "nexttoken":  # `nextPageToken` is sent as `pageToken`, but `nextToken` as `nextToken`
            parameter = re.sub(r"^next[_-]?", "", parameter, flags=re.IGNORECASE)
        if found.key[:1].islower():
            parameter = parameter[:1].lower() + parameter[1:]
        self.tokens.add((parameter, str(found.value)))

    def _take_link(self, link: Any) -> None:
        """Take a link with a relation, as in the header ``Link``."""
        if not isinstance(link, Mapping):
            return
        relation = str(link.get("rel", link.get("relation", ""))).lower().split()
        address = next((link[key] for key in _ADDRESSES if link.get(key)), None)
        if "next" in relation and address:
            self.queries.add(self._query_of(str(address)))

    def _query_of(self, address: str) -> Query:
        """Return the query of the next page, if it is a page of the same list on the same server.

        :raises UnexpectedReply: it is not.
        """
        with suppress(ValueError):
            there, here = urljoin(self.url, address), self.url
            query = parse_qsl(urlsplit(there).query, keep_blank_values=True, max_num_fields=20)
            unique = len(dict(query)) == len(query)
            if unique and origin_of(there) == origin_of(here) and _steps(there) == _steps(here):
                return tuple(query)
        raise UnexpectedReply("the address of its next page is not one of this list on this server")


def _header_fields(headers: Mapping[str, str]) -> Iterator[ResponseField]:
    """Yield the headers about pages as fields."""
    for name, value in headers.items():
        if not _IN_HEADERS.match(name.lower()):
            continue
        key = _HEADER_PREFIX.sub("", name.lower())
        if key in ("pagination", "paging", "page-info"):
            with suppress(ValueError, RecursionError):
                yield from fields(json.loads(value))
        elif any(kind.fullmatch(plain(key)) for kind in (_NEXT, _TOKEN, _MORE, _PAGES, _TOTAL, _NUMBER)):
            yield ResponseField(plain(key), key, "", value)


def _steps(url: str) -> list[str]:
    """Return the parts of a URL's path; a GUID may be spelled in several ways."""
    return [guid_in(part) or part for part in map(unquote, urlsplit(url).path.rstrip("/").split("/"))]


def _truth(value: Any) -> bool:
    return (
        value.strip().lower() not in ("", "0", "false", "no", "null", "none") if isinstance(value, str) else bool(value)
    )


def _is_suspect(name: str) -> bool:
    return _SUSPECT.search(name) is not None and not _BEHIND.fullmatch(name)


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str) or type(value) is int


# 20,000 segments at 10 a page.
MOST_PAGES = 2_000


@dataclass(frozen=True)
class Cursor:
    """The request for a page.

    :param position: the number or offset that the page must state, to show that the server understood the query.
    :param derived: the query was composed of values in the response, which has no complete query.
    :param promised: the previous page announced it.
    """

    query: Query = ()
    position: int | None = None
    derived: bool = False
    promised: bool = False


@dataclass(frozen=True)
class Page:
    """A page, and its statements about other pages."""

    cursor: Cursor
    segments: list[Segment]
    paging: Paging


class SegmentList:
    """The list of one system.

    A complete query in a response is sent unchanged. A query can also be derived from a cursor, a page number or an
    offset; then the page must show that the server understood it.

    :param call: fetches a page by its query.
    :param url: of the list.
    """

    def __init__(self, call: Callable[[Mapping[str, str]], Response], url: str, system: str) -> None:
        self._call = call
        self._url = url
        self._system = system
        self._segments: dict[str, Segment] = {}
        self._pages = 0
        self._empty = False
        self._clean: Callable[[str], str] = str

    def read(self) -> list[Segment]:
        """Read all pages.

        :raises UnexpectedReply: the list cannot be read to its end, or cannot be understood.
        """
        for page in pages(self._fetch, Cursor(), self._following):
            del page
        return list(self._segments.values())

    def _fetch(self, cursor: Hashable) -> Page:
        cursor = cast(Cursor, cursor)
        try:
            response = self._call(dict(cursor.query))
        except (NotFound, RejectedRequest) as error:
            if not self._pages:
                raise
            why = f"WalkMe answered the request for its page {self._pages + 1} with status {error.status}"
            raise self._incomplete(why) from None
        self._clean = response.call.clean
        entries = self._entries(response)
        try:
            segments = parse_segments(entries, system=self._system)
        except UnexpectedReply as error:
            raise _unread(error, response) from None
        try:
            paging = Paging(self._url).read(response.json, entries, response.status, response.headers)
        except UnexpectedReply as error:
            raise self._incomplete(str(error)) from None
        return Page(cursor, segments, paging)

    def _entries(self, response: Response) -> list[Any]:
        try:
            entries = find_entries(response.json)
        except UnexpectedReply as error:
            raise _unread(error, response) from None
        if failure := failure_of_list(response.json, entries):
            reported = f"WalkMe's list of segments reports a failure (`{self._clean(failure)[:60]}`)."
            raise _unread(UnexpectedReply(reported), response)
        return entries

    def _following(self, page: Page) -> Cursor | None:
        """Return the request for the next page, or None after the last."""
        self._pages += 1
        if self._pages >= MOST_PAGES:
            raise self._incomplete(f"it goes on after {MOST_PAGES:,} pages")
        for segment in page.segments:
            if segment.segment_guid in self._segments:
                raise self._incomplete(f"its page {self._pages} repeats a segment")
            self._segments[segment.segment_guid] = segment
        self._check_answered(page)
        following = self._next(page)
        if following is None:
            self._check_end(page)
        return following

    def _check_answered(self, page: Page) -> None:
        """Check that a page is the one that was requested."""
        cursor, paging = page.cursor, page.paging
        if cursor.position is not None and cursor.position not in {at for _, at in paging.numbers | paging.offsets}:
            raise self._incomplete(f"its page {self._pages} does not show that the server understood the query for it")
        if not page.segments and cursor.promised and (cursor.derived or self._empty):
            raise self._incomplete(f"its page {self._pages} has no segments, though it was announced")
        self._empty = not page.segments

    def _next(self, page: Page) -> Cursor | None:
        paging, count = page.paging, len(self._segments)
        if len(paging.more) > 1 or len(paging.queries) > 1 or (len(paging.tokens) > 1 and not paging.queries):
            raise self._incomplete("it announces its next page in several ways that differ")
        ended = False in paging.more
        for query in paging.queries:
            # Some servers return an address even on the last page.
            at_end = not page.segments and (ended or count in paging.totals)
            return None if at_end else Cursor(query, promised=True)
        if ended:
            return None
        for token in paging.tokens:
            return Cursor((token,), derived=True, promised=True)
        if paging.unclear:
            raise self._incomplete(
                f"`{self._clean(paging.unclear)[:60]}` may announce more of it, in a form that is not known"
            )
        promised = True in paging.more or any(total > count for total in paging.totals) or self._pages_left(paging)
        silent = not (paging.ends or paging.totals or paging.pages or paging.more)
        full = silent and any(len(page.segments) >= size for size in paging.sizes)
        return self._step(page, promised=promised) if promised or full else None

    def _step(self, page: Page, *, promised: bool) -> Cursor:
        """Return the request for the next page by the number or offset of this one."""
        numbers, offsets = page.paging.numbers, page.paging.offsets
        at = numbers or offsets
        if len(at) != 1 or not page.segments:
            raise self._incomplete("there is more of it, and the response does not say how to fetch it")
        parameter, position = next(iter(at))
        if self._pages == 1 and position > 1:
            raise self._incomplete(f"it begins at `{parameter}` {position}")
        position += 1 if numbers else len(page.segments)
        return Cursor(((parameter, str(position)),), position, derived=True, promised=promised)

    def _check_end(self, page: Page) -> None:
        count = len(self._segments)
        for total in page.paging.totals:
            # The count may be that of the page.
            if total not in (count, len(page.segments)):
                raise self._incomplete(f"it announces {total:,} segments and has {count:,}")
        if self._pages_left(page.paging):
            raise self._incomplete("it announces more pages")

    def _pages_left(self, paging: Paging) -> bool:
        return any(number > self._pages for number in paging.pages)

    def _incomplete(self, why: str) -> UnexpectedReply:
        return UnexpectedReply(
            f"WalkMe's list of segments is incomplete: {why}. {len(self._segments):,} segments were read, and whether "
            "there are others is not known. Name the segment by its GUID where that is possible.",
            vendor="WalkMe",
        )


def _unread(error: UnexpectedReply, response: Response) -> UnexpectedReply:
    return UnexpectedReply(f"{error} It answered {response.call} with status {response.status}.", **response.context)

"""Reading a list of WalkMe segments page by page, to its end or not at all."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from airflow_segments_provider.errors import NotFound, RejectedRequest, UnexpectedReply
from airflow_segments_provider.http.pages import pages
from airflow_segments_provider.models.walkme_paging import Paging, Query
from airflow_segments_provider.models.walkme_responses import failure_of_list, find_entries, parse_segments

if TYPE_CHECKING:
    from airflow_segments_provider.http import Reply
    from airflow_segments_provider.models.walkme import Segment

# Of 10 segments each, 20,000.
MOST_PAGES = 2_000


@dataclass(frozen=True)
class Cursor:
    """The request for a page.

    :param position: the number or offset that the page must state, to show that the server understood the query.
    :param derived: the query was composed from what the response states, not given by it.
    :param promised: the page before announced it.
    """

    query: Query = ()
    position: int | None = None
    derived: bool = False
    promised: bool = False


@dataclass(frozen=True)
class Page:
    """A page, and what it says of the others."""

    cursor: Cursor
    segments: list[Segment]
    paging: Paging


class SegmentList:
    """The list of one system.

    A query that the response gives is sent as it is. One that can only be derived (a cursor, a page number, an offset)
    is sent, too, and the page must then show that the server understood it.

    :param call: fetches a page by its query.
    :param url: of the list.
    """

    def __init__(self, call: Callable[[Mapping[str, str]], Reply], url: str, system: str) -> None:
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
            reply = self._call(dict(cursor.query))
        except (NotFound, RejectedRequest) as error:
            if not self._pages:
                raise
            why = f"WalkMe answered the request for its page {self._pages + 1} with status {error.status}"
            raise self._incomplete(why) from None
        self._clean = reply.call.clean
        entries = self._entries(reply)
        try:
            segments = parse_segments(entries, system=self._system)
        except UnexpectedReply as error:
            raise _unread(error, reply) from None
        try:
            paging = Paging(self._url).read(reply.json, entries, reply.status, reply.headers)
        except UnexpectedReply as error:
            raise self._incomplete(str(error)) from None
        return Page(cursor, segments, paging)

    def _entries(self, reply: Reply) -> list[Any]:
        try:
            entries = find_entries(reply.json)
        except UnexpectedReply as error:
            raise _unread(error, reply) from None
        if failure := failure_of_list(reply.json, entries):
            reported = f"WalkMe's list of segments reports a failure (`{self._clean(failure)[:60]}`)."
            raise _unread(UnexpectedReply(reported), reply)
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
        """Check that a page is the one that was asked for."""
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
            # Some servers give an address after the last page, too.
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
            # A count may be of the page.
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


def _unread(error: UnexpectedReply, reply: Reply) -> UnexpectedReply:
    return UnexpectedReply(f"{error} It answered {reply.call} with status {reply.status}.", **reply.facts)

"""The two ways to page, and the two halves' different envelopes of each."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from airflow_segments_provider.testing.sandbox.messages import Call, Reply
from airflow_segments_provider.testing.sandbox.zendesk.bodies import bad_request, json_reply
from airflow_segments_provider.testing.sandbox.zendesk.constants import MAX_PAGE_SIZE, is_help_center
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings
from airflow_segments_provider.testing.sandbox.zendesk.state import as_id

# After every ID that exists, and still what a cursor can hold.
_BEYOND = 10**17


@dataclass(frozen=True)
class Listing:
    """What can be paged through: IDs in their order, and how some of them become objects."""

    key: str
    ids: Sequence[int]
    render: Callable[[Sequence[int]], list[dict[str, object]]]
    per_page: int = MAX_PAGE_SIZE
    cursor: bool = True


def value(call: Call, name: str) -> str | None:
    """Return a parameter of the query; None when absent or empty, which are assumed to be the same."""
    return call.query.get(name) or None


def page_reply(call: Call, listing: Listing, settings: ZendeskSettings) -> Reply:
    """Answer with one page; a size chooses the cursor, where there is one."""
    if listing.cursor and value(call, "page[size]") is not None:
        return _cursor_reply(call, listing, settings)
    return _offset_reply(call, listing, settings)


def _cursor_reply(call: Call, listing: Listing, settings: ZendeskSettings) -> Reply:
    size = _size(value(call, "page[size]"), MAX_PAGE_SIZE, settings)
    ids, before = listing.ids, value(call, "page[before]")
    if before is not None:
        end = bisect_left(ids, _position(before))
        start = max(0, end - size)
    else:
        after = value(call, "page[after]")
        start = 0 if after is None else bisect_right(ids, _position(after))
        end = min(len(ids), start + size)
    shown = ids[start:end]
    # Beyond an end, the cursors lead back to it.
    first = shown[0] if shown else (_BEYOND if start else 0)
    last = shown[-1] if shown else first
    cursors = [_cursor(last), _cursor(first)] if ids else [None, None]
    more = start > 0 if before is not None else end < len(ids)
    body: dict[str, object] = {
        listing.key: listing.render(shown),
        "meta": {"has_more": more, "after_cursor": cursors[0], "before_cursor": cursors[1]},
    }

    def link(**page: str | None) -> str:
        return _link(call, settings, {f"page[{name}]": text for name, text in page.items()})

    after_link, before_link = link(size=str(size), after=cursors[0]), link(size=str(size), before=cursors[1])
    if not is_help_center(call.path):
        body["links"] = {"prev": before_link if ids else None, "next": after_link if ids else None}
        return json_reply(200, body)
    links = {"first": link(size=str(size)), "last": link(size=str(size), before=_cursor(_BEYOND))}
    headers = {}
    if start > 0:
        links["prev"] = before_link
    if end < len(ids):
        links["next"] = after_link
        headers["link"] = f'<{after_link}>; rel="next"'
    return json_reply(200, {**body, "links": links}, headers)


def _offset_reply(call: Call, listing: Listing, settings: ZendeskSettings) -> Reply:
    size = _size(value(call, "per_page"), listing.per_page, settings)
    page = max(1, _number(value(call, "page"), 1))
    pages_end, records_end = settings.max_offset_pages, settings.max_offset_records
    too_deep = pages_end is not None and page > pages_end
    if too_deep or (records_end is not None and (page - 1) * size >= records_end):
        raise bad_request("InvalidPaginationDepth", "Offset paging ends here: use cursor paging")
    count, start = len(listing.ids), (page - 1) * size
    kept = {"per_page": str(size)} if value(call, "per_page") is not None else {}

    def link(other: int) -> str:
        return _link(call, settings, {"page": str(other), **kept})

    previous_page = link(page - 1) if page > 1 else None
    next_page = link(page + 1) if start + size < count else None
    body: dict[str, object] = {listing.key: listing.render(listing.ids[start : start + size])}
    if is_help_center(call.path):
        body |= {"page": page, "per_page": size, "page_count": -(-count // size)}
    return json_reply(200, {**body, "previous_page": previous_page, "next_page": next_page, "count": count})


def _link(call: Call, settings: ZendeskSettings, page: Mapping[str, str | None]) -> str:
    """Return a link; the Help Center's links lack the suffix of the path."""
    kept = [
        (key, text)
        for key, text in call.query.items()
        if not key.startswith("page[") and key not in ("page", "per_page")
    ]
    query = urlencode([*kept, *((key, text) for key, text in page.items() if text is not None)])
    path = call.path.removesuffix(".json") if is_help_center(call.path) else call.path
    return f"{settings.link_origin or call.origin}{path}?{query}"


def _size(text: str | None, default: int, settings: ZendeskSettings) -> int:
    size = _number(text, default)
    if size < 1 or (size > MAX_PAGE_SIZE and settings.over_page_size == "refuse"):
        raise bad_request("InvalidPaginationParameter", f"A page has 1 to {MAX_PAGE_SIZE} records")
    return min(size, MAX_PAGE_SIZE)


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise bad_request("InvalidPaginationParameter", "A page or its size is not a number")
    return int(text)


def _cursor(number: int) -> str:
    return base64.urlsafe_b64encode(f"id:{number}".encode()).decode().rstrip("=")


def _position(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    kind, _, number = text.partition(":")
    if kind != "id" or not number.isdigit():
        raise bad_request("InvalidPaginationParameter", "The cursor does not belong to this list")
    return as_id(number)

"""Paging as an iterator that holds one page and refuses to go round in circles."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

from airflow_segments_provider.errors import UnexpectedReply

Page = TypeVar("Page")


def pages(
    fetch: Callable[[Hashable], Page], first: Hashable, following: Callable[[Page], Hashable | None]
) -> Iterator[Page]:
    """Yield page after page.

    :param fetch: fetches the page that a cursor (a number, a token, a path) names.
    :param first: the first cursor.
    :param following: reads the next cursor from a page, by the vendor's own flag; None after the last page.
    :raises UnexpectedReply: a cursor came up twice, which would never end.
    """
    seen: set[Hashable] = set()
    cursor: Hashable | None = first
    while cursor is not None:
        if cursor in seen:
            raise UnexpectedReply(f"The vendor's page {len(seen)} points back to an earlier page: the list has no end.")
        seen.add(cursor)
        page = fetch(cursor)
        yield page
        cursor = following(page)

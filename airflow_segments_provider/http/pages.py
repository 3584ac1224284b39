"""Paging as an iterator that holds one page and ends, whatever cursors the vendor returns."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Hashable, Iterator
from typing import TypeVar

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.progress import ProgressLog

Page = TypeVar("Page")

logger = logging.getLogger(__name__)

# Two million entries at 100 a page.
MOST_PAGES = 20_000


def pages(
    fetch: Callable[[Hashable], Page], first: Hashable, following: Callable[[Page], Hashable | None]
) -> Iterator[Page]:
    """Yield page after page.

    :param fetch: fetches the page that a cursor (a number, a token, a path) names.
    :param first: the first cursor.
    :param following: reads the next cursor from a page, by the vendor's own flag; None after the last page.
    :raises UnexpectedReply: a cursor repeats, so that the list would never end, or there are too many pages.
    """
    seen: set[bytes] = set()
    progress = ProgressLog(logger, "pages read")
    cursor: Hashable | None = first
    while cursor is not None:
        # The digest: a cursor may have any length.
        digest = hashlib.sha256(repr(cursor).encode("utf-8", "replace")).digest()
        if digest in seen:
            raise UnexpectedReply(f"The vendor's page {len(seen)} points back to an earlier page: the list has no end.")
        seen.add(digest)
        check_count(len(seen))
        page = fetch(cursor)
        progress.add()
        yield page
        cursor = following(page)


def check_count(number: int) -> None:
    """Check that a list may have a page of this number.

    :raises UnexpectedReply: the number is so large that the list seems to have no end.
    """
    if number > MOST_PAGES:
        raise UnexpectedReply(
            f"The vendor's list goes on after {MOST_PAGES:,} pages: it seems to have no end. It was read no further."
        )

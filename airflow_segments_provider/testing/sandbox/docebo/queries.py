"""What Docebo demands of the parameters of lists."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.docebo import errors
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.sql import Page
from airflow_segments_provider.testing.sandbox.messages import Call

_FLAGS = {"true": True, "1": True, "false": False, "0": False, "": False}


def read_page(call: Call, settings: DoceboSettings, sorts: tuple[str, ...], default: str) -> Page:
    """Return the wanted page, or refuse the parameters.

    :param sorts: the attributes to sort by
    :param default: the attribute or column that sorts when none is asked for
    """
    query = call.query
    sort, way = query.get("sort_attr", default), query.get("sort_dir", "asc").lower()
    if "sort_attr" in query and sort not in sorts:
        raise errors.refused(400, f"sort_attr must be one of {', '.join(sorts)}", settings)
    if way not in ("asc", "desc"):
        raise errors.refused(400, "sort_dir must be asc or desc", settings)
    size = read_number(call, "page_size", settings.page_size, settings)
    if size > settings.max_page_size and settings.large_page_size == "refuse":
        raise errors.refused(400, f"page_size must be at most {settings.max_page_size}", settings)
    number = read_number(call, "page", 1, settings)
    if settings.list_cursor and number > 1 and query.get("cursor") != cursor_of(number - 1):
        raise errors.refused(400, "the cursor of the page before is missing", settings)
    return Page(number, min(size, settings.max_page_size), query.get("search_text", ""), sort, way == "desc")


def read_number(call: Call, name: str, default: int, settings: DoceboSettings) -> int:
    """Return a whole number from 1, or refuse it."""
    text = call.query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise errors.refused(400, f"{name} must be a positive whole number", settings)
    return int(text)


def read_flag(call: Call, name: str, settings: DoceboSettings) -> bool:
    """Return whether something is asked for, or refuse the word."""
    text = call.query.get(name, "").lower()
    if text not in _FLAGS:
        raise errors.refused(400, f"{name} must be true or false", settings)
    return _FLAGS[text]


def cursor_of(page: int) -> str:
    """Return what must come with the next page."""
    return f"sandbox-cursor-{page}"

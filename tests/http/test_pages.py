"""Paging: one page at a time, without loops."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.http import pages as module
from airflow_segments_provider.http.pages import pages


def of(book):
    """Page through ``book``, which maps each cursor to the next one; return the fetched cursors and the iterator."""
    fetched: list[object] = []

    def fetch(cursor):
        fetched.append(cursor)
        return cursor

    return fetched, pages(fetch, 1, book.get)


@pytest.mark.parametrize("length", [1, 2, 50])
def test_pages_come_in_order_until_the_vendor_names_no_next(length):
    fetched, found = of({number: number + 1 for number in range(1, length)})
    assert list(found) == fetched == list(range(1, length + 1))


def test_a_list_without_a_first_page_sends_no_request():
    fetched: list[object] = []

    def fetch(cursor):
        fetched.append(cursor)
        return cursor

    found = list(pages(fetch, None, lambda page: page))
    assert (found, fetched) == ([], [])


def test_a_page_is_fetched_when_it_is_read():
    fetched, found = of({1: 2, 2: 3})
    assert fetched == []
    next(found)
    assert fetched == [1]


@pytest.mark.parametrize("book", [{1: 1}, {1: 2, 2: 1}, {1: 2, 2: 3, 3: 2}])
def test_a_repeated_cursor_is_an_error_before_it_is_fetched(book):
    fetched, found = of(book)
    with pytest.raises(UnexpectedReply, match="the list has no end"):
        list(found)
    assert len(fetched) == len(set(fetched)) == len(book)


def test_a_cursor_of_zero_is_followed():
    fetched, found = of({1: 0})
    assert list(found) == fetched == [1, 0]


def test_a_list_of_too_many_pages_is_an_error(monkeypatch):
    monkeypatch.setattr(module, "MOST_PAGES", 50)
    fetched, found = of({number: number + 1 for number in range(1, 60)})
    with pytest.raises(UnexpectedReply, match="goes on after 50 pages"):
        list(found)
    assert fetched == list(range(1, 51))
    assert len(list(of({number: number + 1 for number in range(1, 50)})[1])) == 50

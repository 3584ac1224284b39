"""Paged lists of WalkMe segments in each common form are read to the end, or are an error; over a socket."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_segments_provider.errors import UnexpectedReply, VendorUnavailable
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.vendors.walkme import paging as walkme_pages
from tests.conftest import RETRY
from tests.http.vendor import TOKEN_PATH, Answer, Vendor

SYSTEM = "5a4d0c1e-77b2-4c39-9f0e-2b6d8e51a7c4"
PATH = f"/api/public/v1/user/system/{SYSTEM}/segment"
ONE, TWO, THREE = (
    {"guid": f"{number:032x}", "id": None, "name": name}
    for number, name in enumerate(["One", "Two", "Three"], start=0xABCDEF)
)


@pytest.fixture
def listed(monkeypatch):
    """List the segments of a server that returns these responses in turn; return their names and the queries."""

    def run(*responses: Any) -> tuple[list[str], list[dict[str, str]]]:
        with Vendor() as vendor:
            connection = {
                "conn_type": "walkme",
                "host": f"{vendor.url}/api",
                "login": "client",
                "password": vendor.secret,
                "extra": {"system_guid": SYSTEM, "retry": RETRY, "token_url": f"{vendor.url}{TOKEN_PATH}"},
            }
            monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps(connection))
            for response in responses:
                body, headers = response if isinstance(response, tuple) else (response, {})
                replaced = {name: value.replace("HERE", vendor.url + PATH) for name, value in headers.items()}
                body = json.loads(json.dumps(body).replace("HERE", vendor.url + PATH))
                status = int(replaced.pop("status", "200"))
                vendor.answers.append(Answer(status, body if status != 204 else b"", replaced))
            try:
                names = [str(segment.name) for segment in WalkMeHook().get_segments()]
            finally:
                assert {urlsplit(call.target).path for call in vendor.calls} <= {PATH}
                asked = [parse_qs(urlsplit(call.target).query) for call in vendor.calls]
            return names, [{name: ",".join(values) for name, values in query.items()} for query in asked]

    return run


def page(*segments: Any, **more: Any) -> dict[str, Any]:
    return {"segments": list(segments), **more}


COMPLETE = {
    "bare": [ONE, TWO],
    "no content": ([], {"status": "204"}),
    "total": page(ONE, TWO, total=2),
    "totals by header": ([ONE, TWO], {"X-Total-Count": "2", "X-Total-Pages": "1", "X-Next-Page": ""}),
    "no next": page(ONE, TWO, next=None, previous=None, limit=2),
    "no more": page(ONE, TWO, meta={"hasMore": False, "nextCursor": "abc", "pageSize": 2}),
    "one page": page(ONE, page=1, pages=1, perPage=1),
    "not full": page(ONE, limit=50, offset=0),
    "Spring": {"content": [ONE], "page": {"size": 20, "number": 0, "totalElements": 1, "totalPages": 1}, "last": True},
    "links back": page(
        ONE, links=[{"rel": "self", "href": "HERE?page=1"}], _links={"prev": {"href": "/x"}, "next": {}}
    ),
    "object back": page(ONE, paging={"previous": {"cursor": "a", "page": 1}}),
    "cursors back": page(ONE, paging={"cursors": {"before": "a", "after": "b"}}, prevCursor="abc"),
    "range": ([ONE], {"Content-Range": "segments 0-0/1", "Link": '<HERE?page=1>; rel="first"'}),
    "rate limits": (
        [ONE],
        {"X-RateLimit-Total": "9", "X-Total-Time": "17", "X-NextJS-Cache": "HIT", "X-Retry-Count": "2"},
    ),
}


@pytest.mark.parametrize("response", COMPLETE.values(), ids=COMPLETE)
def test_a_list_of_one_page_is_read_with_one_request(listed, response):
    names, asked = listed(response)
    assert names == ["One", "Two"][: len(names)]
    assert asked == [{}]


# The responses, and the queries that must follow the first request.
FOLLOWED: dict[str, tuple[list[Any], list[dict[str, str]]]] = {
    "URL": ([page(ONE, next="HERE?page=2&q=a%2Bb"), page(TWO, THREE, next=None)], [{"page": "2", "q": "a+b"}]),
    "path": ([page(ONE, nextLink=f"{PATH}/?from=2"), page(TWO, nextLink=""), {}], [{"from": "2"}]),
    "query": ([page(ONE, meta={"next_page_url": "?page=2"}), page(TWO, meta={"next_page_url": None})], [{"page": "2"}]),
    "GUID without hyphens": (
        [page(ONE, next=PATH.replace(SYSTEM, SYSTEM.replace("-", "").upper()) + "?page=2"), page(TWO)],
        [{"page": "2"}],
    ),
    "links": ([page(ONE, links={"next": "HERE?c=2"}), page(TWO, links={})], [{"c": "2"}]),
    "links with relations": (
        [page(ONE, links=[{"rel": "self", "href": "HERE"}, {"rel": "next", "href": "HERE?c=2"}]), page(TWO, links=[])],
        [{"c": "2"}],
    ),
    "HAL": (
        [
            {"_embedded": {"segments": [ONE]}, "_links": {"next": {"href": "HERE?c=2"}}},
            {"_embedded": {"segments": [TWO]}},
        ],
        [{"c": "2"}],
    ),
    "header": (
        [([ONE], {"Link": '<HERE?c=1>; rel="first", <HERE?c=2>; rel="next"'}), ([TWO], {"Link": "<HERE>; rel=first"})],
        [{"c": "2"}],
    ),
    "three pages": ([page(ONE, next="?p=2"), page(TWO, next="?p=3"), page(THREE)], [{"p": "2"}, {"p": "3"}]),
    "URL and total": (
        [page(ONE, next="?p=2", total=2, page=1, pages=2), page(TWO, total=2, page=2, pages=2)],
        [{"p": "2"}],
    ),
    "URL after the last page": (
        [
            page(ONE, links={"next": "?p=2"}, meta={"has_more": False}),
            page(links={"next": "?p=3"}, meta={"has_more": False}),
        ],
        [{"p": "2"}],
    ),
    "cursor": ([page(ONE, nextCursor="a/b="), page(TWO, nextCursor=None)], [{"cursor": "a/b="}]),
    "token": (
        [page(ONE, meta={"next_page_token": "x", "total": 2}), page(TWO, meta={"next_page_token": "", "total": 2})],
        [{"page_token": "x"}],
    ),
    "token as it is": ([page(ONE, nextToken="x"), page(TWO, nextToken=None)], [{"nextToken": "x"}]),
    "object": (
        [page(ONE, paging={"next": {"after": "7", "limit": 1}}), page(TWO, paging={})],
        [{"after": "7", "limit": "1"}],
    ),
    "next page": ([page(ONE, next_page=2), page(TWO, next_page=None)], [{"page": "2"}]),
    "next page by header": (
        [([ONE], {"X-Next-Page": "2", "X-Page": "1"}), ([TWO], {"X-Next-Page": ""})],
        [{"page": "2"}],
    ),
    "page counts": (
        [page(ONE, page=1, pages=3), page(TWO, page=2, pages=3), page(THREE, page=3, pages=3)],
        [{"page": "2"}, {"page": "3"}],
    ),
    "pages from 0": (
        [
            {"content": [ONE], "page": {"number": 0, "totalPages": 2, "totalElements": 2, "size": 1}},
            {"content": [TWO], "page": {"number": 1, "totalPages": 2, "totalElements": 2, "size": 1}},
        ],
        [{"page": "1"}],
    ),
    "page and more": (
        [
            page(ONE, pagination={"pageNumber": "1", "hasMore": "true"}),
            page(TWO, pagination={"pageNumber": 2, "hasMore": False}),
        ],
        [{"pageNumber": "2"}],
    ),
    "number of the next page": ([page(ONE, page=1, next=2), page(TWO, page=2, next=None)], [{"page": "2"}]),
    "page and total by header": (
        [([ONE], {"X-Page": "1", "X-Total-Count": "2"}), ([TWO], {"X-Page": "2", "X-Total-Count": "2"})],
        [{"page": "2"}],
    ),
    "object in a header": (
        [([ONE], {"X-Pagination": '{"currentPage":1,"totalPages":2}'}), ([TWO], {"X-Pagination": '{"CurrentPage":2}'})],
        [{"page": "2"}],
    ),
    "offset": (
        [page(ONE, TWO, offset=0, limit=2, total=3), page(THREE, offset=2, limit=2, total=3)],
        [{"offset": "2"}],
    ),
    "SCIM": (
        [
            {"Resources": [ONE], "totalResults": 2, "startIndex": 1, "itemsPerPage": 1},
            {"Resources": [TWO], "totalResults": 2, "startIndex": 2, "itemsPerPage": 1},
        ],
        [{"startIndex": "2"}],
    ),
    "full page": ([page(ONE, offset=0, limit=1), page(offset=1, limit=1)], [{"offset": "1"}]),
    "count of the page": ([page(ONE, TWO, count=2, next="?p=2"), page(THREE, count=1)], [{"p": "2"}]),
}


@pytest.mark.parametrize(("responses", "queries"), FOLLOWED.values(), ids=FOLLOWED)
def test_a_paged_list_is_followed_to_its_end(listed, responses, queries):
    names, asked = listed(*responses)
    entries = [name for name in ("One", "Two", "Three") if f'"{name}"' in json.dumps(responses)]
    assert names == entries
    assert asked == [{}, *queries]


INCOMPLETE: dict[str, list[Any]] = {
    "total": [page(ONE, total=2)],
    "total elsewhere": [page(ONE, meta={"pagination": {"totalCount": "2"}})],
    "less than listed": [page(ONE, TWO, total=1)],
    "total in a header": [([ONE], {"X-Total-Count": "2"})],
    "range": [([ONE], {"Content-Range": "segments 0-0/2"})],
    "part": [([ONE], {"status": "206"})],
    "pages": [page(ONE, totalPages=2)],
    "pages in an object": [page(ONE, TWO, page={"current": 1, "total": 2}), page(THREE)],
    "pages in a header": [([ONE], {"X-WP-TotalPages": "2"})],
    "scroll": [page(ONE, scrollId="abc")],
    "more": [page(ONE, hasMore=True)],
    "not the last": [page(ONE, last=False)],
    "truncated": [page(ONE, isTruncated="true")],
    "contradiction": [page(ONE, hasMore=True, meta={"hasMore": False})],
    "no more, but a total": [page(ONE, hasMore=False, total=2)],
    "no more, but pages": [page(ONE, hasMore=False, pages=2)],
    "list of next pages": [page(ONE, next=["?page=2"])],
    "bare token": [page(ONE, next="eyJhIjoxfQ==")],
    "unknown key": [page(ONE, nextSet="abc")],
    "unknown object": [page(ONE, next={"title": "more"})],
    "full page": [page(ONE, limit=1)],
    "two next pages": [page(ONE, next="?p=2", links={"next": "?p=3"})],
    "two cursors": [page(ONE, nextCursor="a", next_page_token="b")],
    "another host": [page(ONE, next=f"https://walkme.example{PATH}?page=2")],
    "another port": [page(ONE, next=f"http://127.0.0.1:1{PATH}?page=2")],
    "another list": [page(ONE, next=f"{PATH.replace('5a4d', '5a4e')}?page=2")],
    "another path": [page(ONE, next="/api/public/v2/segments?page=2")],
    "user info": [page(ONE, next=f"http://a@127.0.0.1{PATH}?page=2")],
    "backslash": [page(ONE, next="/\\walkme.example/?page=2")],
    "a parameter twice": [page(ONE, next="?page=2&page=3")],
    "a loop": [page(ONE, next="?page=2"), page(TWO, next="?page=2")],
    "a loop without segments": [page(ONE, next="?page=2"), page(next="?page=3"), page(next="?page=4")],
    "first page again": [page(ONE, nextCursor="a"), page(ONE, nextCursor="b")],
    "cursor not understood": [page(ONE, nextCursor="a"), page()],
    "cursor refused": [page(ONE, nextCursor="a"), ({"error": "bad"}, {"status": "400"})],
    "page not found": [page(ONE, next="?page=2"), ({"error": "no"}, {"status": "404"})],
    "number not understood": [page(ONE, page=1, pages=2), page(TWO, page=1, pages=2)],
    "number not shown": [page(ONE, page=1, pages=2), page(TWO)],
    "offset not understood": [page(ONE, offset=0, total=2), page(TWO, offset=0, total=2)],
    "begins later": [page(ONE, page=2, pages=3)],
    "two numbers": [page(ONE, page=1, pageIndex=0, pages=2)],
    "a page less": [page(ONE, page=1, pages=3, next="?page=2"), page(TWO, page=2, pages=3), page(page=3, pages=3)],
    "too few in the end": [page(ONE, next="?p=2", total=4), page(TWO, total=4, next=None)],
}


@pytest.mark.parametrize("responses", INCOMPLETE.values(), ids=INCOMPLETE)
def test_an_incomplete_list_is_an_error(listed, responses):
    with pytest.raises(UnexpectedReply, match=r"incomplete.*connection is|no end.*connection is"):
        listed(*responses)


def test_a_list_without_end_is_stopped(listed, monkeypatch):
    monkeypatch.setattr(walkme_pages, "MOST_PAGES", 3)
    endless = [page({**ONE, "guid": f"{number:032x}"}, nextCursor=f"c{number}") for number in range(9)]
    with pytest.raises(UnexpectedReply, match="incomplete: it goes on after 3 pages"):
        listed(*endless)


@pytest.mark.parametrize(
    "failure", [{"success": False}, {"errors": ["no"]}, {"status": "error"}, {"meta": {"ok": False}}]
)
def test_a_list_that_reports_a_failure_is_an_error(listed, failure):
    with pytest.raises(UnexpectedReply, match="reports a failure"):
        listed(page(**failure))
    assert listed(page({**ONE, "status": "invalid"}))[0] == ["One"]


def test_a_page_that_is_unavailable_is_an_error_that_can_be_retried(listed):
    with pytest.raises(VendorUnavailable):
        listed(page(ONE, next="?p=2"), *[({}, {"status": "503"})] * 3)

"""Responses: redirects, bodies of every kind, and the limits of reading a response."""

from __future__ import annotations

import gzip
import json
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from airflow_segments_provider.errors import InvalidInput, RejectedRequest, UnexpectedReply, VendorUnavailable
from airflow_segments_provider.http import RetryPolicy, UserId, transport
from airflow_segments_provider.http.client import encode
from airflow_segments_provider.http.transport import TransportSettings
from tests.http.vendor import Answer, Vendor

ONCE = RetryPolicy(max_attempts=1)
TYPE = "Content-Type"


def get(vendor, answer, **options):
    vendor.answers.append(answer)
    return vendor.client(retry=ONCE).request("GET", ["x"], **options)


@pytest.mark.parametrize("value", ["secret\ud83d", {"secret": object()}])
def test_a_value_that_json_cannot_hold_is_refused_without_being_quoted(value):
    with pytest.raises(InvalidInput, match="a value is not of a type that JSON has") as caught:
        encode({"name": value})
    assert "secret" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_redirect_elsewhere_is_not_followed_and_carries_nothing_there(vendor, status, method):
    with Vendor() as other:
        vendor.answers.append(Answer(status, headers={"Location": f"{other.url}/x"}))
        with pytest.raises(UnexpectedReply, match=rf"to another port \({other.url.rpartition(':')[2]}\)") as caught:
            vendor.client(retry=ONCE).request(method, ["x"], body=b"{}" if method == "PUT" else None)
        assert not other.requests
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("https://127.0.0.1:{port}/", r"another scheme \(https\);"),
        ("https://127.0.0.1/", r"another scheme \(https\) and port \(443\);"),
        ("//evil.example:{port}/x", r"another host \(evil.example\);"),
        ("http://localhost/", r"another host \(localhost\) and port \(80\);"),
        ("http://[::1]:{port}/", r"another host \(::1\);"),
        ("http://127.0.0.1.:{port}/", r"another host \(127.0.0.1.\);"),
    ],
)
def test_the_error_for_a_redirect_names_the_scheme_host_or_port_that_differs(vendor, place, said):
    place = place.format(port=vendor.url.rpartition(":")[2])
    with pytest.raises(UnexpectedReply, match=said):
        get(vendor, Answer(307, headers={"Location": place}))


# Parsers differ on whether the host of each is the vendor or the other server.
CONFUSING = [
    "http://{other}\\@{good}/x",
    "//{other}\\@{good}/x",
    "http:\\\\{other}\\@{good}/x",
    "http://{good}@{other}/x",
    "http://{other}@{good}/x",
    "http://{other}%5c@{good}/x",
    "/\\{other}/x",
    "\\\\{other}/x",
    "http://{good}\t@{other}/x",
    "http://{other} @{good}/x",
    "http://{good}#@{other}/x",
    "http://{good}\\.{other}/x",
    "http://{other};@{good}/x",
    "http://{other}\x0b/x",
    " http://{other}/x",
]


@pytest.mark.parametrize("place", CONFUSING)
@pytest.mark.parametrize("target", ["read", "write", "token"])
def test_an_ambiguous_redirect_address_leads_to_no_other_host(vendor, place, target):
    with Vendor() as other:
        good, evil = (server.url.removeprefix("http://") for server in (vendor, other))
        redirect = Answer(307, headers={"Location": place.format(good=good, other=evil)})
        (vendor.tokens if target == "token" else vendor.answers).append(redirect)
        with suppress(UnexpectedReply):
            vendor.client(retry=ONCE).request("PUT" if target == "write" else "GET", ["x"], body=b"{}")
        assert not other.requests
    assert target == "read" or len(vendor.requests) == (1 if target == "token" else 2)


@pytest.mark.parametrize("place", ["/there", "{url}/there"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_of_the_token_is_never_followed(vendor, status, place):
    vendor.tokens.append(Answer(status, headers={"Location": place.format(url=vendor.url)}))
    with pytest.raises(UnexpectedReply, match=r"POST /token with a redirect .*only reads follow a redirect"):
        vendor.client(retry=ONCE).request("GET", ["x"])
    assert len(vendor.requests) == 1


@pytest.mark.parametrize("place", ["", "http://[", "http://127.0.0.1:port/", "ftp://127.0.0.1/", "/x", "/ä", "/a b"])
def test_a_redirect_to_an_invalid_address_is_an_error(vendor, place):
    with pytest.raises(UnexpectedReply, match=r"redirect \(307\) that cannot be followed"):
        get(vendor, Answer(307, headers={"Location": place}))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_read_follows_a_redirect_on_the_same_host_with_its_token_and_without_its_query(vendor, status):
    assert get(vendor, Answer(status, headers={"Location": "/there"}), query={"a": "b"}).status == 200
    assert [call.target for call in vendor.calls] == ["/x?a=b", "/there"]
    assert vendor.calls[1].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_a_write_follows_no_redirect(vendor, method, status):
    vendor.answers.append(Answer(status, headers={"Location": "/there"}))
    with pytest.raises(UnexpectedReply, match="only reads follow a redirect") as caught:
        vendor.client(retry=ONCE).request(method, ["x"], body=b"{}")
    assert len(vendor.calls) == 1
    assert caught.value.maybe_done == (status == 303)  # "See other": the request was carried out.


def test_a_chain_of_redirects_ends_with_an_error(vendor):
    vendor.answers.extend(Answer(307, headers={"Location": f"/{number}"}) for number in range(9))
    with pytest.raises(UnexpectedReply, match="redirects that do not end"):
        vendor.client(retry=ONCE).request("GET", ["x"])
    assert len(vendor.calls) == 4


@pytest.mark.parametrize(
    ("body", "kind"),
    [(b'{"a": "\xc3\xa4"}', "application/json"), (b'{"a": "\xc3\xa4"}', "application/json; charset=utf-8"),
     (b'\n {"a": "\\u00e4"}', "application/problem+json"), (b'{"a": "\xc3\xa4"}', "APPLICATION/JSON")],
)  # fmt: skip
def test_json_is_read_if_the_content_type_says_so(vendor, body, kind):
    assert get(vendor, Answer(200, body, {TYPE: kind})).json == {"a": "ä"}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b'\xef\xbb\xbf{"a": 1}', 1),
        (rb'{"a": "Trial \ud83d"}', "Trial \ud83d"),  # A name that the vendor cut within an emoji.
        (rb'{"a": "Trial \ud83d\ude00"}', "Trial \U0001f600"),
        (b'{"a": 12345678901234567890123}', 12345678901234567890123),
    ],
)
def test_unusual_json_is_read_exactly(vendor, body, value):
    assert get(vendor, Answer(200, body)).json == {"a": value}


def test_a_compressed_body_is_read(vendor):
    body = gzip.compress(json.dumps({"a": list(range(9999))}).encode())
    assert get(vendor, Answer(200, body, {"Content-Encoding": "gzip"})).json == {"a": list(range(9999))}


def test_a_chunked_body_is_read(vendor):
    chunks = b'5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'
    assert get(vendor, Answer(200, chunks, {"Transfer-Encoding": "chunked", "Content-Length": ""})).json == {"a": 1}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(200, "<html>Sign in</html>", {TYPE: "text/html"}), "as text/html, not as JSON"),
        (Answer(200, '{"a": 1}', {TYPE: "text/plain"}), "as text/plain, not as JSON"),
        (Answer(200, '{"a": 1}', {TYPE: ""}), "as an unnamed type, not as JSON"),
        (Answer(200, ""), "with an empty body"),
        (Answer(200, " \n "), "with an empty body"),
        (Answer(200, '{"a": '), "damaged or cut short"),
        (Answer(200, b"\xff\xfe\x00"), "damaged or cut short"),
        (Answer(200, "[" * 100_000), "damaged or cut short"),
    ],
)
def test_a_2xx_response_without_json_is_an_error_that_may_have_been_done(vendor, answer, words):
    with pytest.raises(UnexpectedReply, match=words) as caught:
        get(vendor, answer)
    error = caught.value
    assert (error.status, error.maybe_done, error.vendor, error.method, error.path) == (200, True, "Acme", "GET", "/x")
    assert "Sign in" not in str(error)


@pytest.mark.parametrize("answer", [Answer(204, ""), Answer(200, ""), Answer(202, " ", {TYPE: "text/html"})])
def test_an_empty_response_is_a_success_if_the_caller_allows_it(vendor, answer):
    assert get(vendor, answer, may_be_empty=True).json is None


def test_the_error_for_a_page_quotes_its_text_and_the_request_id(vendor):
    page = "<html><style>b{}</style><h1>Bad &amp; gone</h1><script>alert(1)</script></html>"
    with pytest.raises(RejectedRequest, match=r"status 418 \(request id r-17\). It says: Bad & gone") as caught:
        get(vendor, Answer(418, page, {TYPE: "text/html", "X-Correlation-Id": "r-17"}))
    assert caught.value.request_id == "r-17"


def test_the_error_for_a_response_without_a_body_says_so(vendor):
    with pytest.raises(RejectedRequest, match="It says nothing more"):
        get(vendor, Answer(418, ""))


def test_a_body_above_the_limit_is_an_error(vendor, monkeypatch):
    monkeypatch.setattr(transport, "MAX_BODY", 1 << 20)
    with pytest.raises(UnexpectedReply, match="more than 1 MiB") as caught:
        get(vendor, Answer(200, b" " * (1 << 21)))
    assert (caught.value.status, caught.value.maybe_done) == (200, True)
    bomb = gzip.compress(b" " * (1 << 21))
    with pytest.raises(UnexpectedReply, match="more than 1 MiB"):
        get(vendor, Answer(200, bomb, {"Content-Encoding": "gzip"}))


@pytest.mark.parametrize("status", [200, 307, 500])
def test_a_body_that_arrives_too_slowly_is_an_error(vendor, status):
    """Each byte arrives within the read time-out; all of them would take minutes."""
    gone = threading.Event()
    vendor.answers.append(Answer(status, b" " * 10_000, {"Location": "/x?y"}, drips=gone))
    client = vendor.client(retry=ONCE, transport=TransportSettings(read_timeout=0.05))
    client.token()
    began = time.monotonic()
    with pytest.raises(VendorUnavailable, match="too slowly") as caught:
        client.request("GET", ["x"])
    assert time.monotonic() - began < 30
    assert (caught.value.status, caught.value.maybe_done) == (None, True)
    assert gone.wait(30)


def test_a_body_that_is_not_gzip_as_announced_is_an_error(vendor):
    with pytest.raises(VendorUnavailable, match="the connection broke"):
        get(vendor, Answer(200, b"no gzip", {"Content-Encoding": "gzip"}))


def test_a_body_shorter_than_announced_is_an_error(vendor):
    with pytest.raises(VendorUnavailable, match="the connection broke") as caught:
        get(vendor, Answer(200, b'{"a": 1}', {"Content-Length": "20", "Connection": "close"}))
    assert caught.value.maybe_done


def test_a_response_has_the_date_of_the_vendor(vendor):
    reply = get(vendor, Answer(headers={"Date": "Wed, 04 Mar 2026 05:06:07 GMT"}))
    assert reply.date == datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert get(vendor, Answer(headers={"Date": "soon"})).date is None
    assert get(vendor, Answer()).date is None


def test_a_response_has_the_number_of_requests_that_were_sent(vendor):
    vendor.answers.append(Answer(503))
    client = vendor.client(retry=RetryPolicy(base_delay=0, max_delay=0))
    assert [client.request("GET", ["x"]).sent, client.request("GET", ["x"]).sent] == [2, 3]


def test_the_error_for_a_redirect_to_a_host_with_a_token_hides_the_token(vendor):
    with pytest.raises(UnexpectedReply, match=r"another host \(\*\*\*.example\)"):
        get(vendor, Answer(307, headers={"Location": f"http://token-1.example:{vendor.url.rpartition(':')[2]}/"}))


def test_the_error_of_a_request_hides_a_user_id_of_its_path(vendor):
    vendor.answers.append(Answer(418, "no EMP%2D00042 here"))
    with pytest.raises(RejectedRequest, match=r"no \[user id\] here"):
        vendor.client(retry=ONCE).request("GET", [UserId("emp-00042")])

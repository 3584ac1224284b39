"""Addresses of requests: only trustworthy base URLs are accepted, and IDs cannot change the path."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import ConfigurationError, InvalidInput
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.http import ClientCredentials, HttpClient, transport
from airflow_segments_provider.http.transport import check_base_url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://127.1.example",
        "http://2130706433",
    ],
)
def test_plain_http_is_refused_for_any_host_but_loopback(url):
    with pytest.raises(ConfigurationError, match="must be called by https"):
        check_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://user@api.example.com",
        "https://user:password@api.example.com",
        "https://:password@api.example.com",
        "https://@api.example.com",
        "https://api.example.com?a=1",
        "https://api.example.com/?",
        "https://api.example.com?",
        "https://api.example.com#",
        "https://api.example.com/#part",
        r"http://127.0.0.1\@api.example.com",
        "http://127.0.0.1@api.example.com",
    ],
)
def test_a_base_url_with_credentials_a_query_or_a_fragment_is_refused(url):
    with pytest.raises(ConfigurationError, match="must not hold credentials, a query or a fragment") as caught:
        check_base_url(url)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "api.example.com", "ftp://api.example.com", "https://", "https:///x", "https://[", "https://x:port",
     "https://x:99999", "https://x:0", "file:///etc/passwd", "//api.example.com", "https:/api.example.com"],
)  # fmt: skip
def test_a_base_url_that_is_not_an_http_address_is_refused(url):
    with pytest.raises(ConfigurationError, match=r"must be an http\(s\) address"):
        check_base_url(url)


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com:8443/", "https://api.example.com:8443"),
        ("https://api.example.com/sub/path/", "https://api.example.com/sub/path"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.2/x", "http://127.0.0.2/x"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_a_base_url_keeps_its_port_and_path(url, base):
    assert check_base_url(url) == base


def test_a_token_url_with_plain_http_is_refused():
    with pytest.raises(ConfigurationError, match="must be called by https"):
        HttpClient("Acme", "https://x", ClientCredentials("http://evil.example/token", "id", "secret"))


@pytest.mark.parametrize(
    "host", ["http://evil.example.com", "https://u:pw@evil.example.com", "https://[", "https://x?"]
)
def test_a_hook_refuses_an_invalid_host_before_any_request_and_names_the_connection(walkme_sandbox, monkeypatch, host):
    connection = walkme_sandbox.connection()
    monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", walkme_sandbox.connection_json())
    monkeypatch.setattr(WalkMeHook, "get_connection", lambda self, conn_id: _with_host(connection, host))
    monkeypatch.setattr(transport.Transport, "send", lambda *args, **request: pytest.fail("a request was sent"))
    with pytest.raises(ConfigurationError, match=r"Connection 'walkme_default' cannot be used, nothing was sent"):
        WalkMeHook().get_segments()


def _with_host(connection, host):
    from airflow.providers.common.compat.sdk import Connection

    return Connection(
        conn_id="walkme_default",
        conn_type="walkme",
        host=host,
        login=connection["login"],
        password=connection["password"],
        extra=json.dumps(connection["extra"]),
    )


@pytest.mark.parametrize(
    "part", ["a/b", "a%2Fb", "a?b=c", "a#b", "a b", "..%2f", "…/..", "ümläut", "a&b=c;d", "a\\b", "+"]
)
def test_special_characters_of_an_id_stay_in_one_part_of_the_path(vendor, part):
    vendor.client(f"{vendor.url}/sub").request("GET", ["segment", part, "end"])
    assert vendor.calls[0].target == f"/sub/segment/{quote(part, safe='')}/end"


@given(st.text(min_size=1).filter(lambda text: text not in {".", ".."}))
def test_any_id_is_encoded_reversibly_as_one_part_of_the_path(part):
    client = HttpClient("Acme", "https://x/base", ClientCredentials("https://x/token", "id", "secret"))
    try:
        url, call = client._address("GET", ["a", part, "b"])
    except UnicodeEncodeError:  # Half of a surrogate pair; the models accept none.
        return
    assert url == f"https://x{call.path}"
    assert [unquote(found) for found in call.path.split("/")] == ["", "base", "a", part, "b"]


@pytest.mark.parametrize("part", ["", ".", ".."])
def test_an_id_that_is_empty_or_dots_is_refused_before_any_request(vendor, part):
    with pytest.raises(InvalidInput, match="empty or made of dots"):
        vendor.client().request("GET", ["segment", part])
    assert not vendor.requests


def test_the_parameters_of_a_query_are_encoded(vendor):
    vendor.client().request("GET", ["x"], query={"user": "a&b", "n": "1"})
    assert vendor.calls[0].target == "/x?user=a%26b&n=1"

"""Credentials and addresses of a connection: stripped or refused before a request, and never shown."""

from __future__ import annotations

import json
import traceback

import pytest

from airflow_segments_provider.errors import ConfigurationError, SegmentsError
from tests.hooks.test_hostile_vendor import CASES, HostileVendor
from tests.http.vendor import TOKEN_PATH, Answer

SECRET = "odd-SECRET-7731"
VENDORS = pytest.mark.parametrize("vendor", CASES)


@pytest.fixture
def server():
    with HostileVendor() as server:
        server.hostile = lambda request, said: Answer(403)
        yield server


def hook_of(vendor, monkeypatch, **fields):
    case = CASES[vendor]
    extra = {**dict(case.extra), "retry": {"max_attempts": 1}, **fields.pop("extra", {})}
    connection = {"conn_type": case.conn_type, "login": "client", "password": SECRET, **fields, "extra": extra}
    hook = case.hook()
    monkeypatch.setenv(f"AIRFLOW_CONN_{hook.conn_id.upper()}", json.dumps(connection))
    return hook


def error_of(hook, vendor):
    with pytest.raises(SegmentsError) as caught:
        CASES[vendor].asks[0].call(hook)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__context__)
    assert "SECRET" not in shown
    return caught.value


@VENDORS
@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t\n\n"])
def test_white_space_around_credentials_is_not_sent(server, monkeypatch, vendor, end):
    extra = CASES[vendor].with_token_url(server.url + TOKEN_PATH + end)
    fields = {"host": server.url + end, "login": f"{end}client{end}", "password": f"{end}{SECRET}{end}", "extra": extra}
    hook = hook_of(vendor, monkeypatch, **fields)
    error_of(hook, vendor)
    assert {hook.client._credentials.client_id, hook.client._credentials.client_secret} == {"client", SECRET}
    assert len(server.requests) == 2


@VENDORS
@pytest.mark.parametrize("field", ["login", "password"])
@pytest.mark.parametrize("inner", ["\n", "\r", "\0", "\x7f", "\u2028", "\u202e"])
def test_a_control_character_in_credentials_is_rejected_before_any_request(server, monkeypatch, vendor, field, inner):
    hook = hook_of(vendor, monkeypatch, host=server.url, **{field: f"odd-{inner}SECRET"})
    error = error_of(hook, vendor)
    assert isinstance(error, ConfigurationError)
    assert f"`{field}` holds a line break or another control character" in str(error)
    assert not server.requests


@pytest.mark.parametrize("place", ["token", "password"])
@pytest.mark.parametrize(
    ("token", "sent"),
    [(f"{SECRET}\n", True), (f"odd\n{SECRET}", False), (f"ödd{SECRET}", False), (f"{SECRET}\0", False)],
)
def test_a_bearer_token_is_stripped_or_rejected(server, monkeypatch, place, token, sent):
    extra = {"auth": "bearer"} | ({"token": token} if place == "token" else {})
    hook = hook_of("zendesk", monkeypatch, host=server.url, login=None, password=token, extra=extra)
    error = error_of(hook, "zendesk")
    assert isinstance(error, ConfigurationError) != sent
    assert [request.headers["Authorization"] for request in server.requests] == [f"Bearer {SECRET}"] * sent


BAD_HOSTS = [
    "https://user:odd-SECRET@api.example.com",
    "https://[odd-SECRET",
    "https://api.example.com:odd-SECRET",
    "http://127.0.0.1:9\\@odd-SECRET.example",
    "https://api.example.com\n.odd-SECRET.example",
    "https://odd SECRET.example",
    "https://odd\u202eSECRET.example",
    "https://api.example.com\\odd-SECRET",
    "https://api.example.com?odd-SECRET",
]


@VENDORS
@pytest.mark.parametrize("port", [None, 443])
@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_that_parsers_may_read_differently_is_rejected(monkeypatch, vendor, host, port):
    error = error_of(hook_of(vendor, monkeypatch, host=host, port=port), vendor)
    assert isinstance(error, ConfigurationError)
    assert "cannot be used, nothing was sent" in str(error)


@pytest.mark.parametrize("vendor", [vendor for vendor, case in CASES.items() if case.with_token_url("")])
@pytest.mark.parametrize("url", [*BAD_HOSTS, "http://odd-SECRET.example\\@127.0.0.1/token"])
def test_a_token_url_that_parsers_may_read_differently_is_rejected(server, monkeypatch, vendor, url):
    error = error_of(hook_of(vendor, monkeypatch, host=server.url, extra={"token_url": url}), vendor)
    assert isinstance(error, ConfigurationError)
    assert not server.requests


@VENDORS
@pytest.mark.parametrize(
    "proxy",
    [
        "http://[odd-SECRET",
        "http://u:odd-SECRET@",
        "u:odd-SECRET@proxy:1",
        "gopher://odd-SECRET:1",
        "http://x:odd-SECRET",
    ],
)
def test_a_proxy_that_is_not_an_address_is_rejected(server, monkeypatch, vendor, proxy):
    error = error_of(hook_of(vendor, monkeypatch, host=server.url, extra={"proxies": {"http": proxy}}), vendor)
    assert isinstance(error, ConfigurationError)
    assert "is not the address of a proxy" in str(error)
    assert not server.requests


@VENDORS
@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ({"proxies": {"http://u:odd-SECRET@proxy:3128": "https"}}, "`proxies.…`: is not the address of a proxy"),
        ({"retry": {"http://u:odd-SECRET@proxy:3128": 1}}, "`retry.…` is not known"),
        ({"https://api.example.com/?sig=odd-SECRET": "x"}, "`…` is not known"),
        ({"proxies": "[" * 100_000}, "`proxies`: is not JSON"),
    ],
)
def test_names_that_are_no_fields_are_rejected_and_not_shown(server, monkeypatch, vendor, extra, problem):
    error = error_of(hook_of(vendor, monkeypatch, host=server.url, extra=extra), vendor)
    assert isinstance(error, ConfigurationError)
    assert problem in str(error)
    assert not server.requests


def test_an_e_mail_address_that_is_no_text_is_rejected(server, monkeypatch):
    extra = {"auth": "api_token", "email": 7, "token": "odd-SECRET"}
    error = error_of(hook_of("zendesk", monkeypatch, host=server.url, extra=extra), "zendesk")
    assert "`email` is missing" in str(error)
    assert not server.requests


@pytest.mark.parametrize("field", ["username", "user_password"])
def test_a_control_character_in_an_extra_field_is_rejected(server, monkeypatch, field):
    extra = {"grant_type": "password", "username": "ada", "user_password": "p", field: "odd-\nSECRET"}
    error = error_of(hook_of("docebo", monkeypatch, host=server.url, extra=extra), "docebo")
    assert f"`{field}`: holds a line break" in str(error)
    assert not server.requests

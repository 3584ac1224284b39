"""Hostile responses to every vendor's hook at DEBUG: no secret and no user ID is logged, printed or in an error.

The responses echo secrets and IDs in every encoding, in the body, in headers, in redirects, and in responses that the
HTTP library cannot read.
"""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote_plus

import pytest

from airflow_segments_provider.errors import SegmentsError
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.http import auth as token
from airflow_segments_provider.provider_info import get_provider_info
from tests.conftest import RETRY
from tests.http.vendor import TOKEN_PATH, Answer, Received, Vendor
from tests.secrets.encodings import ENCODINGS, GROUPS, found_in

GUID = "0f2c1c7e-3b0a-4e57-9c5e-2f4a8a1d6b11"
LOGIN, SECRET, TOKEN = "client-1", 's3cr3t/Pa+ss=W0rd!é"x', "opaqueTOKEN+1234/abcd=="
EMAIL = "ada+lovelace@example.com"
TYPE = "Content-Type"


@dataclass(frozen=True)
class Ask:
    """A call of a hook's method, and the user IDs that it sends."""

    call: Callable[[Any], Any]
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    hook: type[Any]
    conn_type: str
    asks: tuple[Ask, ...]
    extra: tuple[tuple[str, str], ...] = ()

    def with_token_url(self, url: str) -> dict[str, str]:
        """The field for it, where the form has one."""
        (form,) = (one for one in get_provider_info()["connection-types"] if one["connection-type"] == self.conn_type)
        return {"token_url": url} if "token_url" in form["conn-fields"] else {}


IDS = (EMAIL, "emp/0042 é", "CORP\\O'Brien-77")
# A constant: a traceback, which quotes the source of these tests, would show a literal.
HEX_ID = "5f00a1b2c3d4"
NUMBERS = ("4242424242", "4343434343")
CASES = {
    "walkme": Case(
        WalkMeHook,
        "walkme",
        (
            Ask(lambda hook: hook.add_users(IDS, segment_guid=GUID), IDS),
            Ask(lambda hook: hook.create_segment("Trial", IDS), IDS),
            Ask(lambda hook: hook.get_segments()),
        ),
        (("system_guid", GUID),),
    ),
    "docebo": Case(
        DoceboHook,
        "docebo",
        (
            Ask(lambda hook: hook.find_users([EMAIL]), (EMAIL,)),
            Ask(lambda hook: hook.add_users(NUMBERS, group_id=GUID), NUMBERS),
            Ask(lambda hook: list(hook.get_members(group_id=GUID))),
        ),
        (("add_route", "put_users"),),
    ),
    "alteryx": Case(
        AlteryxServerHook,
        "alteryx_server",
        (
            Ask(lambda hook: hook.find_user(EMAIL), (EMAIL,)),
            Ask(lambda hook: hook.add_users([HEX_ID], user_group_id="5fgroup"), (HEX_ID,)),
            Ask(lambda hook: hook.remove_users([HEX_ID], user_group_id="5fgroup"), (HEX_ID,)),
        ),
    ),
    "zendesk": Case(
        ZendeskHelpCenterHook,
        "zendesk_help_center",
        (
            Ask(lambda hook: hook.find_users([EMAIL]), (EMAIL,)),
            Ask(lambda hook: hook.get_user_tags(NUMBERS[0]), NUMBERS[:1]),
            Ask(lambda hook: hook.add_users(NUMBERS, user_segment_id=7), NUMBERS),
        ),
    ),
}


def error(status: int, kind: str = "text/plain") -> Callable[[Received, str], Answer]:
    def answer(request: Received, said: str) -> Answer:
        body = {"text/html": f"<p>{said}</p>", "application/json": json.dumps({"error": {"detail": [said]}})}
        return Answer(status, body.get(kind, said), {TYPE: kind, "X-Request-Id": one_line(said)})

    return answer


def one_line(said: str) -> str:
    """Return the text as one line, as a header can hold it."""
    return " ".join(said.split()).encode("latin-1", "ignore").decode("latin-1")[:4000]


def broken_header(request: Received, said: str) -> Answer:
    return Answer(400, said, {f"{one_line(said)} no colon\r\nX-Next": "1", TYPE: "text/plain"})


def redirect(request: Received, said: str) -> Answer:
    place = quote(said, safe="").replace("%", "").replace("_", "")[:60]
    return Answer(307, said, {"Location": f"https://{place}.example/{one_line(said)}"})


HOSTILE: dict[str, Callable[[Received, str], Answer]] = {
    "400 text": error(400),
    "403 json": error(403, "application/json"),
    "404 html": error(404, "text/html"),
    "429": error(429),
    "500": error(500, "text/html"),
    "the request's own URL": lambda request, said: Answer(404, f"GET {request.target} not found", {TYPE: "text/plain"}),
    "the request's own body": lambda request, said: Answer(422, request.body + said.encode(), {TYPE: "text/plain"}),
    "the request's headers": lambda request, said: Answer(400, [f"{request.headers}", said]),
    "broken header": broken_header,
    "redirect": redirect,
    "type": lambda request, said: Answer(200, said, {TYPE: one_line(said), "X-Request-Id": one_line(said)}),
    "page": lambda request, said: Answer(200, f"<p>{said}</p>", {TYPE: "text/html"}),
    "broken json": lambda request, said: Answer(200, f'{{"a": "{said}'),
    "another shape": lambda request, said: Answer(200, [said, {"id": said, "name": [said]}]),
    "wrong fields": lambda request, said: Answer(
        200, {key: {"id": 7, "uuid": said, "name": [said], "tags": said} for key in ("user", "user_segment", "data")}
    ),
    "warning": lambda request, said: Answer(400, said, {"X-Zendesk-API-Warn": one_line(said), TYPE: "text/plain"}),
    "no gzip": lambda request, said: Answer(200, said, {"Content-Encoding": "gzip"}),
    "cut gzip": lambda request, said: Answer(200, gzip.compress(said.encode())[:-4], {"Content-Encoding": "gzip"}),
    "other compression": lambda request, said: Answer(200, said, {"Content-Encoding": one_line(said)}),
    "cut short": lambda request, said: Answer(400, said, {"Content-Length": "100000", "Connection": "close"}),
    "length": lambda request, said: Answer(200, said, {"Content-Length": f"{one_line(said)}", "Connection": "close"}),
    "chunks": lambda request, said: Answer(
        200, said, {"Transfer-Encoding": "chunked", "Content-Length": "", "Connection": "close"}
    ),
}


class HostileVendor(Vendor):
    """Server that returns one response to every request or token request; it echoes the secrets and the sent IDs."""

    def __init__(self) -> None:
        super().__init__()
        self.hostile: Callable[[Received, str], Answer] = error(400)
        self.encodings = list(ENCODINGS)[:1]
        self.ids: tuple[str, ...] = ()
        self.tokens_too = False

    def answer(self, request: Received) -> Answer:
        self.requests.append(request)
        if request.target.endswith(TOKEN_PATH) and not self.tokens_too:
            return Answer(body={"access_token": TOKEN, "token_type": "bearer"})
        sent = unquote_plus(request.target) + request.body.decode().replace("\\\\", "\\")
        ids = [user for user in self.ids if user in sent]
        needles = [SECRET, f"{LOGIN}:{SECRET}", *([] if self.tokens_too else [TOKEN, *ids])]
        said = " ; ".join(ENCODINGS[name](needle) for name in self.encodings for needle in needles)
        return self.hostile(request, f"no: {said}")


@pytest.fixture
def hostile() -> Iterator[HostileVendor]:
    with HostileVendor() as vendor:
        yield vendor


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an error and all errors linked to it, shown or not."""
    while error is not None:
        yield error
        if error.__cause__ is not None and error.__context__ not in (None, error.__cause__):
            yield from chain(error.__context__)
        error = error.__cause__ or error.__context__


def texts_of(error: BaseException) -> list[str]:
    texts = ["".join(traceback.format_exception(error))]
    for part in chain(error):
        texts += [str(part), repr(part), repr(part.args), repr(getattr(part, "doc", "")), repr(vars(part))]
    return texts


@pytest.fixture
def ask(hostile, monkeypatch, caplog, capfd) -> Callable[[Case, Ask], list[str]]:
    """Return a function that calls a hook and returns where secrets or IDs were found."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 1)
    # Another test may have used this port for a vendor, whose token is still cached.
    monkeypatch.setattr(token, "_states", {})
    # Airflow's own masking must not hide a leak.
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", lambda secret: None)

    def call(case: Case, ask: Ask) -> list[str]:
        extra = {
            "timeout": 5,
            "retry": RETRY | {"max_attempts": 2, "retry_after_cap": 0},
            **case.with_token_url(hostile.url + TOKEN_PATH),
        }
        fields = {"conn_type": case.conn_type, "host": hostile.url, "login": LOGIN, "password": SECRET}
        connection = json.dumps({**fields, "extra": {**extra, **dict(case.extra)}})
        hook = case.hook()
        monkeypatch.setenv(f"AIRFLOW_CONN_{hook.conn_id.upper()}", connection)
        caplog.clear()
        capfd.readouterr()
        texts: list[str] = []
        # A response may be read as one without a result; any error must be one of the package's.
        try:
            ask.call(hook)
        except SegmentsError as raised:
            texts += texts_of(raised)
        texts += [caplog.handler.format(record) for record in caplog.records]
        texts += capfd.readouterr()
        hidden = (SECRET, TOKEN, f"{LOGIN}:{SECRET}", *ask.ids)
        return [f"{form} in {text}" for text in texts for form in found_in(text, hidden)]

    return call


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("vendor", CASES)
def test_no_response_to_a_request_reveals_a_secret_or_a_user(hostile, ask, vendor, kind):
    """Test each method and each group of encodings, but not all pairs: one function reads all responses."""
    hostile.hostile = HOSTILE[kind]
    asks = CASES[vendor].asks
    assert len(GROUPS) >= len(asks)
    for number, names in enumerate(GROUPS):
        one = asks[number % len(asks)]
        hostile.encodings, hostile.ids = names, one.ids
        assert ask(CASES[vendor], one) == [], names
    assert hostile.calls


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("vendor", CASES)
def test_no_response_to_a_token_request_reveals_a_secret(hostile, ask, vendor, kind):
    hostile.hostile, hostile.tokens_too = HOSTILE[kind], True
    for names in GROUPS:
        hostile.encodings = names
        assert ask(CASES[vendor], CASES[vendor].asks[0]) == [], names
    assert not hostile.calls


def test_the_search_for_leaks_finds_each_encoding(hostile, ask):
    """Show that the other tests fail if something leaks, in a log of the HTTP library and in each encoding."""
    case = CASES["zendesk"]
    for encode in ENCODINGS.values():

        def leak(hook: Any, encode: Callable[[str], str] = encode) -> None:
            logging.getLogger("urllib3.connectionpool").debug("%s", encode(EMAIL))

        assert ask(case, Ask(leak, (EMAIL,)))


@pytest.mark.parametrize("vendor", CASES)
def test_requests_are_logged_at_debug_without_users(hostile, ask, caplog, vendor):
    for one in CASES[vendor].asks:
        with suppress(SegmentsError):
            assert ask(CASES[vendor], one) == []
        lines = [
            record.getMessage() for record in caplog.records if record.name.startswith("airflow_segments_provider")
        ]
        assert [line for line in lines if "with status 400" in line]

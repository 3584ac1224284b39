"""Access tokens: shared by all clients, renewed in time, and never shown."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_segments_provider.errors import AuthenticationError, UnexpectedReply
from airflow_segments_provider.http import RetryPolicy
from tests.http.vendor import Answer

ONCE = RetryPolicy(max_attempts=1)


def test_sixteen_threads_with_their_own_clients_fetch_one_token(vendor):
    told: list[str] = []
    barrier = threading.Barrier(16)

    def call(number):
        client = vendor.client(on_token=told.append)
        barrier.wait()
        return client.request("GET", [str(number)]).status

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(call, range(16))) == [200] * 16
    assert vendor.tokens_fetched == 1
    assert len(vendor.calls) == 16
    assert told == ["token-1"] * 16  # Each client masks the token that it uses.


def test_other_credentials_get_another_token(vendor):
    vendor.client().token()
    vendor.secret = "another"
    vendor.client().token()
    assert vendor.tokens_fetched == 2


@pytest.mark.parametrize(("lifetime", "kept"), [(3600, 3539), (100, 89), (1, 0.8)])
def test_a_token_is_renewed_a_minute_or_a_tenth_of_its_lifetime_before_its_end(vendor, clock, lifetime, kept):
    vendor.tokens.append(Answer(body={"access_token": "first", "expires_in": lifetime}))
    client = vendor.client()
    client.token()
    clock.now += kept
    assert client.token().value == "first"
    clock.now += lifetime - kept - 0.05
    assert client.token().value == "token-2"


def test_a_401_renews_the_token_once_and_repeats_the_request(vendor):
    vendor.answers.append(Answer(401))
    assert vendor.client().request("GET", ["x"]).status == 200
    assert [call.headers["Authorization"] for call in vendor.calls] == ["Bearer token-1", "Bearer token-2"]


def test_a_second_401_is_an_authentication_error(vendor):
    vendor.answers.extend([Answer(401)] * 9)
    with pytest.raises(AuthenticationError) as caught:
        vendor.client().request("GET", ["x"])
    assert (len(vendor.calls), vendor.tokens_fetched, caught.value.status) == (2, 2, 401)


def test_a_token_that_another_client_has_renewed_is_not_renewed_again(vendor):
    early, late = vendor.client(), vendor.client()

    def expired(request):
        # While this request is under way, another client gets a 401 and renews the token.
        late.token(refused="token-1")
        return Answer(401)

    vendor.answers.append(expired)
    early.request("GET", ["x"])
    assert vendor.tokens_fetched == 2
    assert vendor.calls[-1].headers["Authorization"] == "Bearer token-2"


@pytest.mark.parametrize("status", [400, 401])
def test_refused_credentials_are_an_authentication_error_at_once(vendor, status):
    vendor.tokens.extend([Answer(status, {"error": "invalid_client"})] * 9)
    with pytest.raises(AuthenticationError, match=r"refused the client id and secret.*invalid_client") as caught:
        vendor.client().request("GET", ["x"])
    assert (vendor.tokens_fetched, len(vendor.calls)) == (1, 0)
    assert (caught.value.status, caught.value.path, caught.value.method) == (status, "/token", "POST")


@pytest.mark.parametrize(
    ("answer", "scope"),
    [
        ({"token_type": "Bearer", "expires_in": 86400, "scope": "a b"}, "a b"),
        ({"token_type": "bearer", "expires_in": "86400", "scope": ["a", "b"]}, "a b"),
        ({"token_type": "BEARER", "expires_in": None, "scope": None}, None),
        ({"expires_in": "soon"}, None),
        ({"expires_in": -5, "scope": 7}, None),
        ({"expires_in": 10**400}, None),
        ({"expires_in": "nan"}, None),
        ({"expires_in": "inf"}, None),
        ({"expires_in": [3600]}, None),
        ({}, None),
    ],
)
def test_a_token_is_used_whatever_other_fields_its_response_has(vendor, answer, scope):
    vendor.tokens.append(Answer(body={"access_token": "the-token", **answer}))
    client = vendor.client(retry=ONCE)
    assert client.token().scope == scope
    for _ in range(3):
        client.request("GET", ["x"])
    assert {call.headers["Authorization"] for call in vendor.calls} == {"Bearer the-token"}
    assert 0 < client.token().renew_at - time.monotonic() < 86400


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"access_token": None},
        {"access_token": ""},
        {"access_token": 7},
        {"access_token": "very odd"},
        {"access_token": "odd\r\nX-Header: 1"},
        {"access_token": "öddly"},
        {"access_token": "oddly", "token_type": "mac"},
        {"access_token": "oddly", "token_type": 7},
        ["oddly"],
        "oddly",
    ],
)
def test_a_response_without_a_usable_token_is_an_error_that_does_not_quote_it(vendor, body):
    vendor.tokens.append(Answer(body=body if isinstance(body, dict | list) else f'"{body}"'))
    with pytest.raises(UnexpectedReply) as caught:
        vendor.client(retry=ONCE).request("GET", ["x"])
    assert "POST /token" in str(caught.value)
    assert "odd" not in str(caught.value).replace("X-Header", "")
    assert (caught.value.status, caught.value.vendor, caught.value.path) == (200, "Acme", "/token")
    assert not vendor.calls


def test_the_texts_of_a_token_and_of_credentials_contain_no_secret(vendor):
    client = vendor.client()
    assert "token-1" not in repr(client.token())
    assert vendor.secret not in repr(client._credentials)
    assert vendor.secret not in client._credentials.key


def test_an_error_that_echoes_the_request_contains_no_secret(vendor):
    def echo(request):
        return Answer(422, {"message": f"cannot read {dict(request.headers)} {request.body!r}"})

    vendor.answers.append(echo)
    with pytest.raises(Exception, match="cannot read") as caught:
        vendor.client(retry=ONCE).request("GET", ["x"])
    assert "token-1" not in str(caught.value)

    vendor.tokens.append(Answer(401, {"error": vendor.requests[0].headers["Authorization"]}))
    with pytest.raises(AuthenticationError) as refused:
        vendor.client(retry=ONCE).token(refused="token-1")
    assert vendor.secret not in str(refused.value)
    assert vendor.requests[0].headers["Authorization"].split()[1] not in str(refused.value)


def test_a_forked_child_does_not_wait_for_a_lock_of_its_parent_and_fetches_its_own_token(vendor):
    """A child that is forked while a thread of the parent holds the lock would wait for ever."""
    holding, done = threading.Event(), threading.Event()

    def slow(request):
        holding.set()
        done.wait(30)
        return Answer(body={"access_token": "slow"})

    vendor.tokens.append(Answer(body={"access_token": "first"}))
    vendor.client().token()
    original = vendor.answer
    vendor.answer = lambda request: slow(request) if not holding.is_set() else original(request)
    thread = threading.Thread(target=vendor.client().token, kwargs={"refused": "first"})
    thread.start()
    try:
        assert holding.wait(30)
        child = os.fork()
        if not child:
            # Ends a child that waits for ever; the handler inherited from the parent is removed.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(20)
            try:
                os._exit(0 if vendor.client().token().value == "token-2" else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        done.set()
        thread.join()

"""The token endpoint, and requests with a token."""

from __future__ import annotations

import base64

import pytest

from tests.sandbox.caller import FORM


def test_a_walkme_token_is_returned_for_the_key_as_documented(walkme):
    reply = walkme.token()
    assert reply.status_code == 200
    body = reply.json()
    assert body.pop("access_token").count(".") == 2
    assert body == {"token_type": "Bearer", "expires_in": 86400, "scope": "segments:write segments:read"}


def test_every_walkme_token_is_different(walkme):
    assert walkme.token().json()["access_token"] != walkme.token().json()["access_token"]


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic %%%",
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b"walkme-sandbox-client:wrong").decode(),
        "Bearer token",
    ],
)
def test_a_wrong_key_is_refused(walkme, authorization):
    del walkme.session.headers["authorization"]
    headers = {"content-type": FORM} | ({"authorization": authorization} if authorization else {})
    reply = walkme.token(auth=None, headers=headers)
    assert (reply.status_code, reply.json()) == (401, {"error": "invalid_client"})


def test_a_key_in_the_body_is_refused(walkme):
    del walkme.session.headers["authorization"]
    sandbox = walkme.sandbox
    data = f"grant_type=client_credentials&client_id={sandbox.client_id}&client_secret={sandbox.client_secret}"
    assert walkme.token(auth=None, data=data).status_code == 401


@pytest.mark.parametrize(
    ("data", "error"),
    [
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=", "unsupported_grant_type"),
        ("", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
    ],
)
def test_another_grant_type_is_refused(walkme, data, error):
    reply = walkme.token(data=data)
    assert (reply.status_code, reply.json()) == (400, {"error": error})


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_another_content_type_of_a_token_request_is_refused(walkme, content_type):
    reply = walkme.token(headers={"content-type": content_type})
    assert (reply.status_code, reply.json()) == (400, {"error": "invalid_request"})


def test_the_content_type_of_a_token_request_may_have_parameters(walkme):
    assert walkme.token(headers={"content-type": f"{FORM.title()}; charset=utf-8"}).status_code == 200


def test_only_post_returns_tokens(walkme):
    url = f"{walkme.sandbox.walkme_url}/accounts/connect/token"
    assert walkme.session.get(url, timeout=20).status_code == 405


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer unknown", "Basic {token}", "{token}"])
def test_a_request_without_a_known_token_is_refused(walkme, authorization):
    token = walkme.session.headers.pop("authorization").removeprefix("Bearer ")
    if authorization is not None:
        walkme.session.headers["authorization"] = authorization.format(token=token)
    replies = [walkme.list(), walkme.create(), walkme.update("x"), walkme.delete("x")]
    assert [reply.status_code for reply in replies] == [401] * 4
    assert replies[0].json()["error"] == "unauthorized"


def test_a_walkme_token_expires_by_the_clock_of_the_sandbox(walkme):
    walkme.sandbox.advance(86_000)
    assert walkme.list().status_code == 200
    walkme.sandbox.advance(500)
    assert walkme.list().status_code == 401
    assert walkme.log_in().list().status_code == 200


def test_all_tokens_can_be_made_invalid(walkme):
    walkme.sandbox.expire_tokens()
    assert walkme.list().status_code == 401


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"token_type": "bearer"}, "token_type", "bearer"),
        ({"token_type": "BEARER"}, "token_type", "BEARER"),
        ({"expires_in_as": "string"}, "expires_in", "86400"),
        ({"expires_in_as": "absent"}, "expires_in", None),
        ({"scope_in_token": False}, "scope", None),
        ({"token_lifetime": 90}, "expires_in", 90),
        ({"scopes": ["segments:read"]}, "scope", "segments:read"),
    ],
)
def test_the_walkme_token_response_has_the_form_that_is_set(walkme, settings, key, value):
    walkme.sandbox.settings(**settings)
    assert walkme.token().json().get(key) == value


def test_a_token_needs_the_scope_of_the_request(walkme):
    walkme.sandbox.settings(scopes=["segments:read"])
    walkme.log_in()
    assert [walkme.list().status_code, walkme.create().status_code] == [200, 403]
    assert [walkme.update("x").status_code, walkme.delete("x").status_code] == [403, 403]
    walkme.sandbox.settings(scopes=["segments:write"])
    walkme.log_in()
    assert [walkme.list().status_code, walkme.create().status_code] == [403, 201]


def test_a_customer_without_the_feature_gets_a_token_and_is_denied_everything_else(walkme):
    walkme.sandbox.settings(segments_enabled=False)
    walkme.log_in()
    replies = [walkme.list(), walkme.create(), walkme.update("x"), walkme.delete("x")]
    assert [reply.status_code for reply in replies] == [403] * 4


def test_the_client_id_and_secret_can_be_set(walkme):
    walkme.sandbox.settings(client_id="other", client_secret="words")
    assert walkme.token(auth=("walkme-sandbox-client", "words")).status_code == 401
    assert walkme.token().status_code == 200

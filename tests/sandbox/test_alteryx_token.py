"""Alteryx Server's token endpoint, and requests with a token."""

from __future__ import annotations

import pytest

from tests.sandbox.alteryx_caller import NO_ID

DENIED = {"message": "Authorization has been denied for this request."}


def test_an_alteryx_token_is_returned_for_the_key_pair_by_basic_authentication(alteryx):
    reply = alteryx.token()
    body = reply.json()
    assert (reply.status_code, body.pop("access_token").count(".")) == (200, 2)
    assert body == {"token_type": "bearer", "expires_in": 3600}


def _pair(sandbox, **changes):
    return {"client_id": sandbox.api_key, "client_secret": sandbox.api_secret, **changes}


def test_an_alteryx_token_is_returned_for_the_key_pair_in_the_body_whatever_the_scope(alteryx):
    del alteryx.session.headers["authorization"]
    form = {"grant_type": "client_credentials", "scope": "user", "resource": "x", **_pair(alteryx.sandbox)}
    assert alteryx.token(auth=None, data=form).status_code == 200
    assert alteryx.token(data=form).status_code == 200
    wrong = alteryx.token(data={**form, "client_secret": "wrong"})
    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_client")


@pytest.mark.parametrize(("placement", "statuses"), [("basic", [200, 400]), ("body", [400, 200])])
def test_one_placement_of_the_key_pair_can_be_set_to_be_refused(alteryx, placement, statuses):
    alteryx.sandbox.settings(client_auth=placement)
    del alteryx.session.headers["authorization"]
    in_body = {"grant_type": "client_credentials", **_pair(alteryx.sandbox)}
    assert [alteryx.token().status_code, alteryx.token(auth=None, data=in_body).status_code] == statuses


@pytest.mark.parametrize(
    ("request_parts", "error"),
    [
        ({"auth": ("alteryx-sandbox-key", "wrong")}, "invalid_client"),
        ({"auth": None}, "invalid_client"),
        ({"data": {"grant_type": "password"}}, "unsupported_grant_type"),
        ({"data": {"scope": "user"}}, "invalid_request"),
        ({"data": "grant_type=client_credentials"}, "invalid_request"),
        ({"data": None, "json": {"grant_type": "client_credentials"}}, "invalid_request"),
        ({"data": [("grant_type", "client_credentials"), ("grant_type", "client_credentials")]}, "invalid_request"),
    ],
)
def test_an_invalid_alteryx_token_request_is_refused_in_oauth_form_even_if_xml_is_requested(
    alteryx, request_parts, error
):
    del alteryx.session.headers["authorization"]
    alteryx.session.headers["accept"] = "application/xml"
    reply = alteryx.token(**request_parts)
    assert (reply.status_code, reply.json()["error"]) == (400, error)
    assert reply.json()["error_description"]


def test_a_wrong_key_pair_can_be_set_to_be_a_401(alteryx):
    alteryx.sandbox.settings(invalid_client_status=401)
    reply = alteryx.token(auth=("nobody", "wrong"))
    assert (reply.status_code, reply.json()["error"]) == (401, "invalid_client")
    assert reply.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize(
    ("settings", "key", "value"),
    [
        ({"token_type": "Bearer"}, "token_type", "Bearer"),
        ({"expires_in_as": "string"}, "expires_in", "3600"),
        ({"expires_in_as": "absent"}, "expires_in", None),
        ({"token_lifetime": 90}, "expires_in", 90),
    ],
)
def test_the_alteryx_token_response_has_the_form_that_is_set(alteryx, settings, key, value):
    alteryx.sandbox.settings(**settings)
    assert alteryx.token().json().get(key) == value


@pytest.mark.parametrize("authorization", [None, "Bearer", "Bearer made-up", "Basic {token}", "{token}"])
def test_an_alteryx_request_without_a_known_token_is_denied(alteryx, authorization):
    token = alteryx.session.headers.pop("authorization").removeprefix("Bearer ")
    if authorization is not None:
        alteryx.session.headers["authorization"] = authorization.format(token=token)
    _expect_denial(alteryx, 401)


@pytest.mark.parametrize("status", [401, 403])
def test_a_caller_who_is_not_a_curator_gets_a_token_and_is_denied_everything_else(alteryx, status):
    alteryx.sandbox.settings(caller_is_curator=False, not_curator_status=status)
    _expect_denial(alteryx.log_in(), status)


def _expect_denial(alteryx, status):
    sid = f"usergroups/{NO_ID}/activedirectorygroups"
    replies = [
        alteryx.send("GET", "usergroups"), alteryx.create(), alteryx.group(NO_ID), alteryx.update(NO_ID),
        alteryx.delete(NO_ID), alteryx.add(NO_ID, []), alteryx.remove(NO_ID, NO_ID), alteryx.users(),
        alteryx.send("GET", f"users/{NO_ID}"), alteryx.send("POST", sid, json="x"),
        alteryx.send("DELETE", f"{sid}/S-1-5-32"), alteryx.send("POST", f"collections/{NO_ID}/userGroups", json={}),
        alteryx.send("DELETE", f"credentials/{NO_ID}/userGroups/{NO_ID}"),
        alteryx.send("PUT", f"collections/{NO_ID}/userGroups/{NO_ID}/permissions", json={}),
    ]  # fmt: skip
    assert [(reply.status_code, reply.json()) for reply in replies] == [(status, DENIED)] * len(replies)


def test_an_alteryx_token_expires_by_the_clock_of_the_sandbox(alteryx):
    alteryx.sandbox.advance(3500)
    assert alteryx.users().status_code == 200
    alteryx.sandbox.advance(101)
    assert alteryx.users().status_code == 401
    assert alteryx.log_in().users().status_code == 200
    alteryx.sandbox.expire_tokens()
    assert alteryx.users().status_code == 401


def test_a_token_of_one_vendor_is_refused_by_another(alteryx, walkme):
    alteryx.session.headers["authorization"] = walkme.session.headers["authorization"]
    assert alteryx.users().status_code == 401
    alteryx.sandbox.expire_tokens()
    assert walkme.list().status_code == 200

"""Docebo's token endpoint, and requests with a token."""

from __future__ import annotations

import re
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_segments_provider.testing.sandbox import SandboxError
from airflow_segments_provider.testing.sandbox.docebo.constants import PASSWORD, USERNAME
from tests.sandbox.test_docebo_caller import DoceboCaller, caller_of

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = (
    KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)


@pytest.fixture
def docebo(server):
    return caller_of(server.url)


def assertion(docebo: DoceboCaller, key: Any = KEY, **claims: object) -> str:
    right = {"iss": docebo.sandbox.client_id, "sub": USERNAME, "exp": int(docebo.sandbox.now()) + 60}
    given = {name: value for name, value in {**right, **claims}.items() if value is not None}
    return jwt.encode(given, key, algorithm="RS256")


@pytest.mark.parametrize("how", ["data", "files", "json"])
def test_a_docebo_token_is_returned_for_the_client_in_each_content_type(docebo, how):
    reply = docebo.token(how)
    assert reply.status_code == 200
    body = reply.json()
    assert re.fullmatch("[0-9a-f]{40}", body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 3600, "scope": "api"}


def test_a_docebo_token_is_returned_for_a_password_and_refreshed(docebo):
    reply = docebo.token(grant_type="password", username=USERNAME, password=PASSWORD)
    refresh = reply.json()["refresh_token"]
    again = docebo.token(grant_type="refresh_token", refresh_token=refresh, scope="")
    assert (reply.status_code, again.status_code) == (200, 200)
    docebo.session.headers["authorization"] = f"Bearer {again.json()['access_token']}"
    assert docebo.send("GET").status_code == 200
    for wrong in ({"password": "wrong"}, {"username": "nobody"}, {"password": ""}):
        fields = {"grant_type": "password", "username": USERNAME, "password": PASSWORD, **wrong}
        reply = docebo.token(**fields)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    assert docebo.token(grant_type="refresh_token", refresh_token="wrong").status_code == 400


def test_a_docebo_token_is_returned_for_a_valid_assertion_only(docebo):
    docebo.sandbox.set_public_key(PEM)
    given = {"grant_type": JWT_BEARER, "client_id": "", "client_secret": ""}
    assert docebo.token(assertion=assertion(docebo), **given).status_code == 200
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    now = docebo.sandbox.now()
    for wrong in (
        "",
        "a.b.c",
        assertion(docebo, other),
        assertion(docebo, iss="nobody"),
        assertion(docebo, sub="nobody"),
        assertion(docebo, exp=None),
        assertion(docebo, exp=int(now) - 1),
        assertion(docebo, nbf=int(now) + 600),
        jwt.encode({"iss": docebo.sandbox.client_id}, "x" * 64, algorithm="HS256"),
    ):
        reply = docebo.token(assertion=wrong, **given)
        assert (reply.status_code, reply.json()["error"]) == (400, "invalid_grant")
    docebo.sandbox.settings(jwt_audience="docebo.example.com")
    assert docebo.token(assertion=assertion(docebo), **given).status_code == 400
    assert docebo.token(assertion=assertion(docebo, aud="docebo.example.com"), **given).status_code == 200
    assert docebo.token(assertion=assertion(docebo, aud=["docebo.example.com"]), **given).status_code == 200
    docebo.sandbox.settings(jwt_audience=None, jwt_client_in_form="required")
    assert docebo.token(assertion=assertion(docebo), **given).json()["error"] == "invalid_client"
    assert docebo.token(assertion=assertion(docebo), grant_type=JWT_BEARER).status_code == 200


def test_an_assertion_expires_by_the_clock_of_the_sandbox(docebo):
    docebo.sandbox.set_public_key(PEM)
    early = assertion(docebo)
    docebo.sandbox.advance(3600)
    assert docebo.token(grant_type=JWT_BEARER, assertion=early).status_code == 400
    assert docebo.token(grant_type=JWT_BEARER, assertion=assertion(docebo)).status_code == 200


def test_only_a_public_key_can_be_set_and_without_one_each_assertion_is_refused(docebo):
    assert docebo.token(grant_type=JWT_BEARER, assertion=assertion(docebo)).status_code == 400
    for wrong in (PEM.replace("PUBLIC KEY", "CERTIFICATE"), PEM.replace("A", "B"), "key"):
        with pytest.raises(SandboxError, match="422"):
            docebo.sandbox.set_public_key(wrong)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": ""}, "invalid_client"),
        ({"grant_type": ""}, "invalid_request"),
        ({"how": "json", "client_id": "\ud800"}, "invalid_request"),
        ({"grant_type": "magic"}, "unsupported_grant_type"),
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "api:manage"}, "invalid_scope"),
    ],
)
def test_an_invalid_docebo_token_request_is_refused(docebo, fields, error):
    reply = docebo.token(**fields)
    assert (reply.status_code, reply.json()["error"]) == (400, error)


def test_the_docebo_token_response_has_the_form_that_is_set(docebo):
    docebo.sandbox.settings(
        refresh_token="null", expires_in_as="string", token_type="bearer", token_error_status=401, scope_required=False
    )
    body = docebo.token(scope="").json()
    assert (body["refresh_token"], body["expires_in"], body["token_type"]) == (None, "3600", "bearer")
    assert docebo.token(client_id="wrong").status_code == 401
    docebo.sandbox.settings(token_error_body="docebo", refresh_token="value", grants=["client_credentials"])
    assert docebo.token(client_id="wrong").json() == {
        "name": "Unauthorized", "message": ["the client credentials are invalid"], "code": 0, "status": 401
    }  # fmt: skip
    assert re.fullmatch("[0-9a-f]{40}", docebo.token().json()["refresh_token"])
    assert docebo.token(grant_type="password", username=USERNAME, password=PASSWORD).status_code == 400


def test_a_docebo_token_expires_and_an_unknown_one_is_refused(docebo):
    docebo.sandbox.advance(3599)
    assert docebo.send("GET").status_code == 200
    docebo.sandbox.advance(1)
    reply = docebo.send("GET")
    assert reply.json() == {
        "name": "Unauthorized", "message": ["the access token is missing, unknown or expired"], "code": 0, "status": 401
    }  # fmt: skip
    assert docebo.log_in().send("GET").status_code == 200
    docebo.sandbox.expire_tokens()
    assert docebo.send("GET").status_code == 401
    del docebo.session.headers["authorization"]
    assert docebo.send("GET").status_code == 401


def test_a_docebo_user_who_is_not_an_administrator_is_refused(docebo):
    docebo.sandbox.set_public_key(PEM)
    docebo.sandbox.add_user("learner@example.com")
    reply = docebo.token(grant_type=JWT_BEARER, assertion=assertion(docebo, sub="learner@example.com"))
    docebo.session.headers["authorization"] = f"Bearer {reply.json()['access_token']}"
    assert docebo.send("GET").status_code == 403
    (admin,) = [user for user in docebo.sandbox.users() if user.level == "superadmin"]
    docebo.sandbox.change_user(admin.idst, active=False)
    assert docebo.token().json()["error"] == "invalid_grant"


def test_the_log_of_docebo_requests_contains_no_secret(docebo):
    docebo.token(grant_type="password", username=USERNAME, password=PASSWORD)
    docebo.manage("user", search_text="learner-address")
    log = docebo.session.get(f"{docebo.sandbox.url}/_sandbox/calls", timeout=20).text
    for secret in (docebo.sandbox.client_secret, PASSWORD, "learner-address", docebo.session.headers["authorization"]):
        assert secret not in log

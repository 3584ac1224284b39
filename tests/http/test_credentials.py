"""Each kind of credentials, tested by what the vendor receives."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from airflow_segments_provider.errors import AuthenticationError
from airflow_segments_provider.http import ClientCredentials, FixedAuthorization, JwtBearer, PasswordGrant, RetryPolicy
from airflow_segments_provider.http.auth import Credentials
from tests.http.vendor import TOKEN_PATH, Answer

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def fetched(vendor, credentials):
    """Return the token request that these credentials cause."""
    vendor.client(credentials=credentials).request("GET", ["x"])
    request, call = vendor.requests
    assert (request.method, call.headers["Authorization"]) == ("POST", "Bearer token-1")
    return request


@pytest.mark.parametrize("scope", [None, "a b"])
def test_client_credentials_are_sent_by_basic_authentication(vendor, scope):
    request = fetched(vendor, ClientCredentials(vendor.url + TOKEN_PATH, "me", "s e&c", scope=scope))
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"me:s e&c").decode()
    assert request.headers["Content-Type"] == FORM
    assert parse_qs(request.body.decode()) == {"grant_type": ["client_credentials"]} | (
        {"scope": [scope]} if scope else {}
    )


def test_client_credentials_are_sent_in_a_form(vendor):
    request = fetched(vendor, ClientCredentials(vendor.url + TOKEN_PATH, "me", "s e&c", placement="body"))
    assert "Authorization" not in request.headers
    sent = {"grant_type": ["client_credentials"], "client_id": ["me"], "client_secret": ["s e&c"]}
    assert parse_qs(request.body.decode()) == sent


def test_client_credentials_are_sent_as_json(vendor):
    credentials = ClientCredentials(
        vendor.url + TOKEN_PATH, "me", "grüße", scope="read write", placement="json", expires_in=7200
    )
    request = fetched(vendor, credentials)
    assert "Authorization" not in request.headers
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {
        "grant_type": "client_credentials",
        "client_id": "me",
        "client_secret": "grüße",
        "scope": "read write",
        "expires_in": 7200,
    }


def test_a_password_grant_sends_the_password_in_a_form(vendor):
    credentials = PasswordGrant(vendor.url + TOKEN_PATH, "me", "secret", "ada", "pa ss", scope="api")
    request = fetched(vendor, credentials)
    assert request.headers["Content-Type"] == FORM
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["password"],
        "client_id": ["me"],
        "client_secret": ["secret"],
        "username": ["ada"],
        "password": ["pa ss"],
        "scope": ["api"],
    }


def test_a_jwt_bearer_grant_sends_a_signed_assertion(vendor, key):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    credentials = JwtBearer(vendor.url + TOKEN_PATH, "me", "secret", "ada", pem, "acme.example", scope="api")
    sent = parse_qs(fetched(vendor, credentials).body.decode())
    assert sent["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert (sent["client_id"], sent["client_secret"], sent["scope"]) == (["me"], ["secret"], ["api"])
    assertion = sent["assertion"][0]
    claims = jwt.decode(assertion, key.public_key(), algorithms=["RS256"], audience="acme.example", issuer="me")
    assert claims["sub"] == "ada"
    assert claims["iat"] <= time.time() < claims["exp"] <= time.time() + 600
    again = parse_qs(credentials.token_request().body.decode())["assertion"][0]
    assert again != assertion


def test_a_fixed_authorization_is_sent_unchanged_and_not_renewed_after_a_401(vendor):
    credentials = FixedAuthorization("Basic", "YWRhOnNlY3JldA==", "API token", hidden=("secret",))
    client = vendor.client(credentials=credentials)
    client.request("GET", ["x"])
    assert [request.headers["Authorization"] for request in vendor.requests] == ["Basic YWRhOnNlY3JldA=="]
    vendor.answers.append(Answer(401, {"error": "no secret"}))
    with pytest.raises(AuthenticationError) as caught:
        client.request("GET", ["x"])
    assert len(vendor.requests) == 2
    assert "secret" not in str(caught.value)


def test_the_error_for_refused_credentials_names_their_kind_without_secrets(vendor, key):
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    url = vendor.url + TOKEN_PATH
    every: dict[str, Credentials] = {
        "client id and secret": ClientCredentials(url, "me", "the secret"),
        "user name and password": PasswordGrant(url, "me", "the secret", "ada", "the password"),
        "private key": JwtBearer(url, "me", "the secret", "ada", pem, "x"),
    }
    for named, credentials in every.items():
        vendor.tokens.append(lambda request, known=credentials.secrets: Answer(400, [*known, request.body.decode()]))
        with pytest.raises(AuthenticationError, match=named) as caught:
            vendor.client(credentials=credentials, retry=RetryPolicy(max_attempts=1)).token()
        shown = [str(caught.value), repr(credentials), repr(credentials.token_request())]
        assertion = parse_qs(vendor.requests[-1].body.decode()).get("assertion", ["the secret"])[0]
        for secret in (*credentials.secrets, "the secret", "the password", "the+secret", assertion):
            assert not any(secret in text for text in shown), named


def test_different_credentials_never_share_a_token():
    url = "https://x/token"
    keys = [
        ClientCredentials(url, "me", "s").key,
        ClientCredentials(url, "me", "s", placement="body").key,
        ClientCredentials(url, "me", "s", placement="json", expires_in=600).key,
        ClientCredentials(url, "me", "s", scope="a").key,
        PasswordGrant(url, "me", "s", "ada", "p").key,
        PasswordGrant(url, "me", "s", "grace", "p").key,
        JwtBearer(url, "me", "s", "ada", "k", "x").key,
        FixedAuthorization("Bearer", "s", "token").key,
        FixedAuthorization("Basic", "s", "token").key,
    ]
    assert len(set(keys)) == len(keys)

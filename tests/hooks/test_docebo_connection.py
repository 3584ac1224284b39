"""Authentication of a Docebo connection and its Test button, against the sandbox, over a socket."""

from __future__ import annotations

import json
import socket
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from airflow_segments_provider.errors import AuthenticationError, ConfigurationError
from airflow_segments_provider.hooks.docebo import DoceboHook
from tests.conftest import RETRY

GRANTS = ["client_credentials", "password", "jwt_bearer"]
PRIVATE = (Encoding.PEM, PrivateFormat.PKCS8)


@cache
def rsa_key():
    return generate_rsa_key(public_exponent=65537, key_size=2048)


def pem(encryption=None, key=None):
    return (key or rsa_key()).private_bytes(*PRIVATE, encryption or NoEncryption()).decode()


def public_pem():
    return rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture
def connect(docebo_sandbox, monkeypatch):
    """Return a function that makes a hook with this grant; ``fields`` are those of the connection itself."""

    def set_up(grant="client_credentials", fields=None, **extra: object) -> DoceboHook:
        given = {
            "client_credentials": {},
            "password": {"username": docebo_sandbox.username, "user_password": docebo_sandbox.password},
            "jwt_bearer": {"username": docebo_sandbox.username, "private_key": pem()},
        }[grant]
        docebo_sandbox.set_public_key(public_pem())
        connection = docebo_sandbox.connection(**{"grant_type": grant, "retry": RETRY, **given, **extra})
        connection.update(fields or {})
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", json.dumps(connection))
        return DoceboHook()

    return set_up


@pytest.fixture
def check(connect, docebo_sandbox):
    def run(*given, **extra: object) -> tuple[bool, str]:
        works, message = connect(*given, **extra).test_connection()
        for secret in (docebo_sandbox.client_secret, docebo_sandbox.password, pem().splitlines()[1]):
            assert secret not in message
        return works, message

    return run


class TestGrants:
    @pytest.mark.parametrize("grant", GRANTS)
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"token_type": "bearer", "expires_in_as": "string", "refresh_token": "null"},
            {"expires_in_as": "absent", "refresh_token": "value"},
            {"scope_required": False, "jwt_client_in_form": "required"},
            {"jwt_claims": ["iss", "sub", "aud", "iat", "exp"], "jwt_audience": "127.0.0.1"},
        ],
    )
    def test_each_grant_fetches_one_token_for_all_hooks(self, connect, docebo_sandbox, grant, settings):
        docebo_sandbox.settings(**settings)
        for _ in range(2):
            assert len(list(connect(grant).get_groups())) == 2
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.list_groups": 2}

    @pytest.mark.parametrize("grant", GRANTS)
    def test_an_expired_token_is_renewed_once(self, connect, docebo_sandbox, grant):
        hook = connect(grant)
        list(hook.get_groups())
        docebo_sandbox.expire_tokens()
        list(hook.get_groups())
        assert docebo_sandbox.counts() == {"docebo.get_token": 2, "docebo.list_groups": 3}
        docebo_sandbox.fault("docebo.list_groups", "status", status=401, times=None)
        with pytest.raises(AuthenticationError):
            list(hook.get_groups())
        assert docebo_sandbox.counts() == {"docebo.get_token": 3, "docebo.list_groups": 5}

    @pytest.mark.parametrize("grant", GRANTS)
    @pytest.mark.parametrize("status", [400, 401])
    @pytest.mark.parametrize("body", ["oauth", "docebo"])
    def test_a_refused_grant_is_an_authentication_error_without_secrets(
        self, connect, docebo_sandbox, grant, status, body
    ):
        hook = connect(grant)
        docebo_sandbox.settings(token_error_status=status, token_error_body=body, client_secret="another")
        with pytest.raises(AuthenticationError, match="refused") as caught:
            list(hook.get_groups())
        for secret in (hook.connection.password, docebo_sandbox.password, docebo_sandbox.username):
            assert secret not in str(caught.value)
        assert docebo_sandbox.counts() == {"docebo.get_token": 1}

    @pytest.mark.parametrize("grant", GRANTS)
    def test_a_grant_that_is_not_enabled_is_an_authentication_error(self, connect, docebo_sandbox, grant):
        docebo_sandbox.settings(grants=["refresh_token"])
        with pytest.raises(AuthenticationError, match="unsupported_grant_type"):
            list(connect(grant).get_groups())

    def test_the_assertion_names_the_host_or_jwt_audience(self, connect, docebo_sandbox):
        docebo_sandbox.settings(jwt_audience="https://elsewhere.example.com")
        with pytest.raises(AuthenticationError):
            list(connect("jwt_bearer").get_groups())
        assert list(connect("jwt_bearer", jwt_audience="https://elsewhere.example.com").get_groups())

    def test_a_private_key_on_one_line_is_accepted(self, connect):
        for between in ("\\n", " ", ""):
            assert list(connect("jwt_bearer", private_key=pem().replace("\n", between)).get_groups())

    def test_tokens_are_fetched_from_token_url(self, connect, docebo_sandbox):
        assert list(connect(token_url=f"{docebo_sandbox.docebo_url}/oauth2/token").get_groups())

    def test_the_scope_of_the_token_can_be_set(self, connect):
        with pytest.raises(AuthenticationError, match="scope must be api"):
            list(connect(scope="other").get_groups())


class TestFields:
    @pytest.mark.parametrize(
        ("extra", "problem"),
        [
            (
                {"grant_type": "password"},
                "`grant_type` password needs `username` and `user_password`, which are missing",
            ),
            ({"grant_type": "password", "username": "x"}, "needs `user_password`, which is missing"),
            ({"grant_type": "jwt_bearer"}, "`grant_type` jwt_bearer needs `username` and `private_key`"),
            ({"private_key": "SECRET"}, "`private_key`: is not a private key"),
            ({"private_key": public_pem()}, "`private_key`: is not a private key"),
            ({"private_key": pem(BestAvailableEncryption(b"SECRET"))}, "`private_key`: is locked with a passphrase"),
            ({"private_key": pem(key=generate_private_key(SECP256R1()))}, "`private_key`: is not an RSA key"),
            ({"page_size": 201, "users_per_request": 0, "add_route": "x"}, "`page_size`"),
            ({"user_passwort": "SECRET"}, "`user_passwort` is not known"),
        ],
    )
    def test_an_invalid_field_is_named_before_any_request(self, connect, docebo_sandbox, extra, problem):
        with pytest.raises(ConfigurationError) as caught:
            connect(**extra).get_group("x")
        assert problem in str(caught.value)
        assert "'docebo_default'" in str(caught.value)
        assert "SECRET" not in str(caught.value)
        assert docebo_sandbox.counts() == {}

    def test_all_invalid_fields_are_named_in_one_message(self, connect):
        with pytest.raises(ConfigurationError) as caught:
            connect(fields={"login": "", "host": ""}, page_size=201, create_path="x").get_group("x")
        for field in ("`host`", "`login`", "`page_size`", "`create_path`"):
            assert field in str(caught.value)

    def test_a_connection_as_uri_works(self, docebo_sandbox, monkeypatch):
        host = docebo_sandbox.docebo_url.replace("/", "%2F").replace(":", "%3A")
        uri = f"docebo://{docebo_sandbox.client_id}:{docebo_sandbox.client_secret}@{host}/?page_size=1&read_only=false"
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", uri)
        assert len(list(DoceboHook().get_groups())) == 2
        assert docebo_sandbox.counts()["docebo.list_groups"] == 2

    def test_the_link_leads_to_the_platform(self, connect, docebo_sandbox):
        assert connect().ui_url == docebo_sandbox.docebo_url

    def test_the_text_of_the_connection_fields_contains_no_secret(self, connect):
        fields = connect("jwt_bearer", user_password="SECRET").fields
        assert "SECRET" not in repr(fields)
        assert pem().splitlines()[1] not in repr(fields)


class TestCheck:
    @pytest.mark.parametrize("grant", GRANTS)
    def test_the_connection_test_reports_the_number_of_groups(self, check, docebo_sandbox, grant):
        works, message = check(grant)
        assert works, message
        assert message.startswith("Host and credentials are right (groups on the platform: 2).")
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.list_groups": 1}

    @pytest.mark.parametrize("settings", [{"list_totals": False}, {"list_form": "bare"}])
    def test_the_connection_test_succeeds_without_a_total_of_groups(self, check, docebo_sandbox, settings):
        docebo_sandbox.settings(**settings)
        works, message = check()
        assert works, message
        assert message.startswith("Host and credentials are right.")

    def test_the_connection_test_says_that_the_connection_is_read_only(self, check):
        works, message = check(read_only=True)
        assert works
        assert "read-only" in message

    @pytest.mark.parametrize(
        ("grant", "where"),
        [
            ("client_credentials", "the client id and secret"),
            ("password", "`username` and `user_password`"),
            ("jwt_bearer", "BEGIN PUBLIC KEY"),
        ],
    )
    def test_the_connection_test_names_wrong_credentials(self, check, docebo_sandbox, grant, where):
        works, message = check(grant, {"password": "another"})
        assert not works
        assert message.startswith("Credentials: Docebo refuses the")
        assert where in message

    def test_the_connection_test_says_that_docebo_does_not_have_the_public_key(self, check, connect, docebo_sandbox):
        hook = connect("jwt_bearer")
        docebo_sandbox.set_public_key("")
        works, message = hook.test_connection()
        assert not works
        assert "must have the public key" in message

    def test_the_connection_test_names_the_permission_that_is_needed(self, check, docebo_sandbox):
        docebo_sandbox.add_user("nobody@example.com")
        docebo_sandbox.settings(username="nobody@example.com")
        works, message = check()
        assert not works
        assert message.startswith("Permission: Docebo denies the list of groups")
        assert "must be a Superadmin" in message

    def test_the_connection_test_names_a_host_that_refuses_connections(self, check):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        works, message = check("client_credentials", {"host": f"http://127.0.0.1:{port}"})
        assert not works
        assert message.startswith("Host:")
        assert "refused the connection" in message

    def test_the_connection_test_names_a_host_that_is_not_docebo(self, check, docebo_sandbox):
        works, message = check("client_credentials", {"host": docebo_sandbox.url})
        assert not works
        assert message.startswith("Host: this does not look like Docebo's API")

    def test_the_connection_test_names_each_invalid_field(self, check):
        works, message = check(timeout="soon", grant_type="magic")
        assert not works
        assert message.startswith("Connection:")
        assert "`timeout`" in message
        assert "`grant_type`" in message

    @pytest.mark.parametrize("endpoint", ["docebo.get_token", "docebo.list_groups"])
    @pytest.mark.parametrize("kind", ["html", "truncate", "empty_body", "wrong_content_type", "reset", "lost"])
    def test_the_connection_test_returns_every_failure_without_raising(self, check, docebo_sandbox, endpoint, kind):
        docebo_sandbox.fault(endpoint, kind, times=None)
        works, message = check(retry={"max_attempts": 1})
        assert not works
        assert "Docebo" in message

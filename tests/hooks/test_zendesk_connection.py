"""Zendesk connections: every way to log in, the Test button, and fields that are refused before any request."""

from __future__ import annotations

import json
import socket

import pytest

from airflow_segments_provider.errors import AuthenticationError, ConfigurationError, PermissionDenied
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.vendors.zendesk import connection as zendesk_connection
from tests.conftest import RETRY
from tests.hooks.test_zendesk import FARAH, NAME, counts

ADA = "ada.okafor@example.com"
VARIABLE = "AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT"
RIGHT = "Host and credentials are right: user segments can be managed"


@pytest.fixture
def connect(zendesk_sandbox, monkeypatch):
    """Return a function that makes a hook on a connection with these fields."""

    def set_up(extra: object = None, **fields: object) -> ZendeskHelpCenterHook:
        given = {"retry": RETRY, **extra} if isinstance(extra, dict) else extra or {"retry": RETRY}
        connection = {**zendesk_sandbox.connection(), "extra": given, **fields}
        monkeypatch.setenv(VARIABLE, json.dumps(connection))
        return ZendeskHelpCenterHook()

    return set_up


@pytest.fixture
def token(zendesk_sandbox, connect):
    """Return an access token that was fetched elsewhere."""
    return connect().client.token().value


@pytest.fixture(autouse=True)
def _warn_anew():
    zendesk_connection._warn_of_api_token.cache_clear()


class TestOAuth:
    def test_a_token_is_requested_as_json_with_its_lifetime_and_scope(self, connect, zendesk_sandbox):
        hook = connect({"scope": ["hc:read", "hc:write"], "expires_in": "301"})
        hook.create_user_segment(NAME)
        (call,) = zendesk_sandbox.calls("zendesk.create_token")
        assert (call.headers["content-type"], call.status) == ("application/json", 201)
        assert "authorization" not in call.headers
        assert hook.client.token().scope == "hc:read hc:write"

    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize("told", [True, False])
    def test_every_form_of_a_token_response_is_read(self, connect, zendesk_sandbox, status, told):
        zendesk_sandbox.settings(token_status=status, expires_in_reply=told)
        hook = connect()
        assert len(hook.get_user_segments().segments) == len(hook.get_user_segments().segments) == 2
        assert zendesk_sandbox.counts() == {"zendesk.create_token": 1, "zendesk.list_segments": 2}

    def test_an_expired_token_is_renewed_once(self, connect, zendesk_sandbox):
        hook = connect()
        hook.get_user_segments()
        zendesk_sandbox.advance(7201)
        hook.get_user_segments()
        assert zendesk_sandbox.counts() == {"zendesk.create_token": 2, "zendesk.list_segments": 3}

    def test_a_401_that_stays_is_an_error_that_names_a_plan_without_a_help_center(self, connect, zendesk_sandbox):
        zendesk_sandbox.settings(guide_enabled=False)
        with pytest.raises(AuthenticationError, match="plan has no Help Center") as caught:
            connect().get_user_segments()
        assert "zendesk_help_center_default" in str(caught.value)
        assert zendesk_sandbox.counts() == {"zendesk.create_token": 2, "zendesk.list_segments": 2}
        assert connect().get_user_tags(FARAH) == ["vip", "trial"]

    def test_a_refused_client_secret_is_an_authentication_error_without_the_secret(self, connect, zendesk_sandbox):
        with pytest.raises(AuthenticationError, match="client id and secret") as caught:
            connect(password="another-secret").get_user_segments()
        assert "another-secret" not in str(caught.value)

    @pytest.mark.parametrize("body", ["flat", "nested", "text"])
    def test_a_scope_that_is_too_small_is_an_error_that_names_the_scope(self, connect, zendesk_sandbox, body):
        zendesk_sandbox.settings(forbidden_body=body)
        hook = connect({"scope": "hc:read users:read"})
        hook.get_user_segments()
        with pytest.raises(PermissionDenied, match="hc:read hc:write"):
            hook.create_user_segment(NAME)
        with pytest.raises(PermissionDenied, match="users:read users:write"):
            hook.add_user_tags(FARAH, ["x"])

    def test_a_connection_as_uri_works(self, zendesk_sandbox, monkeypatch):
        from urllib.parse import quote

        host = quote(zendesk_sandbox.zendesk_url, safe="")
        login = f"{zendesk_sandbox.client_id}:{zendesk_sandbox.client_secret}"
        query = "scope=hc%3Aread+hc%3Awrite&expires_in=600&warnings_are_errors=true&timeout=5&auth="
        monkeypatch.setenv(VARIABLE, f"zendesk-help-center://{login}@{host}/?{query}")
        hook = ZendeskHelpCenterHook()
        assert (hook.fields.expires_in, hook.fields.warnings_are_errors, hook.fields.auth) == (600, True, "oauth")
        assert hook.test_connection()[0]


class TestBearerAndApiTokens:
    @pytest.mark.parametrize("place", ["token", "password"])
    def test_a_bearer_token_is_sent_unchanged_and_not_renewed(self, connect, zendesk_sandbox, token, place):
        extra = {"auth": "bearer", **({"token": token} if place == "token" else {})}
        hook = connect(extra, login=None, password=token if place == "password" else None)
        hook.create_user_segment(NAME, [FARAH])
        assert hook.test_connection() == (True, f"{RIGHT}. Writing was not tried.")
        zendesk_sandbox.expire_tokens()
        before = zendesk_sandbox.counts()
        with pytest.raises(AuthenticationError, match="not renewed"):
            hook.get_user_tags(FARAH)
        after = zendesk_sandbox.counts()
        assert after["zendesk.create_token"] == before["zendesk.create_token"] == 1
        assert after["zendesk.get_user_tags"] == 1

    @pytest.mark.parametrize("place", ["extra", "standard"])
    def test_an_api_token_works_and_warns_once_of_its_end(self, connect, zendesk_sandbox, caplog, place):
        secret = zendesk_sandbox.api_token
        standard = {"login": ADA, "password": secret}
        extra = {"auth": "api_token", **({"email": ADA, "token": secret} if place == "extra" else {})}
        fields = standard if place == "standard" else {"login": None, "password": None}
        for outcome in ("created", "reused"):
            assert connect(extra, **fields).create_user_segment(NAME, [FARAH]).outcome == outcome
        assert connect(extra, **fields).test_connection()[0]
        assert "zendesk.create_token" not in zendesk_sandbox.counts()
        (warning,) = [record for record in caplog.records if "30 April 2027" in record.getMessage()]
        assert warning.levelname == "WARNING"
        assert secret not in warning.getMessage()

    @pytest.mark.parametrize("reason", ["ended", "inactive", "idle", "wrong"])
    def test_an_api_token_that_no_longer_works_is_an_error_without_the_token(self, connect, zendesk_sandbox, reason):
        extra = {"auth": "api_token", "email": ADA, "token": zendesk_sandbox.api_token}
        if reason == "ended":
            zendesk_sandbox.settings(api_token_ends_at=zendesk_sandbox.now() - 1)
        elif reason == "inactive":
            zendesk_sandbox.settings(api_token_active=False)
        elif reason == "idle":
            zendesk_sandbox.advance(31 * 86_400)
        else:
            extra["token"] = "another-token"
        hook = connect(extra, login=None, password=None)
        works, message = hook.test_connection()
        assert not works
        assert message.startswith("Credentials: Zendesk refuses the e-mail address and API token")
        with pytest.raises(AuthenticationError) as caught:
            hook.get_user_segments()
        assert zendesk_sandbox.counts()["zendesk.list_segments"] == 1
        for shown in (message, str(caught.value)):
            assert str(extra["token"]) not in shown
            assert ADA not in shown


class TestOfficialType:
    """A connection of the official provider's hook."""

    @pytest.fixture
    def official(self, connect, zendesk_sandbox):
        def set_up(extra, **fields):
            return connect(extra, **{"conn_type": "zendesk", "login": None, "password": None, **fields})

        return set_up

    def test_the_ways_to_log_in_of_the_official_connection_type_work(self, official, zendesk_sandbox, token):
        secret = zendesk_sandbox.api_token
        ways: list[tuple[dict[str, object], dict[str, object]]] = [
            ({"use_token": True}, {"login": ADA, "password": secret}),
            ({"use_token": "true", "token": "not this one"}, {"login": ADA, "password": secret}),
            ({"use_token": False, "token": secret, "oauth_token": "not this one"}, {"login": ADA}),
            ({"oauth_token": token, "use_token": None, "token": ""}, {}),
        ]
        for number, (extra, fields) in enumerate(ways):
            hook = official({**extra, "warnings_are_errors": True}, **fields)
            assert hook.create_user_segment(f"Segment {number}").outcome == "created"
            assert hook.fields.warnings_are_errors
        assert len(zendesk_sandbox.segments()) == 4

    def test_the_auth_field_works_in_the_official_connection_type(self, official, zendesk_sandbox):
        hook = official({"auth": "oauth"}, login=zendesk_sandbox.client_id, password=zendesk_sandbox.client_secret)
        assert hook.test_connection()[0]

    @pytest.mark.parametrize("extra", [{}, {"use_token": False}, {"use_token": "false"}])
    def test_a_password_in_the_official_connection_type_is_refused_with_the_reason(
        self, official, zendesk_sandbox, extra
    ):
        hook = official(extra, login=ADA, password="a-password")
        with pytest.raises(ConfigurationError, match="January 2026") as caught:
            hook.get_user_segments()
        assert "OAuth" in str(caught.value)
        assert "a-password" not in str(caught.value)
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize(
        ("extra", "fields", "lacking"),
        [
            ({"use_token": True}, {"login": ADA}, "`token`"),
            ({"token": "x"}, {}, "`email`"),
            ({"tokn": 1}, {}, "`tokn`"),
        ],
    )
    def test_a_field_that_the_official_connection_type_lacks_is_named(self, official, extra, fields, lacking):
        with pytest.raises(ConfigurationError, match=lacking):
            official(extra, **fields).get_user_segments()


class TestRefused:
    @pytest.mark.parametrize(
        ("extra", "fields", "parts"),
        [
            ({}, {"login": None, "password": None, "host": None}, ["`host`", "`login`", "`password`"]),
            ({"expires_in": 300}, {"login": ""}, ["`expires_in`", "`login`"]),
            ({"expires_in": 172_800}, {}, ["`expires_in`"]),
            ({}, {"login": ADA}, ["January 2026", "`auth` oauth"]),
            ({"auth": "password"}, {"login": ADA}, ["`auth`", "January 2026"]),
            ({"auth": "basic"}, {}, ["January 2026"]),
            ({"auth": "saml"}, {}, ["`auth`"]),
            ({"token": "x"}, {}, ["`token` is not for `auth` oauth"]),
            ({"auth": "bearer"}, {"password": None, "host": ""}, ["`host`", "`token`"]),
            ({"auth": "api_token"}, {"password": None}, ["`token`", "`email`"]),
            ({"auth": "api_token", "read_ony": True}, {}, ["`email`", "`read_ony` is not known"]),
            ({"read_only": "perhaps"}, {"host": None}, ["`read_only`", "`host`"]),
        ],
    )
    def test_all_invalid_fields_are_named_in_one_message_without_their_values(
        self, connect, zendesk_sandbox, extra, fields, parts
    ):
        hook = connect(extra, **fields)
        with pytest.raises(ConfigurationError) as caught:
            hook.get_user_segments()
        works, message = hook.test_connection()
        assert not works
        for shown in (str(caught.value), message):
            assert all(part in shown for part in ["'zendesk_help_center_default'", *parts])
            assert not any(secret in shown for secret in (ADA, zendesk_sandbox.client_secret))
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize("extra", ["{", "[]"])
    def test_an_extra_that_is_not_a_json_object_is_an_error(self, connect, zendesk_sandbox, extra):
        for conn_type in ("zendesk_help_center", "zendesk"):
            with pytest.raises(ConfigurationError):
                connect(extra=extra, conn_type=conn_type).get_user_segments()
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize(
        "host", ["http://acme.zendesk.com", "acme.zendesk.com?x", "me@acme.zendesk.com", "https://"]
    )
    def test_a_host_that_is_not_an_address_is_an_error(self, connect, host):
        with pytest.raises(ConfigurationError, match="'zendesk_help_center_default'"):
            connect(host=host).get_user_segments()


@pytest.mark.parametrize(
    ("host", "base_url"),
    [
        ("acme", "https://acme.zendesk.com"),
        ("ACME-2", "https://acme-2.zendesk.com"),
        ("acme.zendesk.com", "https://acme.zendesk.com"),
        ("https://acme.zendesk.com/", "https://acme.zendesk.com"),
        ("https://help.example.com/sub/", "https://help.example.com/sub"),
        ("localhost", "https://localhost"),
    ],
)
def test_the_base_url_follows_from_every_form_of_the_host(connect, host, base_url):
    hook = connect(host=host)
    assert hook.client.base_url == base_url
    assert hook.ui_url == f"{base_url}/knowledge/user_segments"


@pytest.mark.parametrize(
    ("extra", "ours"),
    [
        ({"use_token": True, "token": "t"}, {"auth": "api_token", "email": "me", "token": "secret"}),
        ({"use_token": 1}, {"auth": "api_token", "email": "me", "token": "secret"}),
        ({"token": "t", "oauth_token": "o"}, {"auth": "api_token", "email": "me", "token": "t"}),
        ({"oauth_token": "o", "timeout": 5}, {"auth": "bearer", "token": "o", "timeout": 5}),
        ({}, {"auth": "password"}),
        ({"auth": "bearer", "token": "t"}, {"auth": "bearer", "token": "t"}),
    ],
)
def test_the_fields_of_the_official_connection_type_are_translated(extra, ours):
    assert zendesk_connection.from_official(extra, "me", "secret") == ours


def test_the_text_of_fields_and_credentials_contains_no_secret(connect, zendesk_sandbox):
    hook = connect({"auth": "api_token", "email": ADA, "token": zendesk_sandbox.api_token})
    shown = f"{hook.fields!r} {hook.client._credentials!r}"
    assert zendesk_sandbox.api_token not in shown
    assert ADA not in shown


class TestTheTestButton:
    def test_the_connection_test_succeeds_with_three_reads(self, connect, zendesk_sandbox):
        assert connect().test_connection() == (True, f"{RIGHT}. Writing was not tried.")
        assert counts(zendesk_sandbox) == {"get_me": 1, "list_segments": 1, "get_segment": 1}

    @pytest.mark.parametrize("anonymous", [None, 0, 360_000_999_999])
    def test_the_connection_test_fails_on_an_anonymous_200(self, connect, zendesk_sandbox, anonymous):
        zendesk_sandbox.settings(anonymous_user_id=anonymous)
        works, message = connect({"auth": "bearer", "token": "stale"}).test_connection()
        assert not works
        assert message.startswith("Credentials: Zendesk refuses the bearer token")
        assert counts(zendesk_sandbox) == {"get_me": 1}

    def test_the_connection_test_renews_a_token_that_zendesk_has_ended_once(self, connect, zendesk_sandbox):
        hook = connect()
        hook.client.token()
        zendesk_sandbox.expire_tokens()
        assert hook.test_connection() == (True, f"{RIGHT}. Writing was not tried.")
        assert counts(zendesk_sandbox) == {"get_me": 2, "list_segments": 1, "get_segment": 1}
        assert zendesk_sandbox.counts()["zendesk.create_token"] == 2

    def test_the_connection_test_fails_if_every_token_is_anonymous(self, connect, zendesk_sandbox):
        body = {"user": {"id": 5, "name": "Anonymous user", "role": "end-user"}}
        zendesk_sandbox.fault("zendesk.get_me", "status", status=200, body=body, times=None)
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Credentials: Zendesk refuses the OAuth client id and secret")
        assert zendesk_sandbox.counts() == {"zendesk.create_token": 2, "zendesk.get_me": 2}

    def test_the_connection_test_names_a_secret_that_ended_with_the_token(self, connect, zendesk_sandbox):
        hook = connect()
        hook.client.token()
        zendesk_sandbox.expire_tokens()
        zendesk_sandbox.settings(client_secret="a new one")
        works, message = hook.test_connection()
        assert not works
        assert message.startswith("Credentials: Zendesk refuses the OAuth client id and secret")
        assert counts(zendesk_sandbox) == {"get_me": 1}

    def test_the_connection_test_names_a_wrong_secret_without_it(self, connect):
        works, message = connect(password="another-secret").test_connection()
        assert not works
        assert message.startswith("Credentials: Zendesk refuses the OAuth client id and secret")
        assert "another-secret" not in message

    def test_the_connection_test_names_a_plan_without_a_help_center(self, connect, zendesk_sandbox):
        zendesk_sandbox.settings(guide_enabled=False)
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Help Center: the credentials are right")

    def test_the_connection_test_says_that_a_help_center_scope_excludes_users(self, connect):
        works, message = connect({"scope": "hc:read hc:write"}).test_connection()
        assert works
        assert "but not users, tags and jobs" in message

    def test_the_connection_test_names_a_scope_without_the_help_center(self, connect):
        works, message = connect({"scope": "users:read users:write"}).test_connection()
        assert not works
        assert message.startswith("Permission:")

    @pytest.mark.parametrize("read_only", [True, False])
    def test_the_connection_test_accepts_a_read_scope_only_on_a_read_only_connection(self, connect, read_only):
        works, message = connect({"scope": "read", "read_only": read_only}).test_connection()
        assert works == read_only
        assert ("read-only" if read_only else "lacks hc:write") in message

    def test_the_connection_test_names_the_permission_that_an_agent_lacks(self, connect, zendesk_sandbox):
        zendesk_sandbox.settings(client_user="bruno.lindqvist@example.com")
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Permission: these credentials may not read user segments")

    def test_the_connection_test_names_an_end_user_without_the_address(self, connect, zendesk_sandbox):
        zendesk_sandbox.settings(client_user="farah.haddad@example.com")
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Permission: the credentials are those of an end user")
        assert "farah" not in message

    def test_the_connection_test_names_a_host_that_refuses_connections(self, connect):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        works, message = connect(host=f"http://127.0.0.1:{port}").test_connection()
        assert not works
        assert message.startswith("Host:")

    def test_the_connection_test_names_a_host_that_is_not_zendesk(self, connect, zendesk_sandbox):
        works, message = connect(host=f"{zendesk_sandbox.url}/walkme").test_connection()
        assert not works
        assert message.startswith("Host:")

    @pytest.mark.parametrize("endpoint", ["create_token", "get_me", "list_segments", "get_segment"])
    @pytest.mark.parametrize("kind", ["html", "truncate", "empty_body", "wrong_content_type", "lost"])
    def test_the_connection_test_returns_every_failure_without_raising(self, connect, zendesk_sandbox, endpoint, kind):
        zendesk_sandbox.fault(f"zendesk.{endpoint}", kind, times=None)
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Host:")

    @pytest.mark.parametrize("body", [[], {}, {"user": None}, {"user": []}])
    def test_the_connection_test_fails_on_a_response_without_a_user(self, connect, zendesk_sandbox, body):
        zendesk_sandbox.fault("zendesk.get_me", "status", status=200, body=body)
        works, message = connect().test_connection()
        assert not works
        assert message.startswith("Host:")

    def test_the_connection_test_says_how_long_to_wait_after_too_many_requests(self, connect, zendesk_sandbox):
        zendesk_sandbox.fault("zendesk.get_me", "status", status=429, headers={"Retry-After": "3600"})
        works, message = connect().test_connection()
        assert not works
        assert "3600 s" in message

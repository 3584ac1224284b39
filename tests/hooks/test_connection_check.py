"""The Test button of the connection form: it names the wrong field and shows no secret."""

from __future__ import annotations

import json
import socket
import uuid

import pytest

from airflow_segments_provider.hooks.walkme import WalkMeHook


@pytest.fixture
def check(walkme_sandbox, monkeypatch):
    def run(extra: dict[str, object] | None = None, **fields: object) -> tuple[bool, str]:
        connection = walkme_sandbox.connection(retry={"max_attempts": 1}, **(extra or {}))
        connection.update(fields)
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps(connection))
        works, message = WalkMeHook().test_connection()
        for secret in (connection["password"], "walkme-sandbox-token"):
            assert not secret or secret not in message
        return works, message

    return run


def test_the_connection_test_reports_the_number_of_segments(check, walkme_sandbox):
    walkme_sandbox.create_segment("One")
    assert check() == (
        True,
        "Host, credentials and System GUID are right (segments in the system: 1). Writing was not tried.",
    )


def test_the_connection_test_sends_only_reads(check, walkme_sandbox):
    check()
    assert set(walkme_sandbox.counts()) == {"walkme.token", "walkme.list"}


def test_the_connection_test_names_wrong_credentials(check):
    works, message = check(password="another secret")
    assert not works
    assert message.startswith("Credentials: WalkMe refuses the client id and secret")


def test_the_connection_test_names_a_host_that_refuses_connections(check):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    works, message = check(host=f"http://127.0.0.1:{port}")
    assert not works
    assert message.startswith("Host:")
    assert "refused the connection" in message


def test_the_connection_test_names_a_host_that_is_not_walkme(check, walkme_sandbox):
    works, message = check(host=walkme_sandbox.url)
    assert not works
    assert message.startswith("Host: this does not look like WalkMe's API")


def test_the_connection_test_names_a_host_without_https(check):
    works, message = check(host="http://api.walkme.com")
    assert not works
    assert "https" in message


@pytest.mark.parametrize("scope", ["segments:read", "segments:write", "endUserUpdate:write"])
def test_the_connection_test_names_a_scope_that_the_token_lacks(check, walkme_sandbox, scope):
    walkme_sandbox.settings(scopes=[scope])
    works, message = check()
    assert not works
    assert message.startswith("Permission: the token's scope lacks segments:")
    assert "on request" in message


def test_the_connection_test_of_a_read_only_connection_needs_no_write_scope(check, walkme_sandbox):
    walkme_sandbox.settings(scopes=["segments:read"])
    works, message = check({"read_only": True})
    assert works
    assert "read-only" in message


def test_the_connection_test_says_that_the_segments_api_is_not_enabled(check, walkme_sandbox):
    walkme_sandbox.settings(segments_enabled=False, scope_in_token=False)
    works, message = check()
    assert not works
    assert message.startswith("Permission: WalkMe answers 403")
    assert "Support Portal" in message


def test_the_connection_test_names_an_unknown_system_guid(check):
    works, message = check({"system_guid": str(uuid.uuid4())})
    assert not works
    assert message.startswith("System GUID: WalkMe does not know system")
    assert "cdn.walkme.com/users/" in message


def test_the_connection_test_succeeds_without_a_system_guid_and_says_so(check):
    works, message = check({"system_guid": None})
    assert works
    assert "No System GUID is set" in message


def test_the_connection_test_names_each_invalid_field(check):
    works, message = check({"timeout": "soon", "system_guid": "nope"})
    assert not works
    assert "`timeout`" in message
    assert "`system_guid`" in message


@pytest.mark.parametrize("endpoint", ["walkme.token", "walkme.list"])
@pytest.mark.parametrize("kind", ["html", "truncate", "empty_body", "wrong_content_type", "reset", "lost"])
def test_the_connection_test_returns_every_failure_without_raising(check, walkme_sandbox, endpoint, kind):
    walkme_sandbox.fault(endpoint, kind, times=None)
    works, message = check()
    assert not works
    assert message.startswith("Host:")

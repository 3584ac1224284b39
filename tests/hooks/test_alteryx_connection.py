"""Connections to Alteryx Server: the address, the credentials, TLS, and the accepted fields."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_segments_provider.errors import AuthenticationError, ConfigurationError
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from tests.cli.contract.relay import Relay
from tests.cli.contract.tls import self_signed
from tests.conftest import RETRY

NOBODY = "0123456789abcdef01234567"


@pytest.fixture
def connect(alteryx_sandbox, monkeypatch):
    def set_up(host: str | None = None, **extra: object) -> AlteryxServerHook:
        fields = alteryx_sandbox.connection(retry=RETRY, **extra)
        fields["host"] = host or fields["host"]
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", json.dumps(fields))
        return AlteryxServerHook()

    return set_up


@pytest.fixture
def hook(connect):
    return connect()


class TestConnection:
    def test_the_connection_test_reports_the_number_of_groups(self, hook):
        works, message = hook.test_connection()
        assert works, message
        assert "user groups on the server: 0" in message

    def test_the_connection_test_fails_if_the_caller_is_not_a_curator(self, hook, alteryx_sandbox):
        alteryx_sandbox.settings(caller_is_curator=False)
        works, message = hook.test_connection()
        assert not works
        assert "Curator" in message
        with pytest.raises(AuthenticationError, match="Curator"):
            hook.get_user_groups()

    def test_the_connection_test_names_wrong_credentials(self, connect, alteryx_sandbox):
        hook = connect()
        alteryx_sandbox.settings(api_secret="another")
        works, message = hook.test_connection()
        assert not works
        assert message.startswith("Credentials:")

    def test_what_is_missing_has_its_name_in_the_form(self, monkeypatch):
        connection = {"conn_type": "alteryx_server", "host": "alteryx.example"}
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", json.dumps(connection))
        works, message = AlteryxServerHook().test_connection()
        assert not works
        assert "`login` (API access key) is missing. `password` (API access secret) is missing." in message

    def test_the_link_leads_to_the_gallery_beside_the_api_or_to_gallery_url(self, connect, alteryx_sandbox):
        assert connect().ui_url == f"{alteryx_sandbox.url}/gallery/"
        assert connect(gallery_url="https://gallery.example.com").ui_url == "https://gallery.example.com"


class TestAddress:
    @pytest.mark.parametrize("end", ["", "/", "//"])
    def test_the_sub_path_of_the_host_is_kept_for_token_and_requests(self, connect, alteryx_sandbox, end):
        assert connect(alteryx_sandbox.base_url + end).get_user_groups() == []
        paths = [call.path for call in alteryx_sandbox.calls()]
        assert paths == ["/alteryx/webapi/oauth2/token", "/alteryx/webapi/v3/usergroups"]

    def test_the_connection_test_names_a_host_without_its_sub_path(self, connect, alteryx_sandbox):
        works, message = connect(alteryx_sandbox.url).test_connection()
        assert not works
        assert message.startswith("Host:")


class TestToken:
    def test_the_key_is_sent_by_basic_authentication_by_default(self, connect, alteryx_sandbox):
        alteryx_sandbox.settings(client_auth="basic")
        assert connect().get_user_groups() == []
        (token, call) = alteryx_sandbox.calls()
        assert token.headers["authorization"] == "Basic"
        assert call.headers["authorization"] == "Bearer"

    def test_the_key_is_sent_in_the_body_with_client_auth_body(self, connect, alteryx_sandbox):
        alteryx_sandbox.settings(client_auth="body")
        assert connect(client_auth="body").get_user_groups() == []
        assert "authorization" not in alteryx_sandbox.calls()[0].headers
        with pytest.raises(AuthenticationError):
            connect(client_auth="basic").get_user_groups()

    @pytest.mark.parametrize("expires_in", ["number", "string", "absent"])
    def test_one_token_is_fetched_for_many_requests(self, connect, alteryx_sandbox, expires_in):
        alteryx_sandbox.settings(expires_in_as=expires_in)
        for _ in range(3):
            connect().get_user_groups()
        assert alteryx_sandbox.counts() == {"alteryx.token": 1, "alteryx.list_groups": 3}

    def test_an_expired_token_is_fetched_again(self, hook, alteryx_sandbox):
        hook.get_user_groups()
        alteryx_sandbox.expire_tokens()
        hook.get_user_groups()
        assert alteryx_sandbox.counts()["alteryx.token"] == 2


def test_json_is_requested_in_every_request(connect, alteryx_sandbox):
    alteryx_sandbox.settings(xml_for="all")
    people = alteryx_sandbox.seed_users(2)
    hook = connect()
    group = hook.create_user_group("Analysts", people)
    hook.remove_users(people, user_group=group)
    hook.get_user_group(name="Analysts")
    hook.find_user("nobody@example.com")
    hook.delete_user_group(user_group=group)
    assert {call.headers["accept"] for call in alteryx_sandbox.calls()} == {"application/json"}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """Create the key and the self-signed certificate of a server in one file."""
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def https(alteryx_sandbox, certificate):
    """Serve the sandbox's Alteryx Server by https, and yield its address."""
    with Relay(alteryx_sandbox.url, certificate).running() as relay:
        yield alteryx_sandbox.base_url.replace(alteryx_sandbox.url, relay.url)


class TestVerify:
    def test_an_untrusted_certificate_is_refused_before_any_request(self, connect, https, alteryx_sandbox):
        for verify in (True, "true"):
            with pytest.raises(ConfigurationError, match="is not trusted, so nothing was sent"):
                connect(https, verify=verify).get_user_groups()
        assert alteryx_sandbox.counts() == {}

    def test_a_certificate_named_by_verify_is_trusted(self, connect, https, certificate):
        assert connect(https, verify=str(certificate)).get_user_groups() == []

    @pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
    @pytest.mark.parametrize("verify", [False, "false"])
    def test_an_untrusted_certificate_is_accepted_with_verify_false(self, connect, https, verify):
        assert connect(https, verify=verify).get_user_groups() == []

    def test_a_verify_path_without_certificates_is_a_configuration_error(self, connect, https, tmp_path):
        with pytest.raises(ConfigurationError, match="`verify`"):
            connect(https, verify=str(tmp_path / "none.pem")).get_user_groups()

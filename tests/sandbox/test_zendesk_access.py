"""Access to the sandbox's Zendesk and its rate limits; and a minimal client for all its tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from airflow_segments_provider.testing.sandbox import SandboxServer, ZendeskSandboxClient

HC, SUPPORT = "/api/v2/help_center", "/api/v2"
SEGMENTS = f"{HC}/user_segments"


class ZendeskCaller:
    """Client with a token of its own that sends requests unchanged, and never follows a redirect or retries."""

    def __init__(self, sandbox: ZendeskSandboxClient) -> None:
        self.sandbox = sandbox
        self.session = requests.Session()
        self.session.trust_env = False

    def token(self, **body: Any) -> requests.Response:
        client = {"client_id": self.sandbox.client_id, "client_secret": self.sandbox.client_secret}
        right = {"grant_type": "client_credentials", **client, "scope": "read write", "expires_in": 1800}
        return self.send("POST", "/oauth/tokens", json={**right, **body})

    def log_in(self, **body: Any) -> ZendeskCaller:
        self.session.headers["authorization"] = f"Bearer {self.token(**body).json()['access_token']}"
        return self

    def become(self, email: str, secret: str | None = None) -> ZendeskCaller:
        """Use the account's API token for all further requests."""
        self.session.headers.pop("authorization", None)
        self.session.auth = (f"{email}/token", secret or self.sandbox.api_token)
        return self

    def send(self, method: str, path: str, **request: Any) -> requests.Response:
        url = self.sandbox.zendesk_url + path
        return self.session.request(method, url, **{"timeout": 20, "allow_redirects": False, **request})

    def get(self, path: str, **query: object) -> requests.Response:
        return self.send("GET", path, params=query)

    def create(self, **segment: object) -> requests.Response:
        return self.send("POST", SEGMENTS, json={"user_segment": {"user_type": "signed_in_users", **segment}})

    def update(self, number: int, **segment: object) -> requests.Response:
        return self.send("PUT", f"{SEGMENTS}/{number}", json={"user_segment": segment})

    def new_segment(self, **segment: object) -> int:
        return int(self.create(**segment).json()["user_segment"]["id"])


@contextmanager
def calling(server: SandboxServer) -> Iterator[ZendeskCaller]:
    """Yield a client with a token on an account in its initial state, without the rate limits of updates."""
    with ZendeskSandboxClient(server.url) as sandbox:
        sandbox.reset(user_updates_per_minute=None, user_updates_per_second=None)
        yield ZendeskCaller(sandbox).log_in()


@pytest.fixture
def zendesk(server: SandboxServer) -> Iterator[ZendeskCaller]:
    with calling(server) as caller:
        yield caller


STRANGER = {"error": "Couldn't authenticate you"}


def test_a_zendesk_token_is_returned_for_the_right_client_and_expires(zendesk):
    reply = zendesk.token(expires_in=301)
    assert reply.status_code == 201
    body = reply.json()
    assert (body["token_type"], body["scope"], body["expires_in"]) == ("bearer", "read write", 301)
    assert "refresh_token" not in body
    assert zendesk.get(SEGMENTS).status_code == 200
    zendesk.sandbox.advance(1801)
    reply = zendesk.get(SEGMENTS)
    assert (reply.status_code, reply.json()) == (401, STRANGER)


@pytest.mark.parametrize(
    ("wrong", "status", "error"),
    [
        ({"client_secret": "x"}, 401, "invalid_client"),
        ({"client_id": None}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "implicit"}, 400, "unsupported_grant_type"),
        ({"expires_in": 300}, 400, "invalid_request"),
        ({"expires_in": 172_800}, 400, "invalid_request"),
        ({"expires_in": "1800"}, 400, "invalid_request"),
    ],
)
def test_an_invalid_zendesk_token_request_is_refused(zendesk, wrong, status, error):
    reply = zendesk.token(**wrong)
    assert (reply.status_code, reply.json()["error"]) == (status, error)


def test_a_zendesk_token_request_must_be_json(zendesk):
    form = {"grant_type": "client_credentials", "client_id": zendesk.sandbox.client_id}
    assert zendesk.send("POST", "/oauth/tokens", data=form).status_code == 400
    assert zendesk.send("POST", "/oauth/tokens", data="{", headers={"content-type": "application/json"}).ok is False


def test_a_token_without_expires_in_lasts_as_long_as_the_account_says(zendesk):
    assert zendesk.token(expires_in=None).json()["expires_in"] == 1800
    zendesk.sandbox.settings(default_expires_in=None)
    assert "expires_in" not in zendesk.token(expires_in=None).json()
    zendesk.log_in(expires_in=None)
    zendesk.sandbox.advance(400 * 86_400)
    assert zendesk.get(SEGMENTS).status_code == 200
    zendesk.sandbox.settings(expires_in_reply=False, token_status=200)
    reply = zendesk.token()
    assert (reply.status_code, "expires_in" in reply.json()) == (200, False)


def test_a_scope_as_a_list_is_accepted_and_allows_nothing(zendesk):
    reply = zendesk.token(scope=["read", "write"])
    assert reply.status_code == 201
    zendesk.log_in(scope=["read", "write"])
    for path in (SEGMENTS, f"{SUPPORT}/users", f"{SUPPORT}/users/me"):
        assert zendesk.get(path).status_code == 403


@pytest.mark.parametrize(
    ("scope", "segments", "creation", "users", "tagging"),
    [
        ("read write", 200, 201, 200, 200),
        ("read", 200, 403, 200, 403),
        ("hc:read hc:write", 200, 201, 403, 403),
        ("users:read users:write", 403, 403, 200, 200),
    ],
)
def test_the_help_center_and_support_have_separate_scopes(zendesk, scope, segments, creation, users, tagging):
    zendesk.log_in(scope=scope)
    user = zendesk.sandbox.users()[-1].id
    tag = zendesk.send("PUT", f"{SUPPORT}/users/{user}/tags", json={"tags": ["a"]})
    assert zendesk.get(SEGMENTS).status_code == segments
    assert zendesk.create().status_code == creation
    assert (zendesk.get(f"{SUPPORT}/users").status_code, tag.status_code) == (users, tagging)


def test_tokens_can_be_expired_by_the_control_api(zendesk):
    zendesk.sandbox.expire_tokens()
    assert zendesk.get(SEGMENTS).status_code == 401


def test_a_request_with_an_unknown_token_is_that_of_an_anonymous_user(zendesk):
    zendesk.session.headers["authorization"] = "Bearer x"
    reply = zendesk.get(f"{SUPPORT}/users/me")
    assert reply.status_code == 200
    assert (reply.json()["user"]["name"], reply.json()["user"]["id"]) == ("Anonymous user", None)
    zendesk.log_in()
    for suffix in ("", ".json"):
        assert zendesk.get(f"{SUPPORT}/users/me{suffix}").json()["user"]["email"] == "ada.okafor@example.com"


def test_an_api_token_is_accepted_with_an_address_of_the_account(zendesk):
    zendesk.become("ada.okafor@example.com")
    assert zendesk.get(SEGMENTS).status_code == 200
    for email, secret in (("nobody@example.com", None), ("ada.okafor@example.com", "x")):
        zendesk.become(email, secret)
        assert zendesk.get(SEGMENTS).status_code == 401


def test_a_password_is_refused(zendesk):
    del zendesk.session.headers["authorization"]
    zendesk.session.auth = ("ada.okafor@example.com", zendesk.sandbox.api_token)
    assert zendesk.get(SEGMENTS).json() == STRANGER


def test_api_tokens_end_and_can_be_deactivated_and_unused(zendesk):
    sandbox = zendesk.sandbox
    zendesk.become("ada.okafor@example.com")
    sandbox.settings(api_token_ends_at=sandbox.now() + 86_400 * 365)
    for _ in range(2):
        sandbox.advance(20 * 86_400)
        assert zendesk.get(SEGMENTS).status_code == 200
    sandbox.settings(api_token_active=False)
    assert zendesk.get(SEGMENTS).status_code == 401
    sandbox.settings(api_token_active=True, api_token_ends_at=sandbox.now() - 1)
    assert zendesk.get(SEGMENTS).status_code == 401
    sandbox.settings(api_token_ends_at=None)
    assert zendesk.get(SEGMENTS).status_code == 200
    sandbox.advance(31 * 86_400)
    assert zendesk.get(SEGMENTS).status_code == 401
    sandbox.settings(api_token_idle_days=None)
    assert zendesk.get(SEGMENTS).status_code == 200


def test_agents_and_end_users_have_fewer_permissions(zendesk):
    number = zendesk.new_segment(name="a")
    zendesk.become("bruno.lindqvist@example.com")
    assert [zendesk.get(f"{SEGMENTS}{path}").status_code for path in ("", "/applicable")] == [403, 403]
    assert (zendesk.get(f"{SEGMENTS}/{number}").status_code, zendesk.create().status_code) == (403, 403)
    assert zendesk.get(f"{HC}/users/360000000004/user_segments").status_code == 200
    zendesk.sandbox.settings(agents_may_list=True)
    assert zendesk.get(SEGMENTS).status_code == 200
    zendesk.become("dalia.novak@example.com")
    assert zendesk.get(SEGMENTS).status_code == 403
    assert zendesk.get(f"{SUPPORT}/users").status_code == 403


@pytest.mark.parametrize(("form", "text"), [("flat", '"Forbidden"'), ("nested", '"title"'), ("text", "Forbidden")])
def test_a_403_has_the_form_that_is_set(zendesk, form, text):
    zendesk.sandbox.settings(forbidden_body=form)
    zendesk.log_in(scope="nothing")
    reply = zendesk.get(SEGMENTS)
    assert text in reply.text
    assert reply.headers["content-type"].startswith("text/plain" if form == "text" else "application/json")


def test_without_a_help_center_its_requests_are_refused_with_401(zendesk):
    zendesk.sandbox.settings(guide_enabled=False)
    assert zendesk.get(SEGMENTS).json() == STRANGER
    assert zendesk.get(f"{SUPPORT}/users").status_code == 200


def test_the_help_center_and_support_have_separate_rate_limits_and_headers(zendesk):
    zendesk.sandbox.settings(plan="team")
    segments, users = zendesk.get(SEGMENTS).headers, zendesk.get(f"{SUPPORT}/users").headers
    assert (segments["x-rate-limit"], segments["x-rate-limit-remaining"]) == ("200", "199")
    assert (users["x-rate-limit-remaining"], users["ratelimit-remaining"]) == ("199", "199")
    assert "ratelimit-limit" not in segments
    zendesk.sandbox.settings(support_rate_headers="rate-limit", rate_limit="none")
    assert "x-rate-limit" not in zendesk.get(SEGMENTS).headers


def test_a_429_is_plain_text_until_the_minute_is_over(zendesk):
    zendesk.sandbox.settings(rate_limit=2)
    assert [zendesk.get(SEGMENTS).status_code for _ in range(3)] == [200, 200, 429]
    assert zendesk.get(f"{SUPPORT}/users").status_code == 200
    reply = zendesk.get(SEGMENTS)
    assert reply.text == "Number of allowed API requests per minute exceeded"
    assert reply.headers["content-type"].startswith("text/plain")
    assert (reply.headers["x-rate-limit-remaining"], reply.headers["x-rate-limit"]) == ("0", "2")
    zendesk.sandbox.settings(rate_limit_body="json")
    assert zendesk.get(SEGMENTS).json()["error"] == "TooManyRequests"
    zendesk.sandbox.advance(int(reply.headers["retry-after"]))
    assert zendesk.get(SEGMENTS).status_code == 200


def test_the_connection_of_zendesk_leads_to_the_sandbox(zendesk):
    assert json.loads(zendesk.sandbox.connection_json(scope="read")) == {
        "conn_type": "zendesk_help_center",
        "host": zendesk.sandbox.zendesk_url,
        "login": zendesk.sandbox.client_id,
        "password": zendesk.sandbox.client_secret,
        "extra": {"scope": "read"},
    }

"""Responses of an Alteryx Server that public documents do not show: removals, rejections and their reasons."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import (
    AuthenticationError,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
)
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from tests.cli.contract.relay import Relay
from tests.conftest import RETRY

NAME = "Analysts"
JSON, TEXT, HTML = "application/json", "text/plain", "text/html"
SUCCESSES = {
    "empty 200": (200, JSON, b""),
    "204": (204, "", b""),
    "OK": (200, JSON, b'"OK"'),
    "OK as text": (200, TEXT, b"OK"),
    "true": (200, JSON, b"true"),
    "null": (200, JSON, b"null"),
    "group": None,
}
FAILURES = {
    "page": (200, HTML, b"<html>Please log in: OK</html>"),
    "text": (200, TEXT, b"not now"),
    "no group": (200, JSON, b'{"id": 1}'),
    "list": (200, JSON, b"[]"),
    "400": (400, JSON, b'{"message": "no"}'),
    "404": (404, JSON, b'{"message": "no"}'),
}


class Answering(Relay):
    """Relay that replaces the responses to removals; the removals of ``refused`` users are not carried out."""

    def __init__(self, behind: str, answer, refused=(), refusal=None) -> None:
        super().__init__(behind)
        self.answer, self.refused, self.refusal = answer, refused, refusal
        self.removals = 0

    def ask(self, method, path, headers, body):
        if method != "DELETE":
            return super().ask(method, path, headers, body)
        self.removals += 1
        if path.rpartition("/")[2] in self.refused:
            return self.refusal
        return self.answer or super().ask(method, path, headers, body)


def connect(sandbox, monkeypatch, url: str, **extra: object) -> AlteryxServerHook:
    fields = sandbox.connection_json(retry=RETRY, **extra).replace(sandbox.url, url)
    monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", fields)
    return AlteryxServerHook()


@pytest.mark.parametrize("answer", SUCCESSES)
def test_a_removal_succeeds_with_every_form_of_a_successful_response(alteryx_sandbox, monkeypatch, answer):
    users = alteryx_sandbox.seed_users(3)
    alteryx_sandbox.create_group(NAME, "Viewer", [])
    with Answering(alteryx_sandbox.url, SUCCESSES[answer]).running() as relay:
        change = connect(alteryx_sandbox, monkeypatch, relay.url).remove_users(users, name=NAME)
    assert (change.users_removed, relay.removals) == (3, 3)


WAYS = {
    "remove": lambda hook, users: hook.remove_users(users[1:], name=NAME),
    "update": lambda hook, users: hook.create_user_group(NAME, users[:1], if_exists="update", max_removed_fraction=1),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("way", WAYS)
def test_a_removal_that_fails_does_not_prevent_the_others(alteryx_sandbox, monkeypatch, failure, way):
    users = alteryx_sandbox.seed_users(30)
    alteryx_sandbox.create_group(NAME, "Viewer", users)
    refused = {users[4], users[9]}
    with Answering(alteryx_sandbox.url, None, refused, FAILURES[failure]).running() as relay:
        hook = connect(alteryx_sandbox, monkeypatch, relay.url)
        kind = {"400": RejectedRequest, "404": NotFound}.get(failure, UnexpectedReply)
        said = r"27 of 29 users were removed .* 2 calls failed, and 0 were not begun"
        with pytest.raises(kind, match=said) as caught:
            WAYS[way](hook, users)
    assert alteryx_sandbox.members(NAME) == {users[0], *refused}
    assert relay.removals == 29
    assert not any(user in str(caught.value) for user in users)


def test_a_user_who_is_still_in_the_response_was_not_removed(alteryx_sandbox, monkeypatch):
    users = alteryx_sandbox.seed_users(2)
    group_id = alteryx_sandbox.create_group(NAME, "Viewer", users)
    group = {"id": group_id, "name": NAME, "members": [{"userId": users[0].upper()}]}
    with Answering(alteryx_sandbox.url, None, users[:1], (200, JSON, json.dumps(group).encode())).running() as relay:
        hook = connect(alteryx_sandbox, monkeypatch, relay.url)
        with pytest.raises(UnexpectedReply, match="still in the group"):
            hook.remove_users(users, name=NAME)
    assert alteryx_sandbox.members(NAME) == {users[0]}


@pytest.mark.parametrize(
    ("refusal", "kind", "most"),
    [
        ((400, JSON, b"{}"), RejectedRequest, 130),
        ((401, JSON, b"{}"), AuthenticationError, 2),
        ((403, JSON, b"{}"), PermissionDenied, 1),
    ],
)
def test_removals_stop_when_all_of_them_would_fail(alteryx_sandbox, monkeypatch, refusal, kind, most):
    users = alteryx_sandbox.seed_users(200)
    alteryx_sandbox.create_group(NAME, "Viewer", users)
    with Answering(alteryx_sandbox.url, refusal).running() as relay:
        hook = connect(alteryx_sandbox, monkeypatch, relay.url, max_concurrency=1)
        with pytest.raises(kind, match=r"0 of 200 users were removed .* were not begun"):
            hook.remove_users(users, name=NAME)
    assert relay.removals <= most


def test_the_error_for_a_400_names_the_invalid_field(alteryx_sandbox):
    alteryx_sandbox.create_group(NAME, "Viewer", [])
    with pytest.raises(RejectedRequest, match="userIds") as caught:
        AlteryxServerHook().add_users(["not-an-id"], name=NAME)
    assert "not-an-id" not in str(caught.value)


def test_the_error_for_a_403_names_the_role_that_is_needed(alteryx_sandbox):
    alteryx_sandbox.settings(caller_is_curator=False, not_curator_status=403)
    with pytest.raises(PermissionDenied, match="Curator"):
        AlteryxServerHook().get_user_groups()
    assert "Curator" in AlteryxServerHook().test_connection()[1]


def test_reasons_of_rejections_contain_neither_secret_nor_user(alteryx_sandbox, monkeypatch):
    users = alteryx_sandbox.seed_users(40)
    group_id = alteryx_sandbox.create_group(NAME, "Viewer", [])
    secret = alteryx_sandbox.api_secret
    reasons = {user.upper(): f"{users[0]} and user={user}! {secret.upper()} {n}" for n, user in enumerate(users)}
    with Relay(alteryx_sandbox.url).running() as relay:
        path = f"/alteryx/webapi/v3/usergroups/{group_id}/users"
        relay.serve(path, {"successfullyAddedUserCount": 0, "failedUserReasons": reasons})
        hook = connect(alteryx_sandbox, monkeypatch, relay.url)
        change = hook.add_users(users, name=NAME, on_refused="skip")
        with pytest.raises(RejectedRequest) as caught:
            hook.add_users(users, name=NAME)
    assert sum(change.users_refused.values()) == 40
    assert change.users_refused["other reasons"] == 20
    for text in (str(caught.value), str(change.users_refused)):
        assert not any(hidden.lower() in text.lower() for hidden in (secret, *users))


@pytest.mark.parametrize("if_missing", ["skip", "fail"])
def test_a_group_id_in_upper_case_is_not_taken_for_a_missing_group(alteryx_sandbox, monkeypatch, if_missing):
    group_id = alteryx_sandbox.create_group(NAME, "Viewer", [])
    with Answering(alteryx_sandbox.url, (404, JSON, b'{"message": "no"}')).running() as relay:
        hook = connect(alteryx_sandbox, monkeypatch, relay.url)
        with pytest.raises(NotFound):
            hook.delete_user_group(user_group_id=group_id.upper(), if_missing=if_missing)

"""The sandbox's control of Alteryx Server: requests, faults, changes by hand, reset, restart and fixture."""

from __future__ import annotations

import time

import pytest
import requests

from airflow_segments_provider.testing.sandbox import AlteryxSandboxClient, SandboxError, SandboxServer
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from tests.sandbox.alteryx_caller import NO_ID, AlteryxCaller
from tests.sandbox.test_pytest_plugin import run_pytest


def test_alteryx_requests_are_logged_without_user_ids_and_secrets(alteryx):
    sandbox, group_id = alteryx.sandbox, alteryx.new_group()
    ada = sandbox.user_id("ada.byrne@example.com")
    alteryx.add(group_id, [ada, NO_ID])
    alteryx.remove(group_id, ada)
    alteryx.send("GET", f"users/{ada}")
    alteryx.users(email="ada.byrne@example.com")
    seen = [(call.endpoint, call.user_ids, call.status) for call in sandbox.calls()]
    assert seen == [
        ("alteryx.token", None, 200),
        ("alteryx.create_group", None, 200),
        ("alteryx.add_users", 2, 200),
        ("alteryx.remove_user", 1, 200),
        ("alteryx.get_user", 1, 200),
        ("alteryx.list_users", None, 200),
    ]
    log = requests.get(f"{sandbox.url}/_sandbox/calls", timeout=20).text
    assert not [secret for secret in (ada, "ada.byrne", sandbox.api_secret) if secret in log]


def test_faults_and_the_rate_limit_change_alteryx_responses(alteryx):
    sandbox, group_id = alteryx.sandbox, alteryx.new_group()
    ids = sandbox.seed_users(2)
    sandbox.fault("alteryx.add_users", "lost")
    with pytest.raises(requests.ConnectionError):
        alteryx.add(group_id, ids)
    assert sandbox.members(group_id) == set(ids)
    sandbox.fault("alteryx.share", "status", status=503, action="credential")
    assert alteryx.send("POST", f"collections/{NO_ID}/userGroups", json={}).status_code == 404
    assert alteryx.send("POST", f"credentials/{NO_ID}/userGroups", json={}).status_code == 503
    sandbox.fault("alteryx.create_group", "late", seconds=60)
    with pytest.raises(requests.ConnectionError):
        alteryx.create("late")
    sandbox.settings(rate_limit=2)
    refused = alteryx.users()
    assert (refused.status_code, int(refused.headers["retry-after"]) > 0) == (429, True)
    sandbox.advance(61)
    assert [alteryx.users().status_code, alteryx.users().status_code] == [200, 429]
    assert [group.name for group in sandbox.groups()] == ["Trial users", "late"]


def test_the_control_api_changes_alteryx_users_groups_and_shares(alteryx):
    sandbox = alteryx.sandbox
    ada, new = sandbox.user_id("ada.byrne@example.com"), sandbox.create_user("new@example.com", role="Viewer")
    group_id = sandbox.create_group("a" * 300, user_ids=[ada, new])
    sandbox.remove_members("a" * 300, [ada])
    assert sandbox.members(group_id.upper()) == {new}
    with pytest.raises(SandboxError, match="404"):
        sandbox.add_members(group_id, [NO_ID])
    sandbox.add_members(group_id, [ada])
    sandbox.delete_user(new)
    assert sandbox.members(group_id) == {ada}
    sandbox.change_user(ada, email="ada.king@example.com")
    assert sandbox.user_id("ada.king@example.com") == ada
    with pytest.raises(SandboxError, match="is_active"):
        sandbox.change_user(ada, is_active=False)
    sandbox.deactivate_user(ada)
    assert (sandbox.members(group_id), [user.is_active for user in sandbox.users()[:2]]) == (set(), [True, False])
    credential = sandbox.create_credential("c")
    sandbox.share(credential, group_id)
    sandbox.unshare(credential, group_id)
    with pytest.raises(SandboxError, match="404"):
        sandbox.share(NO_ID, group_id)
    sandbox.create_group("a" * 300)
    with pytest.raises(SandboxError, match="2 groups"):
        sandbox.members("a" * 300)
    sandbox.delete_group(group_id)
    assert (len(sandbox.groups()), sandbox.shares()) == (1, [])
    with pytest.raises(SandboxError, match="404"):
        sandbox.delete_group(group_id)


def test_a_reset_of_alteryx_deletes_all_and_applies_its_settings(alteryx):
    sandbox = alteryx.sandbox
    sandbox.seed_users(3)
    alteryx.new_group()
    sandbox.share(sandbox.create_collection("c"), "Trial users")
    people = sandbox.users()[:6]
    sandbox.reset(token_lifetime=60)
    assert (sandbox.groups(), sandbox.shares(), sandbox.counts()) == ([], [], {})
    assert [user.id for user in sandbox.users()] == [user.id for user in people]
    assert sandbox.settings() == AlteryxSettings(token_lifetime=60).model_dump()
    assert alteryx.users().status_code == 401
    for wrong in ({"create_status": 204}, {"colour": "red"}, {"token_lifetime": 0}):
        with pytest.raises(SandboxError, match="422"):
            sandbox.settings(**wrong)
    assert sandbox.settings(create_status="201")["create_status"] == 201


def test_an_alteryx_sandbox_restarts_unchanged_on_the_same_file(tmp_path):
    database = str(tmp_path / "sandbox.db")
    settings = {"create_status": 201}
    with SandboxServer(database=database, alteryx=settings) as server, AlteryxSandboxClient(server.url) as client:
        caller = AlteryxCaller(client).log_in()
        users = client.seed_users(2)
        assert caller.create("a").status_code == 201
        client.add_members("a", users)
        client.share(client.create_credential("c"), "a")
        before = (client.users(), client.groups(), client.shares())
        token = caller.session.headers["authorization"]
    with SandboxServer(database=database) as server, AlteryxSandboxClient(server.url) as client:
        assert (client.users(), client.groups(), client.shares()) == before
        assert client.members("a") == set(users)
        caller = AlteryxCaller(client)
        caller.session.headers["authorization"] = token
        assert [group["name"] for group in caller.send("GET", "usergroups").json()] == ["a"]


def test_the_connection_of_alteryx_leads_to_the_sub_path(alteryx):
    sandbox = alteryx.sandbox
    assert sandbox.connection(timeout=5) == {
        "conn_type": "alteryx_server",
        "host": f"{sandbox.url}/alteryx/webapi",
        "login": sandbox.api_key,
        "password": sandbox.api_secret,
        "extra": {"timeout": 5},
    }


def test_a_hundred_thousand_alteryx_users_are_seeded_fast(alteryx):
    begun = time.monotonic()
    assert len(set(alteryx.sandbox.seed_users(100_000))) == 100_000
    assert time.monotonic() - begun < 30
    assert [user["lastName"] for user in alteryx.users(email="user100001@").json()] == ["Number 100001"]


USERS_TESTS = """
import json, os, requests

def test_one_vendor(alteryx_sandbox):
    connection = json.loads(os.environ["AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT"])
    assert connection == alteryx_sandbox.connection()
    reply = requests.post(
        connection["host"] + "/oauth2/token",
        auth=(connection["login"], connection["password"]),
        data={"grant_type": "client_credentials"},
        timeout=20,
    )
    assert (reply.status_code, alteryx_sandbox.counts()) == (200, {"alteryx.token": 1})
    alteryx_sandbox.create_group("a")

def test_two_vendors_do_not_reset_each_other(walkme_sandbox, alteryx_sandbox):
    assert alteryx_sandbox.groups() == []
    for sandbox, name in ((walkme_sandbox, "WALKME_DEFAULT"), (alteryx_sandbox, "ALTERYX_SERVER_DEFAULT")):
        assert json.loads(os.environ["AIRFLOW_CONN_" + name]) == sandbox.connection()
"""


def test_the_fixture_gives_each_test_an_alteryx_connection_and_no_groups(tmp_path):
    done = run_pytest(tmp_path, USERS_TESTS)
    assert "2 passed" in done.stdout, done.stdout + done.stderr

"""Tests of the Alteryx Server hook against the sandbox, over a socket."""

from __future__ import annotations

import threading
from typing import get_args

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    VendorError,
)
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.vendors.alteryx.parameters import Role
from tests import connections
from tests.cli.contract.relay import Relay
from tests.conftest import RETRY

NOBODY = "0123456789abcdef01234567"


connect = connections.alteryx


@pytest.fixture
def hook(connect):
    """Return a hook that adds at most ten users per request."""
    return connect(users_per_request=10)


@pytest.fixture
def people(alteryx_sandbox):
    return alteryx_sandbox.seed_users(23)


def writes(sandbox) -> dict[str, int]:
    reads = ("alteryx.token", "alteryx.list_groups", "alteryx.get_group", "alteryx.list_users")
    return {name: count for name, count in sandbox.counts().items() if name not in reads}


@pytest.mark.parametrize("reply", ["json", "raw"])
@pytest.mark.parametrize("placement", ["basic", "body"])
def test_a_create_adds_the_users_in_requests_of_the_limit(connect, alteryx_sandbox, people, reply, placement):
    alteryx_sandbox.settings(create_reply=reply, client_auth=placement)
    change = connect(users_per_request=10, client_auth=placement).create_user_group("Analysts", people, role="Artisan")

    assert alteryx_sandbox.members("Analysts") == set(people)
    assert [(group.name, group.role) for group in alteryx_sandbox.groups()] == [("Analysts", "Artisan")]
    assert (change.outcome, change.users_sent, change.users_added, change.role) == ("created", 23, 23, "Artisan")
    assert writes(alteryx_sandbox) == {"alteryx.create_group": 1, "alteryx.add_users": 3}
    assert change.requests == 5


@pytest.mark.parametrize("existing", ["reported", "silent", "counted"])
def test_a_repeated_create_reuses_the_group_and_accepts_users_who_are_members(hook, alteryx_sandbox, people, existing):
    alteryx_sandbox.settings(existing_member=existing)
    first = hook.create_user_group("Analysts", people[:5])
    second = hook.create_user_group("Analysts", people)

    assert second.user_group_id == first.user_group_id
    assert (second.outcome, second.users_refused) == ("reused", {})
    assert alteryx_sandbox.members("Analysts") == set(people)


def test_a_create_with_if_exists_update_sets_role_and_members(hook, alteryx_sandbox, people):
    hook.create_user_group("Analysts", people[:10], role="Viewer")
    change = hook.create_user_group("Analysts", people[5:15], role="Member", if_exists="update")

    assert alteryx_sandbox.members("Analysts") == set(people[5:15])
    assert [group.role for group in alteryx_sandbox.groups()] == ["Member"]
    assert (change.outcome, change.users_removed) == ("updated", 5)
    calls = [
        call.endpoint
        for call in alteryx_sandbox.calls()
        if call.endpoint in ("alteryx.add_users", "alteryx.remove_user")
    ]
    assert calls == ["alteryx.add_users"] * 2 + ["alteryx.remove_user"] * 5


def test_a_create_with_if_exists_fail_refuses_an_existing_group(hook, alteryx_sandbox, people):
    hook.create_user_group("Analysts")
    with pytest.raises(Conflict, match="exists"):
        hook.create_user_group("Analysts", people, if_exists="fail")
    assert alteryx_sandbox.members("Analysts") == set()


@pytest.mark.parametrize("kind", ["lost", "truncate", "reset_mid_body", "html", "empty_body"])
@pytest.mark.parametrize("duplicates", ["refuse", "allow"])
def test_a_create_whose_response_is_lost_creates_one_group(hook, alteryx_sandbox, people, kind, duplicates):
    alteryx_sandbox.settings(duplicate_names=duplicates)
    effect = {"effect": True} if kind == "html" else {}
    alteryx_sandbox.fault("alteryx.create_group", kind, **effect)
    hook.create_user_group("Analysts", people)

    assert len(alteryx_sandbox.groups()) == 1
    assert alteryx_sandbox.members("Analysts") == set(people)


def test_two_groups_of_one_name_are_refused_by_every_look_up_by_name(hook, alteryx_sandbox, people):
    alteryx_sandbox.settings(duplicate_names="allow")
    alteryx_sandbox.create_group("Analysts")
    alteryx_sandbox.create_group("Analysts")
    for attempt in (
        lambda: hook.create_user_group("Analysts", people),
        lambda: hook.find_user_group("Analysts"),
        lambda: hook.add_users(people, name="Analysts"),
        lambda: hook.delete_user_group(name="Analysts"),
    ):
        with pytest.raises(Conflict, match="has 2 of the"):
            attempt()
    assert writes(alteryx_sandbox) == {}


def test_a_partial_failure_of_an_addition_is_an_error_unless_on_refused_is_skip(hook, alteryx_sandbox, people):
    with pytest.raises(RejectedRequest, match="refused to add 1 of 24 users") as caught:
        hook.create_user_group("Analysts", [*people, NOBODY])
    assert NOBODY not in str(caught.value)
    assert alteryx_sandbox.members("Analysts") == set(people)

    change = hook.add_users([*people, NOBODY], name="Analysts", on_refused="skip")
    assert sum(change.users_refused.values()) == 1
    assert NOBODY not in change.model_dump_json()


def test_all_problems_are_named_in_one_message_before_the_first_request(hook, alteryx_sandbox):
    with pytest.raises(InvalidInput) as caught:
        hook.create_user_group("x" * 256, ["", "y" * 256], role="Boss", if_exists="perhaps")
    for part in ("`name`", "`role`", "`if_exists`", "1 user ID is blank", "longer than 255"):
        assert part in str(caught.value)
    assert alteryx_sandbox.counts() == {}


@pytest.mark.parametrize("concurrency", [1, 8])
def test_users_are_removed_with_one_request_each(connect, alteryx_sandbox, people, concurrency):
    hook = connect(max_concurrency=concurrency)
    group = hook.create_user_group("Analysts", people)
    change = hook.remove_users([*people[:20], NOBODY], user_group=group)

    assert alteryx_sandbox.members("Analysts") == set(people[20:])
    assert change.users_removed == 21
    assert alteryx_sandbox.counts()["alteryx.remove_user"] == 21


def test_a_removal_that_fails_says_how_many_users_were_removed_and_can_be_repeated(connect, alteryx_sandbox, people):
    hook = connect(max_concurrency=2)
    hook.create_user_group("Analysts", people)
    alteryx_sandbox.fault("alteryx.remove_user", "status", status=403, skip=5)
    with pytest.raises(VendorError, match="were removed from user group") as caught:
        hook.remove_users(people, name="Analysts")
    assert all(person not in str(caught.value) for person in people)
    assert "{user}" in str(caught.value)
    assert alteryx_sandbox.members("Analysts")

    hook.remove_users(people, name="Analysts")
    assert alteryx_sandbox.members("Analysts") == set()


def test_of_several_errors_of_a_removal_the_first_in_the_order_of_the_users_is_raised(
    connect, alteryx_sandbox, people, monkeypatch
):
    connect().create_user_group("Analysts", people[:10])
    # The later of the two errors arrives first. It waits until all requests are under way, because none is sent after
    # an error.
    others, later = threading.Barrier(9), threading.Event()

    class Gate(Relay):
        def ask(self, method, path, headers, body):
            if method == "DELETE" and path.endswith(people[3]):
                later.wait(30)
                return 403, "application/json", b'{"message": "Not this one."}'
            if method == "DELETE":
                others.wait(30)
            if path.endswith(people[5]):
                later.set()
                return 404, "application/json", b'{"message": "There is no such user."}'
            return super().ask(method, path, headers, body)

    with Gate(alteryx_sandbox.url).running() as gate:
        fields = alteryx_sandbox.connection_json(retry=RETRY, max_concurrency=10)
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", fields.replace(alteryx_sandbox.url, gate.url))
        with pytest.raises(PermissionDenied, match=r"8 of 10 users were removed .* 2 calls failed"):
            AlteryxServerHook().remove_users(people[:10], name="Analysts")
    assert alteryx_sandbox.members("Analysts") == {people[3], people[5]}


def test_after_an_error_no_further_removal_is_sent(connect, alteryx_sandbox, people):
    hook = connect(max_concurrency=1)
    hook.create_user_group("Analysts", people)
    alteryx_sandbox.fault("alteryx.remove_user", "status", status=403, skip=4)
    with pytest.raises(PermissionDenied, match=r"4 of 23 users were removed .* 1 call failed"):
        hook.remove_users(people, name="Analysts")
    assert alteryx_sandbox.members("Analysts") == set(people[4:])
    assert alteryx_sandbox.counts()["alteryx.remove_user"] == 5


class TestUserGroup:
    def test_a_group_can_be_created_with_every_role(self, hook, alteryx_sandbox):
        for role in get_args(Role):
            group = hook.create_user_group(role, role=role)
            assert hook.get_user_group(user_group=group).role == role
        assert len(alteryx_sandbox.groups()) == 6

    def test_an_update_keeps_the_fields_that_are_not_set(self, hook, alteryx_sandbox, people):
        group = hook.create_user_group("Analysts", people, role="Viewer")
        hook.update_user_group(user_group=group, role="Curator")
        hook.update_user_group(user_group_id=group.user_group_id, new_name="Data people")
        assert [(group.name, group.role) for group in alteryx_sandbox.groups()] == [("Data people", "Curator")]
        assert alteryx_sandbox.members("Data people") == set(people)

    def test_renaming_again_is_fine(self, hook, alteryx_sandbox):
        made = hook.create_user_group("Analysts")
        for _ in range(2):
            change = hook.update_user_group(name="Analysts", new_name="Data people", role="Viewer")
            assert (change.user_group_id, change.name) == (made.user_group_id, "Data people")
        assert [(group.name, group.role) for group in alteryx_sandbox.groups()] == [("Data people", "Viewer")]
        with pytest.raises(NotFound, match="has no user group 'Analysts'"):
            hook.update_user_group(name="Analysts", new_name="Others")

    def test_an_update_without_changes_is_refused(self, hook, alteryx_sandbox):
        with pytest.raises(InvalidInput, match="One of `new_name` and `role`"):
            hook.update_user_group(name="Analysts")
        assert alteryx_sandbox.counts() == {}

    def test_a_group_is_read_by_name_or_id_and_listed(self, hook, people):
        group = hook.create_user_group("Analysts", people)
        assert hook.get_user_group(name="Analysts").members == set(people)
        assert [found.user_group_id for found in hook.get_user_groups()] == [group.user_group_id]
        assert hook.find_user_group("No such") is None
        with pytest.raises(NotFound):
            hook.get_user_group(NOBODY)
        assert str(people[0]) not in repr(hook.get_user_group(name="Analysts"))

    def test_a_group_with_members_is_deleted_only_with_force_delete(self, hook, alteryx_sandbox, people):
        hook.create_user_group("Analysts", people)
        with pytest.raises(RejectedRequest, match="force_delete=True"):
            hook.delete_user_group(name="Analysts")
        assert hook.delete_user_group(name="Analysts", force_delete=True).outcome == "deleted"
        assert alteryx_sandbox.groups() == []
        assert hook.delete_user_group(name="Analysts").outcome == "missing"
        assert hook.delete_user_group(user_group_id=NOBODY).outcome == "missing"
        with pytest.raises(NotFound, match="if_missing"):
            hook.delete_user_group(user_group_id=NOBODY, if_missing="fail")

    def test_a_deletion_whose_response_was_lost_counts_as_deleted(self, hook, alteryx_sandbox):
        group = hook.create_user_group("Analysts")
        alteryx_sandbox.fault("alteryx.delete_group", "lost")
        assert hook.delete_user_group(user_group=group, if_missing="fail").outcome == "deleted"

    @pytest.mark.parametrize("endpoint", ["alteryx.list_groups", "alteryx.delete_group"])
    def test_a_gateway_that_fails_and_then_finds_nothing_is_no_deletion(self, hook, alteryx_sandbox, endpoint):
        hook.create_user_group("Analysts")
        alteryx_sandbox.fault(endpoint, "html", status=502)
        alteryx_sandbox.fault(endpoint, "html", status=404)
        with pytest.raises(NotFound):
            hook.delete_user_group(name="Analysts")
        assert [group.name for group in alteryx_sandbox.groups()] == ["Analysts"]

    def test_active_directory_groups_are_added_and_removed_by_their_sid(self, hook, alteryx_sandbox):
        alteryx_sandbox.settings(windows_authentication=True)
        hook.create_user_group("Analysts")
        hook.add_active_directory_group("S-1-5-21-1004", name="Analysts")
        assert alteryx_sandbox.ad_groups("Analysts") == {"S-1-5-21-1004"}
        hook.remove_active_directory_group("S-1-5-21-1004", name="Analysts")
        assert alteryx_sandbox.ad_groups("Analysts") == set()
        with pytest.raises(InvalidInput, match="`sid`"):
            hook.add_active_directory_group("Analysts", name="Analysts")


class TestSharing:
    @pytest.mark.parametrize("kind", ["collection", "credential", "data_connection"])
    def test_a_resource_is_shared_with_a_group_and_unshared(self, hook, alteryx_sandbox, kind):
        resource = getattr(alteryx_sandbox, f"create_{kind}")("Sales")
        group = hook.create_user_group("Analysts")
        hook.share(kind, resource, user_group=group)
        assert [share.object_id for share in alteryx_sandbox.shares("Analysts")] == [resource]
        hook.unshare(kind, resource, user_group=group)
        assert alteryx_sandbox.shares("Analysts") == []

    def test_the_permissions_of_a_group_in_a_collection_are_set(self, hook, alteryx_sandbox):
        resource = alteryx_sandbox.create_collection("Sales")
        hook.create_user_group("Analysts")
        hook.share("collection", resource, name="Analysts", permissions={"can_add_assets": True})
        hook.update_permissions(resource, {"is_admin": True}, name="Analysts")
        (share,) = alteryx_sandbox.shares("Analysts")
        assert share.permissions["isAdmin"] is True
        assert not share.permissions.get("canAddAssets")

    @pytest.mark.parametrize("permissions", [["is_admin"], "[1]", 5])
    def test_permissions_are_an_object(self, hook, alteryx_sandbox, permissions):
        with pytest.raises(InvalidInput, match="`permissions`"):
            hook.update_permissions(NOBODY, permissions, name="Analysts")
        assert alteryx_sandbox.counts() == {}

    def test_permissions_are_refused_for_anything_but_a_collection(self, hook, alteryx_sandbox):
        with pytest.raises(InvalidInput, match="for `resource_type` collection only"):
            hook.share("credential", NOBODY, name="Analysts", permissions={"is_admin": True})
        assert alteryx_sandbox.counts() == {}

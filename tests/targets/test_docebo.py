"""Docebo's groups, in addition to the tests of all vendors: background jobs, automatic groups, unknown users."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_segments_provider.targets.docebo import DoceboGroup
from tests.targets.accounts import NAME

pytestmark = pytest.mark.parametrize("account", [("docebo", "email"), ("docebo", "id")], ids="-".join, indirect=True)


@pytest.fixture
def source(account):
    def source(users):
        return [account.shared(user, user.value) for user in users]

    return source


def test_a_background_job_that_ends_during_the_confirmation_is_confirmed(account, sync, source, pauses):
    users = account.users(6)
    account.sandbox.settings(background_threshold=0, background_delay=5)
    ran = sync(source(users))
    assert ran.counts.get("unconfirmed", 0) == 0
    assert (ran.counts["applied"], pauses, ran.result["background_job"]) == (6, [2.0, 8.0], True)
    assert account.members() == {user.id for user in users}
    assert sync(source(users)).writes == 0
    fewer = sync(source(users[:4]))
    assert (fewer.counts["applied"], fewer.counts.get("unconfirmed", 0)) == (2, 0)
    assert account.members() == {user.id for user in users[:4]}


def test_a_background_job_that_ends_later_is_sent_again(account, sync, source, pauses):
    users = account.users(6)
    account.sandbox.settings(background_threshold=0, background_delay=60)
    first = sync(source(users))
    assert (first.counts["unconfirmed"], first.counts.get("applied", 0)) == (6, 0)
    assert (pauses, account.members()) == ([2.0, 8.0, 20.0], set())
    account.sandbox.advance(60)
    assert account.members() == {user.id for user in users}
    account.sandbox.settings(background_threshold=500)
    assert sync(source(users)).counts["applied"] == 6
    third = sync(source(users))
    assert third.counts.get("unconfirmed", 0) == 0
    assert account.members() == {user.id for user in users}


def test_users_of_a_late_background_job_are_removed_again(account, sync, source, pauses, clock):
    users = account.users(3)
    account.sandbox.settings(background_threshold=0, background_delay=60)
    sync(source(users))
    account.sandbox.settings(background_threshold=500)
    assert sync(source(users[:1])).error == ""
    account.sandbox.advance(60)
    assert account.members() == {user.id for user in users}
    clock.advance(timedelta(minutes=12))
    sync(source(users[:1]))
    assert account.members() == {users[0].id}
    clock.advance(timedelta(minutes=12))
    sync(source(users[:1]))
    assert sync(source(users[:1])).writes == 0


def test_a_background_job_that_fails_is_sent_again_by_each_run(account, sync, source, pauses):
    users = account.users(6)
    account.sandbox.settings(background_threshold=0, background_delay=1, background_outcome="aborted")
    for _ in range(2):
        ran = sync(source(users))
        assert (ran.counts["unconfirmed"], ran.writes, account.members()) == (6, 1, set())
    assert "6 changes were acknowledged, and the vendor's list does not show them" in (
        sync(source(users), max_unconfirmed=5).error
    )
    account.sandbox.settings(background_outcome="completed")
    assert sync(source(users), max_unconfirmed=0).counts["applied"] == 6
    assert account.members() == {user.id for user in users}


def test_a_removal_in_the_background_that_fails_is_sent_again(account, sync, source, pauses):
    users = account.users(6)
    sync(source(users))
    account.sandbox.settings(background_threshold=0, background_delay=1, background_outcome="aborted")
    for _ in range(2):
        assert sync(source(users[:4])).counts["unconfirmed"] == 2
        assert account.members() == {user.id for user in users}
    account.sandbox.settings(background_outcome="completed")
    assert sync(source(users[:4]), max_unconfirmed=0).counts["remove"] == 2
    assert account.members() == {user.id for user in users[:4]}


@pytest.mark.parametrize("by", ["name", "uuid"])
def test_an_automatic_group_is_refused(account, sync, source, by):
    (group,) = (group for group in account.sandbox.groups() if group.type == "automatic")
    before = account.sandbox.members(group.uuid)
    named = {"name": group.name} if by == "name" else {"group_id": group.uuid}
    ran = sync(source(account.users(1)), target=DoceboGroup(identity=account.identity, **named))
    assert "it is automatic, so its rules would undo the sync. Use a manual group." in ran.error
    assert (ran.writes, account.sandbox.members(group.uuid)) == (0, before)


def test_changes_of_a_docebo_group_are_sent_one_after_the_other(account, sync, source, connect):
    connect(users_per_request=2)
    users = account.users(9)
    sync(source(users))
    assert sync(source(users[3:])).received["docebo.remove_members"] == 2
    calls = [call for call in account.sandbox.calls() if call.endpoint in account.writes]
    assert len(calls) == 7
    assert {call.in_flight for call in calls} == {1}
    assert NAME in account.groups()


@pytest.mark.parametrize("status", [400, 409])
def test_an_earlier_try_of_a_rejected_change_does_not_bring_users_back(account, sync, source, clock, status):
    users = account.users(6)
    sync(source(users[:2]))
    account.sandbox.fault("docebo.add_members", "late", seconds=300)
    account.sandbox.fault("docebo.add_members", "status", status=status)
    assert sync(source(users)).counts["applied"] == 4
    sync(source(users[:3]))
    account.sandbox.advance(300)
    assert account.members() == {user.id for user in users}
    clock.advance(timedelta(minutes=30))
    sync(source(users[:3]))
    assert account.members() == {user.id for user in users[:3]}


def test_a_user_ignored_by_docebo_is_unconfirmed(account, sync, source):
    users = account.users(3)
    sync(source(users))
    account.delete(users[0].id)
    ran = sync(source(users))
    assert (ran.counts["add"], ran.counts["unconfirmed"], ran.counts["missing"]) == (1, 1, 1)
    assert account.members() == {user.id for user in users[1:]}

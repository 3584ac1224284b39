"""Alteryx Server's groups, in addition to the tests of all vendors: the case of IDs, repeated additions, removals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from tests.targets.accounts import NAME

by_id = pytest.mark.parametrize("account", [("alteryx", "id")], ids="-".join, indirect=True)
by_both = pytest.mark.parametrize("account", [("alteryx", "email"), ("alteryx", "id")], ids="-".join, indirect=True)


@by_id
def test_the_case_and_the_braces_of_alteryx_ids_do_not_matter(account, sync):
    users = account.users(4)
    source = [users[0].id.upper(), "{" + users[1].id + "}", f" {users[2].id.title()}", users[3].id, users[3].id.upper()]
    ran = sync(source)
    assert (ran.counts["wanted"], ran.counts["duplicates"], ran.counts["applied"]) == (4, 1, 4)
    assert account.members() == {user.id for user in users}
    again = sync([user.id for user in users], target=AlteryxUserGroup(NAME, create=True))
    assert (again.counts, again.writes) == ({"wanted": 4, "baseline": 4}, 0)
    (group,) = account.sandbox.groups()
    named = sync([user.id for user in users], target=AlteryxUserGroup(user_group_id=group.id.upper()))
    assert named.result["outcome"] == "unchanged"


@by_both
@pytest.mark.parametrize("existing", ["reported", "silent", "counted"])
def test_a_repeated_addition_is_not_a_failure(account, sync, existing):
    users = account.users(5)
    account.sandbox.settings(existing_member=existing)
    account.sandbox.fault("alteryx.add_users", "lost")
    ran = sync([account.shared(user, user.value) for user in users])
    assert (ran.counts["applied"], ran.writes, ran.result["rejected"]) == (5, 2, {})
    assert account.members() == {user.id for user in users}


@by_id
def test_a_user_unknown_to_the_server_is_rejected_alone(account, sync):
    users = account.users(5)
    ran = sync([*(user.id for user in users), "f" * 24], max_refused=1)
    assert (ran.counts["applied"], ran.counts["rejected"], ran.writes) == (5, 1, 1)
    assert account.members() == {user.id for user in users}
    assert sync([*(user.id for user in users), "f" * 24], max_refused=1).writes == 0


@by_id
def test_an_id_of_braces_only_is_rejected_by_the_server(account, sync):
    users = account.users(2)
    ran = sync([*(user.id for user in users), "{}"], max_refused=1)
    assert (ran.counts["applied"], ran.counts["rejected"], ran.error) == (2, 1, "")
    assert account.members() == {user.id for user in users}


@by_both
def test_removals_are_sent_concurrently_and_additions_in_one_request(account, sync, connect):
    connect(max_concurrency=4)
    users = account.users(40)
    source = [account.shared(user, user.value) for user in users]
    assert sync(source).writes == 1
    account.sandbox.fault("alteryx.remove_user", "latency", seconds=0.05, times=None)
    assert sync(source[:8], max_removed_fraction=1.0).received["alteryx.remove_user"] == 32
    assert 1 < max(call.in_flight for call in account.sandbox.calls("alteryx.remove_user")) <= 4
    assert account.members() == {user.id for user in users[:8]}


@by_both
def test_the_removal_of_a_user_who_was_deleted_is_not_an_error(account, sync):
    users = account.users(5)
    source = [account.shared(user, user.value) for user in users]
    sync(source)
    ran = sync(source[2:], after_plan=lambda: [account.delete(user.id) for user in users[:2]])
    assert (ran.counts["applied"], account.members()) == (2, {user.id for user in users[2:]})
    assert sync(source[2:]).writes == 0


@by_both
def test_an_earlier_try_of_a_removal_beside_one_that_was_not_found_is_uncertain(account, sync, connect, clock):
    connect(max_concurrency=1)
    users = account.users(6)
    source = [account.shared(user, user.value) for user in users]
    sync(source)
    account.sandbox.fault("alteryx.remove_user", "late", seconds=300)
    account.sandbox.fault("alteryx.remove_user", "status", status=404, skip=1)
    assert sync(source[3:]).counts["applied"] == 3
    sync(source)
    account.sandbox.advance(300)
    assert len(account.members()) == 5
    clock.advance(timedelta(minutes=30))
    sync(source, baseline="ledger")
    assert account.members() == {user.id for user in users}

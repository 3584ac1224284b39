"""Unexpected members, and members removed by hand: counted, listed, corrected or only reported."""

from __future__ import annotations

import pytest

from airflow_segments_provider.sync.listing import NOT_LISTED, NOT_WANTED
from tests.targets.accounts import BY_EMAIL, BY_ID

LISTING = [one for one in (*BY_EMAIL, *BY_ID) if one[0] != "tag"]
pytestmark = pytest.mark.parametrize("account", LISTING, ids="-".join, indirect=True)


def source(account, users):
    return [account.shared(user, user.value) for user in users]


@pytest.fixture
def shown(account):
    """Return how the list of drift names a user who is not in the ledger: Docebo lists no IDs."""

    def shown(user):
        return user.value if account.kind == "docebo" and account.identity != "id" else user.id

    return shown


def test_drift_is_counted_and_listed_and_members_that_the_ledger_owns_are_added_again(account, sync, shown):
    users, strangers = account.users(5), account.users(2)
    assert sync(source(account, users)).drift == {}
    account.drop([users[0].id])
    account.put([user.id for user in strangers])
    ran = sync(source(account, users))
    assert (ran.counts["strangers"], ran.counts["missing"], ran.counts["applied"]) == (2, 1, 1)
    assert [plan.counts["strangers"] for plan in ran.plans] == [2]
    assert [plan.counts["missing"] for plan in ran.plans] == [1]
    assert ran.drift == {users[0].id: NOT_LISTED, **{shown(user): NOT_WANTED for user in strangers}}
    assert account.members() == {user.id for user in (*users, *strangers)}
    again = sync(source(account, users))
    assert (again.counts, again.writes) == ({"wanted": 5, "baseline": 7, "strangers": 2}, 0)
    assert again.drift.keys() == {shown(user) for user in strangers}


def test_a_preview_reports_drift_and_sends_nothing(account, sync, shown):
    users, stranger = account.users(3), account.user()
    sync(source(account, users))
    account.drop([users[0].id])
    account.put([stranger.id])
    ran = sync(source(account, users), plan_only=True)
    assert (ran.counts["strangers"], ran.counts["missing"], ran.writes) == (1, 1, 0)
    assert ran.drift.keys() == {users[0].id, shown(stranger)}
    assert account.members() == {*(user.id for user in users[1:]), stranger.id}


def test_baseline_ledger_reports_no_drift(account, sync):
    users, stranger = account.users(3), account.user()
    sync(source(account, users))
    account.drop([users[0].id])
    account.put([stranger.id])
    ran = sync(source(account, users), baseline="ledger")
    assert (ran.counts, ran.writes, ran.drift) == ({"wanted": 3, "baseline": 3}, 0, {})
    assert account.members() == {*(user.id for user in users[1:]), stranger.id}


@pytest.mark.parametrize("option", [{"removals": "all"}, {"replace": True}], ids=["removals", "replace"])
def test_removals_all_and_replace_make_the_members_exactly_those_of_the_source(account, sync, option):
    users, strangers = account.users(6), account.users(2)
    sync(source(account, users[:4]))
    account.drop([users[1].id])
    account.put([user.id for user in strangers])
    ran = sync(source(account, users[1:]), **option)
    assert (ran.counts["add"], ran.counts["remove"], ran.counts["applied"]) == (3, 3, 6)
    assert account.members() == {user.id for user in users[1:]}
    again = sync(source(account, users[1:]))
    assert (again.result["outcome"], again.writes) == ("unchanged", 0)


@pytest.mark.parametrize("removals", ["owned", "all"])
def test_the_first_sync_of_a_group_with_members_adopts_wanted_ones(account, sync, removals):
    account.make()
    users, before = account.users(3), account.users(2)
    account.put([user.id for user in (users[0], *before)])
    ran = sync(source(account, users), removals=removals)
    assert (ran.counts["add"], ran.counts["adopt"]) == (2, 1)
    left = set() if removals == "all" else {user.id for user in before}
    assert account.members() == {user.id for user in users} | left
    # An existing member who is in the source is owned by the sync from then on.
    assert sync(source(account, users[1:])).counts["remove"] == 1
    assert account.members() == {user.id for user in users[1:]} | left


def test_members_not_added_by_the_sync_count_for_the_limit_of_removals(account, sync):
    users, strangers = account.users(2), account.users(12)
    sync(source(account, users))
    account.put([user.id for user in strangers])
    ran = sync(source(account, users), removals="all")
    assert "`max_removed_fraction`" in ran.error
    assert (ran.writes, len(account.members())) == (0, 14)
    assert sync(source(account, users), removals="all", max_removed_fraction=1.0).counts["remove"] == 12
    assert account.members() == {user.id for user in users}


@pytest.mark.parametrize("option", [{"first_sync": "replace"}, {"replace": True}], ids=["first_sync", "replace"])
def test_a_replacement_that_was_refused_is_not_carried_out_by_a_later_run(account, sync, option):
    account.make()
    users, others = account.users(4), account.users(2)
    account.put([user.id for user in others])
    assert "`max_members`" in sync(source(account, users), max_members=1, **option).error
    assert sync(source(account, users)).counts.get("remove", 0) == 0
    assert account.members() == {user.id for user in (*users, *others)}


def test_a_first_sync_that_was_refused_leaves_the_choice_to_the_next(account, sync):
    account.make()
    users, others = account.users(4), account.users(2)
    account.put([user.id for user in others])
    assert "`max_members`" in sync(source(account, users), max_members=1).error
    assert sync(source(account, users), first_sync="replace").counts["remove"] == 2
    assert account.members() == {user.id for user in users}

"""Users identified by e-mail address, username or external ID: the same cases for each vendor."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.targets.accounts import BY_EMAIL, BY_ID, IDENTIFIED, NAME

# Identities that need not be unique; the others are unique at their vendors.
NOT_UNIQUE = [("docebo", "email"), ("alteryx", "email"), ("zendesk", "external_id")]
DAY, AGE = timedelta(days=1, minutes=1), timedelta(days=7, minutes=1)
LISTING = [account for account in BY_EMAIL if account[0] != "tag"]
any_identity = pytest.mark.parametrize("account", [*IDENTIFIED, *BY_ID], ids="-".join, indirect=True)


def test_the_case_of_an_identity_does_not_matter(account, sync):
    users = [account.user("Ada.Byron"), account.user("grace.hopper"), account.user("JOAN.CLARKE")]
    source = [account.value(name) for name in ("ADA.byron", "Grace.HOPPER", "joan.clarke")]
    assert sync(source).counts == {"wanted": 3, "add": 3, "applied": 3, "looked_up": 3}
    assert account.members() == {user.id for user in users}
    again = sync([value.swapcase() for value in source])
    assert (again.counts, again.look_ups, again.writes) == ({"wanted": 3, "baseline": 3}, 0, 0)
    assert sync(source[:2]).counts["remove"] == 1
    assert account.members() == {user.id for user in users[:2]}


def test_a_plus_is_part_of_an_address(account, sync):
    one, other, plain = (account.user(name) for name in ("ada+trial", "ada+other", "ada"))
    assert sync([one.value]).counts["applied"] == 1
    assert account.members() == {one.id}
    assert sync([other.value, plain.value]).counts["applied"] == 3
    assert account.members() == {other.id, plain.id}
    assert sync([account.value("ada trial"), plain.value]).counts["unmatched"] == 1
    assert account.members() == {plain.id}


def test_a_user_whose_identity_changed_at_both_sides_stays_a_member(account, sync):
    ada, grace = account.user("ada"), account.user("grace")
    sync([ada.value, grace.value])
    account.rename(ada.id, account.value("ada.byron"))
    ran = sync([account.value("ada.byron"), grace.value])
    assert ran.counts == {"wanted": 2, "baseline": 2, "looked_up": 1}
    assert (ran.look_ups, ran.writes) == (1, 0)
    assert account.members() == {ada.id, grace.id}


def test_a_reassigned_identity_is_looked_up_again_after_a_week(account, sync, clock):
    ada, grace = account.user("ada"), account.user("grace")
    sync([ada.value, grace.value])
    account.rename(ada.id, account.value("ada.byron"))
    new = account.user("ada")
    clock.advance(timedelta(days=6))
    before = sync([ada.value, grace.value])
    assert (before.look_ups, account.members()) == (0, {ada.id, grace.id})
    # Docebo lists addresses and names, so the user seems to be missing until the next look-up.
    assert before.writes == (account.vendor == "docebo")
    clock.advance(DAY)
    ran = sync([ada.value, grace.value])
    assert (ran.counts["add"], ran.counts["remove"], ran.counts["applied"]) == (1, 1, 2)
    assert account.members() == {new.id, grace.id}
    assert sync([ada.value, grace.value]).result["outcome"] == "unchanged"


def test_two_identities_of_one_user_are_one_member(account, sync):
    ada, grace = account.user("ada"), account.user("grace")
    sync([ada.value, grace.value])
    account.rename(ada.id, account.value("ada.byron"))
    both = [ada.value, account.value("ada.byron"), grace.value]
    ran = sync(both)
    assert ran.counts == {"wanted": 2, "baseline": 2, "duplicates": 1, "looked_up": 1}
    assert (ran.writes, account.members()) == (0, {ada.id, grace.id})
    assert sync(both[1:]).writes == 0
    assert sync(both[2:]).counts["remove"] == 1
    assert account.members() == {grace.id}


@any_identity
def test_a_deactivated_user_stays_a_member_or_is_added_again(account, sync):
    users = account.users(3)
    source = [account.shared(user, user.value) for user in users]
    sync(source)
    account.deactivate(users[0].id)
    left = account.members()
    ran = sync(source)
    # Alteryx Server removes a deactivated user from all groups; the sync adds the user, who is still wanted, again.
    assert ran.counts.get("add", 0) == 3 - len(left) == ran.counts.get("missing", 0)
    assert account.members() == {user.id for user in users}
    assert sync(source).writes == 0
    assert sync(source[1:]).counts["remove"] == 1
    assert account.members() == {user.id for user in users[1:]}


@any_identity
def test_a_deleted_user_is_removed_without_an_error(account, sync, clock):
    users = account.users(3)
    source = [account.shared(user, user.value) for user in users]
    sync(source)
    account.delete(users[0].id)
    assert sync(source[1:]).error == ""
    for _ in range(2):
        ran = sync(source[1:])
        assert (ran.error, ran.writes) == ("", 0)
        clock.advance(AGE)
    assert account.members() & {user.id for user in users} == {user.id for user in users[1:]}


def test_a_deleted_user_who_is_still_wanted_is_removed_after_two_look_ups(account, sync, clock):
    users = account.users(6)
    source, left = [user.value for user in users], {user.id for user in users[1:]}
    sync(source)
    account.delete(users[0].id)
    before = account.members()
    clock.advance(AGE)
    ran = sync(source)
    assert (ran.counts["unmatched"], ran.counts["skipped"], ran.unmatched) == (1, 1, {users[0].value: "no such user"})
    assert (ran.writes, account.members()) == (0, before)
    again = sync(source)
    assert (again.counts["unmatched"], again.look_ups, again.writes) == (1, 0, 0)
    clock.advance(DAY)
    assert sync(source).counts["remove"] == 1
    assert account.members() == left
    assert (sync(source).writes, account.members()) == (0, left)


def test_unmatched_users_are_listed_and_looked_up_again_after_a_day(account, sync, clock):
    users = account.users(8)
    source = [*(user.value for user in users), account.value("late"), account.value("nobody")]
    first = sync(source)
    assert first.counts == {"wanted": 8, "add": 8, "applied": 8, "unmatched": 2, "looked_up": 10}
    assert first.result["unmatched"] == {"no such user": 2}
    strangers = {account.value("late"): "no such user", account.value("nobody"): "no such user"}
    assert first.unmatched == strangers
    late = account.user("late")
    clock.advance(timedelta(hours=23))
    second = sync(source)
    assert (second.unmatched, second.look_ups, second.writes) == (strangers, 0, 0)
    clock.advance(timedelta(hours=1, minutes=1))
    third = sync(source)
    assert (third.counts["looked_up"], third.counts["add"], third.counts["unmatched"]) == (2, 1, 1)
    assert third.unmatched == {account.value("nobody"): "no such user"}
    assert account.members() == {user.id for user in (*users, late)}


def test_unmatched_users_count_for_the_limits(account, sync):
    users, strangers = account.users(79), [account.value(f"nobody.{number}") for number in range(21)]
    source = [*(user.value for user in users), *strangers]
    refused = sync(source)
    assert "21 of 100 users were not found (no such user: 21); the limit is 20.0% (`max_unmatched_fraction`)" in (
        refused.error
    )
    assert (refused.unmatched.keys(), refused.writes) == ({*strangers}, 0)
    ran = sync(source, max_unmatched_fraction=0.21, max_unmatched=20)
    assert "21 users were not found, the limit is 20 (`max_unmatched`)" in ran.error
    assert (ran.look_ups, account.members()) == (0, {user.id for user in users})
    assert sync(source, max_unmatched_fraction=0.21, max_unmatched=21).error == ""


def test_a_refusal_after_the_creation_of_a_segment_says_that_it_exists(account, sync):
    source = [account.value("unknown")]
    error = sync(source).error
    assert "The segment was created, without members," in error
    assert "nothing was changed" not in error
    assert (account.groups(), account.members()) == ([NAME], set())
    assert "nothing was changed" in sync(source).error


def test_a_source_without_matched_users_is_refused(account, sync):
    user = account.user()
    sync([user.value])
    ran = sync([account.value("nobody")], max_unmatched_fraction=1.0)
    assert "none was found" in ran.error
    assert (ran.writes, account.members()) == (0, {user.id})


@pytest.mark.parametrize("account", NOT_UNIQUE, ids="-".join, indirect=True)
def test_an_identity_of_several_users_is_unmatched(account, sync):
    users = [account.user("ada"), account.user("ADA"), account.user("grace")]
    ran = sync([account.value("ada"), users[2].value])
    assert ran.unmatched == {account.value("ada"): "several users"}
    assert ran.result["unmatched"] == {"several users": 1}
    assert account.members() == {users[2].id}


@any_identity
def test_an_unchanged_run_looks_no_user_up_and_sends_nothing(account, sync):
    source = [account.shared(user, user.value) for user in account.users(30)]
    first = sync(source)
    assert first.counts["applied"] == 30
    assert (first.look_ups > 0) == (account.identity != "id")
    second = sync(source)
    assert (second.result["outcome"], second.look_ups, second.writes) == ("unchanged", 0, 0)
    assert second.counts == {"wanted": 30, "baseline": 30}


@pytest.mark.parametrize("account", LISTING, ids="-".join, indirect=True)
def test_a_wanted_user_who_was_not_found_and_became_a_member_since_stays(account, sync):
    users = account.users(8)
    source = [*(user.value for user in users), account.value("late"), account.value("later")]
    assert sync(source).counts["unmatched"] == 2
    for name, option in (("late", {"removals": "all"}), ("later", {"replace": True})):
        users.append(account.user(name))
        account.put([users[-1].id])
        ran = sync(source, **option)
        assert (ran.counts.get("remove", 0), ran.counts["adopt"]) == (0, 1)
        assert account.members() == {user.id for user in users}

"""Identities of users are resolved to the vendor's IDs before the plan: what is looked up, when, and what is cached."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    LedgerBusy,
    LedgerDamaged,
    PlanRefused,
    UnexpectedReply,
    VendorUnavailable,
)
from airflow_segments_provider.sources.ids import all_without_case
from tests.databases import small_database
from tests.sync.conftest import Segment
from tests.sync.model import memory

DAY = 86_400_000


class LookUp:
    def __init__(self, vendor, users):
        self.vendor, self.requests = vendor, users

    def __call__(self, values):
        self.vendor.looked_up += values
        found = {value: self.vendor.users.get(value.lower()) for value in values}
        return {value: users[0] if len(users) == 1 else None for value, users in found.items() if users}


class Target(memory.MemoryTarget):
    identity = "email"
    identity_keys = staticmethod(all_without_case)
    per_minute: float | None = None

    def __init__(self, *given, **named):
        super().__init__(*given, **named)
        self.limits = replace(self.limits, max_length=100, per_minute=self.per_minute)

    def look_up(self, users):
        return nullcontext(LookUp(self.vendor, users))


@pytest.fixture
def group(monkeypatch):
    """Return a segment of a vendor with three users, who are found by their e-mail addresses."""
    monkeypatch.setattr("tests.sync.conftest.MemoryTarget", Target)
    segment = Segment(small_database())
    segment.lists = True
    vendor: Any = segment.vendor
    vendor.users = {f"{user}@example.org": [f"id-{user}"] for user in "abc"}
    vendor.looked_up = []
    return segment


def addresses(users):
    return [f"{user}@example.org" for user in users]


def test_only_new_users_are_looked_up(group):
    assert group.sync(addresses("ab")).counts["applied"] == 2
    assert group.vendor.members == {"id-a", "id-b"}
    group.vendor.looked_up.clear()
    assert group.sync(addresses("abc")).counts["looked_up"] == 1
    assert group.vendor.looked_up == addresses("c")
    done = group.sync(addresses("abc"))
    assert (done.outcome, done.counts["looked_up"]) == ("unchanged", 0)
    assert group.sync(addresses("c")).counts["remove"] == 2
    assert group.vendor.looked_up == addresses("c")


def test_spellings_of_one_address_and_addresses_of_one_user_are_one_member(group):
    group.vendor.users["other@example.org"] = ["id-a"]
    done = group.sync(["a@example.org", "A@EXAMPLE.org", "other@example.org"])
    assert (done.counts["wanted"], done.counts["duplicates"]) == (1, 2)
    assert group.vendor.looked_up == ["A@EXAMPLE.org", "other@example.org"]
    assert group.vendor.members == {"id-a"}


def test_an_address_with_a_new_owner_is_looked_up_again_after_seven_days(group):
    group.sync(addresses("ab"))
    group.vendor.users["a@example.org"] = ["id-new"]
    assert group.sync(addresses("ab")).outcome == "unchanged"
    group.now += 7 * DAY
    done = group.sync(addresses("ab"))
    assert (done.counts["add"], done.counts["remove"]) == (1, 1)
    assert group.vendor.members == {"id-new", "id-b"}


def test_a_user_with_a_new_address_stays_a_member(group):
    group.sync(addresses("ab"))
    group.vendor.users["new@example.org"] = group.vendor.users.pop("a@example.org")
    done = group.sync(["new@example.org", "b@example.org"])
    assert (done.outcome, done.counts["remove"]) == ("unchanged", 0)


@pytest.mark.parametrize("several", [False, True])
def test_a_member_who_is_not_found_any_more_is_removed_after_a_second_look_up(group, several):
    group.sync(addresses("abc"))
    group.now += 7 * DAY
    group.vendor.users["a@example.org"] = ["id-a", "id-x"] if several else []
    done = group.sync(addresses("abc"))
    reason = "several users" if several else "no such user"
    assert (done.outcome, done.counts["skipped"], done.unmatched) == ("unchanged", 1, {reason: 1})
    assert "id-a" in group.vendor.members
    group.vendor.looked_up.clear()
    assert group.sync(addresses("abc")).outcome == "unchanged"
    assert group.vendor.looked_up == []
    group.now += DAY
    assert group.sync(addresses("abc")).counts["remove"] == 1
    assert group.vendor.members == {"id-b", "id-c"}


def test_unmatched_users_are_looked_up_again_after_a_day(group):
    assert group.sync(addresses("ax")).unmatched == {"no such user": 1}
    group.vendor.users["x@example.org"] = ["id-x"]
    group.vendor.looked_up.clear()
    assert group.sync(addresses("ax")).unmatched == {"no such user": 1}
    assert group.vendor.looked_up == []
    group.now += DAY
    assert group.sync(addresses("ax")).unmatched == {}
    assert group.vendor.members == {"id-a", "id-x"}


def test_too_many_unmatched_users_are_refused_before_a_request(group):
    with pytest.raises(InvalidInput, match=r"2 of 2 users were not found \(no such user: 2\); none was found"):
        group.sync(addresses("xy"))
    assert group.vendor.requests == 0


def test_ids_that_were_looked_up_are_kept_when_the_plan_is_refused(group):
    with pytest.raises(PlanRefused):
        group.sync(addresses("abc"), max_members=1)
    group.vendor.looked_up.clear()
    assert group.sync(addresses("abc")).outcome == "changed"
    assert group.vendor.looked_up == []


def test_ids_that_were_looked_up_after_an_interrupted_run_are_kept(group, monkeypatch):
    """A look-up of hours would never end, if each try began it anew."""
    group.sync(addresses("a"))
    with monkeypatch.context() as patch:
        patch.setattr(group.vendor, "request", lambda kind, ids: "lost")
        with pytest.raises(VendorUnavailable):
            group.sync(addresses("b"))
    with pytest.raises(PlanRefused):
        group.sync(addresses("bc"), max_members=1)
    group.vendor.looked_up.clear()
    group.sync(addresses("bc"))
    assert (group.vendor.looked_up, group.vendor.members) == ([], {"id-b", "id-c"})


def test_look_ups_that_would_exceed_max_duration_are_refused_before_the_first_one(group, monkeypatch):
    monkeypatch.setattr(Target, "per_minute", 1)
    with pytest.raises(PlanRefused, match=r"look-up of 3 users takes 3 requests, about 0:03:00, the limit is 0:02:00"):
        group.sync(addresses("abc"), max_duration=timedelta(minutes=2))
    assert group.vendor.looked_up == []


def test_a_dry_run_looks_users_up_and_stores_no_state(group):
    assert group.sync(addresses("ab"), plan_only=True).counts["add"] == 2
    assert not [name for name in group.store.files if name.startswith(("state", "generations"))]


@pytest.mark.parametrize("wrong", ["id\n2", "id\x002", " ", "id ", "x" * 1_001, "\ud800"])
def test_an_invalid_id_from_the_vendor_is_an_error_before_the_ledger_is_written(group, wrong):
    """In a batch it would be unreadable, and the ledger would be damaged."""
    group.vendor.users["a@example.org"] = [wrong]
    with pytest.raises(
        UnexpectedReply, match=r"returned 1 of 2 user IDs that are blank, .* No further request was sent"
    ):
        group.sync(addresses("ab"))
    assert not group.store.files
    group.vendor.users["a@example.org"] = ["id-a"]
    assert group.sync(addresses("ab")).counts["applied"] == 2
    group.vendor.members |= {wrong}
    with pytest.raises(UnexpectedReply, match="returned 1 of 3 user IDs"):
        group.sync(addresses("b"), removals="all", max_removed_fraction=1)
    group.vendor.members -= {wrong}
    assert group.sync(addresses("b")).counts["remove"] == 1


@pytest.fixture
def listed(group, monkeypatch):
    """Return the segment of a vendor that lists the addresses of the members."""

    def members(self):
        addresses_of = {users[0]: address for address, users in self.vendor.users.items()}
        yield [addresses_of[user] for user in self.vendor.listed()]

    monkeypatch.setattr(Target, "shows", "identity")
    monkeypatch.setattr(Target, "members", members)
    return group


def test_a_listed_member_with_a_new_address_is_added_again_once_and_then_counts_as_not_found(listed):
    """The list shows the new address only, so the member seems to be missing."""
    listed.sync(addresses("abc"))
    listed.vendor.users["new@example.org"] = listed.vendor.users.pop("a@example.org")
    assert listed.sync(addresses("abc")).counts["unconfirmed"] == 1
    done = listed.sync(addresses("abc"))
    assert (done.counts["add"], done.counts["unmatched"], done.counts["looked_up"]) == (0, 1, 1)
    assert listed.vendor.members == {"id-a", "id-b", "id-c"}
    listed.now += DAY
    assert listed.sync(["new@example.org", *addresses("bc")]).outcome == "unchanged"


def test_owned_members_whose_address_changed_are_not_two_members_for_the_guard(listed):
    listed.vendor.users = {f"{number}@example.org": [f"id-{number}"] for number in range(200)}
    listed.sync([f"{number}@example.org" for number in range(200)])
    for number in range(150, 200):
        listed.vendor.users[f"new-{number}@example.org"] = listed.vendor.users.pop(f"{number}@example.org")
    with pytest.raises(PlanRefused, match=r"50 of 200 members \(25.0%\) would be removed"):
        listed.sync([f"{number}@example.org" for number in range(150)])


def test_a_replacement_recovers_from_damaged_look_ups(group):
    group.sync(addresses("ab"))
    for name in [name for name in group.store.files if name.endswith("-identities.parquet")]:
        group.store.files[name] = b"damaged"
    with pytest.raises(LedgerDamaged, match="replace=True"):
        group.sync(addresses("ac"))
    with pytest.raises(LedgerBusy) as busy:
        group.sync(addresses("ac"), replace=True)
    group.now = busy.value.until
    group.sync(addresses("ac"), replace=True)
    assert group.vendor.members == {"id-a", "id-c"}


def test_members_listed_by_address_are_matched_by_address(group, monkeypatch):
    monkeypatch.setattr(Target, "shows", "identity")
    addresses_of = {"id-a": "A@example.org", "id-b": "b@example.org", "id-x": "x@example.org", "id-y": ""}

    def members(self):
        yield [addresses_of[user] for user in self.vendor.listed()]

    monkeypatch.setattr(Target, "members", members)
    group.sync(addresses("ab"))
    group.vendor.members |= {"id-x", "id-y"}
    done = group.sync(addresses("a"))
    assert group.vendor.members == {"id-a", "id-x", "id-y"}
    assert (done.counts["strangers"], done.counts["baseline"], done.counts["unconfirmed"]) == (2, 4, 0)
    # A member without an address cannot be identified, so the member stays.
    group.vendor.users["x@example.org"] = ["id-x"]
    done = group.sync(addresses("a"), removals="all", max_removed_fraction=1)
    assert group.vendor.members == {"id-a", "id-y"}


def test_a_user_whom_one_of_two_addresses_finds_is_removed_where_both_are_named(group):
    group.sync(addresses("ab"))
    group.now += 8 * DAY
    group.vendor.users["new@example.org"] = group.vendor.users.pop("a@example.org")
    assert group.sync([*addresses("a"), "new@example.org"], mode="remove").counts["remove"] == 1
    assert group.vendor.members == {"id-b"}


def test_a_member_with_an_address_of_the_source_stays_where_only_a_second_look_up_finds_it(group, monkeypatch):
    monkeypatch.setattr(Target, "shows", "identity")
    monkeypatch.setattr(Target, "members", lambda self: iter([addresses("abc")]))
    look_up = LookUp.__call__

    def once(self, values):
        monkeypatch.setattr(LookUp, "__call__", look_up)
        return look_up(self, [value for value in values if value[0] != "c"])

    monkeypatch.setattr(LookUp, "__call__", once)
    group.vendor.members = {"id-a", "id-b", "id-c"}
    done = group.sync(addresses("abc"), removals="all", max_unmatched_fraction=1)
    assert (done.counts["unmatched"], done.counts["strangers"], done.counts["remove"]) == (1, 1, 0)
    assert group.sync(addresses("abc"), removals="all").counts["adopt"] == 1

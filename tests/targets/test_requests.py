"""The requests of a sync: the number that the plan states, and the smallest possible one."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import pytest

from airflow_segments_provider.targets.parse import target_of
from tests.targets.accounts import BY_ID, IDENTIFIED, TAG, Account

# Up to this number, users are looked up one by one; more are looked up in the list of all users if that is cheaper.
FEW = 20
RUNS = 7


@dataclass
class Case:
    """The parameters of one run.

    :ivar size: the users in one request that changes members; ``page``: the users in one page of Docebo's lists.
    :ivar new: how many users are looked up; ``all_users``: how many the vendor has.
    :ivar before: how many members there are, and ``after`` the run; ``add`` and ``remove``: how many are sent, also to
        remove users who are no members any more.
    """

    size: int
    page: int
    new: int
    all_users: int
    before: int
    add: int
    remove: int
    after: int

    def least(self, account: Account) -> int:
        """Return the smallest number of requests: the segment, look-ups, the list, the changes, and the list again."""
        writes = self.writes(account)
        lists = self.list(account, self.before) + (self.list(account, self.after) if writes else 0)
        return 1 + self.look_ups(account) + writes + lists * account.lists

    def look_ups(self, account: Account) -> int:
        if account.identity == "id" or not self.new:
            return 0
        if account.identity == "external_id":
            return _parts(self.new, 100)
        if self.new <= FEW:
            return self.new
        if account.vendor == "alteryx":
            return 1
        # One request returns the number of users; at Docebo, it is the first page of the list.
        if account.vendor == "docebo":
            return 1 + min(self.new, _parts(self.all_users, self.page) - 1)
        return 1 + min(self.new, _parts(self.all_users, 100))

    def list(self, account: Account, members: int) -> int:
        return max(1, _parts(members, self.page)) if (account.kind, account.identity) == ("docebo", "id") else 1

    def writes(self, account: Account) -> int:
        return {
            "docebo": _parts(self.add, self.size) + _parts(self.remove, self.size),
            "alteryx": _parts(self.add, self.size) + self.remove,
            "zendesk": 2 * bool(self.add or self.remove),
            "tag": self.add + self.remove,
        }[account.kind]


def _parts(number: int, size: int) -> int:
    return -(-number // size)


@pytest.mark.parametrize("account", [*IDENTIFIED, *BY_ID], ids="-".join, indirect=True)
def test_random_runs_send_the_requests_of_their_plan_and_no_more_than_necessary(account, sync, connect, tell):
    rolls = random.Random(account.identity)
    target = {"vendor": account.vendor, "identity": account.identity}
    named = {"docebo": "group_id", "alteryx": "user_group_id", "zendesk": "user_segment_id"}[account.vendor]
    target |= {named: account.make()} | ({"via": "tag", "tag": TAG} if account.kind == "tag" else {})
    everyone, found, owned = account.users(30), set[str](), set[str]()
    kinds = Counter[str]()
    for number in range(RUNS):
        size, page = rolls.randint(1, 6), rolls.randint(1, 8)
        sizes = {"docebo": {"users_per_request": size, "page_size": page}, "alteryx": {"users_per_request": size}}
        connect(**sizes.get(account.vendor, {}))
        by_hand = {user.id for user in rolls.sample(everyone, rolls.randint(0, 3))} if account.lists else set()
        account.drop(by_hand & owned)
        account.put(by_hand - owned)
        wanted = rolls.sample(everyone, rolls.choice([0, 3, 12, 25, 30]))
        source = [account.shared(user, user.value) for user in wanted]
        ids, members = {user.id for user in wanted}, account.members()
        case = Case(
            size=size,
            page=page,
            new=len(ids - found),
            all_users=len(account.sandbox.users()),
            before=len(members),
            add=len(ids - (members if account.lists else owned)),
            remove=len(owned - ids),
            after=len((members | ids) - (owned - ids)),
        )
        first = {} if account.lists or number else {"first_sync": "add"}
        ran = sync(
            source, target=target_of(target), allow_empty=True, max_removed_fraction=1.0, baseline="auto", **first
        )
        assert ran.error == ""
        sent, plan = sum(ran.received.values()), ran.plans[-1]
        assert ran.look_ups == plan.look_ups == case.look_ups(account), case
        before = 1 + (case.list(account, len(members)) if account.lists else 0)
        assert (number, sent, sent) == (number, before + plan.look_ups + plan.requests, case.least(account)), case
        assert account.members() >= ids
        assert account.members() & owned <= ids
        found, owned = found | ids, ids
        kinds.update(["changed" if ran.writes else "unchanged"])
        kinds.update({"requests": sent, "missing": ran.counts.get("missing", 0)})
        same = sync(source, target=target_of(target), allow_empty=True)
        assert sum(same.received.values()) == 1 + case.list(account, len(account.members())) * account.lists
    assert kinds["changed"] > 2
    assert kinds["missing"] > 0 or not account.lists
    tell(f"{kinds['requests']} requests, {kinds['missing']} users had been removed by hand")


@pytest.mark.parametrize("account", [("docebo", "id")], ids="-".join, indirect=True)
def test_a_missing_member_is_not_counted_twice_in_the_plan(account, sync, connect):
    connect(page_size=1)
    users = account.users(5)
    sync([user.id for user in users])
    account.drop([users[0].id])
    ran = sync([user.id for user in users])
    assert (ran.counts["missing"], ran.plans[-1].requests, ran.received["docebo.list_members"]) == (1, 1 + 5, 4 + 5)


@pytest.mark.parametrize("account", [("docebo", "email"), ("docebo", "username")], ids="-".join, indirect=True)
@pytest.mark.parametrize("option", [{"removals": "all"}, {"replace": True}], ids=["removals", "replace"])
def test_look_ups_of_listed_members_are_in_the_plan(account, sync, option):
    users, strangers = account.users(2), account.users(3)
    sync([user.value for user in users])
    account.put([user.id for user in strangers])
    ran = sync([user.value for user in users], **option)
    assert (ran.counts["remove"], ran.look_ups, ran.plans[-1].look_ups) == (3, 3, 3)
    assert sum(ran.received.values()) == 1 + 1 + ran.plans[-1].look_ups + ran.plans[-1].requests


@pytest.mark.parametrize("number", [4, 30])
@pytest.mark.parametrize("account", IDENTIFIED, ids="-".join, indirect=True)
def test_further_searches_for_unmatched_users_are_in_the_plan(account, sync, number):
    users = account.users(number)
    ran = sync([*(user.value for user in users), *(account.value(f"nobody.{other}") for other in range(3))])
    assert (ran.counts["unmatched"], ran.counts["looked_up"]) == (3, number + 3)
    assert ran.look_ups == ran.plans[-1].look_ups

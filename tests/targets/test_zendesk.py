"""Zendesk's user segments, in addition to the tests of all vendors: one list, tags, and rejected segments."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from datetime import timedelta

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.errors import InvalidInput
from airflow_segments_provider.http.client import HttpClient
from airflow_segments_provider.sync.ledger.ledger import Ledger
from airflow_segments_provider.targets.zendesk import ZendeskUserSegment
from tests.targets.accounts import NAME, TAG

by_list = pytest.mark.parametrize("account", [("zendesk", "email"), ("zendesk", "id")], ids="-".join, indirect=True)
by_tag = pytest.mark.parametrize("account", [("tag", "email"), ("tag", "id")], ids="-".join, indirect=True)


def source(account, users):
    return [account.shared(user, user.value) for user in users]


@by_list
def test_additions_and_removals_are_one_request(account, sync):
    users = account.users(8)
    assert sync(source(account, users[:5])).received["zendesk.update_segment"] == 1
    ran = sync(source(account, users[2:]))
    assert (ran.counts["add"], ran.counts["remove"], ran.counts["applied"]) == (3, 2, 5)
    assert ran.received["zendesk.update_segment"] == 1
    assert account.members() == {user.id for user in users[2:]}


@by_list
def test_a_manual_change_between_the_plan_and_the_write_is_kept(account, sync):
    users, others = account.users(5), account.users(2)
    sync(source(account, users[:3]))
    account.put([others[0].id])

    def change() -> None:
        account.put([others[1].id])
        account.drop([others[0].id])

    ran = sync(source(account, users[1:]), after_plan=change)
    assert (ran.counts["add"], ran.counts["remove"], ran.counts.get("unconfirmed", 0)) == (2, 1, 0)
    assert account.members() == {*(user.id for user in users[1:]), others[1].id}


@by_list
@pytest.mark.parametrize("fault", ["lost", "reset"])
def test_a_write_whose_response_is_lost_is_repeated(account, sync, fault):
    users = account.users(4)
    sync(source(account, users[:2]))
    account.sandbox.fault("zendesk.update_segment", fault)
    assert sync(source(account, users[1:])).counts["applied"] == 3
    assert account.members() == {user.id for user in users[1:]}


@by_list
def test_a_list_that_a_suspended_worker_wrote_late_is_corrected(account, sync, clock, monkeypatch):
    """It brings back members whom another run has removed meanwhile, and lacks those whom that one has added."""
    users, tries, check = account.users(12), [], Ledger.check_try
    options = {"baseline": "ledger" if account.identity == "id" else "auto"}
    sync(source(account, users[:8]), **options)

    def suspended(ledger):
        check(ledger)
        tries.append(ledger)
        if len(tries) == 2:  # the first one is that of the read
            clock.advance(timedelta(hours=2))
            assert "Run the task again after" in sync(source(account, users[2:10]), **options).error
            clock.advance(timedelta(hours=2))
            sync(source(account, users[2:10]), **options)
            assert account.members() == {user.id for user in users[2:10]}

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "check_try", suspended)
        patch.setattr(HttpClient, "exclusive", lambda self, name: nullcontext())  # the other run is another process
        assert sync(source(account, [*users[:8], users[11]]), **options).error
    assert account.members() == {user.id for user in (*users[:8], users[11])}
    sync(source(account, users[2:10]), **options)
    assert account.members() == {user.id for user in users[2:10]}


@by_list
def test_only_the_list_of_the_segment_changes(account, sync):
    user = account.user()
    account.sandbox.create_segment(NAME, tags=["vip"], or_tags=["x"])
    (before,) = account.sandbox.segments()
    sync(source(account, [user]))
    (after,) = account.sandbox.segments()
    assert (after.tags, after.or_tags, after.name) == (before.tags, before.or_tags, before.name)
    assert after.added_user_ids == [int(user.id)]


@by_list
def test_built_in_segments_and_those_without_a_rule_are_refused(account, sync):
    user = account.user()
    built_in = [segment.id for segment in account.sandbox.segments(built_in=True)]
    account.sandbox.create_segment("Everyone")
    for target, problem in (
        (ZendeskUserSegment(user_segment_id=built_in[0], identity=account.identity), "it is built in"),
        (ZendeskUserSegment("Everyone", identity=account.identity), "it has no rule, so every signed-in user is in it"),
        (
            ZendeskUserSegment("Everyone", via="tag", tag=TAG, identity=account.identity),
            f"its rules do not use the tag '{TAG}'",
        ),
    ):
        ran = sync(source(account, [user]), target=target)
        assert problem in ran.error
        assert ran.writes + ran.received["zendesk.add_user_tags"] + ran.look_ups == 0


@by_tag
def test_only_the_tag_of_the_users_changes(account, sync):
    users = account.users(4)
    for user in users:
        account.sandbox.change_user(int(user.id), tags=["vip", "other"])

    def tags(user):
        return set(account.sandbox.user(int(user.id)).tags)

    assert sync(source(account, users[:3])).writes == 3
    assert [tags(user) for user in users] == [{"vip", "other", TAG}] * 3 + [{"vip", "other"}]
    assert sync(source(account, users[1:])).writes == 2
    assert [tags(user) for user in users] == [{"vip", "other"}] + [{"vip", "other", TAG}] * 3
    (segment,) = account.sandbox.segments()
    assert (segment.tags, segment.added_user_ids) == ([TAG], [])


@by_tag
def test_a_tag_that_users_have_needs_first_sync(account, sync):
    user, before = account.users(2)
    account.make()
    account.put([before.id])
    assert '`first_sync="add"`' in sync(source(account, [user])).error
    assert account.members() == {before.id}
    assert sync(source(account, [user]), first_sync="add").counts["applied"] == 1
    assert account.members() == {user.id, before.id}


@by_tag
def test_a_lost_ledger_of_a_tag_can_be_begun_anew(account, sync):
    users = account.users(4)
    sync(source(account, users[:3]))
    (folder,) = (path.parent.relative_to(sync.ledger) for path in sync.ledger.rglob("generations"))
    shutil.rmtree(sync.ledger)
    assert "`ledger forget`" in sync(source(account, users), replace=True).error
    assert main(["ledger", "forget", str(folder), "--ledger-path", str(sync.ledger), "--yes"]) == 0
    error = sync(source(account, users)).error
    assert '`first_sync="add"`' in error
    assert "replace" not in error
    assert sync(source(account, users), first_sync="add").counts["wanted"] == 4
    assert account.members() == {user.id for user in users}


@by_tag
def test_a_lost_request_beside_one_that_was_rejected_is_uncertain(account, sync, connect, clock):
    connect(max_concurrency=1)
    users = account.users(3)
    sync(source(account, users[:1]))
    account.sandbox.fault("zendesk.add_user_tags", "status", status=422)
    account.sandbox.fault("zendesk.add_user_tags", "late", seconds=300)
    account.sandbox.fault("zendesk.add_user_tags", "reset", times=2)
    assert sync(source(account, users)).counts["applied"] == 2
    sync(source(account, users[:1]))
    account.sandbox.advance(300)
    assert len(account.members()) == 2
    clock.advance(timedelta(minutes=30))
    sync(source(account, users[:1]))
    assert account.members() == {users[0].id}


@by_tag
def test_a_404_of_a_user_who_still_has_the_tag_is_no_removal(account, sync, clock):
    users = account.users(3)
    sync(source(account, users))
    account.sandbox.fault("zendesk.remove_user_tags", "status", status=404)
    ran = sync(source(account, users[:2]))
    assert "1 users were refused by the vendor" in ran.error
    clock.advance(timedelta(days=2))
    assert sync(source(account, users[:2])).counts["remove_again"] == 1
    assert account.members() == {user.id for user in users[:2]}


@pytest.mark.parametrize("via", ["tag", "list"])
def test_an_invalid_via_and_a_missing_tag_are_refused(via):
    with pytest.raises(InvalidInput, match="`via" if via == "tag" else "`via` must be"):
        ZendeskUserSegment("x", via=via).open()

"""Look-ups of Docebo users against the sandbox, over a socket."""

from __future__ import annotations

import re

import pytest

from airflow_segments_provider.errors import InvalidInput, PermissionDenied, UnexpectedReply
from airflow_segments_provider.vendors.base.lookup import FEW
from tests import connections

connect = connections.docebo


@pytest.fixture
def hook(connect):
    return connect()


ODD = ["o'brien+tag@example.com", "a&b=c?d#e@example.com", "50%@example.com", "grüße@example.com", "日本@example.jp"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("by", ["email", "username"])
@pytest.mark.parametrize("form", ["envelope", "bare"])
def test_a_user_is_found_by_exactly_the_address_or_username(hook, docebo_sandbox, odd, by, form):
    docebo_sandbox.settings(list_form=form)
    wanted = docebo_sandbox.add_user(odd)
    for near in (f"x{odd}", f"{odd}.au"):
        docebo_sandbox.add_user(near)
    matches = hook.find_users([f" {odd.upper()} " if odd.isascii() else odd], by=by)
    assert list(matches.found.values()) == [str(wanted)]
    assert (matches.unmatched, matches.ambiguous) == ([], [])
    assert repr(matches) == "UserMatches()"


def test_an_unmatched_address_is_searched_twice_until_an_exact_search_found_an_address(hook, docebo_sandbox):
    docebo_sandbox.add_user("ada", email="ada@example.com")
    assert hook.find_users(["nobody@example.com"]).unmatched == ["nobody@example.com"]
    assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.list_users": 2}
    assert set(hook.find_users(["ada@example.com"]).found) == {"ada@example.com"}
    assert docebo_sandbox.counts()["docebo.list_users"] == 3
    assert hook.find_users(["nobody@example.com"]).unmatched == ["nobody@example.com"]
    assert docebo_sandbox.counts()["docebo.list_users"] == 4
    assert hook.find_users(["nobody"], by="username").unmatched == ["nobody"]
    assert docebo_sandbox.counts()["docebo.list_users"] == 5


def test_an_address_is_found_if_an_exact_search_only_compares_usernames(hook, docebo_sandbox):
    wanted = docebo_sandbox.add_user("ada", email="ada@example.com")
    docebo_sandbox.fault(
        "docebo.list_users", "status", status=200, body={"data": {"items": [], "has_more_data": False}}
    )
    assert hook.find_users(["ada@example.com"]).found == {"ada@example.com": str(wanted)}


def test_a_user_in_an_inexact_response_to_an_exact_search_is_not_matched(hook, docebo_sandbox):
    items = [
        {"user_id": "1", "username": "x", "email": "joann@example.com"},
        {"user_id": "2", "username": "ann@example.com", "email": "ANN@example.com"},
        {"user_id": "3", "username": "y", "email": None},
    ]
    body = {"data": {"items": items, "has_more_data": False}}
    docebo_sandbox.fault("docebo.list_users", "status", status=200, body=body, times=None)
    assert hook.find_users(["ann@example.com"]).found == {"ann@example.com": "2"}
    assert hook.find_users(["nn@example.com"]).unmatched == ["nn@example.com"]


def test_an_address_of_several_users_is_ambiguous(hook, docebo_sandbox):
    for username in ("one", "two"):
        docebo_sandbox.add_user(username, email="shared@example.com")
    matches = hook.find_users(["shared@example.com", "nobody@example.com", "one"], by="email")
    assert matches.ambiguous == ["shared@example.com"]
    assert matches.unmatched == ["nobody@example.com", "one"]
    assert hook.find_users(["one", "two"], by="username").ambiguous == []


@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_few_users_are_searched_one_by_one(connect, docebo_sandbox, concurrency):
    people = docebo_sandbox.seed_users(FEW)
    asked = [f"learner{person}@example.com" for person in people]
    matches = connect(max_concurrency=concurrency).find_users([*asked, *asked])
    assert matches.found == {address: str(person) for address, person in zip(asked, people, strict=True)}
    assert docebo_sandbox.counts()["docebo.list_users"] == FEW


@pytest.mark.parametrize("by", ["email", "username"])
def test_many_users_are_found_in_the_list_of_all_users(connect, docebo_sandbox, by):
    people = docebo_sandbox.seed_users(300)
    docebo_sandbox.add_user("x", email="shared@example.com")
    docebo_sandbox.add_user("shared@example.com")
    asked = [f"Learner{person}@example.com" for person in people] + ["shared@example.com"]
    matches = connect(page_size=100, users_per_request=50).find_users(asked, by=by)
    assert [int(user_id) for user_id in matches.found.values()][:300] == people
    assert matches.ambiguous == (["shared@example.com"] if by == "email" else [])
    # 311 users are on four pages, which are read once for all batches.
    assert docebo_sandbox.counts()["docebo.list_users"] == 4


def test_users_missing_from_the_list_are_searched_one_by_one(connect, docebo_sandbox):
    people = docebo_sandbox.seed_users(50)
    items = [
        {"user_id": str(person), "username": f"learner{person}@example.com", "email": f"learner{person}@example.com"}
        for person in people[1:]
    ]
    body = {"data": {"items": items, "has_more_data": False, "total_count": 50}}
    docebo_sandbox.fault("docebo.list_users", "status", status=200, body=body)
    matches = connect().find_users([f"learner{person}@example.com" for person in people] + ["nobody@example.com"])
    assert sorted(map(int, matches.found.values())) == people
    assert matches.unmatched == ["nobody@example.com"]
    assert docebo_sandbox.counts()["docebo.list_users"] == 1 + 1 + 2


@pytest.mark.parametrize("totals", [True, False])
def test_users_are_searched_one_by_one_if_the_list_of_all_users_is_long(connect, docebo_sandbox, totals):
    people = docebo_sandbox.seed_users(60)
    asked = people[:25]
    fault = {"items": [{"user_id": "1"}], "has_more_data": True, **({"total_count": 27} if totals else {})}
    docebo_sandbox.fault("docebo.list_users", "status", status=200, body={"data": fault})
    matches = connect(max_concurrency=8).find_users([f"learner{person}@example.com" for person in asked])
    assert sorted(map(int, matches.found.values())) == asked
    assert docebo_sandbox.counts()["docebo.list_users"] == 1 + 25


class TestById:
    @pytest.mark.parametrize("shape", [{"data": {"user_id": "77"}}, {"data": {"user_data": {"user_id": 77}}}])
    def test_a_look_up_by_id_is_one_request(self, hook, docebo_sandbox, shape):
        docebo_sandbox.fault("docebo.get_user", "status", status=200, body=shape)
        assert hook.find_users([77], by="id").found == {"77": "77"}
        assert [call.path for call in docebo_sandbox.calls("docebo.get_user")] == ["/docebo/manage/v1/user/77"]

    def test_a_404_for_an_id_is_an_unmatched_user(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.get_user", "status", status=404, times=None)
        assert hook.find_users(["77", 78], by="id").unmatched == ["77", "78"]

    def test_the_error_of_a_look_up_by_id_does_not_contain_the_id(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.get_user", "status", status=403, body={"message": ["not user 7654321"]})
        with pytest.raises(PermissionDenied, match=r"/manage/v1/user/\{user\}") as caught:
            hook.find_users(["7654321"], by="id")
        assert "7654321" not in str(caught.value)


def test_invalid_values_of_a_look_up_are_refused_before_the_first_request(hook, docebo_sandbox):
    with pytest.raises(InvalidInput) as caught:
        hook.find_users(["", "a\x00b", "\ud800", "x" * 256, None, 1.5], by="age")
    for problem in (
        "`by`",
        "2 user IDs are blank",
        "contain control characters",
        "longer than 255",
        "number with a fraction",
    ):
        assert problem in str(caught.value)
    with pytest.raises(InvalidInput):
        hook.find_users("ada@example.com")
    # Paths below the one of users have other meanings than a single user.
    with pytest.raises(InvalidInput, match="2 user IDs are not whole numbers"):
        hook.find_users(["7", "export", "delete"], by="id")
    assert docebo_sandbox.counts() == {}


def test_a_user_without_an_id_in_the_response_is_an_error(hook, docebo_sandbox):
    body = {"data": {"items": [{"email": "ada@example.com"}]}}
    docebo_sandbox.fault("docebo.list_users", "status", status=200, body=body)
    with pytest.raises(UnexpectedReply, match="a user without user_id") as caught:
        hook.find_users(["ada@example.com"])
    assert not re.search(r"\bada\b", str(caught.value))


def test_the_error_of_a_search_does_not_contain_the_user(hook, docebo_sandbox):
    body = {"message": "nothing for Ada Lovelace"}
    docebo_sandbox.fault("docebo.list_users", "status", status=400, body=body, times=None)
    with pytest.raises(Exception, match=r"nothing for \[user id\]"):
        hook.find_users(["Ada Lovelace"], by="username")


class TestIdentify:
    @pytest.mark.parametrize("by", ["email", "username"])
    def test_members_are_identified_by_address_or_username(self, connect, docebo_sandbox, by):
        people = docebo_sandbox.seed_users(30)
        asked = [f"learner{person}@example.com" for person in people]
        hook = connect(users_per_request=10)
        made = hook.create_group("Trial users", asked, identify_by=by)
        assert docebo_sandbox.members("Trial users") == set(people)
        hook.remove_users(asked[:20], identify_by=by, group=made)
        assert docebo_sandbox.members("Trial users") == set(people[20:])
        change = hook.create_group("Trial users", asked[:25], identify_by=by, if_exists="update")
        assert docebo_sandbox.members("Trial users") == set(people[:25])
        assert (change.users_sent, change.users_removed) == (20, 5)

    def test_unmatched_and_ambiguous_users_refuse_a_write_before_any_change(self, hook, docebo_sandbox):
        for username in ("one", "two"):
            docebo_sandbox.add_user(username, email="shared@example.com")
        asked = ["ada.sandford@example.com", "shared@example.com", "nobody@example.com"]
        before = docebo_sandbox.groups()
        with pytest.raises(InvalidInput) as caught:
            hook.create_group("Trial users", asked, identify_by="email")
        assert "1 of 3 e-mail addresses belong to no such user." in str(caught.value)
        assert "1 of 3 e-mail addresses belong to several users." in str(caught.value)
        assert "@" not in str(caught.value)
        assert docebo_sandbox.groups() == before

        change = hook.add_users(asked, identify_by="email", on_unmatched="skip", name="Support team")
        assert change.users_unmatched == {"no such user": 1, "several users": 1}
        assert change.users_sent == 1
        assert docebo_sandbox.member_count("Support team") == 4

"""Look-ups of Alteryx Server users: one by e-mail address or name, and many before a write."""

from __future__ import annotations

import logging
import pickle
import re
import threading

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    RejectedRequest,
    Stopped,
    UnexpectedReply,
    VendorError,
)
from tests import connections
from tests.cli.contract.relay import Relay
from tests.conftest import RETRY

connect = connections.alteryx


@pytest.fixture
def hook(connect):
    """Return a hook that adds at most ten users per request."""
    return connect(users_per_request=10)


@pytest.fixture
def people(alteryx_sandbox):
    """Return the IDs of some users by their e-mail addresses."""
    ids = set(alteryx_sandbox.seed_users(23))
    return {user.email: user.id for user in alteryx_sandbox.users() if user.id in ids}


def lookups(sandbox) -> int:
    count: int = sandbox.counts().get("alteryx.list_users", 0)
    return count


def changes(sandbox) -> list[str]:
    return [call.endpoint for call in sandbox.calls() if call.method != "GET" and call.endpoint != "alteryx.token"]


@pytest.mark.parametrize("matching", ["contains", "exact"])
def test_users_are_created_added_and_removed_by_e_mail_address(hook, alteryx_sandbox, people, matching):
    alteryx_sandbox.settings(email_filter=matching)
    emails = list(people)
    made = hook.create_user_group("Analysts", [email.upper() for email in emails[:15]], identify_by="email")
    assert alteryx_sandbox.members("Analysts") == {people[email] for email in emails[:15]}
    assert (made.users_sent, made.users_added, made.users_unmatched) == (15, 15, {})
    assert lookups(alteryx_sandbox) == 15
    assert changes(alteryx_sandbox) == ["alteryx.create_group", "alteryx.add_users", "alteryx.add_users"]

    added = hook.add_users([f" {email} " for email in emails[15:]], user_group=made, identify_by="email")
    assert added.users_added == 8
    removed = hook.remove_users(emails[:20], user_group=made, identify_by="email")
    assert removed.users_removed == 20
    assert alteryx_sandbox.members("Analysts") == {people[email] for email in emails[20:]}
    assert alteryx_sandbox.counts()["alteryx.remove_user"] == 20
    assert lookups(alteryx_sandbox) == 15 + 8 + 20


def test_an_update_sets_the_members_to_the_users_with_these_addresses(hook, alteryx_sandbox, people):
    emails = list(people)
    hook.create_user_group("Analysts", emails[:10], identify_by="email")
    change = hook.create_user_group("Analysts", emails[5:15], identify_by="email", if_exists="update")
    assert alteryx_sandbox.members("Analysts") == {people[email] for email in emails[5:15]}
    assert (change.outcome, change.users_removed) == ("updated", 5)


WRITES = {
    "create": lambda hook, emails: hook.create_user_group("Analysts", emails, identify_by="email"),
    "add": lambda hook, emails: hook.add_users(emails, name="Others", identify_by="email"),
    "remove": lambda hook, emails: hook.remove_users(emails, name="Others", identify_by="email"),
}


@pytest.mark.parametrize("write", WRITES)
def test_an_unmatched_user_refuses_a_write_before_any_change(hook, alteryx_sandbox, people, write):
    alteryx_sandbox.create_user("twin@example.com")
    alteryx_sandbox.create_user("Twin@example.com")
    alteryx_sandbox.create_group("Others")
    emails = [*people, "nobody@example.com", "twin@example.com", "no address at all"]
    with pytest.raises(InvalidInput) as caught:
        WRITES[write](hook, emails)
    assert "2 of 26 e-mail addresses belong to no such user" in str(caught.value)
    assert "1 of 26 e-mail addresses belong to several users" in str(caught.value)
    assert "@" not in str(caught.value)
    assert changes(alteryx_sandbox) == []


def test_unmatched_users_are_skipped_and_counted_with_on_unmatched_skip(hook, alteryx_sandbox, people):
    emails = [*people, "nobody@example.com"]
    made = hook.create_user_group("Analysts", emails, identify_by="email", on_unmatched="skip")
    assert alteryx_sandbox.members("Analysts") == set(people.values())
    assert made.users_unmatched == {"no such user": 1}
    assert made.users_sent == 23
    for change in (hook.add_users, hook.remove_users):
        done = change(emails, user_group=made, identify_by="email", on_unmatched="skip")
        assert done.users_unmatched == {"no such user": 1}
        assert "@" not in done.model_dump_json()
    assert alteryx_sandbox.members("Analysts") == set()


def test_an_address_that_occurs_twice_is_one_user(hook, alteryx_sandbox, people):
    email = next(iter(people))
    made = hook.create_user_group("Analysts", [email, email, email.title()], identify_by="email")
    assert made.users_sent == 1
    assert alteryx_sandbox.members("Analysts") == {people[email]}


def test_special_characters_of_an_address_reach_the_server_unchanged(hook, alteryx_sandbox):
    odd = ["a+b&role=Curator@example.com", "o'hara=100%@example.com", "jörg@example.com", "x#y?z@example.com"]
    ids = {alteryx_sandbox.create_user(email) for email in odd}
    hook.create_user_group("Analysts", odd, identify_by="email")
    assert alteryx_sandbox.members("Analysts") == ids


def test_invalid_parameters_and_ids_are_named_before_the_first_request(hook, alteryx_sandbox):
    with pytest.raises(InvalidInput) as caught:
        hook.add_users(["", "x" * 321, None], name="Analysts", identify_by="phone", on_unmatched="perhaps")
    for part in ("`identify_by`", "`on_unmatched`", "2 user IDs are blank"):
        assert part in str(caught.value)
    with pytest.raises(InvalidInput, match="longer than 320"):
        hook.add_users(["x" * 321], name="Analysts", identify_by="email")
    assert alteryx_sandbox.counts() == {}


def test_an_empty_list_of_users_sends_no_request(hook, alteryx_sandbox):
    made = hook.create_user_group("Analysts", [], identify_by="email")
    before = alteryx_sandbox.counts()
    hook.add_users([], user_group=made, identify_by="email")
    hook.remove_users([], user_group=made, identify_by="email")
    assert alteryx_sandbox.counts() == before


def test_users_are_looked_up_before_the_group_is_read(hook, alteryx_sandbox):
    for write in (hook.create_user_group, lambda name, users, **how: hook.add_users(users, name=name, **how)):
        with pytest.raises(InvalidInput, match="no such user"):
            write("No such", ["nobody@example.com"], identify_by="email")
    assert lookups(alteryx_sandbox) == 2
    assert set(alteryx_sandbox.counts()) == {"alteryx.token", "alteryx.list_users"}


def test_a_refused_write_names_its_group_and_the_connection(hook):
    with pytest.raises(InvalidInput) as caught:
        hook.add_users(["nobody@example.com"], name="Analysts", identify_by="email")
    assert str(caught.value).startswith(
        "The addition of users (user group 'Analysts') was refused and nothing was chan"
    )
    assert str(caught.value).endswith("The Airflow connection is 'alteryx_server_default'.")
    with pytest.raises(InvalidInput, match=r"^The addition of users was refused.* 'alteryx_server_default'\.$"):
        hook.add_users(["a" * 24], identify_by="id")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_as_many_look_ups_run_at_once_as_the_connection_allows(
    connect, alteryx_sandbox, people, monkeypatch, concurrency
):
    # Each request waits until `concurrency` requests are under way; with fewer at once, none would get a response.
    together, most, under_way, lock = threading.Barrier(concurrency), [0], [0], threading.Lock()

    class Gate(Relay):
        def ask(self, method, path, headers, body):
            if "/v3/users?" not in path:
                return super().ask(method, path, headers, body)
            with lock:
                under_way[0] += 1
                most[0] = max(most[0], under_way[0])
            together.wait(30)
            with lock:
                under_way[0] -= 1
            return super().ask(method, path, headers, body)

    with Gate(alteryx_sandbox.url).running() as gate:
        hook = connect(max_concurrency=concurrency)
        fields = alteryx_sandbox.connection_json(retry=RETRY, max_concurrency=concurrency)
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", fields.replace(alteryx_sandbox.url, gate.url))
        hook.create_user_group("Analysts", list(people)[:20], identify_by="email")
    assert most == [concurrency]
    assert len(alteryx_sandbox.members("Analysts")) == 20


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_look_up_that_fails_ends_the_others_and_changes_nothing(connect, alteryx_sandbox, people, status):
    hook = connect(max_concurrency=2)
    alteryx_sandbox.fault("alteryx.list_users", "status", status=status, times=None, skip=3, body=" ".join(people))
    with pytest.raises(VendorError, match="nothing was changed") as caught:
        hook.create_user_group("Analysts", list(people)[:20], identify_by="email")
    assert "@" not in str(caught.value)
    assert changes(alteryx_sandbox) == []
    assert lookups(alteryx_sandbox) < 20


@pytest.mark.parametrize("kind", ["lost", "truncate", "html", "empty_body"])
def test_a_damaged_response_to_a_look_up_is_not_taken_for_an_unmatched_user(connect, alteryx_sandbox, people, kind):
    hook = connect(max_concurrency=1)
    alteryx_sandbox.fault("alteryx.list_users", kind, times=None)
    with pytest.raises(VendorError, match="nothing was changed"):
        hook.create_user_group("Analysts", list(people), identify_by="email", on_unmatched="skip")
    assert changes(alteryx_sandbox) == []


@pytest.mark.parametrize("wrong", [{"email": 7}, {"id": None}, {"id": 7}, {"firstName": ["Ada"]}])
def test_the_error_for_an_invalid_list_of_users_contains_no_user(hook, alteryx_sandbox, wrong):
    answer = [{"id": "0123456789abcdef01234567", "email": "ada@example.com", **wrong}]
    alteryx_sandbox.fault("alteryx.list_users", "status", status=200, body=answer, times=None)
    with pytest.raises(
        UnexpectedReply, match=r"GET /alteryx/webapi/v3/users with status 200.*alteryx_server_default"
    ) as caught:
        hook.add_users(["ada@example.com"], user_group_id="0123456789abcdef01234567", identify_by="email")
    assert not re.search(r"\bada\b", str(caught.value))
    assert not caught.value.maybe_done


def test_a_stopped_task_looks_no_user_up(hook, alteryx_sandbox, people):
    assert hook.find_user(next(iter(people)))
    hook.stop()
    with pytest.raises(Stopped):
        hook.create_user_group("Analysts", list(people), identify_by="email")
    assert lookups(alteryx_sandbox) == 1


def test_look_ups_log_no_user(hook, alteryx_sandbox, people, caplog):
    alteryx_sandbox.fault("alteryx.list_users", "status", status=503, body=next(iter(people)))
    with caplog.at_level(logging.INFO):
        hook.create_user_group("Analysts", [*people, "x@example.com"], identify_by="email", on_unmatched="skip")
    assert "Next try" in caplog.text
    assert not re.search(r"\w@", caplog.text)
    assert not any(person in caplog.text for person in people.values())


class TestSingleUsers:
    @pytest.mark.parametrize("matching", ["contains", "exact"])
    def test_a_user_is_found_by_exactly_that_address(self, hook, alteryx_sandbox, matching):
        alteryx_sandbox.settings(email_filter=matching)
        alteryx_sandbox.create_user("not.ada@example.com")
        wanted = alteryx_sandbox.create_user("ada@example.com")
        found = hook.find_user("ADA@example.com ")
        assert found.user_id == wanted
        assert hook.find_user("da@example.com") is None
        assert not re.search(r"\bada\b", repr(found))

    def test_an_address_of_two_users_is_a_conflict(self, hook, alteryx_sandbox):
        for email in ("ada@example.com", "Ada@example.com"):
            alteryx_sandbox.create_user(email)
        with pytest.raises(Conflict, match="2 users with that e-mail address") as caught:
            hook.find_user("ada@example.com")
        assert "ada@" not in str(caught.value)

    @pytest.mark.parametrize("matching", ["contains", "exact"])
    def test_users_are_found_by_exactly_these_names(self, hook, alteryx_sandbox, matching):
        alteryx_sandbox.settings(name_filter=matching)
        wanted = {
            alteryx_sandbox.create_user(f"{number}@example.com", first_name="Ada", last_name="Lamb") for number in "12"
        }
        alteryx_sandbox.create_user("3@example.com", first_name="Ada", last_name="Lambert")
        assert {user.user_id for user in hook.find_users("ada", " LAMB")} == wanted
        assert hook.find_users("Ad", "Lamb") == []

    def test_users_are_listed_by_the_filters_of_the_server(self, hook, alteryx_sandbox):
        gone = alteryx_sandbox.create_user("gone@example.com", is_active=False, role="Member")
        assert gone in {user.user_id for user in hook.get_users(active="false", role="Member")}
        assert gone not in {user.user_id for user in hook.get_users(active="true")}
        with pytest.raises(RejectedRequest):
            hook.get_users(role="Boss")

"""A change of a segment's users together with its rules or name: checked as a whole, and repeatable."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_segments_provider.errors import InvalidInput, NotFound, VendorUnavailable
from airflow_segments_provider.operators.zendesk import ZendeskUpdateUserSegmentOperator
from tests.conftest import RETRY


class TaskInstance:
    """The attributes of a task instance that an operator needs."""

    def xcom_push(self, key: str, value: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _connection(zendesk_sandbox, monkeypatch):
    connection = zendesk_sandbox.connection_json(retry=RETRY, warnings_are_errors=True)
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", connection)
    # Without a ledger no list of unmatched users is written: its path would need a real task instance.
    monkeypatch.delenv("AIRFLOW__SEGMENTS__LEDGER_PATH")


@pytest.fixture
def people(zendesk_sandbox):
    return zendesk_sandbox.seed_users(4)


@pytest.fixture
def segment(zendesk_sandbox, people) -> int:
    number: int = zendesk_sandbox.create_segment("Trial users", tags=["trial"], added_user_ids=[people[0]])
    return number


def update(**options: Any) -> dict[str, Any]:
    context: Any = {"ti": TaskInstance()}
    return ZendeskUpdateUserSegmentOperator(task_id="update", **options).execute(context)


def record(zendesk_sandbox) -> Any:
    (found,) = zendesk_sandbox.segments()
    return found


@pytest.mark.parametrize(
    ("action", "given", "left"),
    [("add", [1, 2], [0, 1, 2]), ("remove", [0, 2], []), ("set", [2, 3], [2, 3])],
)
def test_users_and_rules_of_a_segment_are_changed_in_two_requests(
    zendesk_sandbox, people, segment, action, given, left
):
    result = update(
        user_segment_id=segment,
        action=action,
        user_ids=[f"ext-{people[place]}" for place in given],
        identify_by="external_id",
        new_name="People on trial",
        tags='["vip"]',
    )
    found = record(zendesk_sandbox)
    assert (found.name, found.tags, set(found.added_user_ids)) == (
        "People on trial",
        ["vip"],
        {people[place] for place in left},
    )
    assert (result["name"], result["outcome"], result["users_sent"]) == ("People on trial", "updated", 2)
    assert result["users_added"] - result["users_removed"] == len(left) - 1
    # The users are looked up once, and for `set` compared with the members; then the other fields are updated, then the
    # users.
    looks = 1 if action == "set" else 0
    assert zendesk_sandbox.counts() == {
        "zendesk.create_token": 1,
        "zendesk.show_users": 1,
        "zendesk.list_segments": 1 + looks,
        "zendesk.update_segment": 2,
        "zendesk.get_segment": 1,
    }
    assert result["requests"] == 5 + looks


def test_an_update_with_a_new_name_can_be_repeated_by_the_old_name(zendesk_sandbox, people, segment):
    for added in (3, 0):
        result = update(name="Trial users", new_name="People on trial", user_ids=people)
        assert (result["user_segment_id"], result["name"]) == (segment, "People on trial")
        assert (result["users_sent"], result["users_added"]) == (4, added)
        assert set(record(zendesk_sandbox).added_user_ids) == set(people)


def test_an_update_may_change_only_users_or_only_rules(zendesk_sandbox, people, segment):
    update(user_segment_id=segment, user_ids=people[1:], tags=None, new_name="", or_tags=None)
    found = record(zendesk_sandbox)
    assert (found.name, found.tags, len(found.added_user_ids)) == ("Trial users", ["trial"], 4)

    update(user_segment_id=str(segment), tags=[], user_type="staff")
    found = record(zendesk_sandbox)
    assert (found.user_type, found.tags, len(found.added_user_ids)) == ("staff", [], 4)


def test_all_invalid_parameters_of_an_update_are_named_in_one_message(zendesk_sandbox, people, segment):
    before = record(zendesk_sandbox)
    with pytest.raises(InvalidInput) as caught:
        update(
            user_segment_id="x",
            action="override",
            user_ids=[people[0], "", "somebody"],
            tags="vip",
            organization_ids=["five"],
            user_type="agents",
            allow_empty="perhaps",
        )
    problems = ("user_segment_id", "action", "tags", "organization_ids.0", "user_type", "allow_empty")
    for part in [f"`{name}`" for name in problems] + ["is blank", "is not a whole number"]:
        assert part in str(caught.value)
    assert str(people[0]) not in str(caught.value)
    assert "somebody" not in str(caught.value)
    assert zendesk_sandbox.counts() == {}
    assert record(zendesk_sandbox) == before


@pytest.mark.parametrize("rest", [{}, {"new_name": "People on trial"}])
class TestRefused:
    """Refused before anything is changed, also where both users and rules change."""

    @pytest.fixture(autouse=True)
    def _unchanged(self, zendesk_sandbox, segment):
        before = record(zendesk_sandbox)
        yield
        assert record(zendesk_sandbox) == before
        assert "zendesk.update_segment" not in zendesk_sandbox.counts()

    def test_a_set_without_users_is_refused(self, segment, rest):
        with pytest.raises(InvalidInput, match="allow_empty"):
            update(user_segment_id=segment, action="set", user_ids=[], **rest)

    def test_an_update_with_an_unmatched_user_is_refused(self, segment, rest):
        with pytest.raises(InvalidInput, match="no such user"):
            update(user_segment_id=segment, user_ids=["nobody@example.org"], identify_by="email", **rest)

    def test_an_update_with_an_unknown_action_is_refused(self, segment, rest):
        with pytest.raises(InvalidInput, match="action"):
            update(user_segment_id=segment, action="override", user_ids=[1], **rest)

    def test_an_update_of_a_segment_that_does_not_exist_is_refused(self, segment, rest):
        with pytest.raises(NotFound):
            update(name="Nobody's", user_ids=[1], **rest)


def test_an_update_without_changes_is_refused_before_any_request(zendesk_sandbox, segment):
    with pytest.raises(InvalidInput, match="must be given"):
        update(user_segment_id=segment)
    assert zendesk_sandbox.counts() == {}


def test_a_set_without_users_with_allow_empty_empties_the_segment(zendesk_sandbox, segment):
    update(user_segment_id=segment, action="set", user_ids="[]", allow_empty="True", new_name="Nobody")
    assert (record(zendesk_sandbox).name, record(zendesk_sandbox).added_user_ids) == ("Nobody", [])
    update(user_segment_id=segment, action="set", user_ids=[], allow_empty=True)
    # One request for the name and one for the users; the second update has nothing to change.
    assert zendesk_sandbox.counts()["zendesk.update_segment"] == 2


def test_an_error_of_the_change_of_users_says_that_the_rules_were_changed(zendesk_sandbox, people, segment):
    zendesk_sandbox.fault("zendesk.update_segment", "status", status=503, skip=1, times=None)
    with pytest.raises(VendorUnavailable, match="were changed before that, its users not"):
        update(user_segment_id=segment, user_ids=people, tags=["vip"])
    assert (record(zendesk_sandbox).tags, record(zendesk_sandbox).added_user_ids) == (["vip"], [people[0]])


def test_invalid_and_unmatched_users_of_an_update_are_counted(zendesk_sandbox, people, segment):
    result = update(
        user_segment_id=segment,
        user_ids=[f"ext-{people[1]}", "", "ext-0"],
        identify_by="external_id",
        on_invalid="skip",
        on_unmatched="skip",
        tags=["vip"],
    )
    assert (result["users_sent"], result["users_added"]) == (1, 1)
    assert (sum(result["users_rejected"].values()), sum(result["users_unmatched"].values())) == (1, 1)

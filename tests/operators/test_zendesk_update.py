"""A change of a segment's people together with its rules or name: checked as a whole, and repeatable."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_segments_provider.errors import InvalidInput, NotFound, VendorUnavailable
from airflow_segments_provider.operators.zendesk import ZendeskUpdateUserSegmentOperator
from tests.conftest import RETRY


class TaskInstance:
    """What an operator asks of a task instance."""

    def xcom_push(self, key: str, value: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _connection(zendesk_sandbox, monkeypatch):
    connection = zendesk_sandbox.connection_json(retry=RETRY, warnings_are_errors=True)
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", connection)
    # A list of users who are not found is beside the ledger, by the names of a real task instance.
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
def test_both_are_changed(zendesk_sandbox, people, segment, action, given, left):
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
    # The people are looked up once, and for `set` compared with those who are there; then what is not about them, then
    # they.
    looks = 1 if action == "set" else 0
    assert zendesk_sandbox.counts() == {
        "zendesk.create_token": 1,
        "zendesk.show_users": 1,
        "zendesk.list_segments": 1 + looks,
        "zendesk.update_segment": 2,
        "zendesk.get_segment": 1,
    }
    assert result["requests"] == 5 + looks


def test_it_can_be_repeated_though_the_name_is_another_then(zendesk_sandbox, people, segment):
    for added in (3, 0):
        result = update(name="Trial users", new_name="People on trial", user_ids=people)
        assert (result["user_segment_id"], result["name"]) == (segment, "People on trial")
        assert (result["users_sent"], result["users_added"]) == (4, added)
        assert set(record(zendesk_sandbox).added_user_ids) == set(people)


def test_people_only_or_rules_only(zendesk_sandbox, people, segment):
    update(user_segment_id=segment, user_ids=people[1:], tags=None, new_name="", or_tags=None)
    found = record(zendesk_sandbox)
    assert (found.name, found.tags, len(found.added_user_ids)) == ("Trial users", ["trial"], 4)

    update(user_segment_id=str(segment), tags=[], user_type="staff")
    found = record(zendesk_sandbox)
    assert (found.user_type, found.tags, len(found.added_user_ids)) == ("staff", [], 4)


def test_all_problems_come_in_one_message(zendesk_sandbox, people, segment):
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
    """Before anything is changed, also where both are."""

    @pytest.fixture(autouse=True)
    def _unchanged(self, zendesk_sandbox, segment):
        before = record(zendesk_sandbox)
        yield
        assert record(zendesk_sandbox) == before
        assert "zendesk.update_segment" not in zendesk_sandbox.counts()

    def test_a_set_of_nobody(self, segment, rest):
        with pytest.raises(InvalidInput, match="allow_empty"):
            update(user_segment_id=segment, action="set", user_ids=[], **rest)

    def test_people_whom_zendesk_does_not_know(self, segment, rest):
        with pytest.raises(InvalidInput, match="no such user"):
            update(user_segment_id=segment, user_ids=["nobody@example.org"], identify_by="email", **rest)

    def test_an_unknown_action(self, segment, rest):
        with pytest.raises(InvalidInput, match="action"):
            update(user_segment_id=segment, action="override", user_ids=[1], **rest)

    def test_a_segment_that_is_not_there(self, segment, rest):
        with pytest.raises(NotFound):
            update(name="Nobody's", user_ids=[1], **rest)


def test_nothing_to_change_is_refused(zendesk_sandbox, segment):
    with pytest.raises(InvalidInput, match="must be given"):
        update(user_segment_id=segment)
    assert zendesk_sandbox.counts() == {}


def test_a_set_of_nobody_that_is_meant(zendesk_sandbox, segment):
    update(user_segment_id=segment, action="set", user_ids="[]", allow_empty="True", new_name="Nobody")
    assert (record(zendesk_sandbox).name, record(zendesk_sandbox).added_user_ids) == ("Nobody", [])
    update(user_segment_id=segment, action="set", user_ids=[], allow_empty=True)
    # The name and the people; then there was nothing left to change.
    assert zendesk_sandbox.counts()["zendesk.update_segment"] == 2


def test_the_error_of_the_second_part_tells_of_the_first(zendesk_sandbox, people, segment):
    zendesk_sandbox.fault("zendesk.update_segment", "status", status=503, skip=1, times=None)
    with pytest.raises(VendorUnavailable, match="were changed before that, its users not"):
        update(user_segment_id=segment, user_ids=people, tags=["vip"])
    assert (record(zendesk_sandbox).tags, record(zendesk_sandbox).added_user_ids) == (["vip"], [people[0]])


def test_who_is_left_out_is_counted(zendesk_sandbox, people, segment):
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

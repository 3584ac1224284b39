"""Zendesk's documented samples, and responses that only look like them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import Conflict, UnexpectedReply
from airflow_segments_provider.http.response import Call
from airflow_segments_provider.vendors.zendesk.connection import ZendeskConnectionFields
from airflow_segments_provider.vendors.zendesk.parameters import UserSegmentKey, whole
from airflow_segments_provider.vendors.zendesk.responses import (
    NOT_REPORTED,
    Article,
    Content,
    Section,
    Topic,
    UserSegment,
    parse_content,
    parse_job,
    parse_segment,
    parse_tags,
    parse_user,
    select,
)

ID = "V3-0123456789abcdef0123456789abcdef"

# A response of 2017, without or_tags and added_user_ids.
OLD: dict[str, Any] = {
    "id": 7_100_001,
    "user_type": "staff",
    "group_ids": [12],
    "organization_ids": [42],
    "tags": ["vip"],
    "name": "VIP agents",
    "built_in": False,
    "created_at": "2017-07-20T22:55:29Z",
    "updated_at": "2017-07-23T21:43:28Z",
}
NEW = {**OLD, "or_tags": ["a", "b"], "added_user_ids": [360_000_000_001, 360_000_000_002]}

TOPIC = {
    "id": 1635,
    "url": "https://acme.zendesk.com/api/v2/community/topics/1635.json",
    "html_url": "https://acme.zendesk.com/hc/en-us/community/topics/1635",
    "name": "Security",
    "description": "",
    "position": 0,
    "follower_count": 332,
    "community_id": 1,
    "created_at": "2012-04-04T09:14:57Z",
    "updated_at": "2012-04-04T09:14:57Z",
    "manageable_by": "staff",
    "user_segment_id": None,
}
SECTION = {
    "id": 35_467,
    "name": "Avionics",
    "html_url": "https://acme.zendesk.com/hc/en-us/sections/35467",
    "category_id": 888,
    "parent_section_id": None,
    "sorting": "manual",
    "position": 0,
    "locale": "en-us",
    "source_locale": "en-us",
    "outdated": False,
    "theme_template": "section_page",
}
ARTICLE = {
    "id": 35_436,
    "title": "What are these strange sounds?",
    "draft": True,
    "user_segment_id": 12,
    "user_segment_ids": [12, 13],
    "name": None,
    "html_url": None,
}


@pytest.mark.parametrize("sample", [OLD, NEW])
def test_a_documented_segment_is_read_and_returned_unchanged(sample):
    segment = parse_segment(sample)
    shown = segment.model_dump(mode="json")
    people = sample.get("added_user_ids")
    assert shown.pop("added_users") == (None if people is None else len(people))
    assert shown.pop("or_tags") == sample.get("or_tags", [])
    assert shown.pop("user_segment_id") == sample["id"]
    assert shown == {key: value for key, value in sample.items() if key not in ("id", "or_tags", "added_user_ids")}
    assert segment.added_user_ids == (None if people is None else frozenset(people))
    # The result of a task identifies the segment in the next task.
    assert (
        UserSegmentKey.model_validate({"user_segment": segment.model_dump(mode="json")}).user_segment_id == sample["id"]
    )


def test_absent_null_and_unknown_fields_of_a_segment_are_accepted():
    segment = parse_segment({"id": "7", "name": None, "tags": None, "or_tags": None, "added_user_ids": None, "new": 1})
    assert segment == UserSegment(user_segment_id=7)
    assert (segment.tags, segment.added_user_ids) == ([], None)


@pytest.mark.parametrize(
    "entry",
    [
        None, [], "x", 7, {}, {"id": None}, {"id": "x"}, {"id": True}, {"id": 1.5}, {"id": -1}, {**NEW, "tags": "vip"},
        {**NEW, "added_user_ids": ["secret"]}, {**NEW, "built_in": "perhaps"}, {**NEW, "created_at": "yesterday"},
        {**NEW, "organization_ids": [None]}, {**NEW, "added_user_ids": [7, "0"]}, {**NEW, "added_user_ids": [True]},
    ],
)  # fmt: skip
def test_an_invalid_segment_is_an_error_that_quotes_nothing(entry):
    with pytest.raises(UnexpectedReply) as caught:
        parse_segment(entry)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("model", "sample"), [(Topic, TOPIC), (Section, SECTION), (Article, ARTICLE), (Content, SECTION)]
)
def test_documented_topics_sections_and_articles_are_read_unchanged(model, sample):
    assert parse_content(model, sample).model_dump(mode="json", include=sample.keys()) == sample


@pytest.mark.parametrize("entry", [None, [], {}, {"id": "x"}, {**TOPIC, "user_segment_id": "x"}])
def test_an_invalid_topic_is_an_error(entry):
    with pytest.raises(UnexpectedReply, match="topic"):
        parse_content(Topic, entry)


@pytest.mark.parametrize(
    ("fields", "found"),
    [({}, []), ({"user_segment_id": 5}, [5]), ({"user_segment_id": None, "user_segment_ids": []}, []),
     ({"user_segment_id": 5, "user_segment_ids": [5, 6]}, [5, 6]), ({"user_segment_ids": [6]}, [6])],
)  # fmt: skip
def test_all_segments_of_an_article_are_read(fields, found):
    assert parse_content(Article, {"id": 1, **fields}).applied == found


def test_a_name_is_searched_among_custom_segments_only():
    ours, built_in = (UserSegment(user_segment_id=n, name=" VIP ", built_in=n == 2) for n in (1, 2))
    assert select([built_in, ours], UserSegmentKey(name="VIP")) is ours
    assert select([built_in], UserSegmentKey(name="VIP")) is None
    assert select([built_in], UserSegmentKey(user_segment_id=2)) is built_in
    assert select([ours], UserSegmentKey(name="vip")) is None
    assert select([UserSegment(user_segment_id=3)], UserSegmentKey(name="None of them")) is None
    with pytest.raises(Conflict, match=r"1, 3"):
        select([ours, UserSegment(user_segment_id=3, name="VIP")], UserSegmentKey(name="VIP"))


@given(st.integers(min_value=1, max_value=10**19 - 1))
def test_a_whole_number_is_accepted_as_number_and_as_text(number) -> None:
    assert whole(number) == whole(str(number)) == whole(f" {number}\n") == number


@given(st.one_of(st.text(), st.floats(), st.booleans(), st.none(), st.integers(max_value=0)))
def test_any_value_that_is_not_a_whole_number_is_refused(value) -> None:
    right = isinstance(value, str) and value.strip().isascii() and value.strip().isdigit()
    if not right:
        with pytest.raises(ValueError, match="whole number"):
            whole(value)


class TestJob:
    def job(self, **fields):
        return parse_job({"id": ID, "url": "https://x", "total": 2, "progress": None, "message": None, "results": None,
                          "status": "queued", **fields}, Call("Zendesk", "GET", "/"))  # fmt: skip

    def test_the_stages_of_a_job_are_read(self):
        queued, working = self.job(), self.job(status="working", progress=1, message="Updating user #1")
        assert (queued.finished, working.finished, working.progress) == (False, False, 1)
        rows = [{"id": number, "action": "update", "status": "Updated", "success": True} for number in (1, 2)]
        done = self.job(status="completed", message="Completed at 2023-09-18 23:27:48 +0000", results=rows)
        assert (done.finished, done.success, done.succeeded, done.failed) == (True, True, 2, {})
        assert done.model_dump(mode="json")["message"] == "Completed at 2023-09-18 23:27:48 +0000"

    @pytest.mark.parametrize(
        ("results", "total", "succeeded", "failed"),
        [
            ([{"id": 1, "status": "Created"}, {"id": 2, "status": "Created"}], 2, 2, {}),
            ([{"index": 0, "id": 4018, "account_id": 18525119}, {"index": 1, "id": 4022}], 2, 2, {}),
            ([{"id": 1, "status": "Failed"}, {"id": 2, "error": "ada"}, {"id": 3, "error": "7"}], 3, 0, {"failed": 3}),
            ([{"index": 0, "id": 1, "error": "UserUpdateFailed", "details": "ada@example.com"}], 1, 0,
             {"UserUpdateFailed": 1}),
            ([{"id": 1, "success": True}, {"id": 2, "success": False, "error": "NotFound"}], 2, 1, {"NotFound": 1}),
            ([{"id": 1, "success": False}, None, 5], 3, 0, {"failed": 3}),
            ([{"id": 1, "error": "no such person ada@example.com"}], 1, 0, {"failed": 1}),
            ([{"id": 1, "errors": ["x"]}, {}], 2, 0, {"failed": 2}),
            ([{"id": 1, "success": True}], 3, 1, {NOT_REPORTED: 2}),
            ([], 0, 0, {}),
            ([], None, 0, {}),
            ({"success": True}, None, None, {}),
            ({"success": True}, 5, 5, {}),
            ({"success": False}, 5, 0, {"failed": 5}),
            ({"success": "yes"}, None, 0, {"failed": 1}),
            (None, 2, None, {}),
            ("x", 2, None, {}),
        ],
    )  # fmt: skip
    def test_the_results_of_a_job_are_counted(self, results, total, succeeded, failed):
        job = self.job(status="completed", results=results, total=total)
        assert (job.succeeded, job.failed) == (succeeded, failed)
        assert job.success == (not failed)
        assert "ada" not in job.model_dump_json()

    def test_a_failed_job_is_finished_and_its_message_contains_no_user(self):
        job = self.job(status="failed", message="ada@example.com is not there")
        assert (job.finished, job.success) == (True, False)
        assert "ada" not in str(job.message)

    def test_an_unknown_status_of_a_job_is_finished_and_not_a_success(self):
        assert (self.job(status="killed").finished, self.job(status="killed").success) == (True, False)

    @pytest.mark.parametrize(
        "entry", [None, [], {}, {"id": ID}, {"id": 5, "status": "queued"}, {"id": "", "status": "x"}]
    )
    def test_an_invalid_job_is_an_error(self, entry):
        with pytest.raises(UnexpectedReply):
            parse_job(entry, Call("Zendesk", "GET", "/"))


def test_the_text_of_a_user_shows_no_personal_data():
    user = parse_user(
        {"id": 7, "name": "Ada", "email": "ada@example.com", "external_id": 12, "tags": ["ada's"], "role": "agent"}
    )
    assert (user.user_id, user.external_id, user.tags) == (7, "12", ["ada's"])
    assert repr(user) == "User(role='agent')"


@pytest.mark.parametrize("entry", [None, [], {}, {"id": None}, {"id": 1, "tags": "x"}, {"id": 1, "tags": [5]}])
def test_an_invalid_user_is_an_error(entry):
    with pytest.raises(UnexpectedReply):
        parse_user(entry)


@pytest.mark.parametrize("tags", [None, "x", {}, [1], [None]])
def test_invalid_tags_are_an_error(tags):
    with pytest.raises(UnexpectedReply):
        parse_tags(tags)


@pytest.mark.parametrize(
    ("scope", "sent"),
    [
        ("hc:read hc:write", "hc:read hc:write"),
        (["hc:read", "hc:write"], "hc:read hc:write"),
        (None, "read write"),
        ("", "read write"),
    ],
)
def test_the_scope_may_be_a_text_or_a_list(scope, sent):
    assert ZendeskConnectionFields.model_validate({"scope": scope}).scope == sent

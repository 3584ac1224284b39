"""Every form of a response that Docebo is known, or likely, to send."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_segments_provider.errors import RejectedRequest, UnexpectedReply
from airflow_segments_provider.vendors.base.parameters import validated
from airflow_segments_provider.vendors.docebo.parameters import AddUsers, CreateGroup, GroupKey, RemoveUsers, is_legacy
from airflow_segments_provider.vendors.docebo.responses import (
    Group,
    GroupChange,
    parse_background,
    parse_created_id,
    parse_group,
    parse_legacy_id,
    parse_member,
    parse_one_group,
    parse_one_user,
    parse_page,
    parse_user,
    parse_uuid,
)

UUID = "0123abcd-4567-89ab-cdef-0123456789ab"
RULESET = {
    "operator": "AND",
    "status": "READY",
    "sets": [{"id": 3, "rules_operator": "AND", "rules": [{"type": "X", "payload": {"field": "16"}}]}],
}
GROUP = {
    "uuid": UUID,
    "name": "Sellers",
    "description": "Who sell",
    "type": "automatic",
    "exclude_deactivated_users": True,
    "updated_at": "2024-05-06 07:08:09",
    "created_by": {"idst": 13001},
    "updated_by": {"idst": 13001},
    "labels": [],
    "ruleset": RULESET,
}
ENVELOPE = {
    "data": {
        "items": [1, 2],
        "count": 2,
        "has_more_data": True,
        "cursor": "abc",
        "current_page": 1,
        "current_page_size": 2,
        "total_page_count": 2,
        "total_count": 3,
        "sort": [{"sort_attr": "name", "sort_dir": "asc"}],
    },
    "version": "1.0.0",
    "_links": [],
}


class TestGroup:
    def test_the_documented_group_is_read(self):
        group = parse_group(GROUP)
        assert group.model_dump() == {
            "group_id": UUID,
            "name": "Sellers",
            "slug": None,
            "description": "Who sell",
            "type": "automatic",
            "ruleset": RULESET,
            "exclude_deactivated_users": True,
            "updated_at": datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        }
        assert group.ruleset_status == "READY"
        assert Group.model_validate_json(group.model_dump_json()) == group
        assert parse_one_group({"data": GROUP, "version": "1.0.0", "_links": []}) == group
        # The author of the group is a user, too.
        assert "13001" not in group.model_dump_json()

    @pytest.mark.parametrize("ruleset", [None, [], {}, "x"])
    @pytest.mark.parametrize("moment", [None, "", "0000-00-00", "0000-00-00 00:00:00", "soon", 7])
    def test_absent_and_invalid_optional_fields_of_a_group_are_none(self, ruleset, moment):
        group = parse_group({"uuid": UUID, "name": "x", "ruleset": ruleset, "updated_at": moment})
        assert (group.ruleset, group.ruleset_status, group.updated_at, group.type) == (None, None, None, None)

    @pytest.mark.parametrize(
        "entry", [None, [], "x", {}, {"uuid": UUID}, {"name": "x"}, {"uuid": 7, "name": "x"}, {"uuid": UUID, "name": 7}]
    )
    def test_a_group_without_uuid_or_name_is_an_error(self, entry):
        with pytest.raises(UnexpectedReply, match="without uuid or name"):
            parse_group(entry)

    def test_half_a_character_in_a_name_is_replaced(self):
        assert parse_group({"uuid": UUID, "name": json.loads('"a\\ud83d"')}).name == "a?"


class TestPage:
    def test_the_documented_list_is_read(self):
        page = parse_page(ENVELOPE, str)
        assert (page.items, page.more, page.cursor, page.total) == (["1", "2"], True, "abc", 3)

    def test_a_bare_array_is_read_as_a_list(self):
        for answer in ({"data": [1, 2]}, [1, 2]):
            page = parse_page(answer, str)
            assert (page.items, page.more, page.cursor, page.total) == (["1", "2"], None, None, None)

    @pytest.mark.parametrize(
        ("data", "more"),
        [
            ({"has_more_data": False, "current_page": 1, "total_page_count": 2}, False),
            ({"has_more_data": None, "current_page": 1, "total_page_count": 2}, True),
            ({"current_page": 2, "total_page_count": 2}, False),
            ({"current_page": 2}, None),
            ({}, None),
        ],
    )
    def test_a_page_says_whether_there_is_more(self, data, more):
        assert parse_page({"data": {"items": [1], **data}}, str).more is more

    def test_pages_with_different_items_have_different_digests(self):
        one, same, other = (parse_page([{"a": value, "b": 1}], dict).digest for value in (1, 1, 2))
        assert one == same
        assert one != other


class TestMembersAndUsers:
    @pytest.mark.parametrize("number", [13005, "13005"])
    def test_a_member_is_read(self, number):
        entry = {"idst": number, "userid": "ada", "firstname": "Ada", "lastname": None, "email": "ada@example.com"}
        member = parse_member({**entry, "relation_type": 1})
        assert (member.user_id, member.username, member.last_name, member.relation_type) == ("13005", "ada", None, "1")

    @pytest.mark.parametrize("parse", [parse_user, lambda entry: parse_one_user({"data": {"user_data": entry}})])
    def test_a_user_is_read(self, parse):
        assert parse({"user_id": "7", "username": "ada", "email": None, "uuid": UUID}) == ("7", "ada", "")

    @pytest.mark.parametrize("entry", [None, {}, {"idst": None}, {"idst": "x"}, {"idst": 1.5}, {"idst": True}])
    def test_a_member_or_user_without_an_id_is_an_error(self, entry):
        with pytest.raises(UnexpectedReply):
            parse_member(entry)
        with pytest.raises(UnexpectedReply):
            parse_user(entry)


class TestChanges:
    @pytest.mark.parametrize(
        ("data", "background"),
        [
            ({"success": True, "background_job": True}, True),
            ({"success": True, "background_job": False}, False),
            ({"success": True}, False),
            ([{"row_index": 0, "success": True, "message": ""}], False),
            ([], False),
            (None, False),
        ],
    )
    def test_a_successful_change_says_whether_it_is_a_background_job(self, data, background):
        assert parse_background({"data": data, "version": "1", "_links": []}, str) is background

    @pytest.mark.parametrize("data", [{"success": False}, {"success": None}, [{"success": True}, {"success": False}]])
    def test_a_failure_with_status_200_is_a_rejected_request(self, data):
        with pytest.raises(RejectedRequest, match="reports a failure"):
            parse_background({"data": data}, str)

    @pytest.mark.parametrize("answer", [[], "ok", 7, {}, {"data": ""}, {"data": False}, {"data": 0}, {"data": ["x"]}])
    def test_a_response_to_a_change_without_a_result_is_an_error(self, answer):
        with pytest.raises(UnexpectedReply):
            parse_background(answer, str)

    def test_the_uuid_of_a_new_group_is_read_or_none(self):
        assert parse_created_id({"data": {"uuid": UUID, "name": "x"}}) == UUID
        unclear: list[Any] = [None, [], {"data": None}, {"data": {}}, {"data": {"uuid": 7}}, {"data": {"uuid": ""}}]
        for answer in unclear:
            assert parse_created_id(answer) is None

    def test_converted_ids_are_read_or_none(self):
        assert parse_legacy_id({"data": {"id": 77}}) == 77
        assert parse_legacy_id({"data": {"success": True}}) is None
        assert parse_uuid({"data": {"uuid": UUID}}) == UUID
        assert parse_uuid({"data": {"name": "x"}}) is None

    def test_the_result_of_a_change_contains_no_list_of_users(self):
        change = GroupChange(group_id=UUID, outcome="updated", users_sent=3, changed_at=datetime.now(UTC))
        assert GroupChange.model_validate_json(change.model_dump_json()) == change
        assert all(not isinstance(value, list) for value in change.model_dump().values())


class TestParameters:
    @given(st.integers(0, 10**19 - 1))
    def test_a_whole_number_is_an_old_id(self, number):
        assert is_legacy(str(number))
        assert GroupKey.model_validate({"group_id": number}).group_id == str(number)

    @given(st.uuids())
    def test_a_uuid_is_not_an_old_id(self, uuid):
        assert not is_legacy(str(uuid))

    @pytest.mark.parametrize("text", ["", "\u0662", "1.0", "-1", " 1", "1" * 20])
    def test_other_text_than_a_whole_number_is_not_an_old_id(self, text):
        assert not is_legacy(text)

    def test_a_result_names_its_group_and_an_id_beside_it_takes_precedence(self):
        change = GroupChange(group_id=UUID, name="Sellers", outcome="created", changed_at=datetime.now(UTC))
        for group in (change, change.model_dump(mode="json")):
            key = GroupKey.model_validate({"group": group})
            assert (key.group_id, key.name, str(key)) == (UUID, "Sellers", f"group {UUID}")
        assert GroupKey.model_validate({"group": change, "group_id": "7"}).group_id == "7"
        assert str(GroupKey.model_validate({"name": " Sellers "})) == "group 'Sellers'"

    def test_lists_and_rulesets_are_read_from_rendered_text(self):
        added = AddUsers.model_validate({"group_id": "7", "branch_ids": '[1, "2"]', "group_ids": (3, UUID)})
        assert (added.branch_ids, added.group_ids) == ([1, 2], ["3", UUID])
        ruleset = json.dumps(RULESET)
        created = CreateGroup.model_validate({"name": "x", "type": "automatic", "ruleset": ruleset})
        assert created.ruleset is not None
        assert created.ruleset.body == RULESET

    @pytest.mark.parametrize(
        "given", [{"branch_ids": 1}, {"branch_ids": "1, 2"}, {"branch_ids": [1.5]}, {"branch_ids": [True]}]
    )
    def test_a_value_that_is_not_a_list_of_numbers_is_refused(self, given):
        problems: list[str] = []
        assert validated(AddUsers, {"group_id": "7", **given}, problems) is None
        assert problems[0].startswith("`branch_ids")

    def test_the_text_of_a_removal_does_not_show_its_filters(self):
        removed = RemoveUsers.model_validate({"name": "x", "user_filters": {"search": "ada"}})
        assert "ada" not in repr(removed)
        assert removed.searches == ["ada"]

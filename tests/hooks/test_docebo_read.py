"""Reads of Docebo groups by the hook: groups, their old IDs, and errors; against the sandbox, over a socket."""

from __future__ import annotations

import uuid

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    SegmentsError,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.vendors.docebo.rules import BranchRule, RuleSet, Ruleset
from tests import connections

NOWHERE = str(uuid.UUID(int=7))


connect = connections.docebo


@pytest.fixture
def hook(connect):
    return connect()


@pytest.fixture
def people(docebo_sandbox):
    return docebo_sandbox.seed_users(23)


@pytest.fixture
def sales(docebo_sandbox):
    """Return the ID of the branch of that name, which has a branch below it."""
    return next(branch.idst for branch in docebo_sandbox.branches() if branch.name == "Sales")


def named(sandbox, name):
    return [group for group in sandbox.groups() if group.name == name]


def by_branch(branch, **below):
    return Ruleset(sets=[RuleSet(rules=[BranchRule(branch_ids=[branch], **below)])])


class TestRead:
    def test_a_group_is_read_by_uuid_old_id_or_name(self, hook, docebo_sandbox):
        (record,) = named(docebo_sandbox, "Everyone in sales")
        for group in (
            hook.get_group(record.uuid),
            hook.get_group(group_id=record.idst),
            hook.get_group(group_id=f" {record.idst} "),
            hook.get_group(name="Everyone in sales"),
        ):
            assert (group.group_id, group.name, group.type) == (record.uuid, record.name, "automatic")
            assert (group.slug, group.description) == (record.slug, record.description)
            assert group.updated_at is not None
            assert group.ruleset_status == "READY"
        assert docebo_sandbox.counts() == {
            "docebo.get_token": 1,
            "docebo.get_group": 4,
            "docebo.get_new_id": 2,
            "docebo.list_groups": 1,
        }

    def test_a_group_that_does_not_exist_is_an_error_that_names_the_connection(self, hook, docebo_sandbox):
        assert hook.find_group("No such") is None
        for missing in ({"group_id": NOWHERE}, {"group_id": 99}, {"name": "No such"}):
            with pytest.raises(NotFound, match="connection"):
                hook.get_group(**missing)
        with pytest.raises(InvalidInput, match="One of `group`, `group_id` and `name`"):
            hook.get_group()

    @pytest.mark.parametrize("count", [0, 1, 3, 4, 7])
    @pytest.mark.parametrize(
        ("settings", "more"),
        [
            ({}, 0),
            ({"list_totals": False}, 0),
            ({"list_cursor": True}, 0),
            # A bare array does not show whether more items follow: one more request reads an empty page.
            ({"list_form": "bare"}, 1),
        ],
    )
    def test_each_page_of_groups_is_read_once(self, connect, docebo_sandbox, count, settings, more):
        for group in docebo_sandbox.groups():
            docebo_sandbox.delete_group(group.uuid)
        ids = [docebo_sandbox.create_group(f"Group {number}") for number in range(count)]
        docebo_sandbox.settings(**settings)
        found = list(connect(page_size=3).get_groups())
        assert [group.group_id for group in found] == ids
        pages = -(-count // 3) + more if count else 1
        assert docebo_sandbox.counts()["docebo.list_groups"] == pages

    def test_groups_are_fetched_one_page_at_a_time(self, connect, docebo_sandbox):
        for number in range(5):
            docebo_sandbox.create_group(f"Group {number}")
        groups = connect(page_size=2).get_groups()
        assert docebo_sandbox.counts() == {}
        next(groups)
        assert docebo_sandbox.counts()["docebo.list_groups"] == 1

    def test_a_page_that_docebo_made_smaller_is_not_taken_for_the_last(self, connect, docebo_sandbox):
        docebo_sandbox.settings(max_page_size=2, large_page_size="clamp", list_form="bare")
        ids = [docebo_sandbox.create_group(f"Group {number}") for number in range(5)]
        assert [group.group_id for group in connect().get_groups(search_text="Group")] == ids

    def test_a_page_size_that_docebo_rejects_is_an_error(self, connect, docebo_sandbox):
        docebo_sandbox.settings(max_page_size=50)
        with pytest.raises(RejectedRequest, match="page_size must be at most 50"):
            list(connect().get_groups())
        assert list(connect(page_size=50).get_groups())

    def test_groups_are_searched_and_sorted(self, hook, docebo_sandbox):
        for name in ("Beta", "alpha", "Gamma"):
            docebo_sandbox.create_group(name, description="Greek")
        found = hook.get_groups(search_text="greek", sort_attr="name", sort_dir="desc")
        assert [group.name for group in found] == ["alpha", "Gamma", "Beta"]
        with pytest.raises(InvalidInput) as caught:
            hook.get_groups(sort_attr="age", sort_dir="up")
        assert "`sort_attr`" in str(caught.value)
        assert "`sort_dir`" in str(caught.value)

    def test_a_list_that_repeats_a_page_with_more_data_is_an_error(self, hook, docebo_sandbox):
        page = {"items": [{"uuid": NOWHERE, "name": "Again"}], "has_more_data": True, "current_page": 1}
        docebo_sandbox.fault("docebo.list_groups", "status", status=200, body={"data": page}, times=None)
        with pytest.raises(UnexpectedReply, match="has no end"):
            list(hook.get_groups())
        assert docebo_sandbox.counts()["docebo.list_groups"] == 2

    def test_a_list_that_repeats_a_page_as_the_last_is_an_error(self, hook, docebo_sandbox):
        for more in (True, False):
            page = {"items": [{"uuid": NOWHERE, "name": "Again"}], "has_more_data": more}
            docebo_sandbox.fault("docebo.list_groups", "status", status=200, body={"data": page})
        with pytest.raises(UnexpectedReply, match="as an earlier page"):
            list(hook.get_groups())

    def test_an_array_that_is_repeated_is_read_as_the_whole_list(self, hook, docebo_sandbox):
        body = {"data": [{"uuid": NOWHERE, "name": "Alone"}]}
        docebo_sandbox.fault("docebo.list_groups", "status", status=200, body=body, times=None)
        assert [group.name for group in hook.get_groups()] == ["Alone"]

    def test_a_page_without_items_is_the_last(self, hook, docebo_sandbox):
        body = {"data": {"items": [], "has_more_data": True}}
        docebo_sandbox.fault("docebo.list_groups", "status", status=200, body=body)
        assert list(hook.get_groups()) == []

    @pytest.mark.parametrize(
        "body",
        [{}, {"data": None}, {"data": "x"}, {"data": {}}, {"data": {"items": {}}}, {"data": ["x"]}, "text", 7],
    )
    def test_a_response_that_is_not_a_list_is_an_error_that_names_the_connection(self, hook, docebo_sandbox, body):
        docebo_sandbox.fault(
            "docebo.list_groups",
            "status",
            status=200,
            body=body if isinstance(body, dict) else f'"{body}"',
            content_type="application/json",
        )
        with pytest.raises(UnexpectedReply, match="connection is 'docebo_default'"):
            list(hook.get_groups())

    def test_the_history_of_rules_is_read_on_all_pages(self, connect, docebo_sandbox, sales):
        hook = connect()
        docebo_sandbox.settings(page_size=1)
        hook.update_group(name="Everyone in sales", ruleset=by_branch(sales))
        entries = list(hook.get_conditions_history(name="Everyone in sales"))
        assert [entry["ruleset"]["sets"][0]["rules"][0]["payload"] for entry in entries] == [
            {"branch_ids": [sales]},
            {"branch_ids": [sales], "branch_ids_descendants": [sales]},
        ]
        assert docebo_sandbox.counts()["docebo.list_conditions"] == 2
        with pytest.raises(RejectedRequest, match="a manual group has no conditions"):
            list(hook.get_conditions_history(name="Support team"))


class TestOldIds:
    def test_the_old_id_of_a_group_works_in_every_method(self, hook, docebo_sandbox, people, tmp_path):
        (record,) = named(docebo_sandbox, "Support team")
        (rules,) = named(docebo_sandbox, "Everyone in sales")
        hook.add_users(people, group_id=record.idst)
        hook.remove_users(people[:1], group_id=str(record.idst))
        assert hook.get_group(record.idst).group_id == record.uuid
        assert len(list(hook.get_members(group_id=record.idst))) == 3 + 22
        assert hook.get_population(group_id=record.idst).members == 25
        assert hook.export_users(str(tmp_path / "a.csv"), group_id=record.idst).users == 25
        assert list(hook.get_conditions_history(group_id=rules.idst))
        assert hook.update_group(group_id=record.idst, new_name="Helpers").group_id == record.uuid
        assert hook.delete_group(group_id=record.idst).group_id == record.uuid
        counts = docebo_sandbox.counts()
        assert counts["docebo.get_new_id"] == 9
        assert "docebo.other" not in counts

    def test_group_ids_are_converted_in_both_directions_and_in_their_order(self, hook, docebo_sandbox):
        groups = docebo_sandbox.groups()
        asked = [groups[0].idst, groups[1].uuid, str(groups[1].idst), groups[0].uuid]
        found = hook.convert_group_ids(asked)
        want = [groups[0], groups[1], groups[1], groups[0]]
        assert [(ids.group_id, ids.legacy_id) for ids in found] == [(group.uuid, group.idst) for group in want]
        counts = docebo_sandbox.counts()
        assert (counts["docebo.get_new_id"], counts["docebo.get_old_id"]) == (2, 2)

    def test_all_unknown_group_ids_are_named(self, hook, docebo_sandbox):
        known = docebo_sandbox.groups()[0].uuid
        with pytest.raises(NotFound) as caught:
            hook.convert_group_ids([99, known, NOWHERE])
        assert "99" in str(caught.value)
        assert NOWHERE in str(caught.value)
        assert known not in str(caught.value)

    @pytest.mark.parametrize("data", [77, "77", {"group_id": 77}, {"name": "x", "id": "77"}])
    def test_the_old_id_is_read_from_every_form_of_response(self, hook, docebo_sandbox, data):
        docebo_sandbox.fault("docebo.get_old_id", "status", status=200, body={"data": data})
        assert hook.convert_group_ids([NOWHERE])[0].legacy_id == 77

    @pytest.mark.parametrize("data", [NOWHERE, {"audience_uuid": NOWHERE}])
    def test_the_uuid_is_read_from_every_form_of_response(self, hook, docebo_sandbox, data):
        docebo_sandbox.fault("docebo.get_new_id", "status", status=200, body={"data": data})
        assert hook.convert_group_ids([77])[0].group_id == NOWHERE

    @pytest.mark.parametrize(("given", "endpoint"), [(77, "docebo.get_new_id"), (NOWHERE, "docebo.get_old_id")])
    def test_a_response_without_the_other_id_is_an_error(self, hook, docebo_sandbox, given, endpoint):
        docebo_sandbox.fault(endpoint, "status", status=200, body={"data": {"success": True}})
        with pytest.raises(UnexpectedReply, match="not with the group's other ID"):
            hook.convert_group_ids([given])


class TestErrors:
    @pytest.mark.parametrize(
        "odd", ["a/b", "..", ".", "../../manage/v1/user", "%2e%2e", "50%", "?x=1", "#y", "日本", " ", "x" * 300, True]
    )
    def test_special_characters_of_a_group_id_lead_to_no_other_path(self, hook, docebo_sandbox, people, odd):
        for attempt in (
            lambda: hook.get_group(odd),
            lambda: hook.add_users(people, group_id=odd),
            lambda: hook.remove_users(people, group_id=odd),
            lambda: hook.update_group(group_id=odd, new_name="x"),
            lambda: hook.delete_group(group_id=odd, if_missing="fail"),
        ):
            with pytest.raises(SegmentsError):
                attempt()
        # A deletion reads the list, which shows that the address is right.
        others = ("docebo.get_token", "docebo.list_groups")
        assert [call for call in docebo_sandbox.calls() if call.effect and call.endpoint not in others] == []

    @pytest.mark.parametrize("name", ["a/b", "..", "100%", "?x=1#y", 'say "x"', "a\\b", "it's <b>", "x" * 255, "1234"])
    def test_special_characters_of_a_group_name_are_kept(self, hook, docebo_sandbox, name):
        made = hook.create_group(name)
        assert hook.find_group(name).group_id == made.group_id
        assert hook.create_group(name).outcome == "reused"
        assert hook.delete_group(name=name).outcome == "deleted"

    @pytest.mark.parametrize("message_as", ["array", "string"])
    def test_errors_quote_the_message_of_docebo(self, hook, docebo_sandbox, message_as):
        docebo_sandbox.settings(message_as=message_as)
        with pytest.raises(NotFound) as caught:
            hook.get_group(NOWHERE)
        assert "no such group" in str(caught.value)
        assert "'docebo_default'" in str(caught.value)

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 429, 500, 503])
    def test_every_error_names_the_connection(self, hook, docebo_sandbox, status):
        docebo_sandbox.fault("docebo.list_groups", "status", status=status, times=None)
        with pytest.raises(VendorError, match=r"connection (is )?'docebo_default'"):
            list(hook.get_groups())

    def test_the_error_for_a_user_without_permission_names_the_role_that_is_needed(self, hook, docebo_sandbox):
        docebo_sandbox.add_user("nobody@example.com")
        docebo_sandbox.settings(username="nobody@example.com")
        with pytest.raises(PermissionDenied, match="must be a Superadmin"):
            list(hook.get_groups())

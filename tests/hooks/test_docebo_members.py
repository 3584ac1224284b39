"""Changes of the members of Docebo groups by the hook against the sandbox, over a socket."""

from __future__ import annotations

import logging
import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from tests import connections
from tests.conftest import RETRY

NOWHERE = str(uuid.UUID(int=7))


connect = connections.docebo


@pytest.fixture
def hook(connect):
    """Return a hook that sends at most ten users per request."""
    return connect(users_per_request=10)


@pytest.fixture
def people(docebo_sandbox):
    return docebo_sandbox.seed_users(23)


@pytest.fixture
def group(docebo_sandbox):
    """Return the UUID of a manual group without members."""
    return docebo_sandbox.create_group("Trial users")


def actions(sandbox) -> list[str]:
    return [call.action for call in sandbox.calls("docebo.add_members")]


class TestAdd:
    def test_users_are_added_in_requests_of_the_limit(self, hook, docebo_sandbox, group, people):
        change = hook.add_users((str(person) for person in people), group_id=group)
        assert docebo_sandbox.members(group) == set(people)
        assert (change.group_id, change.outcome, change.users_sent) == (group, "updated", 23)
        assert [call.user_ids for call in docebo_sandbox.calls("docebo.add_members")] == [10, 10, 3]
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.add_members": 3}

    def test_a_repeated_addition_changes_nothing(self, hook, docebo_sandbox, group, people):
        for _ in range(2):
            hook.add_users(people, group={"group_id": group})
            assert docebo_sandbox.members(group) == set(people)

    def test_an_empty_list_of_users_sends_no_request(self, hook, docebo_sandbox, group):
        hook.add_users([], group_id=group)
        hook.remove_users(group_id=group)
        assert docebo_sandbox.counts() == {}

    def test_an_addition_of_many_users_continues_in_the_background(self, connect, docebo_sandbox, group):
        people = docebo_sandbox.seed_users(1200)
        change = connect().add_users(people, group_id=group)
        assert [call.user_ids for call in docebo_sandbox.calls("docebo.add_members")] == [1000, 200]
        assert change.background_job
        assert docebo_sandbox.member_count(group) == 200
        docebo_sandbox.advance(60)
        assert docebo_sandbox.members(group) == set(people)

    def test_an_addition_of_many_users_is_complete_where_docebo_has_no_background_jobs(
        self, connect, docebo_sandbox, group
    ):
        docebo_sandbox.settings(background_threshold=None)
        people = docebo_sandbox.seed_users(1200)
        assert not connect().add_users(people, group_id=group).background_job
        assert docebo_sandbox.members(group) == set(people)

    @pytest.mark.parametrize("below", [True, False])
    def test_members_of_branches_and_groups_are_added(self, hook, docebo_sandbox, group, below):
        docebo_sandbox.settings(branch_descendants=below)
        branches = {branch.name: branch.idst for branch in docebo_sandbox.branches()}
        support = next(known for known in docebo_sandbox.groups() if known.name == "Support team")
        empty = docebo_sandbox.create_group("Nobody")
        hook.add_users(branch_ids=[branches["Sales"]], group_ids=[support.uuid, empty], group_id=group)
        in_sales = {branches["Sales"], *([branches["Sales North"]] if below else [])}
        want = {user.idst for user in docebo_sandbox.users() if user.branch in in_sales}
        assert docebo_sandbox.members(group) == want | docebo_sandbox.members(support.uuid)
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.get_old_id": 2, "docebo.add_members": 1}
        # Docebo documents only this form of the request for branches and groups.
        assert actions(docebo_sandbox) == ["put_users"]

    def test_users_branches_and_groups_by_old_id_are_added_together(self, hook, docebo_sandbox, group, people):
        support = next(known for known in docebo_sandbox.groups() if known.name == "Support team")
        hook.add_users(people, group_ids=[str(support.idst)], group_id=group)
        assert docebo_sandbox.members(group) == {*people, *docebo_sandbox.members(support.uuid)}
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.add_members": 4}

    def test_users_can_be_added_to_an_automatic_group(self, hook, docebo_sandbox, people):
        hook.add_users(people, name="Everyone in sales")
        assert docebo_sandbox.members("Everyone in sales", "manual") == set(people)

    def test_an_automatic_group_that_accepts_no_users_is_an_error_with_the_reason(self, hook, docebo_sandbox, people):
        docebo_sandbox.settings(manual_in_automatic="refuse")
        with pytest.raises(RejectedRequest, match="its rules' affair"):
            hook.add_users(people, name="Everyone in sales")

    def test_unknown_ids_that_docebo_ignores_do_not_fail_an_addition(self, hook, docebo_sandbox, group, people):
        hook.add_users([*people, 99_999_999], group_id=group)
        assert docebo_sandbox.members(group) == set(people)

    def test_unknown_ids_that_docebo_rejects_are_an_error_without_the_ids(self, hook, docebo_sandbox, group, people):
        docebo_sandbox.settings(unknown_ids="refuse")
        docebo_sandbox.fault(
            "docebo.add_members",
            "status",
            status=400,
            body={"name": "Bad Request", "message": ["99999999 is nobody"], "code": 1001, "status": 400},
            skip=2,
        )
        with pytest.raises(RejectedRequest, match=r"Before it, 20 of 24 users were sent to group") as caught:
            hook.add_users([*people, 99_999_999], group_id=group)
        assert "99999999" not in str(caught.value)
        assert "is nobody" in str(caught.value)
        with pytest.raises(RejectedRequest, match="some ids are nobody's"):
            hook.add_users([99_999_999], group_id=group)

    def test_more_ids_than_docebo_accepts_in_a_request_are_an_error(self, connect, docebo_sandbox, group, people):
        docebo_sandbox.settings(max_user_ids=10)
        with pytest.raises(RejectedRequest, match="user_ids holds more than 10 ids"):
            connect().add_users(people, group_id=group)
        connect(users_per_request=10).add_users(people, group_id=group)
        assert docebo_sandbox.members(group) == set(people)

    def test_an_addition_that_fails_half_way_says_how_many_were_sent_and_can_be_repeated(
        self, hook, docebo_sandbox, group, people
    ):
        docebo_sandbox.fault("docebo.add_members", "status", status=403, skip=1)
        with pytest.raises(PermissionDenied, match="Before it, 10 of 23 users were sent to group") as caught:
            hook.add_users(people, group_id=group)
        assert "Run it again" in str(caught.value)
        assert docebo_sandbox.members(group) == set(people[:10])
        hook.add_users(people, group_id=group)
        assert docebo_sandbox.members(group) == set(people)

    @pytest.mark.parametrize("kind", ["lost", "reset_mid_body", "html"])
    def test_an_addition_whose_response_is_lost_is_repeated(self, hook, docebo_sandbox, group, people, kind):
        docebo_sandbox.fault("docebo.add_members", kind)
        hook.add_users(people, group_id=group)
        assert docebo_sandbox.members(group) == set(people)

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            ({"data": {"success": False, "background_job": False}}, RejectedRequest),
            ({"data": [{"success": True}, {"success": False, "message": "no"}]}, RejectedRequest),
            ({"data": "done"}, UnexpectedReply),
            ({}, UnexpectedReply),
            (None, UnexpectedReply),
        ],
    )
    def test_a_200_response_that_is_not_a_success_is_an_error(self, hook, docebo_sandbox, group, people, body, error):
        docebo_sandbox.fault("docebo.add_members", "status", status=200, body=body, times=None)
        with pytest.raises(error, match="'docebo_default'") as caught:
            hook.add_users(people, group_id=group)
        assert "Before it, 0 of 23 users" in str(caught.value)


class TestAddRoute:
    @pytest.mark.parametrize("status", [404, 405])
    @pytest.mark.parametrize(
        ("form", "tries"), [("assign_users", ["assign_users"]), ("put_users", ["assign_users", "put_users"])]
    )
    def test_the_form_of_the_add_request_is_found_once(
        self, connect, docebo_sandbox, group, people, form, tries, status
    ):
        docebo_sandbox.settings(add_forms={form}, missing_route_status=status)
        connect().add_users(people[:20], group_id=group)
        connect().add_users(people[20:], group_id=group)
        assert docebo_sandbox.members(group) == set(people)
        assert actions(docebo_sandbox) == [*tries, form]
        # A 404 may refer to the group, a 405 cannot.
        looks = 1 if status == 404 and len(tries) > 1 else 0
        assert docebo_sandbox.counts().get("docebo.get_group", 0) == looks

    def test_the_last_form_of_the_add_request_is_found_and_used_for_all_batches(
        self, hook, docebo_sandbox, group, people
    ):
        docebo_sandbox.settings(add_forms={"post_users"})
        hook.add_users(people, group_id=group)
        assert docebo_sandbox.members(group) == set(people)
        assert actions(docebo_sandbox) == ["assign_users", "put_users", *["post_users"] * 3]
        assert docebo_sandbox.counts()["docebo.get_group"] == 1

    @pytest.mark.parametrize("known", [True, False])
    def test_a_group_that_does_not_exist_is_an_error_and_keeps_the_form_of_the_add_request(
        self, hook, docebo_sandbox, group, people, known
    ):
        if known:
            hook.add_users(people, group_id=group)
        with pytest.raises(NotFound, match="no such group"):
            hook.add_users(people, group_id=NOWHERE)
        hook.add_users(people, group_id=group)
        assert set(actions(docebo_sandbox)) == {"assign_users"}
        assert docebo_sandbox.counts()["docebo.get_group"] == 1

    def test_another_form_of_the_add_request_is_found_when_the_known_one_disappears(
        self, hook, docebo_sandbox, group, people
    ):
        hook.add_users(people[:5], group_id=group)
        docebo_sandbox.settings(add_forms={"put_users"})
        hook.add_users(people[5:10], group_id=group)
        hook.add_users(people[10:15], group_id=group)
        assert docebo_sandbox.members(group) == set(people[:15])
        assert actions(docebo_sandbox) == ["assign_users", "assign_users", "put_users", "put_users"]

    @pytest.mark.parametrize("status", [404, 405])
    def test_a_platform_without_any_form_of_the_add_request_is_an_error(
        self, hook, docebo_sandbox, group, people, status
    ):
        docebo_sandbox.settings(add_forms=set(), missing_route_status=status)
        with pytest.raises(VendorError, match="None of the known forms") as caught:
            hook.add_users(people, group_id=group)
        assert caught.value.status == status
        assert docebo_sandbox.counts()["docebo.add_members"] == 3

    @pytest.mark.parametrize("form", ["assign_users", "put_users", "post_users"])
    def test_the_connection_can_set_the_form_of_the_add_request(self, connect, docebo_sandbox, group, people, form):
        docebo_sandbox.settings(add_forms={form})
        connect(add_route=form).add_users(people, branch_ids=[docebo_sandbox.branches()[0].idst], group_id=group)
        assert set(people) <= docebo_sandbox.members(group)
        assert actions(docebo_sandbox) == [form, form]
        docebo_sandbox.settings(add_forms={"assign_users", "put_users", "post_users"} - {form})
        with pytest.raises(NotFound):
            connect(add_route=form).add_users(people, group_id=group)
        assert actions(docebo_sandbox) == [form, form, form]


class TestConcurrentChanges:
    def test_changes_of_one_process_are_sent_one_after_the_other(self, connect, docebo_sandbox, people):
        groups = [docebo_sandbox.create_group(f"Group {number}") for number in range(4)]
        docebo_sandbox.fault("docebo.add_members", "latency", seconds=0.05, times=None)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda group: connect(users_per_request=10).add_users(people, group_id=group), groups))
        assert all(docebo_sandbox.members(group) == set(people) for group in groups)
        assert {call.status for call in docebo_sandbox.calls("docebo.add_members")} == {200}

    @pytest.mark.parametrize("change", ["add_users", "remove_users"])
    def test_a_change_that_conflicts_with_another_process_is_tried_again(
        self, hook, docebo_sandbox, group, people, change
    ):
        endpoint = {"add_users": "docebo.add_members", "remove_users": "docebo.remove_members"}[change]
        docebo_sandbox.fault(endpoint, "status", status=409)
        getattr(hook, change)(people[:5], group_id=group)
        assert docebo_sandbox.counts()[endpoint] == 2

        docebo_sandbox.fault(endpoint, "status", status=409, times=None)
        with pytest.raises(VendorUnavailable, match="one Airflow pool with one slot"):
            getattr(hook, change)(people[:5], group_id=group)
        assert docebo_sandbox.counts()[endpoint] == 2 + RETRY["max_attempts"]


class TestRemove:
    def test_users_are_removed_by_their_ids(self, hook, docebo_sandbox, group, people):
        docebo_sandbox.add_members(group, people)
        change = hook.remove_users([*people[:20], 99_999_999], group_id=group)
        assert docebo_sandbox.members(group) == set(people[20:])
        assert (change.outcome, change.users_sent) == ("updated", 21)
        assert docebo_sandbox.counts() == {"docebo.get_token": 1, "docebo.remove_members": 3}

    def test_all_users_are_removed_with_user_all(self, hook, docebo_sandbox, group, people):
        docebo_sandbox.add_members(group, people)
        hook.remove_users(user_all=True, group_id=group)
        assert docebo_sandbox.members(group) == set()
        assert docebo_sandbox.counts()["docebo.remove_members"] == 1

    @pytest.mark.parametrize("required", [True, False])
    @pytest.mark.parametrize(
        ("form", "filters"),
        [
            ("object", {"search": "learner"}),
            ("array", ["learner"]),
            ("both", {"search": "learner"}),
            ("both", ["learner", "nothing"]),
        ],
    )
    def test_users_found_by_a_search_are_removed(self, hook, docebo_sandbox, people, required, form, filters):
        docebo_sandbox.settings(user_filters_as=form, user_ids_required=required)
        others = docebo_sandbox.members("Support team")
        docebo_sandbox.add_members("Support team", people)
        hook.remove_users(user_all=True, user_filters=filters, name="Support team")
        assert docebo_sandbox.members("Support team") == others

    def test_a_form_of_user_filters_that_docebo_rejects_is_an_error_without_the_search(
        self, hook, docebo_sandbox, group
    ):
        docebo_sandbox.settings(user_filters_as="array")
        with pytest.raises(RejectedRequest, match="user_filters must be") as caught:
            hook.remove_users(user_filters={"search": "ada@example.com"}, group_id=group)
        assert "ada@" not in str(caught.value)

    @pytest.mark.parametrize("filters", [{}, [], [" "], {"search": ""}, {"search": None}, ["a", ""]])
    def test_an_empty_search_for_users_to_remove_is_refused(self, hook, docebo_sandbox, group, filters):
        with pytest.raises(InvalidInput, match="which would find all members"):
            hook.remove_users(user_all=True, user_filters=filters, group_id=group)
        assert docebo_sandbox.counts() == {}

    def test_a_removal_of_many_users_continues_in_the_background(self, connect, docebo_sandbox, group):
        people = docebo_sandbox.seed_users(600)
        docebo_sandbox.add_members(group, people)
        assert connect().remove_users(people, group_id=group).background_job
        docebo_sandbox.advance(60)
        assert docebo_sandbox.members(group) == set()

    def test_a_removal_that_fails_half_way_says_how_many_were_removed_and_can_be_repeated(
        self, hook, docebo_sandbox, group, people
    ):
        docebo_sandbox.add_members(group, people)
        docebo_sandbox.fault("docebo.remove_members", "status", status=400, skip=1)
        with pytest.raises(RejectedRequest, match="10 of 23 users were removed from group"):
            hook.remove_users(people, group_id=group)
        hook.remove_users(people, group_id=group)
        assert docebo_sandbox.members(group) == set()

    @pytest.mark.parametrize("status", [200, 204])
    def test_an_empty_2xx_response_to_a_removal_is_a_success(self, hook, docebo_sandbox, group, people, status):
        docebo_sandbox.add_members(group, people[:3])
        docebo_sandbox.fault("docebo.remove_members", "status", status=status, body=None, effect=True)
        hook.remove_users(people[:3], group_id=group)
        assert docebo_sandbox.members(group) == set()


class TestIds:
    def test_user_ids_that_are_not_whole_numbers_are_refused_without_the_ids(self, hook, docebo_sandbox, group):
        bad = ["ada", "1.0", 1.5, None, " ", "-3", 0, True, "\uff11", "9" * 19, "1" * 400, "x\x00", "\ud800"]
        with pytest.raises(InvalidInput) as caught:
            hook.add_users([*bad, 7], group_id=group)
        for problem in (
            "6 user IDs are not whole numbers.",
            "2 user IDs are blank.",
            "1 user ID is a number with a fraction.",
            "1 user ID is a boolean.",
            "2 user IDs contain control characters.",
            "1 user ID is longer than 19 characters.",
        ):
            assert problem in str(caught.value)
        assert not re.search(r"\bada\b", str(caught.value))
        assert docebo_sandbox.counts() == {}

    def test_invalid_user_ids_are_skipped_and_counted_with_on_invalid_skip(self, hook, docebo_sandbox, group, people):
        given = [f" {people[0]} ", f"00{people[1]}", "ada", None, 2**63]
        change = hook.add_users(given, group_id=group, on_invalid="skip")
        assert docebo_sandbox.members(group) == set(people[:2])
        assert change.users_rejected == {"blank": 1, "not a whole number": 2}
        assert change.users_sent == 2

    @pytest.mark.parametrize("ids", ["12", 12, None])
    def test_user_ids_that_are_not_a_list_are_refused(self, hook, docebo_sandbox, group, ids):
        with pytest.raises(InvalidInput, match="the user IDs are"):
            hook.add_users(ids, group_id=group)
        assert docebo_sandbox.counts() == {}

    def test_changes_log_neither_users_nor_secrets(self, hook, docebo_sandbox, group, people, caplog):
        caplog.set_level(logging.INFO)
        addresses = [user.email for user in docebo_sandbox.users() if user.idst in people]
        docebo_sandbox.fault("docebo.add_members", "status", status=503, body={"message": [addresses[0]]})
        hook.create_group("Others", addresses, identify_by="email")
        hook.remove_users(people[:5], name="Others")
        assert "Others" in caplog.text
        # IDs of requests and groups are random and may contain a short number by chance.
        text = re.sub(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "", caplog.text)
        for secret in (docebo_sandbox.client_secret, *addresses, *map(str, people)):
            assert secret not in text


class TestRead:
    @pytest.mark.parametrize("count", [0, 1, 10, 23])
    @pytest.mark.parametrize("form", ["envelope", "bare"])
    @pytest.mark.parametrize("spelled", ["number", "string"])
    def test_each_member_is_listed_once(self, connect, docebo_sandbox, group, people, count, form, spelled):
        docebo_sandbox.settings(list_form=form, idst_as=spelled)
        docebo_sandbox.add_members(group, people[:count])
        members = list(connect(page_size=10).get_members(group_id=group))
        assert [member.user_id for member in members] == [str(person) for person in people[:count]]
        pages = {0: 1, 1: 1, 10: 1, 23: 3}[count] + (1 if form == "bare" and count else 0)
        assert docebo_sandbox.counts()["docebo.list_members"] == pages

    def test_the_text_of_a_member_shows_no_personal_data(self, hook, docebo_sandbox):
        docebo_sandbox.settings(relation_names=["by hand", "by rule"])
        member = next(hook.get_members(name="Support team", sort_attr="userid", search_text="emre"))
        (user,) = [user for user in docebo_sandbox.users() if user.firstname == "Emre"]
        assert member.model_dump() == {
            "user_id": str(user.idst),
            "username": user.userid,
            "first_name": user.firstname,
            "last_name": user.lastname,
            "email": user.email,
            "relation_type": "by hand",
        }
        assert repr(member) == "Member(relation_type='by hand')"

    def test_members_are_searched_and_sorted(self, hook, docebo_sandbox):
        given = {"name": "Support team", "sort_attr": "firstname", "sort_dir": "desc"}
        assert [member.first_name for member in hook.get_members(**given)] == ["Goran", "Faye", "Emre"]
        assert [member.first_name for member in hook.get_members(**given, search_text="LINDQVIST")] == ["Faye"]
        with pytest.raises(InvalidInput, match="`sort_attr`"):
            hook.get_members(name="Support team", sort_attr="age")

    def test_the_error_of_a_search_for_members_does_not_quote_it(self, hook, docebo_sandbox, group):
        body = {"message": ["nothing for Emre Novak"], "name": "Bad Request", "code": 1, "status": 400}
        docebo_sandbox.fault("docebo.list_members", "status", status=400, body=body)
        with pytest.raises(RejectedRequest, match=r"nothing for \[user id\]"):
            list(hook.get_members(group_id=group, search_text="Emre Novak"))

    @pytest.mark.parametrize(("totals", "calls"), [(True, 1), (False, 3)])
    def test_the_number_of_members_takes_one_request_if_docebo_returns_totals(
        self, connect, docebo_sandbox, group, people, totals, calls
    ):
        docebo_sandbox.settings(list_totals=totals)
        docebo_sandbox.add_members(group, people)
        population = connect(page_size=10).get_population(group_id=group)
        assert (population.members, population.ruleset_status) == (23, None)
        assert docebo_sandbox.counts()["docebo.list_members"] == calls
        assert docebo_sandbox.counts()["docebo.get_group"] == 1

    @pytest.mark.parametrize("body", [{"data": {"items": [{"userid": "ada"}]}}, {"data": {"items": [7]}}])
    def test_a_member_without_an_id_is_an_error_without_personal_data(self, hook, docebo_sandbox, group, body):
        docebo_sandbox.fault("docebo.list_members", "status", status=200, body=body)
        with pytest.raises(UnexpectedReply, match="a member without idst") as caught:
            list(hook.get_members(group_id=group))
        assert not re.search(r"\bada\b", str(caught.value))

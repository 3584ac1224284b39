"""Creation of groups by the Docebo hook against the sandbox, over a socket."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RejectedRequest,
    UnexpectedReply,
    VendorUnavailable,
)
from airflow_segments_provider.vendors.docebo.api import DoceboApi
from airflow_segments_provider.vendors.docebo.rules import BranchRule, RuleSet, Ruleset
from tests import connections
from tests.conftest import RETRY

READS = (
    "docebo.get_token",
    "docebo.list_groups",
    "docebo.get_group",
    "docebo.list_members",
    "docebo.list_users",
    "docebo.get_old_id",
    "docebo.get_new_id",
)


connect = connections.docebo


@pytest.fixture
def hook(connect):
    """Return a hook that sends at most ten users per request."""
    return connect(users_per_request=10)


@pytest.fixture
def people(docebo_sandbox):
    return docebo_sandbox.seed_users(23)


@pytest.fixture
def sales(docebo_sandbox):
    """Return the ID of the branch of that name, which has a branch below it."""
    return next(branch.idst for branch in docebo_sandbox.branches() if branch.name == "Sales")


def writes(sandbox) -> dict[str, int]:
    return {name: count for name, count in sandbox.counts().items() if name not in READS}


def named(sandbox, name):
    return [group for group in sandbox.groups() if group.name == name]


def by_branch(branch, **below):
    return Ruleset(sets=[RuleSet(rules=[BranchRule(branch_ids=[branch], **below)])])


class TestCreate:
    @pytest.mark.parametrize("reply", ["group", "uuid"])
    @pytest.mark.parametrize("status", [200, 201])
    @pytest.mark.parametrize("strict", [True, False])
    def test_a_create_adds_the_users_in_requests_of_the_limit(
        self, hook, docebo_sandbox, people, reply, status, strict
    ):
        docebo_sandbox.settings(create_reply=reply, create_status=status, type_required=strict)
        docebo_sandbox.settings(unknown_fields="refuse" if strict else "ignore")
        change = hook.create_group("Café ☕ 日本", people, description="Who drinks it")

        (made,) = named(docebo_sandbox, "Café ☕ 日本")
        assert (made.type, made.description, made.exclude_deactivated_users) == ("manual", "Who drinks it", False)
        assert docebo_sandbox.members(made.uuid) == set(people)
        assert (change.outcome, change.group_id, change.users_sent) == ("created", made.uuid, 23)
        assert (change.type, change.background_job) == ("manual", False)
        assert docebo_sandbox.counts() == {
            "docebo.get_token": 1,
            "docebo.list_groups": 1,
            "docebo.create_group": 1,
            "docebo.add_members": 3,
        }
        assert change.requests == 5

    def test_a_repeated_create_reuses_the_group_and_removes_no_member(self, hook, docebo_sandbox, people):
        first = hook.create_group("Trial users", people[:5])
        second = hook.create_group(" Trial users ", people[5:])

        assert second.group_id == first.group_id
        assert second.outcome == "reused"
        assert len(named(docebo_sandbox, "Trial users")) == 1
        assert docebo_sandbox.members("Trial users") == set(people)
        assert writes(docebo_sandbox) == {"docebo.create_group": 1, "docebo.add_members": 3}

    @pytest.mark.parametrize("kind", ["lost", "truncate", "reset_mid_body", "html", "empty_body", "wrong_content_type"])
    @pytest.mark.parametrize("names", ["refuse", "allow"])
    def test_a_create_whose_response_is_lost_creates_one_group(self, hook, docebo_sandbox, people, kind, names):
        docebo_sandbox.settings(duplicate_names=names)
        docebo_sandbox.fault("docebo.create_group", kind, **({"effect": True} if kind == "html" else {}))
        change = hook.create_group("Trial users", people)

        (made,) = named(docebo_sandbox, "Trial users")
        assert (change.outcome, change.group_id) == ("created", made.uuid)
        assert docebo_sandbox.members(made.uuid) == set(people)
        assert docebo_sandbox.counts()["docebo.create_group"] == 1

    def test_a_create_of_unknown_outcome_is_repeated_only_by_the_next_run(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.create_group", "html")
        with pytest.raises(VendorUnavailable, match="Run the task again: it looks first") as caught:
            hook.create_group("Trial users")
        assert caught.value.maybe_done
        calls = [call.endpoint for call in docebo_sandbox.calls() if call.endpoint != "docebo.get_token"]
        assert calls == ["docebo.list_groups", "docebo.create_group", "docebo.list_groups"]
        assert hook.create_group("Trial users").outcome == "created"
        assert len(named(docebo_sandbox, "Trial users")) == 1

    def test_a_create_whose_response_has_no_uuid_takes_it_from_the_list(self, hook, docebo_sandbox, people):
        body = {"data": {"success": True}, "version": "1.0.0", "_links": []}
        docebo_sandbox.fault("docebo.create_group", "status", status=200, body=body, effect=True)
        change = hook.create_group("Trial users", people)
        assert change.group_id == named(docebo_sandbox, "Trial users")[0].uuid

        docebo_sandbox.fault("docebo.create_group", "status", status=200, body=body)
        with pytest.raises(UnexpectedReply, match=r"neither the response nor the list.*'docebo_default'"):
            hook.create_group("Others")

    def test_a_create_fails_if_the_name_is_in_use_but_not_listed(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.create_group", "status", status=409, times=None)
        with pytest.raises(UnexpectedReply, match="status 409: the name 'Trial users' is in use"):
            hook.create_group("Trial users")
        assert docebo_sandbox.counts()["docebo.list_groups"] == 1 + int(RETRY["max_attempts"])

    @pytest.mark.parametrize("kind", [None, "lost"])
    def test_a_list_that_lags_causes_no_second_group_if_names_are_unique(self, hook, docebo_sandbox, kind):
        docebo_sandbox.settings(duplicate_names="refuse", list_lag=600)
        if kind:
            docebo_sandbox.fault("docebo.create_group", kind)
            with pytest.raises(VendorUnavailable, match="is not known"):
                hook.create_group("Trial users")
        else:
            assert hook.create_group("Trial users").outcome == "created"
        with pytest.raises(UnexpectedReply, match="Its list may lag"):
            hook.create_group("Trial users")
        assert len(named(docebo_sandbox, "Trial users")) == 1
        docebo_sandbox.advance(600)
        assert hook.create_group("Trial users").outcome == "reused"

    def test_a_create_is_refused_if_a_group_whose_members_it_adds_does_not_exist(self, hook, docebo_sandbox):
        with pytest.raises(NotFound):
            hook.create_group("Trial users", group_ids=["0123abcd-4567-89ab-cdef-0123456789ab"])
        assert writes(docebo_sandbox) == {}

    def test_members_of_branches_and_groups_are_added_to_a_new_group(self, hook, docebo_sandbox, sales):
        support = named(docebo_sandbox, "Support team")[0]
        hook.create_group("Trial users", branch_ids=[sales], group_ids=[support.uuid])
        assert len(docebo_sandbox.members("Trial users")) == 2 + 3
        assert writes(docebo_sandbox) == {"docebo.create_group": 1, "docebo.add_members": 1}

    def test_a_create_with_if_exists_fail_refuses_an_existing_group(self, hook, docebo_sandbox, people):
        with pytest.raises(Conflict, match=r"exists.*'docebo_default'"):
            hook.create_group("Support team", people, if_exists="fail")
        assert writes(docebo_sandbox) == {}

    @pytest.mark.parametrize("if_exists", ["reuse", "update"])
    def test_a_create_refuses_an_existing_group_of_the_other_type(self, hook, docebo_sandbox, sales, if_exists):
        with pytest.raises(Conflict, match="is manual, not automatic"):
            hook.create_group("Support team", type="automatic", ruleset=by_branch(sales), if_exists=if_exists)
        with pytest.raises(Conflict, match="is automatic, not manual"):
            hook.create_group("Everyone in sales", if_exists=if_exists)
        assert writes(docebo_sandbox) == {}

    def test_several_groups_of_one_name_are_refused_by_every_look_up_by_name(self, hook, docebo_sandbox, people):
        ids = [docebo_sandbox.create_group("Trial users") for _ in range(2)]
        for attempt in (
            lambda: hook.create_group("Trial users", people),
            lambda: hook.find_group("Trial users"),
            lambda: hook.add_users(people, name="Trial users"),
            lambda: hook.delete_group(name="Trial users"),
        ):
            with pytest.raises(Conflict, match="has 2 groups named 'Trial users'") as caught:
                attempt()
            assert all(one in str(caught.value) for one in ids)
        assert writes(docebo_sandbox) == {}

    def test_only_a_group_with_exactly_the_name_is_reused(self, hook, docebo_sandbox):
        for name in ("Trial users 2", "trial users", "Old Trial users"):
            docebo_sandbox.create_group(name)
        docebo_sandbox.create_group("Others", description="Trial users")
        assert hook.create_group("Trial users").outcome == "created"

    def test_a_create_with_if_exists_update_sets_description_and_members(self, hook, docebo_sandbox, people):
        made = hook.create_group("Trial users", people[:15], description="Old")
        before = docebo_sandbox.counts()
        change = hook.create_group("Trial users", people[10:], description="New", if_exists="update")

        assert docebo_sandbox.members("Trial users") == set(people[10:])
        assert [group.description for group in named(docebo_sandbox, "Trial users")] == ["New"]
        assert (change.outcome, change.group_id) == ("updated", made.group_id)
        assert (change.users_sent, change.users_removed) == (8, 10)
        after = docebo_sandbox.counts()
        assert {name: after[name] - before.get(name, 0) for name in after if after[name] > before.get(name, 0)} == {
            "docebo.list_groups": 1,
            "docebo.get_group": 1,
            "docebo.update_group": 1,
            "docebo.list_members": 1,
            "docebo.add_members": 1,
            "docebo.remove_members": 1,
        }
        calls = [call.endpoint for call in docebo_sandbox.calls()]
        assert calls.index("docebo.remove_members") > len(calls) - calls[::-1].index("docebo.add_members") - 1

    def test_an_update_from_a_list_that_changed_while_it_was_read_is_refused(
        self, connect, docebo_sandbox, people, monkeypatch
    ):
        hook, group = connect(page_size=2), docebo_sandbox.create_group("Trial users", user_ids=people[:7])
        read = DoceboApi.pages

        def pages(api, path, *given, **named):
            for page in read(api, path, *given, **named):
                yield page
                if path[-1] == "users":
                    docebo_sandbox.remove_members(group, people[:1])

        monkeypatch.setattr(DoceboApi, "pages", pages)
        with pytest.raises(UnexpectedReply, match="changed while they were listed"):
            hook.create_group("Trial users", people[5:7], if_exists="update")
        assert docebo_sandbox.members(group) == set(people[1:7])
        hook.create_group("Trial users", people[5:7], if_exists="update")
        assert docebo_sandbox.members(group) == set(people[5:7])

    def test_an_update_of_a_group_that_is_already_as_requested_writes_nothing(self, hook, docebo_sandbox, people):
        hook.create_group("Trial users", people, description="Same")
        before = writes(docebo_sandbox)
        change = hook.create_group("Trial users", people, description="Same", if_exists="update")
        assert writes(docebo_sandbox) == before
        assert (change.users_sent, change.users_removed) == (0, 0)

    def test_an_update_without_valid_and_matched_users_does_not_empty_the_group(self, hook, docebo_sandbox, people):
        hook.create_group("Trial users", people)
        for refusal, given in (
            ("allow_empty", {"user_ids": []}),
            ("none is valid", {"user_ids": ["?"], "on_invalid": "skip", "allow_empty": True}),
            (
                "None was found",
                {
                    "user_ids": ["nobody@example.com"],
                    "identify_by": "email",
                    "on_unmatched": "skip",
                    "allow_empty": True,
                },
            ),
        ):
            with pytest.raises(InvalidInput, match=refusal):
                hook.create_group("Trial users", **given, if_exists="update")
        assert docebo_sandbox.members("Trial users") == set(people)

    def test_all_problems_are_named_in_one_message_before_the_first_request(self, hook, docebo_sandbox):
        with pytest.raises(InvalidInput) as caught:
            hook.create_group("x" * 256, ["", "ada"], type="magic", if_exists="perhaps", branch_ids=["one"])
        for part in ("`name`", "`type`", "`if_exists`", "`branch_ids.0`", "1 user ID is blank", "not a whole number"):
            assert part in str(caught.value)
        assert docebo_sandbox.counts() == {}


class TestCreatePath:
    @pytest.mark.parametrize("status", [404, 405])
    @pytest.mark.parametrize(("there", "tries"), [("singular", 2), ("plural", 3), ("both", 2)])
    def test_the_path_for_creations_is_found_once(self, connect, docebo_sandbox, there, tries, status):
        docebo_sandbox.settings(create_paths=there, missing_route_status=status)
        connect().create_group("One")
        connect().create_group("Two")
        assert docebo_sandbox.counts()["docebo.create_group"] == tries
        assert named(docebo_sandbox, "One")
        assert named(docebo_sandbox, "Two")

    @pytest.mark.parametrize(("path", "there"), [("audience", "singular"), ("audiences", "plural")])
    def test_the_connection_can_set_the_path_for_creations(self, connect, docebo_sandbox, path, there):
        docebo_sandbox.settings(create_paths=there)
        connect(create_path=path).create_group("One")
        other = {"audience": "audiences", "audiences": "audience"}[path]
        with pytest.raises(NotFound):
            connect(create_path=other).create_group("Two")
        assert docebo_sandbox.counts()["docebo.create_group"] == 2

    def test_a_404_for_each_path_is_an_error_and_is_not_remembered(self, connect, docebo_sandbox):
        docebo_sandbox.fault("docebo.create_group", "status", status=404, times=2)
        with pytest.raises(NotFound, match="None of the known forms of this call exists: audience, audiences"):
            connect().create_group("One")
        connect().create_group("One")
        assert docebo_sandbox.counts()["docebo.create_group"] == 3

    def test_a_rejected_creation_is_not_tried_with_another_path(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.create_group", "status", status=400)
        with pytest.raises(RejectedRequest, match="was not created"):
            hook.create_group("One")
        assert docebo_sandbox.counts()["docebo.create_group"] == 1

"""Changes and deletions of groups and their rules by the Docebo hook against the sandbox, over a socket."""

from __future__ import annotations

import uuid

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    RejectedRequest,
)
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.vendors.docebo.rules import BranchRule, Rule, RuleSet, Ruleset
from tests.conftest import RETRY

NOWHERE = str(uuid.UUID(int=7))
READS = ("docebo.get_token", "docebo.list_groups", "docebo.get_group", "docebo.list_members")


@pytest.fixture
def hook(docebo_sandbox, monkeypatch):
    monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", docebo_sandbox.connection_json(retry=RETRY))
    return DoceboHook()


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


class TestRules:
    def test_an_automatic_group_is_created_and_filled_by_its_rules(self, hook, docebo_sandbox, sales):
        change = hook.create_group(
            "Sellers",
            type="automatic",
            ruleset=by_branch(sales, descendants=True),
            exclude_deactivated_users=True,
        )
        (made,) = named(docebo_sandbox, "Sellers")
        assert (change.type, made.type, made.exclude_deactivated_users) == ("automatic", "automatic", True)
        assert hook.get_population(group=change).ruleset_status == "PENDING"
        docebo_sandbox.advance(3600)
        assert hook.get_population(group=change).model_dump() == {"members": 4, "ruleset_status": "READY"}
        assert writes(docebo_sandbox) == {"docebo.create_group": 1}

    @pytest.mark.parametrize("pending", ["PENDING", "PROCESSING"])
    def test_the_status_of_rules_is_the_word_of_docebo(self, hook, docebo_sandbox, sales, pending):
        docebo_sandbox.settings(pending_status=pending)
        made = hook.create_group("Sellers", type="automatic", ruleset=by_branch(sales))
        assert hook.get_population(group=made).ruleset_status == pending

    @pytest.mark.parametrize("others", ["nobody", "everybody"])
    def test_rules_of_unknown_types_are_sent_unchanged(self, hook, docebo_sandbox, sales, others):
        docebo_sandbox.settings(other_rules=others)
        rules = [
            {"type": "BranchMembership", "payload": {"branch_ids": [sales], "branch_ids_descendants": [sales]}},
            {"type": "SomethingElse", "payload": {"field": 16, "value": "16", "deep": [{"a": None}]}},
        ]
        ruleset = {"operator": "OR", "sets": [{"rules_operator": "AND", "rules": rules}]}
        change = hook.create_group("Sellers", type="automatic", ruleset=ruleset)
        shown = hook.get_group(group=change).ruleset
        assert [{"type": rule["type"], "payload": rule["payload"]} for rule in shown["sets"][0]["rules"]] == rules
        assert shown["operator"] == "OR"

    def test_a_rule_that_docebo_rejects_is_an_error_with_its_reason(self, hook, docebo_sandbox):
        docebo_sandbox.settings(other_rules="refuse")
        ruleset = Ruleset(sets=[RuleSet(rules=[Rule(type="SomethingElse", payload={})])])
        with pytest.raises(RejectedRequest, match="no such type of rule"):
            hook.create_group("Sellers", type="automatic", ruleset=ruleset)

    def test_more_rules_than_docebo_accepts_are_an_error_with_its_reason(self, hook, docebo_sandbox, sales):
        docebo_sandbox.settings(rules_limit="in_all")
        ruleset = Ruleset(sets=[RuleSet(rules=[BranchRule(branch_ids=[sales])] * 6)] * 2)
        with pytest.raises(RejectedRequest, match="at most 10 rules in all"):
            hook.create_group("Sellers", type="automatic", ruleset=ruleset)

    @pytest.mark.parametrize(
        ("given", "problem"),
        [
            ({"type": "automatic"}, "An automatic group needs a `ruleset`"),
            ({"ruleset": {"sets": [{"rules": [{"type": "X", "payload": {}}]}]}}, "A manual group has no `ruleset`"),
            ({"type": "automatic", "ruleset": {"operator": "AND", "sets": []}}, "`ruleset.sets`"),
            ({"type": "automatic", "ruleset": {"operator": "XOR", "sets": []}}, "`ruleset.operator`"),
            ({"type": "automatic", "ruleset": {"sets": [{"rules": []}]}}, "`ruleset.sets.0.rules`"),
            ({"type": "automatic", "ruleset": "branch 1"}, "is a text that is not an object"),
            ({"type": "automatic", "ruleset": {"sets": [{"rules": [{"type": "X"}]}]}}, "payload` is missing"),
            ({"type": "automatic", "ruleset": {"sets": [{"rules": [{"payload": {}}]}]}}, "type` is missing"),
            (
                {"type": "automatic", "ruleset": {"sets": [{"rules": [{"type": "X", "payload": {}}]}] * 11}},
                "it has 11 sets, Docebo takes 10 at most",
            ),
            (
                {"type": "automatic", "ruleset": {"sets": [{"rules": [{"type": "X", "payload": {}}] * 11}]}},
                "a set has 11 rules, Docebo takes 10 at most",
            ),
            ({"branch_ids": [1], "if_exists": "update"}, "cannot be used with `branch_ids`"),
        ],
    )
    def test_invalid_rules_are_refused_before_the_first_request(self, hook, docebo_sandbox, given, problem):
        with pytest.raises(InvalidInput) as caught:
            hook.create_group("Sellers", **given)
        assert problem in str(caught.value)
        assert docebo_sandbox.counts() == {}

    def test_sending_the_same_rules_again_does_not_empty_the_group(self, hook, docebo_sandbox, sales):
        given = {"type": "automatic", "ruleset": by_branch(sales, descendants=True), "if_exists": "update"}
        hook.create_group("Sellers", **given)
        docebo_sandbox.advance(3600)
        change = hook.create_group("Sellers", **given)
        hook.update_group(group=change, ruleset=given["ruleset"], exclude_deactivated_users=False)
        assert docebo_sandbox.member_count("Sellers") == 4
        assert writes(docebo_sandbox) == {"docebo.create_group": 1}

    def test_changed_rules_empty_the_group_and_fill_it_again(self, hook, docebo_sandbox, sales, people):
        change = hook.create_group("Sellers", people[:1], type="automatic", ruleset=by_branch(sales))
        docebo_sandbox.advance(3600)
        assert docebo_sandbox.member_count("Sellers") == 3
        hook.create_group(
            "Sellers", type="automatic", ruleset=by_branch(sales, descendants=[sales]), if_exists="update"
        )
        # Users added by hand stay members, whatever the rules are.
        assert docebo_sandbox.members("Sellers") == {people[0]}
        docebo_sandbox.advance(3600)
        assert hook.get_population(group=change).members == 5


class TestUpdate:
    def test_an_update_keeps_the_fields_that_are_not_set(self, hook, docebo_sandbox):
        change = hook.update_group(name="Support team", new_name="Helpers")
        assert (change.outcome, change.name, change.type) == ("updated", "Helpers", "manual")
        hook.update_group(group=change, description="Who help")
        (group,) = named(docebo_sandbox, "Helpers")
        assert group.description == "Who help"
        assert docebo_sandbox.member_count("Helpers") == 3
        assert docebo_sandbox.counts() == {
            "docebo.get_token": 1,
            "docebo.list_groups": 2,  # for either name
            "docebo.get_group": 2,
            "docebo.update_group": 2,
        }

    def test_a_name_that_another_group_has_is_refused(self, hook, docebo_sandbox):
        hook.create_group("Helpers")
        before = writes(docebo_sandbox)
        with pytest.raises(Conflict, match="group 'Helpers' already"):
            hook.update_group(name="Support team", new_name="Helpers", description="Who help")
        assert writes(docebo_sandbox) == before

    def test_an_update_without_changes_is_refused(self, hook, docebo_sandbox):
        with pytest.raises(InvalidInput, match="One of `new_name`, `description`"):
            hook.update_group(name="Support team")
        assert docebo_sandbox.counts() == {}

    def test_rules_for_a_manual_group_are_refused(self, hook, docebo_sandbox, sales):
        with pytest.raises(InvalidInput, match="a manual group has no `ruleset`"):
            hook.update_group(name="Support team", ruleset=by_branch(sales))
        assert writes(docebo_sandbox) == {}

    def test_rules_can_be_read_changed_and_sent_back(self, hook, docebo_sandbox, sales):
        ruleset = hook.get_group(name="Everyone in sales").ruleset
        set_id = ruleset["sets"][0]["id"]
        ruleset["sets"][0]["rules"][0]["payload"] = {"branch_ids": [sales]}
        hook.update_group(name="Everyone in sales", ruleset=ruleset)
        shown = hook.get_group(name="Everyone in sales").ruleset
        assert shown["status"] == "PENDING"
        assert shown["sets"][0]["id"] == set_id
        assert shown["sets"][0]["rules"][0]["payload"] == {"branch_ids": [sales]}

    def test_an_update_changes_whether_deactivated_users_are_excluded(self, hook, docebo_sandbox):
        hook.update_group(name="Everyone in sales", exclude_deactivated_users=False)
        assert [group.exclude_deactivated_users for group in named(docebo_sandbox, "Everyone in sales")] == [False]

    def test_an_update_whose_response_is_lost_is_repeated(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.update_group", "lost")
        hook.update_group(name="Support team", new_name="Helpers")
        assert named(docebo_sandbox, "Helpers")

    def test_renaming_again_is_fine(self, hook, docebo_sandbox):
        first = hook.update_group(name="Support team", new_name="Helpers")
        again = hook.update_group(name="Support team", new_name="Helpers", description="Who help")
        assert (again.group_id, again.name, again.outcome) == (first.group_id, "Helpers", "updated")
        assert [group.description for group in named(docebo_sandbox, "Helpers")] == ["Who help"]

    def test_one_that_has_neither_name(self, hook, docebo_sandbox):
        for change in ({"new_name": "Helpers"}, {"description": "Who help"}):
            with pytest.raises(NotFound, match="has no group 'Trial users'"):
                hook.update_group(name="Trial users", **change)
        assert writes(docebo_sandbox) == {}


class TestDelete:
    def test_a_repeated_deletion_succeeds_unless_if_missing_is_fail(self, hook, docebo_sandbox):
        made = hook.create_group("Trial users")
        assert hook.delete_group(group=made).outcome == "deleted"
        assert named(docebo_sandbox, "Trial users") == []
        for missing in (
            {"group": made.model_dump(mode="json")},
            {"name": "Trial users"},
            {"group_id": 99},
            {"group_id": NOWHERE},
        ):
            assert hook.delete_group(**missing).outcome == "missing"
            with pytest.raises(NotFound, match="if_missing"):
                hook.delete_group(**missing, if_missing="fail")

    def test_a_deletion_whose_response_was_lost_counts_as_deleted(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.delete_group", "lost")
        assert hook.delete_group(name="Support team", if_missing="fail").outcome == "deleted"
        assert docebo_sandbox.counts()["docebo.delete_group"] == 2

    def test_a_gateway_that_finds_nothing_is_no_deletion(self, hook, docebo_sandbox):
        made = hook.create_group("Trial users")
        docebo_sandbox.fault("*", "html", status=404, times=None)
        with pytest.raises(NotFound, match="DELETE"):
            hook.delete_group(group=made)
        assert named(docebo_sandbox, "Trial users")

    @pytest.mark.parametrize("body", [None, {"data": {"success": True}}, {"data": {}}])
    def test_any_2xx_response_to_a_deletion_counts_as_deleted(self, hook, docebo_sandbox, body):
        docebo_sandbox.fault("docebo.delete_group", "status", status=200, body=body, effect=True)
        assert hook.delete_group(name="Support team").outcome == "deleted"

    def test_a_2xx_response_that_reports_a_failed_deletion_is_an_error(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.delete_group", "status", status=200, body={"data": {"success": False}})
        with pytest.raises(RejectedRequest, match="reports a failure"):
            hook.delete_group(name="Support team")

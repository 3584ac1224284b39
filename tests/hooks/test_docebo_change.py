"""How the Docebo hook changes and deletes groups, and their rules, over a socket, against the sandbox."""

from __future__ import annotations

import uuid

import pytest

from airflow_segments_provider.errors import (
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
    """The branch of that name, which has a branch below."""
    return next(branch.idst for branch in docebo_sandbox.branches() if branch.name == "Sales")


def writes(sandbox) -> dict[str, int]:
    return {name: count for name, count in sandbox.counts().items() if name not in READS}


def named(sandbox, name):
    return [group for group in sandbox.groups() if group.name == name]


def by_branch(branch, **below):
    return Ruleset(sets=[RuleSet(rules=[BranchRule(branch_ids=[branch], **below)])])


class TestRules:
    def test_an_automatic_group_is_made_and_filled_by_its_rules(self, hook, docebo_sandbox, sales):
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
    def test_the_status_is_docebos_own_word(self, hook, docebo_sandbox, sales, pending):
        docebo_sandbox.settings(pending_status=pending)
        made = hook.create_group("Sellers", type="automatic", ruleset=by_branch(sales))
        assert hook.get_population(group=made).ruleset_status == pending

    @pytest.mark.parametrize("others", ["nobody", "everybody"])
    def test_rules_of_unknown_types_pass_untouched(self, hook, docebo_sandbox, sales, others):
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

    def test_a_rule_that_docebo_refuses_is_told(self, hook, docebo_sandbox):
        docebo_sandbox.settings(other_rules="refuse")
        ruleset = Ruleset(sets=[RuleSet(rules=[Rule(type="SomethingElse", payload={})])])
        with pytest.raises(RejectedRequest, match="no such type of rule"):
            hook.create_group("Sellers", type="automatic", ruleset=ruleset)

    def test_rules_in_all_may_be_limited_by_docebo(self, hook, docebo_sandbox, sales):
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
    def test_what_cannot_be_is_refused_before_the_first_call(self, hook, docebo_sandbox, given, problem):
        with pytest.raises(InvalidInput) as caught:
            hook.create_group("Sellers", **given)
        assert problem in str(caught.value)
        assert docebo_sandbox.counts() == {}

    def test_the_same_rules_again_do_not_empty_the_group(self, hook, docebo_sandbox, sales):
        given = {"type": "automatic", "ruleset": by_branch(sales, descendants=True), "if_exists": "update"}
        hook.create_group("Sellers", **given)
        docebo_sandbox.advance(3600)
        change = hook.create_group("Sellers", **given)
        hook.update_group(group=change, ruleset=given["ruleset"], exclude_deactivated_users=False)
        assert docebo_sandbox.member_count("Sellers") == 4
        assert writes(docebo_sandbox) == {"docebo.create_group": 1}

    def test_other_rules_empty_the_group_and_fill_it_again(self, hook, docebo_sandbox, sales, people):
        change = hook.create_group("Sellers", people[:1], type="automatic", ruleset=by_branch(sales))
        docebo_sandbox.advance(3600)
        assert docebo_sandbox.member_count("Sellers") == 3
        hook.create_group(
            "Sellers", type="automatic", ruleset=by_branch(sales, descendants=[sales]), if_exists="update"
        )
        # Who was put there by hand stays, whatever the rules say.
        assert docebo_sandbox.members("Sellers") == {people[0]}
        docebo_sandbox.advance(3600)
        assert hook.get_population(group=change).members == 5


class TestUpdate:
    def test_it_keeps_what_is_not_given(self, hook, docebo_sandbox):
        change = hook.update_group(name="Support team", new_name="Helpers")
        assert (change.outcome, change.name, change.type) == ("updated", "Helpers", "manual")
        hook.update_group(group=change, description="Who help")
        (group,) = named(docebo_sandbox, "Helpers")
        assert group.description == "Who help"
        assert docebo_sandbox.member_count("Helpers") == 3
        assert docebo_sandbox.counts() == {
            "docebo.get_token": 1,
            "docebo.list_groups": 1,
            "docebo.get_group": 2,
            "docebo.update_group": 2,
        }

    def test_nothing_new_is_refused(self, hook, docebo_sandbox):
        with pytest.raises(InvalidInput, match="One of `new_name`, `description`"):
            hook.update_group(name="Support team")
        assert docebo_sandbox.counts() == {}

    def test_a_manual_group_gets_no_rules(self, hook, docebo_sandbox, sales):
        with pytest.raises(InvalidInput, match="a manual group has no `ruleset`"):
            hook.update_group(name="Support team", ruleset=by_branch(sales))
        assert writes(docebo_sandbox) == {}

    def test_rules_as_docebo_shows_them_can_be_changed_and_sent_back(self, hook, docebo_sandbox, sales):
        ruleset = hook.get_group(name="Everyone in sales").ruleset
        set_id = ruleset["sets"][0]["id"]
        ruleset["sets"][0]["rules"][0]["payload"] = {"branch_ids": [sales]}
        hook.update_group(name="Everyone in sales", ruleset=ruleset)
        shown = hook.get_group(name="Everyone in sales").ruleset
        assert shown["status"] == "PENDING"
        assert shown["sets"][0]["id"] == set_id
        assert shown["sets"][0]["rules"][0]["payload"] == {"branch_ids": [sales]}

    def test_the_exclusion_of_deactivated_users(self, hook, docebo_sandbox):
        hook.update_group(name="Everyone in sales", exclude_deactivated_users=False)
        assert [group.exclude_deactivated_users for group in named(docebo_sandbox, "Everyone in sales")] == [False]

    def test_a_lost_answer_is_no_matter(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.update_group", "lost")
        hook.update_group(name="Support team", new_name="Helpers")
        assert named(docebo_sandbox, "Helpers")


class TestDelete:
    def test_deleting_twice_is_fine_unless_told_otherwise(self, hook, docebo_sandbox):
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

    def test_a_deletion_whose_answer_was_lost_is_a_deletion(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.delete_group", "lost")
        assert hook.delete_group(name="Support team", if_missing="fail").outcome == "deleted"
        assert docebo_sandbox.counts()["docebo.delete_group"] == 2

    @pytest.mark.parametrize("body", [None, {"data": {"success": True}}, {"data": {}}])
    def test_any_2xx_will_do(self, hook, docebo_sandbox, body):
        docebo_sandbox.fault("docebo.delete_group", "status", status=200, body=body, effect=True)
        assert hook.delete_group(name="Support team").outcome == "deleted"

    def test_but_for_one_that_says_no(self, hook, docebo_sandbox):
        docebo_sandbox.fault("docebo.delete_group", "status", status=200, body={"data": {"success": False}})
        with pytest.raises(RejectedRequest, match="reports a failure"):
            hook.delete_group(name="Support team")

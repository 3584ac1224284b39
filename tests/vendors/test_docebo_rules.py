"""Rulesets: the documented parts have a builder, the rest is passed on unchanged."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from airflow_segments_provider.vendors.docebo.rules import BranchRule, Rule, RuleSet, Ruleset, same_rules

# The ruleset of a public guide, and one of a real platform.
DOCUMENTED = [
    {
        "status": "READY",
        "operator": "AND",
        "sets": [
            {
                "rules_operator": "AND",
                "rules": [
                    {"type": "BranchMembership", "payload": {"branch_ids": [1], "branch_ids_descendants": [1]}},
                    {"type": "Something", "payload": {"field": "16"}},
                ],
            }
        ],
    },
    {
        "operator": "OR",
        "status": "PENDING",
        "sets": [
            {"id": 7, "rules_operator": "AND", "rules": [{"id": 8, "type": "X", "payload": {}, "label": None}]},
            {"id": None, "rules_operator": "AND", "rules": [{"id": None, "type": "Y", "payload": {"a": [{}]}}]},
        ],
        "labels": ["x"],
    },
]

PAYLOADS = st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
RULES = st.fixed_dictionaries({"type": st.text(min_size=1), "payload": PAYLOADS}).filter(
    lambda rule: rule["type"] != "BranchMembership"
)
SETS = st.fixed_dictionaries(
    {"rules_operator": st.just("AND"), "rules": st.lists(RULES, min_size=1, max_size=4)},
    optional={"id": st.none() | st.integers()},
)
RULESETS = st.fixed_dictionaries(
    {"operator": st.sampled_from(["AND", "OR"]), "sets": st.lists(SETS, min_size=1, max_size=3)}
)


@pytest.mark.parametrize("ruleset", DOCUMENTED)
def test_a_documented_ruleset_is_sent_unchanged(ruleset):
    assert Ruleset.model_validate(copy.deepcopy(ruleset)).body == ruleset


@given(RULESETS)
def test_any_ruleset_of_the_documented_form_is_sent_unchanged(ruleset):
    assert Ruleset.model_validate(copy.deepcopy(ruleset)).body == ruleset


def test_the_builder_makes_the_documented_ruleset():
    ruleset = Ruleset(
        operator="OR",
        sets=[
            RuleSet(rules=[BranchRule(branch_ids=[1, 2]), Rule(type="X", payload={"field": 16})]),
            RuleSet(rules=[BranchRule(branch_ids=[1, 2], descendants=True)]),
            RuleSet(rules=[BranchRule(branch_ids=[1, 2], descendants=[2])]),
        ],
    )
    branches = [{}, {"branch_ids_descendants": [1, 2]}, {"branch_ids_descendants": [2]}]
    rules = [[{"type": "BranchMembership", "payload": {"branch_ids": [1, 2], **below}}] for below in branches]
    rules[0].append({"type": "X", "payload": {"field": 16}})
    assert ruleset.body == {
        "operator": "OR",
        "sets": [{"rules": of_set} for of_set in rules],
    }
    assert Ruleset.model_validate({"sets": [{"rules": [{"branch_ids": [1]}]}]}).body["operator"] == "AND"


def test_the_text_of_a_ruleset_is_stable_and_contains_no_values():
    ruleset = Ruleset.model_validate(DOCUMENTED[0])
    assert str(ruleset) == repr(ruleset) == "ruleset (BranchMembership AND Something)"
    assert str(Ruleset.model_validate(DOCUMENTED[1])) == "ruleset (X) OR (Y)"
    assert str(pickle.loads(pickle.dumps(ruleset))) == str(ruleset)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"sets": []},
        {"sets": [{}]},
        {"sets": [{"rules": []}]},
        {"sets": [{"rules": [{"type": "X", "payload": {}}], "rules_operator": "OR"}]},
        {"operator": "NOT", "sets": [{"rules": [{"type": "X", "payload": {}}]}]},
        {"sets": [{"rules": [{"type": "X"}]}]},
        {"sets": [{"rules": [{"type": "", "payload": {}}]}]},
        {"sets": [{"rules": [{"type": 7, "payload": {}}]}]},
        {"sets": [{"rules": [{"type": "X", "payload": []}]}]},
        {"sets": [{"rules": [{"payload": {}}]}]},
        {"sets": [{"rules": ["X"]}]},
        {"sets": [{"rules": [{"type": "BranchMembership", "payload": {}}]}]},
        {"sets": [{"rules": [{"type": "BranchMembership", "payload": {"branch_ids": []}}]}]},
        {"sets": [{"rules": [{"type": "BranchMembership", "payload": {"branch_ids": ["1"]}}]}]},
        {"sets": [{"rules": [{"branch_ids": []}]}]},
        {"sets": [{"rules": [{"branch_ids": [0]}]}]},
        {"sets": [{"rules": [{"branch_ids": [1], "below": True}]}]},
    ],
)
def test_an_invalid_ruleset_is_refused(wrong):
    with pytest.raises(ValidationError):
        Ruleset.model_validate(wrong)


@pytest.mark.parametrize(("sets", "rules", "right"), [(10, 10, True), (11, 1, False), (1, 11, False)])
def test_more_than_ten_sets_or_rules_of_a_set_are_refused(sets, rules, right):
    ruleset = {"sets": [{"rules": [{"type": "X", "payload": {}}] * rules}] * sets}
    if right:
        Ruleset.model_validate(ruleset)
        return
    with pytest.raises(ValidationError, match=r"Docebo takes 10 at most"):
        Ruleset.model_validate(ruleset)


def test_rulesets_with_the_same_rules_are_recognized():
    wanted = Ruleset.model_validate(DOCUMENTED[0])
    shown: Any = copy.deepcopy(DOCUMENTED[0])
    shown["status"] = "PENDING"
    shown["sets"][0]["id"] = 5
    shown["sets"][0]["rules"][0]["id"] = 6
    assert same_rules(shown, wanted)
    for change in (
        lambda rules: rules.update(operator="OR"),
        lambda rules: rules["sets"].append(rules["sets"][0]),
        lambda rules: rules["sets"][0]["rules"].pop(),
        lambda rules: rules["sets"][0]["rules"][1]["payload"].update(field=16),
    ):
        other = copy.deepcopy(shown)
        change(other)
        assert not same_rules(other, wanted)
    assert not same_rules(None, wanted)
    assert not same_rules({"sets": "?"}, wanted)

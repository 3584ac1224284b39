"""Rulesets: what is demanded of them, and whom they match."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from airflow_segments_provider.testing.sandbox.docebo import errors
from airflow_segments_provider.testing.sandbox.docebo.constants import MAX_RULES, MAX_SETS
from airflow_segments_provider.testing.sandbox.docebo.people import PeopleStore
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.sql import numbers
from airflow_segments_provider.testing.sandbox.messages import Refused

BRANCH = "BranchMembership"
_ALL_DESCENDANTS = (True, "true", 1)


def read_ruleset(value: object, settings: DoceboSettings) -> dict[str, Any]:
    """Return a ruleset without its status, or refuse it."""
    if not isinstance(value, dict) or value.get("operator") not in ("AND", "OR"):
        raise _bad("ruleset must be an object with operator AND or OR", settings)
    sets = value.get("sets")
    if not isinstance(sets, list) or not 0 < len(sets) <= MAX_SETS:
        raise _bad(f"ruleset must have 1 to {MAX_SETS} sets", settings)
    read = [_read_set(item, settings) for item in sets]
    if settings.rules_limit == "in_all" and sum(len(item["rules"]) for item in read) > MAX_RULES:
        raise _bad(f"ruleset must have at most {MAX_RULES} rules in all", settings)
    return {"operator": value["operator"], "sets": read}


def numbered(
    ruleset: dict[str, Any], old: Mapping[str, Any] | None, number: Callable[[], int]
) -> dict[str, Any] | None:
    """Return a ruleset whose sets and rules have ids; None if it names one that the old ruleset has not."""
    known = {id_ for id_, _ in _parts(old or {"sets": []})}
    for given, part in list(_parts(ruleset)):
        if given is not None and given not in known:
            return None
        part["id"] = number() if given is None else given
    return ruleset


def same_rules(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether two rulesets differ in nothing but ids."""
    return _bare(one) == _bare(other)


def condition(ruleset: Mapping[str, Any], people: PeopleStore, everybody: bool, exclude_deactivated: bool) -> str:
    """Return the SQL condition on users that a ruleset is.

    :param everybody: whether rules that are not on branches match everybody, or else nobody
    """
    sets = [
        " AND ".join(f"({_rule_condition(rule, people, everybody)})" for rule in item["rules"])
        for item in ruleset["sets"]
    ]
    joined = f" {ruleset['operator']} ".join(f"({item})" for item in sets)
    return f"({joined}) AND active" if exclude_deactivated else joined


def _rule_condition(rule: Mapping[str, Any], people: PeopleStore, everybody: bool) -> str:
    if rule["type"] != BRANCH:
        return "1" if everybody else "0"
    payload = rule["payload"]
    branches, below = set(payload["branch_ids"]), payload.get("branch_ids_descendants")
    if below in _ALL_DESCENDANTS:
        branches = people.with_descendants(branches)
    elif isinstance(below, list):
        branches |= people.with_descendants(item for item in below if isinstance(item, int))
    return f"branch IN {numbers(branches)}"


def _read_set(value: object, settings: DoceboSettings) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("rules_operator", "AND") != "AND":
        raise _bad("each set must be an object; its rules_operator can only be AND", settings)
    rules = value.get("rules")
    if not isinstance(rules, list) or not 0 < len(rules) <= MAX_RULES:
        raise _bad(f"each set must have 1 to {MAX_RULES} rules", settings)
    return {
        "id": _read_id(value, settings),
        "rules_operator": "AND",
        "rules": [_read_rule(rule, settings) for rule in rules],
    }


def _read_rule(value: object, settings: DoceboSettings) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise _bad("each rule must be an object with a type", settings)
    payload = value.get("payload")
    if not isinstance(payload, dict):
        raise _bad("each rule must have a payload", settings)
    if value["type"] == BRANCH:
        branches = payload.get("branch_ids")
        if not isinstance(branches, list) or not all(type(item) is int and abs(item) < 2**63 for item in branches):
            raise _bad(f"the payload of {BRANCH} must have branch_ids, whole numbers", settings)
    elif settings.other_rules == "refuse":
        raise _bad("no such type of rule", settings)
    return {"id": _read_id(value, settings), "type": value["type"], "payload": payload}


def _read_id(part: Mapping[str, object], settings: DoceboSettings) -> int | None:
    given = part.get("id")
    if given is not None and type(given) is not int:
        raise _bad("the ids of sets and rules must be whole numbers", settings)
    return given


def _parts(ruleset: Mapping[str, Any]) -> list[tuple[object, dict[str, Any]]]:
    parts = [part for item in ruleset["sets"] for part in (item, *item["rules"])]
    return [(part["id"], part) for part in parts]


def _bare(ruleset: Mapping[str, Any]) -> object:
    sets = [[(rule["type"], rule["payload"]) for rule in item["rules"]] for item in ruleset["sets"]]
    return ruleset["operator"], sets


def _bad(message: str, settings: DoceboSettings) -> Refused:
    return errors.refused(400, message, settings)

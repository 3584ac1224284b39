"""Rulesets: the forms that Docebo accepts, and the users that they match."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from airflow_segments_provider.testing.sandbox.docebo.constants import MAX_RULES, MAX_SETS
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings

BRANCH = "BranchMembership"


def settings_of(info: ValidationInfo) -> DoceboSettings:
    """Return the settings, which are the context of each validation."""
    assert isinstance(info.context, DoceboSettings)
    return info.context


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class Rule(_Part):
    """One condition; its settings decide about types other than that of branches."""

    id: int | None = None
    type: str
    payload: dict[str, Any]

    @model_validator(mode="after")
    def _readable(self, info: ValidationInfo) -> Self:
        branches = self.payload.get("branch_ids")
        if self.type != BRANCH:
            if settings_of(info).other_rules == "refuse":
                raise ValueError("no such type of rule")
        elif not isinstance(branches, list) or not all(type(item) is int and abs(item) < 2**63 for item in branches):
            raise ValueError(f"the payload of {BRANCH} must have branch_ids, whole numbers")
        return self


class RuleSet(_Part):
    """Conditions of which all must hold."""

    id: int | None = None
    rules_operator: Literal["AND"] = "AND"
    rules: Annotated[list[Rule], Field(min_length=1, max_length=MAX_RULES)]


class Ruleset(_Part):
    """Sets of conditions of which all or one must hold; the status is ignored."""

    operator: Literal["AND", "OR"]
    sets: Annotated[list[RuleSet], Field(min_length=1, max_length=MAX_SETS)]

    @model_validator(mode="after")
    def _not_too_long(self, info: ValidationInfo) -> Self:
        if settings_of(info).rules_limit == "in_all" and sum(len(item.rules) for item in self.sets) > MAX_RULES:
            raise ValueError(f"ruleset must have at most {MAX_RULES} rules in all")
        return self


def numbered(
    ruleset: dict[str, Any], old: Mapping[str, Any] | None, number: Callable[[], int]
) -> dict[str, Any] | None:
    """Return a ruleset whose sets and rules have IDs; None if it has an ID that the old ruleset does not have."""
    known = {part["id"] for part in _parts(old or {"sets": []})}
    for part in _parts(ruleset):
        if part["id"] is not None and part["id"] not in known:
            return None
        part["id"] = number() if part["id"] is None else part["id"]
    return ruleset


def same_rules(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two rulesets differ in nothing but IDs."""
    return _without_ids(one) == _without_ids(other)


def condition(
    ruleset: Mapping[str, Any], with_descendants: Callable[[Iterable[int]], set[int]], everybody: bool
) -> str:
    """Return a ruleset as an SQL condition on users.

    :param everybody: whether rules that are not on branches match all users, or none
    """

    def of_rule(rule: Mapping[str, Any]) -> str:
        if rule["type"] != BRANCH:
            return "1" if everybody else "0"
        branches, below = set(rule["payload"]["branch_ids"]), rule["payload"].get("branch_ids_descendants")
        if below in (True, "true", 1):
            branches = with_descendants(branches)
        elif isinstance(below, list):
            branches |= with_descendants(item for item in below if isinstance(item, int))
        return f"branch IN {listed(branches)}"

    sets = [" AND ".join(f"({of_rule(rule)})" for rule in item["rules"]) for item in ruleset["sets"]]
    return f" {ruleset['operator']} ".join(f"({item})" for item in sets)


def listed(values: Iterable[int]) -> str:
    """Return whole numbers as a list for SQL's IN."""
    return f"({', '.join(str(int(value)) for value in values)})"


def _parts(ruleset: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [part for item in ruleset["sets"] for part in (item, *item["rules"])]


def _without_ids(ruleset: Mapping[str, Any]) -> object:
    sets = [[(rule["type"], rule["payload"]) for rule in item["rules"]] for item in ruleset["sets"]]
    return ruleset["operator"], sets

"""Rulesets of automatic Docebo groups: a typed builder for the published part; the rest is sent unchanged.

All rules of a set must hold; the ruleset's operator joins the sets. Published at
https://help.docebo.com/hc/en-us/articles/360020084100-Managing-groups. Of the rule types, only that of
branches is published; a rule of another type is a plain ``type`` and ``payload``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StrictInt, Tag, model_validator

MAX_SETS = 10
MAX_RULES = 10
BRANCH = "BranchMembership"

Number = Annotated[StrictInt, Field(gt=0, lt=2**63)]


class Rule(BaseModel):
    """One condition, in Docebo's own words.

    :param type: the name of the type in the API, as another automatic group's ruleset shows it.
    :param payload: its values; sent unchanged.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    type: Annotated[str, Field(min_length=1)]
    payload: dict[str, Any]

    @model_validator(mode="after")
    def _branches(self) -> Rule:
        branches = self.payload.get("branch_ids")
        whole = isinstance(branches, list) and all(type(branch) is int for branch in branches)
        if self.type == BRANCH and not (whole and branches):
            raise ValueError(f"the payload of {BRANCH} must have `branch_ids`, whole numbers")
        return self

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the API."""
        return self.model_dump(exclude_unset=True)


class BranchRule(BaseModel):
    """Members of branches.

    :param branch_ids: branches, one of which a user must be in.
    :param descendants: whether the branches below count too: all, or only those below the named ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    branch_ids: Annotated[list[Number], Field(min_length=1)]
    descendants: bool | list[Number] = False

    @property
    def type(self) -> str:
        """The name of the type in the API."""
        return BRANCH

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the API."""
        below = self.branch_ids if self.descendants is True else self.descendants or []
        payload = {"branch_ids": self.branch_ids, **({"branch_ids_descendants": below} if below else {})}
        return {"type": BRANCH, "payload": payload}


def _kind(rule: Any) -> str:
    plain = isinstance(rule, Mapping) and ("type" in rule or "branch_ids" not in rule)
    return "Rule" if plain or isinstance(rule, Rule) else "BranchRule"


AnyRule = Annotated[
    Annotated[Rule, Tag("Rule")] | Annotated[BranchRule, Tag("BranchRule")],
    Discriminator(_kind),
]


class RuleSet(BaseModel):
    """Rules that must all hold."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    rules: Annotated[list[AnyRule], Field(min_length=1)]
    rules_operator: Literal["AND"] | None = None

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the API; ``rules_operator``, which is not published, only if it was set."""
        operator = {"rules_operator": self.rules_operator} if self.rules_operator else {}
        return {**(self.model_extra or {}), **operator, "rules": [rule.body for rule in self.rules]}


class Ruleset(BaseModel):
    """The rules of an automatic group: sets of rules, joined by one operator.

    Built from :class:`RuleSet`, or from the API's own dict, ``id`` and other keys included.
    """

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    sets: Annotated[list[RuleSet], Field(min_length=1)]
    operator: Literal["AND", "OR"] = "AND"

    @model_validator(mode="after")
    def _within_limits(self) -> Ruleset:
        if len(self.sets) > MAX_SETS:
            raise ValueError(f"it has {len(self.sets)} sets, Docebo takes {MAX_SETS} at most")
        longest = max(len(one.rules) for one in self.sets)
        if longest > MAX_RULES:
            raise ValueError(f"a set has {longest} rules, Docebo takes {MAX_RULES} at most")
        return self

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the API."""
        return {**(self.model_extra or {}), "operator": self.operator, "sets": [one.body for one in self.sets]}

    def __str__(self) -> str:
        """Return the operator and the types of the rules without values, as Airflow stores and shows this text."""
        sets = f" {self.operator} ".join(f"({' AND '.join(rule.type for rule in one.rules)})" for one in self.sets)
        return f"ruleset {sets}"

    __repr__ = __str__


def same_rules(shown: Mapping[str, Any] | None, wanted: Ruleset) -> bool:
    """Return whether a group has these rules already; IDs, status and other keys of Docebo do not count."""
    try:
        return shown is not None and _bare(Ruleset.model_validate(shown)) == _bare(wanted)
    except ValueError:
        return False


def _bare(ruleset: Ruleset) -> object:
    bodies = [[rule.body for rule in one.rules] for one in ruleset.sets]
    return ruleset.operator, [[(rule["type"], rule["payload"]) for rule in rules] for rules in bodies]

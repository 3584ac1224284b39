"""The invented people, branches and groups that a sandbox begins with, and many more of them on demand."""

from __future__ import annotations

from collections.abc import Iterator

from airflow_segments_provider.testing.sandbox.docebo import rules
from airflow_segments_provider.testing.sandbox.docebo.constants import SUPERADMIN, USERNAME
from airflow_segments_provider.testing.sandbox.docebo.groups import GroupStore
from airflow_segments_provider.testing.sandbox.docebo.members import MemberStore
from airflow_segments_provider.testing.sandbox.docebo.numbers import Numbers
from airflow_segments_provider.testing.sandbox.docebo.people import PeopleStore
from airflow_segments_provider.testing.sandbox.docebo.records import BranchRecord, UserRecord

USER = "user"
_BRANCHES = (("Example", None), ("Sales", "Example"), ("Sales North", "Sales"), ("Support", "Example"))
_PEOPLE = (
    ("Ada", "Sandford", "Sales"),
    ("Bela", "Okoro", "Sales"),
    ("Chen", "Almeida", "Sales North"),
    ("Dina", "Marsh", "Sales North"),
    ("Emre", "Novak", "Support"),
    ("Faye", "Lindqvist", "Support"),
    ("Goran", "Petit", "Support"),
    ("Hana", "Brook", "Example"),
)


def seed(numbers: Numbers, people: PeopleStore, groups: GroupStore, members: MemberStore) -> int:
    """Fill an empty platform, and return its administrator's number.

    Sales and Support are a group each: that of Sales is automatic and waits to be calculated.
    """
    branches: dict[str, int] = {}
    for name, parent in _BRANCHES:
        (branches[name],) = numbers.take()
        people.add_branch(BranchRecord(branches[name], name, None if parent is None else branches[parent]))
    (admin,) = numbers.take()
    everybody = [UserRecord(admin, USERNAME, "Sandbox", "Admin", USERNAME, branches["Example"], True, SUPERADMIN)]
    for (first, last, branch), idst in zip(_PEOPLE, numbers.take(len(_PEOPLE)), strict=True):
        address = f"{first}.{last}@example.com".lower()
        everybody.append(UserRecord(idst, address, first, last, address, branches[branch], True, USER))
    people.add_users(everybody)
    (support,) = numbers.take()
    groups.create(support, "Support team", "Put together by hand", "manual", False, admin)
    members.add(support, people.in_branches([branches["Support"]]))
    (sales,) = numbers.take()
    groups.create(sales, "Everyone in sales", "The branch and all below it", "automatic", True, admin)
    payload = {"branch_ids": [branches["Sales"]], "branch_ids_descendants": [branches["Sales"]]}
    rule = {"id": None, "type": rules.BRANCH, "payload": payload}
    ruleset = {"operator": "AND", "sets": [{"id": None, "rules_operator": "AND", "rules": [rule]}]}
    groups.set_ruleset(sales, rules.numbered(ruleset, None, lambda: numbers.take()[0]) or ruleset, admin)
    return admin


def invented(ids: range, branch: int) -> Iterator[UserRecord]:
    """Invent a user for each number; the number is part of the username."""
    for idst in ids:
        first, last, _ = _PEOPLE[idst % len(_PEOPLE)]
        address = f"learner{idst}@example.com"
        yield UserRecord(idst, address, first, last, address, branch, True, USER)

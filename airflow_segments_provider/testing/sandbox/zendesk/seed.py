"""The invented people and content that every account begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_segments_provider.testing.sandbox.zendesk.records import (
    SIGNED_IN,
    STAFF,
    ContentRecord,
    GroupRecord,
    OrganizationRecord,
    Role,
    SegmentRecord,
    UserRecord,
)

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.zendesk.account import Account

_ORGANIZATIONS: tuple[tuple[str, list[str]], ...] = (
    ("Example Bakery", ["wholesale"]),
    ("Example Library", []),
    ("Example Observatory", ["beta"]),
)
_GROUPS = ("Support", "Billing")
# Name, role, whether Help Center manager, organizations, groups, tags; the last three by their place above.
_PEOPLE: tuple[tuple[str, Role, bool, list[int], list[int], list[str]], ...] = (
    ("Ada Okafor", "admin", True, [], [0], []),
    ("Bruno Lindqvist", "agent", False, [], [0], ["beta"]),
    ("Chiara Moreau", "agent", False, [], [1], []),
    ("Dalia Novak", "end-user", False, [0], [], ["vip"]),
    ("Emil Santos", "end-user", False, [0, 1], [], []),
    ("Farah Haddad", "end-user", False, [1], [], ["vip", "trial"]),
    ("Goran Petrov", "end-user", False, [2], [], ["trial"]),
    ("Hana Kimura", "end-user", False, [], [], ["trial"]),
    ("Isak Bergman", "end-user", False, [], [], []),
)
_ARTICLES = ("How to begin", "Prices for partners", "Known problems")
_TOPICS = ("General discussion", "Ideas")


def seed(account: Account) -> None:
    """Fill an empty account."""
    now = account.now()
    organizations, groups = account.organizations.new_ids(len(_ORGANIZATIONS)), account.groups.new_ids(len(_GROUPS))
    for number, (name, tags) in zip(organizations, _ORGANIZATIONS, strict=True):
        account.organizations.put(OrganizationRecord(number, name, now, now, tags))
    account.groups.put_many(GroupRecord(number, name, now, now) for number, name in zip(groups, _GROUPS, strict=True))
    ids = account.users.new_ids(len(_PEOPLE))
    for number, (name, role, guide_admin, belongs_to, works_in, tags) in zip(ids, _PEOPLE, strict=True):
        account.users.put(
            UserRecord(
                number,
                name,
                f"{name.lower().replace(' ', '.')}@example.com",
                now,
                now,
                f"ext-{number}",
                role,
                guide_admin,
                organization_ids=[organizations[place] for place in belongs_to],
                group_ids=[groups[place] for place in works_in],
                tags=tags,
            )
        )
    for name, user_type in (("Signed-in users", SIGNED_IN), ("Agents and managers", STAFF)):
        (number,) = account.segments.new_ids()
        account.segments.put(SegmentRecord(number, name, user_type, now, now, built_in=True))
    (section,) = account.sections.new_ids()
    account.sections.put(ContentRecord(section, "Announcements", now, now))
    for table, names, home in ((account.articles, _ARTICLES, section), (account.topics, _TOPICS, None)):
        numbers = table.new_ids(len(names))
        table.put_many(ContentRecord(n, name, now, now, home) for n, name in zip(numbers, names, strict=True))


def seed_users(account: Account, count: int, tags: list[str], organization_ids: list[int]) -> range:
    """Add many invented people who differ in their numbers alone, and return their ids."""
    ids, now = account.users.new_ids(count), account.now()
    account.users.put_many(
        UserRecord(
            number,
            f"Person {number}",
            f"person-{number}@example.com",
            now,
            now,
            f"ext-{number}",
            organization_ids=organization_ids,
            tags=tags,
        )
        for number in ids
    )
    return ids

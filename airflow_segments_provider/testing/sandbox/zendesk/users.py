"""The operations on users, organizations and groups."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.case import contains, same
from airflow_segments_provider.testing.sandbox.messages import Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Guest, demand_scope, demand_staff, identify
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask, as_id
from airflow_segments_provider.testing.sandbox.zendesk.bodies import read_user, read_wrapped, warned
from airflow_segments_provider.testing.sandbox.zendesk.constants import MAX_USERS_PER_CALL, READ
from airflow_segments_provider.testing.sandbox.zendesk.objects import (
    anonymous_object,
    group_object,
    organization_object,
    user_object,
)
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply
from airflow_segments_provider.testing.sandbox.zendesk.records import UserRecord
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply


class Users:
    """Each operation takes a call and returns the answer, or raises the refusal; agents may call all of them."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def me(self, ask: Ask) -> Reply:
        """Return who calls; a stranger is answered as well, and is nobody."""
        visitor = identify(ask, self._account)
        if visitor is None:
            return json_reply(200, {"user": anonymous_object(self._account.settings)})
        demand_scope(visitor, self._account, "support", READ)
        token = {"authenticity_token": secrets.token_urlsafe(64)}
        return json_reply(200, {"user": user_object(visitor.user, ask) | token})

    def list_all(self, guest: Guest) -> Reply:
        """List all users."""
        demand_staff(guest, self._account)
        return self._page(guest, "users", self._account.users.ids(), self._users(guest))

    def get(self, guest: Guest) -> Reply:
        """Return one user."""
        demand_staff(guest, self._account)
        return json_reply(200, {"user": user_object(self.found(guest), guest.ask)})

    def search(self, guest: Guest) -> Reply:
        """Find users by an external id, or by a query of ``key:value`` and plain words, by offset only."""
        demand_staff(guest, self._account)
        query, external_id = guest.ask.value("query"), guest.ask.value("external_id")
        if external_id is not None:
            found = self._account.users.by_external_id(external_id)
        else:
            found = _matching(self._account, (query or "").split())
        ids = sorted(user.id for user in found)
        return self._page(guest, "users", ids, self._users(guest), cursor=False)

    def show_many(self, guest: Guest) -> Reply:
        """Return up to 100 users by their ids or external ids; unknown ones are left out, which is an assumption."""
        demand_staff(guest, self._account)
        users = [user_object(user, guest.ask) for user in self._named(guest)]
        return json_reply(200, {"users": users, "next_page": None, "previous_page": None, "count": len(users)})

    def update(self, guest: Guest) -> Reply:
        """Change one user; tags in the body replace all."""
        demand_staff(guest, self._account)
        user = self.found(guest)
        self._count_update(user)
        given = read_wrapped(guest.ask, "user")
        changed = self._account.change_user(user, self._account.now(), **read_user(given))
        reply = json_reply(200, {"user": user_object(changed, guest.ask)})
        return warned(reply, "user", "update", given, "support", self._account.settings)

    def list_organizations(self, guest: Guest) -> Reply:
        """List all organizations."""
        demand_staff(guest, self._account)
        table = self._account.organizations
        return self._page(
            guest,
            "organizations",
            table.ids(),
            lambda numbers: [organization_object(one, guest.ask) for one in table.many(numbers)],
        )

    def list_groups(self, guest: Guest) -> Reply:
        """List all groups."""
        demand_staff(guest, self._account)
        table = self._account.groups
        return self._page(
            guest, "groups", table.ids(), lambda numbers: [group_object(one, guest.ask) for one in table.many(numbers)]
        )

    def found(self, guest: Guest) -> UserRecord:
        """Return the user whom a path names."""
        user = self._account.users.get(guest.ask.number())
        if user is None:
            raise errors.not_found()
        return user

    def _named(self, guest: Guest) -> list[UserRecord]:
        ids, external_ids = guest.ask.values("ids"), guest.ask.values("external_ids")
        if len(ids or external_ids) > MAX_USERS_PER_CALL:
            raise errors.too_many_values("users may be shown", MAX_USERS_PER_CALL)
        if ids:
            return self._account.users.many([as_id(text) for text in ids])
        return [user for text in external_ids for user in self._account.users.by_external_id(text)]

    def _count_update(self, user: UserRecord) -> None:
        """Hold the limits of updates, which are answered like the general one."""
        settings, now = self._account.settings, self._account.now()
        everyone, own = self._account.budgets["updates"], self._account.budgets[f"updates of {user.id}"]
        wait = None
        if settings.user_updates_per_second is not None:
            wait = everyone.wait_within(now, 1.0, settings.user_updates_per_second)
        if wait is None:
            wait = own.refuse(now, settings.user_updates_per_minute)
        if wait is not None:
            raise errors.too_many_calls(wait, {})
        everyone.refuse(now, None)

    def _users(self, guest: Guest) -> Callable[[Sequence[int]], list[dict[str, object]]]:
        return lambda numbers: [user_object(user, guest.ask) for user in self._account.users.many(numbers)]

    def _page(
        self,
        guest: Guest,
        key: str,
        ids: list[int],
        render: Callable[[Sequence[int]], list[dict[str, object]]],
        cursor: bool = True,
    ) -> Reply:
        return page_reply(guest.ask, Listing(key, "support", ids, render, cursor=cursor), self._account.settings)


def _matching(account: Account, words: list[str]) -> list[UserRecord]:
    """Return the users whom every word fits: a part of name or address where it has no key. Quotes are not read."""
    emails = [word.partition(":")[2].strip('"') for word in words if word.startswith("email:")]
    found = account.users.by_email(emails[0]) if emails else list(account.users.all())
    return [user for user in found if all(_fits(user, word) for word in words)]


def _fits(user: UserRecord, word: str) -> bool:
    key, _, value = word.partition(":")
    value = value.strip('"')
    keyed: dict[str, Any] = {
        "email": same(user.email, value),
        "external_id": same(user.external_id or "", value),
        "name": contains(user.name, value),
        "role": user.role == value,
        "tags": value in user.tags,
        "type": value == "user",
        "user": contains(user.name, value) or same(user.email, value),
    }
    if key in keyed and ":" in word:
        return bool(keyed[key])
    return contains(user.name, word) or contains(user.email, word)

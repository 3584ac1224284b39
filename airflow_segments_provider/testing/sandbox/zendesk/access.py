"""Who may call Zendesk, and how often."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace

from airflow_segments_provider.testing.sandbox.basic import basic_credentials
from airflow_segments_provider.testing.sandbox.messages import Refused, Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask
from airflow_segments_provider.testing.sandbox.zendesk.constants import DAY_SECONDS, READ, WRITE
from airflow_segments_provider.testing.sandbox.zendesk.paging import Half
from airflow_segments_provider.testing.sandbox.zendesk.records import UserRecord

# One of these scopes is enough; that jobs and organizations go by these too is an assumption.
_SCOPES = {
    ("help_center", READ): {"read", "hc:read"},
    ("help_center", WRITE): {"write", "hc:write"},
    ("support", READ): {"read", "users:read"},
    ("support", WRITE): {"write", "users:write"},
}


@dataclass(frozen=True)
class Visitor:
    """Who calls; ``scopes`` is None where the way of access knows none."""

    user: UserRecord
    scopes: frozenset[str] | None


@dataclass(frozen=True)
class Guest:
    """What an operation gets: the call and who makes it."""

    ask: Ask
    user: UserRecord


Operation = Callable[[Guest], Reply]


def identify(ask: Ask, account: Account) -> Visitor | None:
    """Return who calls; None for a stranger. A token lives or not by the moment when the call came in."""
    authorization = ask.call.headers.get("authorization", "")
    kind, _, given = authorization.partition(" ")
    if kind.lower() == "bearer":
        scopes = account.tokens.scopes(given.strip(), ask.call.received_at)
        user = _user(account, account.settings.client_user)
        return None if scopes is None or user is None else Visitor(user, scopes)
    basic = basic_credentials(authorization)
    return None if basic is None else _by_api_token(basic, ask.call.received_at, account)


def guarded(account: Account, half: Half, need: str, operation: Operation) -> Callable[[Ask], Reply]:
    """Return an operation that only those may call who have the scope, and only so often."""

    def serve(ask: Ask) -> Reply:
        visitor = identify(ask, account)
        if visitor is None or (half == "help_center" and not account.settings.guide_enabled):
            raise errors.unauthenticated()
        headers = _count(account, half)
        try:
            demand_scope(visitor, account, half, need)
            account.settle()
            reply = operation(Guest(ask, visitor.user))
        except Refused as refusal:
            raise Refused(_with(refusal.reply, headers)) from None
        return _with(reply, headers)

    return serve


def demand_scope(visitor: Visitor, account: Account, half: Half, need: str) -> None:
    """Refuse a token that does not allow the call."""
    if visitor.scopes is not None and visitor.scopes.isdisjoint(_SCOPES[half, need]):
        raise errors.forbidden(account.settings, "The token's scope does not allow this")


def demand_staff(guest: Guest, account: Account) -> None:
    """Refuse people who are no agents."""
    if not guest.user.is_staff:
        raise errors.forbidden(account.settings, "Only agents may do this")


def demand_manager(guest: Guest, account: Account) -> None:
    """Refuse people who do not manage the Help Center."""
    if not guest.user.guide_admin:
        raise errors.forbidden(account.settings, "Only Help Center managers may do this")


def _by_api_token(basic: bytes, at: float, account: Account) -> Visitor | None:
    """A password in place of the token never lets anybody in."""
    login, _, secret = basic.decode("utf-8", "replace").rpartition(":")
    email, slash, word = login.rpartition("/")
    settings = account.settings
    if not slash or word != "token" or not hmac.compare_digest(secret.encode(), settings.api_token.encode()):
        return None
    ended = settings.api_token_ends_at is not None and at >= settings.api_token_ends_at
    days = settings.api_token_idle_days
    idle = days is not None and account.api_token_idle(at) > days * DAY_SECONDS
    user = _user(account, email)
    if ended or idle or not settings.api_token_active or user is None:
        return None
    account.note_api_token(at)
    return Visitor(user, None)


def _user(account: Account, email: str) -> UserRecord | None:
    found = account.users.by_email(email)
    return found[0] if found else None


def _count(account: Account, half: Half) -> dict[str, str]:
    """Count a call, and return the headers that tell what is left."""
    settings, now = account.settings, account.now()
    per_minute, budget = settings.per_minute, account.budgets[half]
    wait = budget.refuse(now, per_minute)
    if per_minute is None:
        return {}
    left = budget.remaining(now, per_minute)
    headers = {"x-rate-limit": str(per_minute), "x-rate-limit-remaining": str(left)}
    if half == "support":
        name = settings.support_rate_headers
        headers |= {f"{name}-limit": str(per_minute), f"{name}-remaining": str(left)}
        headers[f"{name}-reset"] = str(budget.resets(now))
    if wait is not None:
        as_json = half == "help_center" and settings.rate_limit_body == "json"
        raise errors.too_many_calls(wait, headers, as_json)
    return headers


def _with(reply: Reply, headers: dict[str, str]) -> Reply:
    return replace(reply, headers={**headers, **reply.headers})

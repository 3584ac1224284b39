"""The token endpoint."""

from __future__ import annotations

import hmac
from typing import Any

from airflow_segments_provider.testing.sandbox.messages import Refused, Reply
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.ask import Ask
from airflow_segments_provider.testing.sandbox.zendesk.constants import DAY_SECONDS, MAX_EXPIRES_IN, MIN_EXPIRES_IN
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply

_FOR_EVER = 36_500 * DAY_SECONDS


def give_token(ask: Ask, account: Account) -> Reply:
    """Exchange the client's id and secret for a token; the bodies of refusals are assumptions."""
    body, settings = _object(ask), account.settings
    if body.get("grant_type") != "client_credentials":
        raise _refused(400, "unsupported_grant_type", "Only client_credentials is supported")
    known = (body.get("client_id"), settings.client_id), (body.get("client_secret"), settings.client_secret)
    if not all(
        isinstance(given, str) and hmac.compare_digest(given.encode(), right.encode()) for given, right in known
    ):
        raise _refused(401, "invalid_client", "The client is unknown")
    lifetime = _lifetime(body.get("expires_in"), settings.default_expires_in)
    scope = body.get("scope") or settings.default_scope
    # A list is taken without a word, and then allows nothing.
    granted = scope if isinstance(scope, str) else ""
    reply: dict[str, object] = {
        "access_token": account.tokens.issue(settings.client_id, granted.split(), lifetime or _FOR_EVER),
        "token_type": "bearer",
        "scope": scope,
    }
    if lifetime is not None and settings.expires_in_reply:
        reply["expires_in"] = lifetime
    return json_reply(settings.token_status, reply, {"cache-control": "no-store"})


def _object(ask: Ask) -> dict[str, Any]:
    try:
        body = ask.call.json if ask.call.content_type == "application/json" else None
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _refused(400, "invalid_request", "The body must be a JSON object")
    return body


def _lifetime(given: object, default: int | None) -> int | None:
    if given is None:
        return default
    if not isinstance(given, int) or isinstance(given, bool) or not MIN_EXPIRES_IN < given < MAX_EXPIRES_IN:
        raise _refused(400, "invalid_request", f"expires_in must be above {MIN_EXPIRES_IN} and below {MAX_EXPIRES_IN}")
    return given


def _refused(status: int, error: str, description: str) -> Refused:
    return Refused(json_reply(status, {"error": error, "error_description": description}))

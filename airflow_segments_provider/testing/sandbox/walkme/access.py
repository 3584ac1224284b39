"""Who may call WalkMe: the API key at the token endpoint, the token everywhere else."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs

from airflow_segments_provider.testing.sandbox.basic import basic_credentials
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, error_reply, json_reply
from airflow_segments_provider.testing.sandbox.tokens import TokenStore
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings


def demand_client(call: Call, settings: WalkMeSettings) -> None:
    """Refuse a token call that is no client-credentials grant of the sandbox's API key."""
    if call.content_type != "application/x-www-form-urlencoded":
        raise Refused(json_reply(400, {"error": "invalid_request"}))
    if not _is_client(call.headers.get("authorization", ""), settings):
        raise Refused(json_reply(401, {"error": "invalid_client"}, {"www-authenticate": 'Basic realm="walkme"'}))
    grants = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True).get("grant_type", [])
    if len(grants) != 1:
        raise Refused(json_reply(400, {"error": "invalid_request"}))
    if grants != ["client_credentials"]:
        raise Refused(json_reply(400, {"error": "unsupported_grant_type"}))


def demand_scope(call: Call, tokens: TokenStore, settings: WalkMeSettings, scope: str) -> None:
    """Refuse a call without a live token (401), or that the key may not make (403).

    A token lives or not by the moment when the call came in, whenever it is carried out.
    """
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    granted = tokens.scopes(token.strip(), call.received_at) if kind.lower() == "bearer" else None
    if granted is None:
        headers = {"www-authenticate": "Bearer"}
        raise Refused(error_reply(401, "unauthorized", "the access token is missing, unknown or expired", headers))
    if not settings.segments_enabled:
        raise Refused(error_reply(403, "forbidden", "the Segments API is not enabled for this account"))
    if scope not in granted:
        raise Refused(error_reply(403, "forbidden", f"the access token lacks the scope {scope}"))


def _is_client(authorization: str, settings: WalkMeSettings) -> bool:
    given = basic_credentials(authorization)
    if given is None:
        return False
    return hmac.compare_digest(given, f"{settings.client_id}:{settings.client_secret}".encode())

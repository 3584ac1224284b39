"""Who may call Alteryx: the key pair at the token endpoint, the token everywhere else."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from urllib.parse import parse_qs

from airflow_segments_provider.testing.sandbox.alteryx.constants import DENIED
from airflow_segments_provider.testing.sandbox.alteryx.problems import problem
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.basic import basic_credentials
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, json_reply
from airflow_segments_provider.testing.sandbox.tokens import TokenStore

FORM = "application/x-www-form-urlencoded"


def demand_client(call: Call, settings: AlteryxSettings) -> None:
    """Refuse a token call that is no client-credentials grant of the sandbox's key pair; a scope is passed over.

    The error codes are those of RFC 6749. Which status goes with a wrong pair is a setting.
    """
    if call.content_type != FORM:
        raise _refused(400, "invalid_request", f"the content type must be {FORM}")
    form = parse_qs(call.body.decode("utf-8", "replace"), keep_blank_values=True)
    if any(len(values) > 1 for values in form.values()):
        raise _refused(400, "invalid_request", "a parameter is given twice")
    if not _is_client(call, form, settings):
        status = settings.invalid_client_status
        headers = {"www-authenticate": 'Basic realm="alteryx"'} if status == 401 else {}
        raise _refused(status, "invalid_client", "the key or the secret is wrong", headers)
    if "grant_type" not in form:
        raise _refused(400, "invalid_request", "grant_type is missing")
    if form["grant_type"] != ["client_credentials"]:
        raise _refused(400, "unsupported_grant_type", "grant_type must be client_credentials")


def demand_curator(call: Call, tokens: TokenStore, settings: AlteryxSettings) -> None:
    """Refuse a call without a live token (401), or of a caller who is no Curator (a setting; 401 is an assumption).

    A token lives or not by the moment when the call came in, whenever it is carried out.
    """
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or tokens.scopes(token.strip(), call.received_at) is None:
        raise problem(401, DENIED, {"www-authenticate": "Bearer"})
    if not settings.caller_is_curator:
        raise problem(settings.not_curator_status, DENIED)


def _is_client(call: Call, form: Mapping[str, list[str]], settings: AlteryxSettings) -> bool:
    given: list[bytes] = []
    basic = basic_credentials(call.headers.get("authorization", ""))
    if basic is not None and settings.client_auth != "body":
        given.append(basic)
    if "client_secret" in form and settings.client_auth != "basic":
        given.append(f"{form.get('client_id', [''])[0]}:{form['client_secret'][0]}".encode())
    right = f"{settings.api_key}:{settings.api_secret}".encode()
    # A caller who sends the pair both ways must mean the same pair: an assumption.
    return bool(given) and all(hmac.compare_digest(pair, right) for pair in given)


def _refused(status: int, error: str, description: str, headers: Mapping[str, str] | None = None) -> Refused:
    return Refused(json_reply(status, {"error": error, "error_description": description}, headers))

"""The token endpoint: the fields of a call in each of the three content types, and the user of a grant."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

from airflow_segments_provider.testing.sandbox.docebo.constants import JWT_BEARER, SCOPE
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.state import Docebo, UserRecord
from airflow_segments_provider.testing.sandbox.messages import FORM, JSON, Call, Reply, token_reply

_REFRESH_SECONDS = 14 * 86_400
_GRANTS = {JWT_BEARER: "jwt_bearer"} | {name: name for name in ("client_credentials", "password", "refresh_token")}
_UNVERIFIED = dict.fromkeys([f"verify_{claim}" for claim in ("exp", "nbf", "iat", "aud", "iss", "sub", "jti")], False)


class TokenRefused(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error = status, error


def give_token(call: Call, state: Docebo) -> Reply:
    """Exchange a grant for a token."""
    fields, settings = _fields(call), state.settings
    if fields is None or not fields.get("grant_type"):
        raise TokenRefused(400, "invalid_request", "grant_type is missing or the body unreadable")
    grant = _GRANTS.get(fields["grant_type"])
    if grant not in settings.grants:
        raise TokenRefused(400, "unsupported_grant_type", "this grant is not enabled")
    if fields.get("scope", "" if settings.scope_required and grant != "refresh_token" else SCOPE) != SCOPE:
        raise TokenRefused(400, "invalid_scope", f"scope must be {SCOPE}")
    if grant == "jwt_bearer":
        user = _bearer_of_assertion(call, fields, state)
    else:
        _demand_client(fields, settings)
        user = _owner(call, grant, fields, state)
    if user is None or not user.active:
        raise _invalid_grant("no such user, or the wrong password", settings)
    extra: dict[str, object] = {"scope": SCOPE}
    form = settings.refresh_token if grant == "client_credentials" else "value"
    if form != "absent":
        extra["refresh_token"] = issue("refresh", user, _REFRESH_SECONDS, state) if form == "value" else None
    token, lifetime = issue("access", user, settings.token_lifetime, state), settings.token_lifetime
    return token_reply(token, lifetime, settings.token_type, settings.expires_in_as, **extra)


def issue(kind: str, user: UserRecord, lifetime: float, state: Docebo) -> str:
    """Return a new token of 40 hexadecimal digits."""
    return state.tokens.issue(f"{kind} {user.idst}", lifetime, token=secrets.token_hex(20))


def author(kind: str, token: str | None, at: float, state: Docebo) -> UserRecord | None:
    """Return the user of a token at a time; None for an unknown or expired token, or a user that was deleted."""
    granted, _, number = ("" if token is None else state.tokens.grant(token, at) or "").partition(" ")
    return state.user_table.one("idst = ?", int(number)) if granted == kind else None


def _owner(call: Call, grant: str | None, fields: Mapping[str, str], state: Docebo) -> UserRecord | None:
    settings = state.settings
    if grant == "refresh_token":
        return author("refresh", fields.get("refresh_token"), call.received_at, state)
    names = ("username", "password") if grant == "password" else ()
    right = all(_same(fields.get(name), getattr(settings, name)) for name in names)
    return state.user_table.one("userid = ?", settings.username) if right else None


def _bearer_of_assertion(call: Call, fields: Mapping[str, str], state: Docebo) -> UserRecord | None:
    settings, now = state.settings, call.received_at
    if settings.jwt_client_in_form == "required" or {"client_id", "client_secret"} & fields.keys():
        _demand_client(fields, settings)
    claims = _claims(fields.get("assertion", ""), state.database.meta("docebo_public_key"))
    if claims is None or settings.jwt_claims - claims.keys():
        raise _invalid_grant("the assertion is unsigned, signed by another key, or lacks claims", settings)
    ends, begins = claims.get("exp", now + 1), claims.get("nbf", now)
    if not all(isinstance(moment, int | float) for moment in (ends, begins)):
        raise _invalid_grant("the assertion's times are not numbers", settings)
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    wrong_party = claims.get("iss", settings.client_id) != settings.client_id
    if wrong_party or not begins <= now < ends or settings.jwt_audience not in (None, *named):
        raise _invalid_grant("the assertion has another issuer or audience, or is not valid at this time", settings)
    return state.user_table.one("userid = ?", str(claims.get("sub", "")))


def _claims(assertion: str, public_key: str | None) -> dict[str, Any] | None:
    """Return the claims of an assertion that the key's owner signed; its times are checked by the sandbox's clock."""
    if not public_key:
        return None
    import jwt

    options: Any = _UNVERIFIED
    try:
        claims: dict[str, Any] = jwt.decode(assertion, public_key, algorithms=["RS256"], options=options)
    except jwt.PyJWTError:
        return None
    return claims


def _demand_client(fields: Mapping[str, str], settings: DoceboSettings) -> None:
    if not all(_same(fields.get(name), getattr(settings, name)) for name in ("client_id", "client_secret")):
        raise TokenRefused(settings.token_error_status, "invalid_client", "the client credentials are invalid")


def _invalid_grant(message: str, settings: DoceboSettings) -> TokenRefused:
    return TokenRefused(settings.token_error_status, "invalid_grant", message)


def _same(sent: str | None, right: str) -> bool:
    return sent is not None and hmac.compare_digest(sent.encode("utf-8", "replace"), right.encode())


def _fields(call: Call) -> dict[str, str] | None:
    """Return the fields; None for another content type, an unreadable body, or a field that occurs twice."""
    readers = {FORM: _urlencoded, "multipart/form-data": _multipart, JSON: _json}
    if call.content_type not in readers:
        return None
    try:
        pairs = readers[call.content_type](call)
    except ValueError:
        return None
    return dict(pairs) if len(dict(pairs)) == len(pairs) else None


def _urlencoded(call: Call) -> list[tuple[str, str]]:
    return parse_qsl(call.body.decode(), keep_blank_values=True)


def _multipart(call: Call) -> list[tuple[str, str]]:
    message = message_from_bytes(f"content-type: {call.headers['content-type']}\r\n\r\n".encode() + call.body)
    parts = message.get_payload() if message.is_multipart() else None
    if parts is None:
        raise ValueError("the parts are unreadable")
    pairs = []
    for part in parts:
        # Always a message in a multipart message; a text only in others.
        if isinstance(part, str):
            raise ValueError("a part is not a message")
        content = part.get_payload(decode=True)
        text = content.decode() if isinstance(content, bytes) else ""
        pairs.append((str(part.get_param("name", "", "content-disposition")), text))
    return pairs


def _json(call: Call) -> list[tuple[str, str]]:
    body = call.json
    if not isinstance(body, dict) or not all(isinstance(text, str) for text in body.values()):
        raise ValueError("not an object of texts")
    # JSON may spell half of a surrogate pair, which is not a character: a ValueError.
    "".join(text for pair in body.items() for text in pair).encode()
    return list(body.items())

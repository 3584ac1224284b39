"""The token endpoint: whom a grant makes the caller."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from airflow_segments_provider.testing.sandbox.docebo import errors
from airflow_segments_provider.testing.sandbox.docebo.constants import JWT_BEARER, SCOPE
from airflow_segments_provider.testing.sandbox.docebo.forms import read_fields
from airflow_segments_provider.testing.sandbox.docebo.people import PeopleStore
from airflow_segments_provider.testing.sandbox.docebo.records import UserRecord
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.docebo.tokens import TokenStore
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, Reply, json_reply

_GRANTS = {
    "client_credentials": "client_credentials",
    "password": "password",
    JWT_BEARER: "jwt_bearer",
    "refresh_token": "refresh_token",
}


class TokenEndpoint:
    """Gives tokens; the settings and the public key are those of the moment."""

    def __init__(self, people: PeopleStore, tokens: TokenStore) -> None:
        self._people, self._tokens = people, tokens

    def give(self, call: Call, settings: DoceboSettings, public_key: str | None) -> Reply:
        """Answer a token call."""
        fields = read_fields(call)
        if fields is None or not fields.get("grant_type"):
            raise errors.token_refused(400, "invalid_request", "grant_type is missing or the body unreadable", settings)
        grant = _GRANTS.get(fields["grant_type"])
        if grant not in settings.grants:
            raise errors.token_refused(400, "unsupported_grant_type", "this grant is not enabled", settings)
        if fields.get("scope", "" if settings.scope_required and grant != "refresh_token" else SCOPE) != SCOPE:
            raise errors.token_refused(400, "invalid_scope", f"scope must be {SCOPE}", settings)
        if grant == "jwt_bearer":
            user = self._bearer_of_assertion(call, fields, settings, public_key)
        else:
            _demand_client(fields, settings)
            user = self._owner(call, grant, fields, settings)
        return self._reply(user, grant, settings)

    def _owner(self, call: Call, grant: str | None, fields: Mapping[str, str], settings: DoceboSettings) -> UserRecord:
        if grant == "refresh_token":
            number = self._tokens.author("refresh", fields.get("refresh_token", ""), call.received_at)
            user = None if number is None else self._people.user(number)
        else:
            user = self._people.by_username(settings.username)
        if grant == "password" and not (
            _same(fields.get("username"), settings.username) and _same(fields.get("password"), settings.password)
        ):
            user = None
        return _active(user, settings)

    def _bearer_of_assertion(
        self, call: Call, fields: Mapping[str, str], settings: DoceboSettings, public_key: str | None
    ) -> UserRecord:
        if settings.jwt_client_in_form == "required" or {"client_id", "client_secret"} & fields.keys():
            _demand_client(fields, settings)
        claims = _claims(fields.get("assertion", ""), public_key)
        if claims is None or settings.jwt_claims - claims.keys():
            raise _invalid_grant("the assertion is unsigned, signed by another key, or lacks claims", settings)
        times = [claims.get("exp", call.received_at + 1), claims.get("nbf", call.received_at)]
        if not all(isinstance(moment, int | float) for moment in times):
            raise _invalid_grant("the assertion's times are no numbers", settings)
        audience = claims.get("aud")
        heard = audience if isinstance(audience, list) else [audience]
        if (
            claims.get("iss", settings.client_id) != settings.client_id
            or not times[1] <= call.received_at < times[0]
            or settings.jwt_audience not in (None, *heard)
        ):
            raise _invalid_grant("the assertion is by or for somebody else, or out of its time", settings)
        return _active(self._people.by_username(str(claims.get("sub", ""))), settings)

    def _reply(self, user: UserRecord, grant: str | None, settings: DoceboSettings) -> Reply:
        body: dict[str, object] = {
            "access_token": self._tokens.issue("access", user.idst, settings.token_lifetime),
            "token_type": settings.token_type,
            "scope": SCOPE,
        }
        lifetime = int(settings.token_lifetime)
        if settings.expires_in_as != "absent":
            body["expires_in"] = str(lifetime) if settings.expires_in_as == "string" else lifetime
        form = settings.refresh_token if grant == "client_credentials" else "value"
        if form != "absent":
            body["refresh_token"] = self._tokens.issue("refresh", user.idst) if form == "value" else None
        return json_reply(200, body, {"cache-control": "no-store"})


def _claims(assertion: str, public_key: str | None) -> dict[str, Any] | None:
    """Return what an assertion claims, if the key's owner signed it; its times are judged by the sandbox's clock."""
    if public_key is None:
        return None
    import jwt

    try:
        claims: dict[str, Any] = jwt.decode(
            assertion,
            public_key,
            algorithms=["RS256"],
            options={
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
                "verify_aud": False,
                "verify_iss": False,
                "verify_sub": False,
                "verify_jti": False,
            },
        )
    except jwt.PyJWTError:
        return None
    return claims


def _demand_client(fields: Mapping[str, str], settings: DoceboSettings) -> None:
    if not (
        _same(fields.get("client_id"), settings.client_id)
        and _same(fields.get("client_secret"), settings.client_secret)
    ):
        message = "the client credentials are invalid"
        raise errors.token_refused(settings.token_error_status, "invalid_client", message, settings)


def _active(user: UserRecord | None, settings: DoceboSettings) -> UserRecord:
    if user is None or not user.active:
        raise _invalid_grant("no such user, or the wrong password", settings)
    return user


def _invalid_grant(message: str, settings: DoceboSettings) -> Refused:
    return errors.token_refused(settings.token_error_status, "invalid_grant", message, settings)


def _same(given: str | None, right: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())

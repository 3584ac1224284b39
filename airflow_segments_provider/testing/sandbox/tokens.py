"""The access tokens of all vendors, and the credentials of Basic authorization."""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from dataclasses import dataclass

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database, Table

# The header of a JWT, with which every token but Docebo's begins.
TOKEN_PREFIX = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."


@dataclass(frozen=True)
class _Token:
    token: str
    vendor: str
    expires_at: float
    grant: str


class TokenStore:
    """One vendor's tokens; what a token allows is looked up, never read from it."""

    def __init__(self, database: Database, clock: Clock, vendor: str) -> None:
        self._clock, self._vendor = clock, vendor
        self._tokens = Table(database, "tokens", _Token, ["token"])

    def issue(self, grant: str, lifetime: float, client_id: str = "", token: str | None = None) -> str:
        """Return a new token.

        :param grant: what the token allows
        :param lifetime: seconds by the sandbox's clock
        :param token: the token itself; None for one that looks like a JWT
        """
        expires_at = self._clock.now() + lifetime
        if token is None:
            claims = json.dumps({"client_id": client_id, "exp": int(expires_at), "scope": grant})
            payload = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
            token = f"{TOKEN_PREFIX}{payload}.{secrets.token_urlsafe(32)}"
        self._tokens.put(_Token(token, self._vendor, expires_at, grant))
        return token

    def grant(self, token: str, at: float) -> str | None:
        """Return what a token allows at a moment; None for an unknown or expired one."""
        found = self._tokens.one("token = ? AND vendor = ? AND expires_at > ?", token, self._vendor, at)
        return None if found is None else found.grant

    def clear(self) -> None:
        """Make every token unknown."""
        self._tokens.delete("vendor = ?", self._vendor)


def basic_credentials(authorization: str) -> bytes | None:
    """Return user and password of an ``Authorization`` header, separated by a colon; None for any other header."""
    kind, _, encoded = authorization.partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True)
    except binascii.Error:
        return None

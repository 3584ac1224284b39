"""The access tokens of all vendors, in SQLite."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Sequence
from typing import Any

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database

# Every token begins so: the header of a JWT.
TOKEN_PREFIX = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
_SCHEMA = """
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY, vendor TEXT NOT NULL, expires_at REAL NOT NULL, scopes TEXT NOT NULL
);
"""


class TokenStore:
    """Issues one vendor's tokens, which look like a JWT; what one may do is looked up, never read from it."""

    def __init__(self, database: Database, clock: Clock, vendor: str) -> None:
        self._database, self._clock, self._vendor = database, clock, vendor
        database.create(_SCHEMA)

    def issue(self, client_id: str, scopes: Sequence[str], lifetime: float) -> str:
        """Return a new token.

        :param lifetime: seconds by the sandbox's clock
        """
        expires_at = self._clock.now() + lifetime
        claims = json.dumps({"client_id": client_id, "exp": int(expires_at), "scope": " ".join(scopes)})
        payload = base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
        token = f"{TOKEN_PREFIX}{payload}.{secrets.token_urlsafe(32)}"
        row = (token, self._vendor, expires_at, " ".join(scopes))
        self._database.run("INSERT INTO tokens VALUES (?, ?, ?, ?)", row)
        return token

    def scopes(self, token: str, at: float) -> frozenset[str] | None:
        """Return what a token allows at a moment; None for an unknown or expired one."""
        rows: list[tuple[Any, ...]] = self._database.rows(
            "SELECT scopes FROM tokens WHERE token = ? AND vendor = ? AND expires_at > ?", (token, self._vendor, at)
        )
        return frozenset(str(rows[0][0]).split()) if rows else None

    def clear(self) -> None:
        """Make every token unknown."""
        self._database.run("DELETE FROM tokens WHERE vendor = ?", (self._vendor,))

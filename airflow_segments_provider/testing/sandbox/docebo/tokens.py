"""Access and refresh tokens, in SQLite."""

from __future__ import annotations

import secrets
from typing import Literal

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS docebo_tokens (
    token TEXT PRIMARY KEY, kind TEXT NOT NULL, expires_at REAL NOT NULL, author INTEGER NOT NULL
);
"""
_REFRESH_SECONDS = 14 * 86_400
TokenKind = Literal["access", "refresh"]


class TokenStore:
    """Tokens are 40 hexadecimal digits; each stands for a user."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock
        database.create(_SCHEMA)

    def issue(self, kind: TokenKind, author: int, lifetime: float = _REFRESH_SECONDS) -> str:
        """Return a new token.

        :param author: the user's number
        :param lifetime: seconds by the sandbox's clock
        """
        token = secrets.token_hex(20)
        self._database.run(
            "INSERT INTO docebo_tokens VALUES (?, ?, ?, ?)", (token, kind, self._clock.now() + lifetime, author)
        )
        return token

    def author(self, kind: TokenKind, token: str, at: float) -> int | None:
        """Return whom a token stands for at a moment; None for an unknown or expired one."""
        rows = self._database.rows(
            "SELECT author FROM docebo_tokens WHERE token = ? AND kind = ? AND expires_at > ?", (token, kind, at)
        )
        return int(str(rows[0][0])) if rows else None

    def clear(self) -> None:
        """Make every token unknown."""
        self._database.run("DELETE FROM docebo_tokens")

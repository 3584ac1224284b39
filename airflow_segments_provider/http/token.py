"""OAuth2 access tokens: fetched once for all hooks of a connection, renewed before they end."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.http.pace import Pace
from airflow_segments_provider.http.reply import Reply
from airflow_segments_provider.http.retry import RetryQuota

# Zendesk's default, the shortest of all vendors'.
ASSUMED_LIFETIME = 1800.0
MOST_LANES = 10_000


@dataclass(frozen=True)
class AccessToken:
    """A bearer token with the moment (of the monotonic clock) from which it is no longer used."""

    value: str = field(repr=False)
    renew_at: float
    scope: str | None = None


def parse_token(reply: Reply, now: float) -> AccessToken:
    """The token in a token endpoint's JSON.

    ``token_type`` counts in any case and may be missing, as may ``scope``; ``expires_in`` may be a number, its text,
    missing or nonsense (then half an hour is assumed; a 401 renews earlier). The margin before the end is a minute, or
    a tenth of a shorter life.

    :raises UnexpectedReply: there is no usable bearer token. The message quotes nothing of the answer.
    """
    answer = reply.json
    if not isinstance(answer, dict):
        raise _unusable(reply, "with JSON that is not an object")
    value = answer.get("access_token")
    kind = answer.get("token_type", "bearer")
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise _unusable(reply, "without a usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _unusable(reply, "with a token that is not a bearer")
    try:
        lifetime = float(answer.get("expires_in") or ASSUMED_LIFETIME)
    except (TypeError, ValueError, OverflowError):
        lifetime = ASSUMED_LIFETIME
    if not math.isfinite(lifetime) or lifetime <= 0:
        lifetime = ASSUMED_LIFETIME
    scope = answer.get("scope")
    if isinstance(scope, list):
        scope = " ".join(str(part) for part in scope)
    renew_at = now + lifetime - min(60.0, lifetime / 10)
    return AccessToken(value, renew_at, scope if isinstance(scope, str) else None)


def _unusable(reply: Reply, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{reply.call.vendor}'s token endpoint answered {reply.call} with status {reply.status} {how}.", **reply.facts
    )


class ConnectionState:
    """What all hooks of one connection share in this process: token, retry quota, paces, what was learnt."""

    def __init__(self) -> None:
        self.quota = RetryQuota()
        self.learnt: dict[str, str] = {}
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._naming = threading.Lock()
        self._paces: dict[str, Pace] = {}
        self._locks: dict[str, threading.Lock] = {}

    def pace(self, lane: str = "") -> Pace:
        """The pace of a lane; the oldest of very many are forgotten."""
        with self._naming:
            if lane not in self._paces and len(self._paces) >= MOST_LANES:
                del self._paces[next(iter(self._paces))]
            return self._paces.setdefault(lane, Pace())

    def lock(self, name: str) -> threading.Lock:
        """The lock of what only one thread may do at a time."""
        with self._naming:
            return self._locks.setdefault(name, threading.Lock())

    def token(self, fetch: Callable[[], AccessToken], *, refused: str | None = None) -> AccessToken:
        """The current token, fetched by one thread while the others wait for it.

        :param refused: a token that the vendor has just answered with 401; it is replaced, unless another thread has
            replaced it already.
        """
        with self._lock:
            current = self._token
            if current is None or current.value == refused or time.monotonic() >= current.renew_at:
                self._token = current = fetch()
            return current


_states: dict[str, ConnectionState] = {}
_states_lock = threading.Lock()


def state_of(key: str) -> ConnectionState:
    """The state shared by everybody who uses the same credentials at the same place."""
    with _states_lock:
        return _states.setdefault(key, ConnectionState())


def _forget_states() -> None:
    """A forked child may have been copied while another thread held a lock."""
    global _states_lock  # noqa: PLW0603
    _states_lock = threading.Lock()
    _states.clear()


os.register_at_fork(after_in_child=_forget_states)

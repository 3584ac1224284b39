"""The credentials of a client: the grants that vendors accept, and the token that the hooks of a connection share."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import os
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from urllib.parse import quote_plus, urlencode

from airflow_segments_provider.errors import UnexpectedReply
from airflow_segments_provider.http.rate_limit import RateLimit
from airflow_segments_provider.http.response import Response
from airflow_segments_provider.http.retry import RetryQuota

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIFETIME = 300

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class TokenRequest:
    """A request to a token endpoint.

    :param secret: a part made for this request only that must not be shown.
    """

    body: bytes = field(repr=False)
    content_type: str = _FORM
    authorization: str | None = field(default=None, repr=False)
    secret: str = field(default="", repr=False)


class Credentials(Protocol):
    """The credentials of a :class:`HttpClient`."""

    @property
    def named(self) -> str:
        """The name of the credentials in messages, e.g. ``"client id and secret"``."""

    @property
    def key(self) -> str:
        """A digest that distinguishes these credentials from others."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in every form in which they are sent."""

    @property
    def token_url(self) -> str | None:
        """Where tokens are fetched; None where there is nothing to fetch."""

    @property
    def authorization(self) -> str:
        """The ``Authorization`` header of every call, where there is nothing to fetch."""

    def token_request(self) -> TokenRequest:
        """Return the request for a token."""


class _Grant:
    """The common part of all grants, which fetch a bearer token."""

    @property
    def authorization(self) -> str:
        """An empty text: the header has the token."""
        return ""


@dataclass(frozen=True)
class ClientCredentials(_Grant):
    """The OAuth2 client credentials grant (RFC 6749, sections 2.3.1 and 4.4).

    :param token_url: where tokens are fetched.
    :param scope: sent only if set; space-separated.
    :param placement: where id and secret stand: in HTTP Basic, in a form, or in JSON.
    :param expires_in: seconds that the token should live, sent only if set and only in JSON.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str | None = None
    placement: Literal["basic", "body", "json"] = "basic"
    expires_in: int | None = None

    named = "client id and secret"

    def token_request(self) -> TokenRequest:
        """Return the request for a token."""
        fields: dict[str, str | int] = {"grant_type": "client_credentials"}
        fields |= {"scope": self.scope} if self.scope else {}
        if self.placement == "basic":
            return TokenRequest(_form(fields), authorization=f"Basic {self._pair}")
        fields |= {"client_id": self.client_id, "client_secret": self.client_secret}
        if self.placement == "body":
            return TokenRequest(_form(fields))
        fields |= {"expires_in": self.expires_in} if self.expires_in else {}
        return TokenRequest(json.dumps(fields).encode(), content_type="application/json")

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in every form in which they are sent."""
        return (self.client_secret, quote_plus(self.client_secret), self._pair)

    @property
    def key(self) -> str:
        """A digest that distinguishes these credentials from others."""
        return _digest(
            self.token_url, self.client_id, self.client_secret, self.scope or "", self.placement, str(self.expires_in)
        )

    @property
    def _pair(self) -> str:
        return base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode("ascii")


@dataclass(frozen=True)
class PasswordGrant(_Grant):
    """The OAuth2 password grant (RFC 6749, section 4.3), with client id and secret in the form.

    :param username: the user who makes the calls.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    username: str = field(repr=False)
    password: str = field(repr=False)
    scope: str | None = None

    named = "client id and secret, or user name and password,"

    def token_request(self) -> TokenRequest:
        """Return the request for a token."""
        fields = {"grant_type": "password", "client_id": self.client_id, "client_secret": self.client_secret}
        fields |= {"scope": self.scope} if self.scope else {}
        return TokenRequest(_form({**fields, "username": self.username, "password": self.password}))

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in every form in which they are sent."""
        return tuple(form for secret in (self.client_secret, self.password) for form in (secret, quote_plus(secret)))

    @property
    def key(self) -> str:
        """A digest that distinguishes these credentials from others."""
        return _digest(
            self.token_url, self.client_id, self.client_secret, self.username, self.password, self.scope or ""
        )


@dataclass(frozen=True)
class JwtBearer(_Grant):
    """The JWT bearer grant (RFC 7523, section 2.1): an assertion signed with RS256, made anew for each token.

    :param username: the user who makes the calls: the assertion's subject.
    :param private_key: PEM.
    :param audience: the audience of the assertion.
    """

    token_url: str
    client_id: str
    client_secret: str = field(repr=False)
    username: str = field(repr=False)
    private_key: str = field(repr=False)
    audience: str
    scope: str | None = None

    named = "signed assertion (client id, user name and private key)"

    def token_request(self) -> TokenRequest:
        """Return the request for a token."""
        import jwt

        now = int(time.time())
        claims = {
            "iss": self.client_id,
            "sub": self.username,
            "aud": self.audience,
            # A little in the past: the vendor's clock may be behind.
            "iat": now - 30,
            "exp": now + ASSERTION_LIFETIME,
            "jti": uuid.uuid4().hex,
        }
        fields = {"grant_type": JWT_BEARER, "client_id": self.client_id, "client_secret": self.client_secret}
        fields |= {"scope": self.scope} if self.scope else {}
        assertion = jwt.encode(claims, self.private_key, algorithm="RS256")
        return TokenRequest(_form({**fields, "assertion": assertion}), secret=assertion)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in every form in which they are sent."""
        return (self.client_secret, quote_plus(self.client_secret), self.private_key)

    @property
    def key(self) -> str:
        """A digest that distinguishes these credentials from others."""
        return _digest(
            self.token_url, self.client_id, self.client_secret, self.username, self.private_key, self.scope or ""
        )


@dataclass(frozen=True)
class FixedAuthorization:
    """A fixed header that cannot be renewed: a bearer token, or HTTP Basic.

    :param scheme: ``Bearer`` or ``Basic``.
    :param value: what follows it.
    :param named: what it is, in the words of a message.
    :param hidden: the secrets in it, which must not be shown either.
    """

    scheme: str
    value: str = field(repr=False)
    named: str
    hidden: tuple[str, ...] = field(default=(), repr=False)

    token_url = None

    @property
    def authorization(self) -> str:
        """The header."""
        return f"{self.scheme} {self.value}"

    def token_request(self) -> TokenRequest:
        """Raise an error: no token is fetched."""
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets, in every form in which they are sent."""
        return (self.value, *self.hidden)

    @property
    def key(self) -> str:
        """A digest that distinguishes these credentials from others."""
        return _digest(self.scheme, self.value)


def _form(fields: Mapping[str, str | int]) -> bytes:
    return urlencode(fields).encode("ascii")


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# Zendesk's default, the shortest of all vendors'.
ASSUMED_LIFETIME = 1800.0
MAX_RATE_BUCKETS = 10_000


@dataclass(frozen=True)
class AccessToken:
    """A bearer token with the moment (of the monotonic clock) from which it is no longer used."""

    value: str = field(repr=False)
    renew_at: float
    scope: str | None = None


def parse_token(response: Response, now: float) -> AccessToken:
    """Return the token in a token endpoint's JSON.

    ``token_type`` counts in any case and may be missing, as may ``scope``; ``expires_in`` may be a number, its text,
    missing or nonsense (then half an hour is assumed; a 401 renews earlier). The margin before the end is a minute, or
    a tenth of a shorter life.

    :raises UnexpectedReply: it has no usable bearer token. The message quotes nothing of the response.
    """
    answer = response.json
    if not isinstance(answer, dict):
        raise _unusable(response, "with JSON that is not an object")
    value = answer.get("access_token")
    kind = answer.get("token_type", "bearer")
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable() or " " in value:
        raise _unusable(response, "without a usable access_token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise _unusable(response, "with a token that is not a bearer")
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


def _unusable(response: Response, how: str) -> UnexpectedReply:
    return UnexpectedReply(
        f"{response.call.vendor}'s token endpoint answered {response.call} with status {response.status} {how}.",
        **response.context,
    )


class ConnectionState:
    """The state that the hooks of a connection share in a process: token, retry quota, rates, discovered facts."""

    def __init__(self) -> None:
        self.quota = RetryQuota()
        self.discovered: dict[str, str] = {}
        self._lock = threading.Lock()
        self._token: AccessToken | None = None
        self._names_lock = threading.Lock()
        self._paces: dict[str, RateLimit] = {}
        self._locks: dict[str, threading.Lock] = {}

    def pace(self, bucket: str = "") -> RateLimit:
        """Return the rate limit of a bucket; the oldest of very many are dropped."""
        with self._names_lock:
            if bucket not in self._paces and len(self._paces) >= MAX_RATE_BUCKETS:
                del self._paces[next(iter(self._paces))]
            return self._paces.setdefault(bucket, RateLimit())

    def lock(self, name: str) -> threading.Lock:
        """Return the lock of a name."""
        with self._names_lock:
            return self._locks.setdefault(name, threading.Lock())

    def token(self, fetch: Callable[[], AccessToken], *, refused: str | None = None) -> AccessToken:
        """Return the current token, fetched by one thread while the others wait for it.

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
    """Return the state of all clients with the same credentials and base URL."""
    with _states_lock:
        return _states.setdefault(key, ConnectionState())


def _forget_states() -> None:
    """Drop the states in a forked child: another thread may have held a lock at the fork."""
    global _states_lock  # noqa: PLW0603
    _states_lock = threading.Lock()
    _states.clear()


os.register_at_fork(after_in_child=_forget_states)

"""The fields of a Zendesk connection, and the HTTP client that they describe."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.http import ClientCredentials, FixedAuthorization
from airflow_segments_provider.vendors.base.connection import (
    ConnectionFields,
    Credential,
    base_url,
    login_of,
    open_client,
    read_fields,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import HttpClient, RetryPolicy


VENDOR = "Zendesk"
Auth = Literal["oauth", "bearer", "api_token"]

NO_PASSWORDS = (
    "Zendesk ended log-in by e-mail and password in January 2026. Use an OAuth client: its identifier as `login`, its "
    "secret as `password`, `auth` oauth (Admin Center > Apps and integrations > OAuth clients; a confidential one)"
)


def _known_way(value: Any) -> Any:
    if value in ("password", "basic"):
        raise ValueError(NO_PASSWORDS)
    return value


def _one_text(value: Any) -> Any:
    """Join a list of scopes: Zendesk accepts a list for a token, but then answers every call with 403."""
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else value


class ZendeskConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``zendesk_help_center``.

    :param auth: ``oauth`` (login = client id, password = client secret), ``bearer`` (``token``, or the password, is an
        access token that is not renewed), or ``api_token`` (``email``, or the login, and ``token``, or the password).
    :param scope: of the OAuth token; ``hc:read hc:write`` is enough for user segments and what they are applied to.
    :param expires_in: seconds that the OAuth token should live; it is renewed in time.
    :param warnings_are_errors: raise an error if Zendesk warns that it dropped a field of a request.
    """

    auth: Annotated[Auth, BeforeValidator(_known_way)] = "oauth"
    token: Credential | None = Field(None, repr=False)
    email: Credential | None = Field(None, repr=False)
    scope: Annotated[Credential, BeforeValidator(_one_text)] = "read write"
    expires_in: int = Field(7200, gt=300, lt=172_800)
    token_url: Credential | None = None
    warnings_are_errors: bool = False


logger = logging.getLogger(__name__)

# If less than this part of a minute's requests is left, the requests are spread over the minute.
LOW = 0.1

_SUBDOMAIN = re.compile(r"(?!localhost$)[a-z0-9][a-z0-9-]*", re.IGNORECASE)


def from_official(extra: dict[str, Any], login: str | None, password: str | None) -> dict[str, Any]:
    """Translate the extra fields of a connection of type ``zendesk``, with its order of precedence.

    All other fields are kept.
    """
    ours = {key: value for key, value in extra.items() if key not in ("use_token", "token", "oauth_token")}
    if "auth" in ours:
        return extra
    if str(extra.get("use_token") or "").strip().lower() not in ("", "false", "no", "0"):
        return {**ours, "auth": "api_token", "email": login, "token": password}
    if extra.get("token"):
        return {**ours, "auth": "api_token", "email": login, "token": extra["token"]}
    if extra.get("oauth_token"):
        return {**ours, "auth": "bearer", "token": extra["oauth_token"]}
    return {**ours, "auth": "password"}


def extra_of(connection: Connection) -> dict[str, Any] | None:
    """Return the extra fields unchecked, or None if they are invalid; :func:`read_fields` reports that."""
    try:
        extra = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        return None
    return extra if isinstance(extra, dict) else None


def read_zendesk_fields(connection: Connection) -> ZendeskConnectionFields:
    """Return the connection's extra fields.

    :raises ConfigurationError: names every field that is missing, wrong or unknown, but no values.
    """
    lacking = _lacking(connection)
    try:
        fields = read_fields(connection, ZendeskConnectionFields, needs=())
    except ConfigurationError as error:
        raise ConfigurationError(" ".join([str(error), *lacking])) from None
    if lacking:
        raise ConfigurationError(
            f"Connection {connection.conn_id!r} cannot be used, nothing was sent: {' '.join(lacking)}"
        )
    return fields


def _lacking(connection: Connection) -> list[str]:
    """Return the problems of missing fields that the way to log in needs."""
    extra = extra_of(connection) or {}
    auth = extra.get("auth") or "oauth"
    login, password = login_of(connection)
    problems = [] if connection.host else ["`host` is missing: acme, acme.zendesk.com or a URL."]
    if auth == "oauth":
        if "@" in login:
            return [*problems, f"`login` is an e-mail address. {NO_PASSWORDS}."]
        problems += [] if login else ["`login` (OAuth client id) is missing."]
        problems += [] if password else ["`password` (OAuth client secret) is missing."]
        if extra.get("token"):
            problems.append("`token` is not for `auth` oauth: set `auth` to bearer or api_token.")
    elif auth in ("bearer", "api_token"):
        if not (extra.get("token") or password):
            problems.append(f"`token` is missing (or `password`): the {_NAMES[auth]}.")
        if auth == "api_token" and "@" not in str(extra.get("email") or login):
            problems.append("`email` is missing (or `login`): the address of the agent who uses the API token.")
    return problems


_NAMES = {"bearer": "OAuth access token", "api_token": "API token"}


def open_zendesk_client(
    connection: Connection, fields: ZendeskConnectionFields, retry: RetryPolicy | None, mask: Callable[[str], None]
) -> HttpClient:
    """Return the HTTP client of a connection.

    :raises ConfigurationError: the host, the token URL or a proxy cannot be used.
    """
    host = (connection.host or "").strip()
    short = {host.lower(): f"https://{host.lower()}.zendesk.com"} if _SUBDOMAIN.fullmatch(host) else {}
    url = base_url(connection, "", short)
    return open_client(
        VENDOR,
        connection,
        fields,
        base_url=url,
        credentials=_credentials(connection, fields, url),
        retry=retry,
        mask=mask,
        hold_after=hold_after,
    )


def _credentials(
    connection: Connection, fields: ZendeskConnectionFields, url: str
) -> ClientCredentials | FixedAuthorization:
    login, password = login_of(connection)
    if fields.auth == "oauth":
        return ClientCredentials(
            fields.token_url or f"{url}/oauth/tokens",
            login,
            password,
            scope=fields.scope,
            placement="json",
            expires_in=fields.expires_in,
        )
    token = fields.token or password
    if fields.auth == "bearer":
        return FixedAuthorization("Bearer", token, "bearer token")
    _warn_of_api_token(connection.conn_id)
    pair = f"{fields.email or login}/token:{token}".encode()
    return FixedAuthorization("Basic", base64.b64encode(pair).decode("ascii"), "API token", hidden=(token,))


@cache
def _warn_of_api_token(conn_id: str) -> None:
    """Warn once per process and connection."""
    logger.warning(
        "Connection %r uses a Zendesk API token. Zendesk ends API tokens on 30 April 2027, gives no new ones since 27 "
        "October 2026, and deactivates those that were not used for 30 days. Set up an OAuth client: `auth` oauth.",
        conn_id,
    )


def hold_after(headers: Mapping[str, str]) -> float:
    """Return for how many seconds to send nothing to the half of the API that answered.

    Both halves return their limit per minute and the rest of it; only Support returns the time of its reset. Near the
    limit, requests are spread at its rate, so that other tasks can send theirs, too.
    """
    limit, left = _number(headers, "x-rate-limit"), _number(headers, "x-rate-limit-remaining")
    if not limit or left is None or left > limit * LOW:
        return 0.0
    reset = _number(headers, "ratelimit-reset", "rate-limit-reset")
    return min(60.0, reset) if left <= 0 and reset else 60.0 / limit


def _number(headers: Mapping[str, str], *names: str) -> float | None:
    found: Any = next((headers[name].strip() for name in names if headers.get(name)), "")
    return float(found) if found.isascii() and found.isdigit() else None

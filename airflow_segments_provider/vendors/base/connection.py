"""The fields of a connection, and the HTTP client that they describe.

In a URI connection every value is text, which is parsed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.http.retry import RetryPolicy
from airflow_segments_provider.http.transport import TransportSettings
from airflow_segments_provider.provider_info import get_provider_info

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import HttpClient
    from airflow_segments_provider.http.auth import Credentials

    Fields = TypeVar("Fields", bound="ConnectionFields")


def _parsed(value: Any) -> Any:
    """Parse JSON text, as a form or a URI stores an object."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds a line break or another control character")
    return value


# A secret or login; the end of a file or of a paste is often a line break.
Credential = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_printable)]


def _proxy(value: str) -> str:
    with suppress(ValueError, HTTPError):
        parts, other = parse_url(value), urlsplit(value)
        if parts.scheme in _PROXY_SCHEMES and parts.host and parts.port == other.port:
            return value
    raise ValueError("is not the address of a proxy, such as http://proxy.example.com:3128")


_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


class RetryFields(BaseModel):
    """The ``retry`` field: any part of a :class:`RetryPolicy`."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    max_attempts: int = Field(5, ge=1, le=100)
    base_delay: float = Field(0.5, ge=0, le=60)
    max_delay: float = Field(20, ge=0, le=3600)
    max_total: float = Field(300, ge=0, le=86_400)
    retry_after_cap: float = Field(120, ge=0, le=86_400)


class ConnectionFields(BaseModel):
    """The extra fields that every vendor's connection has.

    Unknown fields are refused: a staging Airflow must not write to production because of a misspelt ``read_only``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True)

    read_only: bool = False
    timeout: float = Field(60, ge=0.1, le=3600)
    rate_limit: float | None = Field(None, gt=0)
    max_concurrency: int = Field(4, ge=1, le=64)
    verify: bool | str = True
    proxies: Annotated[dict[str, Annotated[Credential, AfterValidator(_proxy)]], BeforeValidator(_parsed)] = Field(
        default_factory=dict, repr=False
    )
    retry: Annotated[RetryFields, BeforeValidator(_parsed)] = RetryFields()

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        """Drop the fields that were left empty, which a form stores as null or as an empty text."""
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if value is not None and value != ""}
        return values

    @field_validator("verify", mode="before")
    @classmethod
    def _bool_or_path(cls, value: Any) -> Any:
        named = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return named.get(value.strip().lower(), value) if isinstance(value, str) else value

    @property
    def transport(self) -> TransportSettings:
        """How requests travel."""
        return TransportSettings(
            connect_timeout=min(10.0, self.timeout),
            read_timeout=self.timeout,
            verify=self.verify,
            proxies=self.proxies,
            pool_size=self.max_concurrency,
        )

    @property
    def policy(self) -> RetryPolicy:
        """How often a call is tried."""
        return RetryPolicy(**self.retry.model_dump())


def read_fields(connection: Connection, model: type[Fields], *, needs: tuple[str, ...]) -> Fields:
    """Return the connection's extra fields.

    :param needs: which of ``host``, ``login`` and ``password`` must be set.
    :raises ConfigurationError: names the connection and every field that is missing, wrong or unknown, but no values.
    """
    from airflow_segments_provider.vendors.base.parameters import validated

    labels = {
        name: f" ({label})"
        for form in get_provider_info()["connection-types"]
        if form["connection-type"] == connection.conn_type
        for name, label in form["ui-field-behaviour"]["relabeling"].items()
    }
    missing = [name for name in needs if not (getattr(connection, name) or "").strip()]
    problems = [f"`{name}`{labels.get(name, '')} is missing." for name in missing]
    problems += [
        f"`{name}` holds a line break or another control character."
        for name in ("login", "password")
        if not (getattr(connection, name) or "").strip().isprintable()
    ]
    fields = validated(model, _extra(connection, problems), problems)
    if fields is None or problems:
        raise _unusable(connection, " ".join(problems))
    return fields


def _unusable(connection: Connection, what: str) -> ConfigurationError:
    return ConfigurationError(f"Connection {connection.conn_id!r} cannot be used, nothing was sent: {what}")


def login_of(connection: Connection) -> tuple[str, str]:
    """Return login and password, without the line breaks that a file or a paste leaves at their ends."""
    return (connection.login or "").strip(), (connection.password or "").strip()


def _extra(connection: Connection, problems: list[str]) -> dict[str, Any]:
    # Not extra_dejson: it returns {} for broken JSON, and without `read_only` the connection would allow writes.
    try:
        extra = json.loads(connection.extra or "{}")
    except (ValueError, RecursionError):
        problems.append("`extra` is not JSON.")
        return {}
    if not isinstance(extra, dict):
        problems.append("`extra` is not a JSON object.")
        return {}
    return extra


def base_url(connection: Connection, default: str, named: dict[str, str]) -> str:
    """Return the connection's host as a URL, sub-path kept.

    :param default: used if the host is empty.
    :param named: short names that may stand in place of a host.
    :raises ConfigurationError: it is not a valid address.
    """
    from airflow_segments_provider.http.transport import check_base_url

    host = (connection.host or "").strip()
    if not host:
        return default
    if host.lower() in named:
        return named[host.lower()]
    if "://" not in host:
        scheme = connection.schema if connection.schema in ("http", "https") else "https"
        host = f"{scheme}://{host}"
    try:
        url = check_base_url(host)
    except ConfigurationError as error:
        raise _unusable(connection, f"{error}.") from None
    # After the check: urlsplit drops line breaks.
    parts = urlsplit(url)
    if connection.port and parts.port is None:
        url = parts._replace(netloc=f"{parts.netloc}:{connection.port}").geturl()
    return url


def open_client(
    vendor: str,
    connection: Connection,
    fields: ConnectionFields,
    *,
    base_url: str,
    credentials: Credentials,
    retry: RetryPolicy | None,
    mask: Callable[[str], None],
    hold_after: Callable[[Mapping[str, str]], float] = lambda headers: 0.0,
) -> HttpClient:
    """Return the HTTP client of a connection.

    :param mask: called with each credential, token and password of a proxy before it is used.
    :param hold_after: returns for how many seconds to send nothing, from a response's headers.
    :raises ConfigurationError: the base URL, the token URL or a proxy cannot be used.
    """
    from airflow_segments_provider.http import HttpClient

    for secret in (*credentials.secrets, *fields.transport.secrets):
        mask(secret)
    try:
        return HttpClient(
            vendor,
            base_url,
            credentials,
            transport=fields.transport,
            retry=retry or fields.policy,
            rate_limit=fields.rate_limit,
            read_only=fields.read_only,
            named=f"Airflow connection {connection.conn_id!r}",
            on_token=mask,
            hold_after=hold_after,
        )
    except ConfigurationError as error:
        raise _unusable(connection, f"{error}.") from None

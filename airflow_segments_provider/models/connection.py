"""The extra fields of an Airflow connection, typed. In a URI connection every value is text: that works, too."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated, Any
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

from airflow_segments_provider.http.retry import RetryPolicy
from airflow_segments_provider.http.transport import TransportSettings


def _parsed(value: Any) -> Any:
    """The object that a form or a URI stored as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("is not JSON") from None


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("holds a line break or another control character")
    return value


# What is sent as proof of who calls; a file or a paste often leaves a line break at its end.
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

    Unknown fields are refused: a misspelt ``read_only`` that is passed over would let a staging Airflow write to
    production.
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
        """A form stores what was left empty as null or as an empty text."""
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

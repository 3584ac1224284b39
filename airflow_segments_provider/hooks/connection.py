"""Reads an Airflow connection: typed extra fields, base URL, credentials; or one error that names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow_segments_provider.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import HttpClient, RetryPolicy
    from airflow_segments_provider.http.auth import Credentials
    from airflow_segments_provider.models.connection import ConnectionFields

    Fields = TypeVar("Fields", bound=ConnectionFields)


def read_fields(connection: Connection, model: type[Fields], *, needs: tuple[str, ...]) -> Fields:
    """The connection's extra fields.

    :param needs: which of ``host``, ``login`` and ``password`` must be set.
    :raises ConfigurationError: names every field that is missing, wrong or unknown, and the connection. No values.
    """
    from airflow_segments_provider.models.problems import validated

    labels = {
        "host": "`host` (the address of the API) is missing.",
        "login": "`login` (client id) is missing.",
        "password": "`password` (client secret) is missing.",
    }
    problems = [labels[name] for name in needs if not (getattr(connection, name) or "").strip()]
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
    """Login and password, without the line break that a file or a paste leaves at their ends."""
    return (connection.login or "").strip(), (connection.password or "").strip()


def _extra(connection: Connection, problems: list[str]) -> dict[str, Any]:
    # Not extra_dejson: it answers {} to broken JSON, and a lost `read_only` would open the way to writes.
    try:
        extra = json.loads(connection.extra or "{}")
    except ValueError:
        problems.append("`extra` is not JSON.")
        return {}
    if not isinstance(extra, dict):
        problems.append("`extra` is not a JSON object.")
        return {}
    return extra


def base_url(connection: Connection, default: str, named: dict[str, str]) -> str:
    """The connection's host as a URL, sub-path kept.

    :param default: where the host is empty.
    :param named: short names that may stand in place of a host.
    :raises ConfigurationError: it is no address that may be called.
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
    # Only now: urlsplit drops line breaks.
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
    hold_after: Callable[[Mapping[str, str]], float] = lambda headers: 0.0,
) -> HttpClient:
    """The HTTP client of a connection.

    Credentials, tokens, and passwords in proxy addresses, are masked in Airflow's logs from the moment they are known.

    :param hold_after: reads from an answer's headers for how many seconds the vendor should be left alone.
    :raises ConfigurationError: the base URL, the token URL or a proxy cannot be used.
    """
    from airflow.providers.common.compat.sdk import mask_secret

    from airflow_segments_provider.http import HttpClient

    for secret in (*credentials.secrets, *fields.transport.secrets):
        mask_secret(secret)
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
            on_token=mask_secret,
            hold_after=hold_after,
        )
    except ConfigurationError as error:
        raise _unusable(connection, f"{error}.") from None

"""Makes an HTTP client of a Docebo connection, with the grant that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_segments_provider.http import ClientCredentials, HttpClient, JwtBearer, PasswordGrant
from airflow_segments_provider.vendors.base.connection import base_url, login_of, open_client

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.http.auth import Credentials
    from airflow_segments_provider.models.docebo import DoceboConnectionFields


def open_docebo(
    connection: Connection, fields: DoceboConnectionFields, retry: RetryPolicy | None, mask: Callable[[str], None]
) -> HttpClient:
    """The HTTP client of a connection.

    :raises ConfigurationError: the host, the token URL or a proxy cannot be used.
    """
    url = base_url(connection, "", {})
    app = (fields.token_url or f"{url}/oauth2/token", *login_of(connection))
    user = fields.username or ""
    credentials: Credentials
    if fields.grant_type == "password":
        credentials = PasswordGrant(*app, user, fields.user_password or "", fields.scope)
    elif fields.grant_type == "jwt_bearer":
        audience = fields.jwt_audience or urlsplit(url).hostname or ""
        credentials = JwtBearer(*app, user, fields.private_key or "", audience, fields.scope)
    else:
        credentials = ClientCredentials(*app, fields.scope, placement="body")
    return open_client("Docebo", connection, fields, base_url=url, credentials=credentials, retry=retry, mask=mask)

"""The fields of a Docebo connection, and the HTTP client that they describe."""

from __future__ import annotations

import re
from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from airflow_segments_provider.http import ClientCredentials, HttpClient, JwtBearer, PasswordGrant
from airflow_segments_provider.vendors.base.connection import (
    ConnectionFields,
    Credential,
    base_url,
    login_of,
    open_client,
)

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import RetryPolicy
    from airflow_segments_provider.http.auth import Credentials


_ONE_LINE = re.compile("-----BEGIN ([A-Z ]+)-----([A-Za-z0-9+/= ]+)-----END \\1-----")


def _private_key(value: str) -> str:
    """Return a private key as PEM.

    Line ends may be a backslash and an n, as in a URI, or spaces or missing, as after a form field of one line.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    pem = value.replace("\\n", "\n").strip() + "\n"
    if found := _ONE_LINE.fullmatch(pem.strip()):
        body = "\n".join(wrap(found[2].replace(" ", ""), 64))
        pem = f"-----BEGIN {found[1]}-----\n{body}\n-----END {found[1]}-----\n"
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        raise ValueError("is locked with a passphrase; use a key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "is not a private key: it must be PEM, from BEGIN PRIVATE KEY to END PRIVATE KEY. The public key, as BEGIN "
            "PUBLIC KEY and not as a certificate, belongs into Docebo's API app"
        ) from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("is not an RSA key, and Docebo's assertions are signed with RS256")
    return pem


_NEEDED = {"password": ("username", "user_password"), "jwt_bearer": ("username", "private_key")}


class DoceboConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``docebo``.

    :param grant_type: the OAuth grant; ``password`` needs ``username`` and ``user_password``, ``jwt_bearer`` needs
        ``username`` and ``private_key``.
    :param token_url: by default ``/oauth2/token`` of the platform.
    :param jwt_audience: the audience of the assertion; by default the platform's host.
    :param add_route: how members are added: ``PUT .../assign_users``, ``PUT .../users`` or ``POST .../users``. Docebo's
        documentation contradicts itself; ``auto`` finds the right one.
    :param create_path: the path of a creation; ``auto`` finds the right one.
    :param rules_limit: whether each ``set`` or the whole ``group`` may have 10 rules at most.
    """

    grant_type: Literal["client_credentials", "password", "jwt_bearer"] = "client_credentials"
    username: Credential | None = Field(None, repr=False)
    user_password: Credential | None = Field(None, repr=False)
    private_key: Annotated[str, AfterValidator(_private_key)] | None = Field(None, repr=False)
    token_url: Credential | None = None
    scope: Credential = "api"
    jwt_audience: str | None = None
    add_route: Literal["auto", "assign_users", "put_users", "post_users"] = "auto"
    create_path: Literal["auto", "audience", "audiences"] = "auto"
    rules_limit: Literal["set", "group"] = "set"
    users_per_request: int = Field(1000, ge=1, le=100_000)
    page_size: int = Field(200, ge=1, le=200)

    @model_validator(mode="after")
    def _what_the_grant_needs(self) -> Self:
        lacking = [f"`{name}`" for name in _NEEDED.get(self.grant_type, ()) if not getattr(self, name)]
        if lacking:
            verb = "is" if len(lacking) == 1 else "are"
            raise ValueError(f"`grant_type` {self.grant_type} needs {' and '.join(lacking)}, which {verb} missing")
        return self


def open_docebo(
    connection: Connection, fields: DoceboConnectionFields, retry: RetryPolicy | None, mask: Callable[[str], None]
) -> HttpClient:
    """Return the HTTP client of a connection.

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

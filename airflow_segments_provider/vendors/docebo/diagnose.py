"""The connection test of a Docebo connection: reports what is wrong, and what to do."""

from __future__ import annotations

from airflow_segments_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    VendorError,
)
from airflow_segments_provider.vendors.base.diagnose import Connected, token_or_reason
from airflow_segments_provider.vendors.docebo.api import GROUPS, NOT_A_SUPERADMIN
from airflow_segments_provider.vendors.docebo.responses import parse_group

_CREDENTIALS = {
    "client_credentials": "client id and secret. They are those of an API app with the client credentials grant "
    "enabled (Admin Menu > API and SSO)",
    "password": "client id and secret, or `username` and `user_password`. The user must be a local one, not one who "
    "signs in elsewhere",
    "jwt_bearer": "client id and signed assertion. The API app must have the public key of `private_key`, as BEGIN "
    "PUBLIC KEY and not as a certificate, and `username` must be a user of the platform",
}


def explain(hook: Connected) -> tuple[bool, str]:
    """Fetch a token and one group; never raise, never name a secret."""
    try:
        credentials = _CREDENTIALS[hook.fields.grant_type]
    except ConfigurationError as error:
        return False, f"Connection: {error}"
    token, reason = token_or_reason(hook, vendor="Docebo", credentials=credentials)
    if token is None:
        return False, reason
    api = hook.api()
    try:
        first = next(api.pages(GROUPS, parse_group, {"page_size": "1"}), None)
    except (AuthenticationError, PermissionDenied) as error:
        return False, f"Permission: Docebo denies the list of groups. {error}"
    except NotFound as error:
        return False, f"Host: {error}"
    except VendorError as error:
        return False, str(error)
    count = 0 if first is None else first.total
    found = "" if count is None else f" (groups on the platform: {count:,})"
    writes = "This connection is read-only." if hook.fields.read_only else f"Writing was not tried. {NOT_A_SUPERADMIN}"
    return True, f"Host and credentials are right{found}. {writes}"

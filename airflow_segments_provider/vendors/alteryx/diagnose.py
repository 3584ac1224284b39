"""The connection test of an Alteryx Server connection: reports what is wrong, and what to do."""

from __future__ import annotations

from airflow_segments_provider.errors import AuthenticationError, NotFound, PermissionDenied, VendorError
from airflow_segments_provider.vendors.alteryx.api import NOT_A_CURATOR
from airflow_segments_provider.vendors.base.diagnose import Connected, token_or_reason


def explain(hook: Connected) -> tuple[bool, str]:
    """Fetch a token and list the user groups; never raise, never name a secret."""
    credentials = f"API access key and secret. {NOT_A_CURATOR}"
    token, reason = token_or_reason(hook, vendor="Alteryx Server", credentials=credentials)
    if token is None:
        return False, reason
    try:
        groups = hook.api().groups()
    except (AuthenticationError, PermissionDenied):
        return False, f"Permission: Alteryx Server denies the list of user groups. {NOT_A_CURATOR}"
    except NotFound as error:
        return False, f"Host: {error}"
    except VendorError as error:
        return False, str(error)
    writes = "This connection is read-only." if hook.fields.read_only else "Writing was not tried."
    return True, f"Host and credentials are right (user groups on the server: {len(groups):,}). {writes}"

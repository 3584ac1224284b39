"""The connection test of a WalkMe connection: reports what is wrong, and what to do."""

from __future__ import annotations

from airflow_segments_provider.errors import NotFound, PermissionDenied, UnexpectedReply, VendorError, VendorUnavailable
from airflow_segments_provider.vendors.base.diagnose import Connected, token_or_reason
from airflow_segments_provider.vendors.walkme.api import SEGMENTS_API_IS_OFF


def explain(hook: Connected) -> tuple[bool, str]:
    """Fetch a token and list the segments; never raise, never name a secret."""
    credentials = "client id and secret (Admin Center > API Keys; shown only once)"
    token, reason = token_or_reason(hook, vendor="WalkMe", credentials=credentials)
    if token is None:
        return False, reason
    missing = _missing_scopes(token.scope, read_only=hook.fields.read_only)
    if missing:
        return False, f"Permission: the token's scope lacks {missing}. {SEGMENTS_API_IS_OFF}"
    if not hook.fields.system_guid:
        return True, "Host and credentials are right. No System GUID is set, so each task must name one."
    return _explain_system(hook)


def _explain_system(hook: Connected) -> tuple[bool, str]:
    try:
        segments = hook.api().segments()
    except PermissionDenied:
        return False, f"Permission: WalkMe answers 403. {SEGMENTS_API_IS_OFF}"
    except NotFound:
        return False, (
            f"System GUID: WalkMe does not know system {hook.fields.system_guid}. It stands in the Editor's snippet "
            "address, between cdn.walkme.com/users/ and /test/walkme_."
        )
    except (UnexpectedReply, VendorUnavailable) as error:
        return False, f"Host: {error}"
    except VendorError as error:
        return False, str(error)
    writes = "This connection is read-only." if hook.fields.read_only else "Writing was not tried."
    return True, f"Host, credentials and System GUID are right (segments in the system: {len(segments):,}). {writes}"


def _missing_scopes(scope: str | None, *, read_only: bool) -> str:
    """Return the scopes that a token lacks, or an empty text if its scope is unknown."""
    if scope is None:
        return ""
    needed = ["segments:read"] if read_only else ["segments:read", "segments:write"]
    return " and ".join(name for name in needed if name not in scope.split())

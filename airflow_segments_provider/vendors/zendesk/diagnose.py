"""The connection test of a Zendesk connection: reports what is wrong, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_segments_provider.errors import (
    AuthenticationError,
    ConfigurationError,
    NotFound,
    PermissionDenied,
    SegmentsError,
    UnexpectedReply,
    VendorUnavailable,
)
from airflow_segments_provider.vendors.base.diagnose import Connected, token_or_reason
from airflow_segments_provider.vendors.zendesk.api import NOT_A_MANAGER
from airflow_segments_provider.vendors.zendesk.responses import parse_segment

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.zendesk.api import ZendeskApi


_CREDENTIALS = {
    "oauth": "OAuth client id and secret (login and password; the identifier and secret of a confidential client)",
    "bearer": "bearer token (it is not renewed: put in a new one, or use `auth` oauth)",
    "api_token": "e-mail address and API token (one that was unused for 30 days is deactivated; use `auth` oauth)",
}
_WRITE_SCOPES = {"write", "hc:write"}


def explain(hook: Connected) -> tuple[bool, str]:
    """Read the user of the credentials, and whether that user manages the Help Center; never raise."""
    try:
        credentials = _CREDENTIALS[hook.fields.auth]
    except ConfigurationError as error:
        return False, f"Connection: {error}"
    token, reason = token_or_reason(hook, vendor="Zendesk", credentials=credentials)
    if token is None:
        return False, reason
    try:
        return _explain_access(hook, token.scope, credentials)
    except (NotFound, UnexpectedReply, VendorUnavailable) as error:
        return False, f"Host: {error}"
    except SegmentsError as error:
        return False, str(error)


def _explain_access(hook: Connected, scope: str | None, credentials: str) -> tuple[bool, str]:
    api = hook.api()
    refused = f"Credentials: Zendesk refuses the {credentials}."
    users = "."
    try:
        me = api.caller()
    except PermissionDenied:
        users = ", but not users, tags and jobs: the token's scope does not cover them."
    except AuthenticationError:
        return False, refused
    else:
        if me is None:
            return False, f"{refused} It takes this caller for an anonymous visitor."
        if me.role not in ("agent", "admin"):
            return False, f"Permission: the credentials are those of an end user. {NOT_A_MANAGER}"
    try:
        return _explain_help_center(hook, api, scope, users)
    except AuthenticationError:
        return False, (
            "Help Center: the credentials are right, but Zendesk denies them its Help Center API. It does so where the "
            "plan has no Help Center, or where it is not set up."
        )
    except PermissionDenied:
        return False, f"Permission: these credentials may not read user segments. {NOT_A_MANAGER}"


def _explain_help_center(hook: Connected, api: ZendeskApi, scope: str | None, users: str) -> tuple[bool, str]:
    """Read a single segment, as only a manager may; some accounts let agents list segments."""
    first = next(api.listed("help_center", "user_segments", parse=parse_segment), None)
    if first is not None:
        api.segment(first.user_segment_id)
    if hook.fields.read_only:
        return True, f"Host and credentials are right: user segments can be read{users} This connection is read-only."
    if scope is not None and not _WRITE_SCOPES & set(scope.split()):
        return False, f"Permission: the token's scope ({scope}) lacks hc:write. {NOT_A_MANAGER}"
    return True, f"Host and credentials are right: user segments can be managed{users} Writing was not tried."

"""How Docebo refuses."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.messages import Refused, json_reply

NO_PATH, NO_OPERATION = "no such path", "no such operation"
_NAMES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    410: "Gone",
    429: "Too Many Requests",
}
# That the codes are whole numbers is known; which ones is not.
_CODES = {400: 1001, 403: 1003, 404: 1004, 409: 1009}


def refused(status: int, message: str, settings: DoceboSettings, headers: Mapping[str, str] | None = None) -> Refused:
    """Return a refusal with the body of all calls but the token's."""
    body = {
        "name": _NAMES[status],
        "message": [message] if settings.message_as == "array" else message,
        "code": _CODES.get(status, 0),
        "status": status,
    }
    return Refused(json_reply(status, body, headers))


def missing_route(settings: DoceboSettings) -> Refused:
    """Refuse a call that the platform does not have, as it refuses any other path or method that it has not."""
    status = settings.missing_route_status
    return refused(status, NO_PATH if status == 404 else NO_OPERATION, settings)


def token_refused(status: int, error: str, message: str, settings: DoceboSettings) -> Refused:
    """Return a refusal of a token call."""
    if settings.token_error_body == "docebo":
        return refused(status, message, settings)
    return Refused(json_reply(status, {"error": error, "error_description": message}))

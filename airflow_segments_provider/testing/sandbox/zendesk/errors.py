"""How Zendesk says no."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_segments_provider.testing.sandbox.messages import Refused, Reply
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings

TOO_MANY = "Number of allowed API requests per minute exceeded"


def unauthenticated() -> Refused:
    """Refuse a stranger, or anybody where there is no Help Center."""
    return Refused(json_reply(401, {"error": "Couldn't authenticate you"}))


def forbidden(settings: ZendeskSettings, why: str) -> Refused:
    """Refuse what the token, the role or the plan does not allow."""
    if settings.forbidden_body == "text":
        return Refused(Reply(403, b"Forbidden", "text/plain; charset=utf-8"))
    nested = {"error": {"title": "Forbidden", "message": why}}
    return Refused(
        json_reply(403, nested if settings.forbidden_body == "nested" else described("Forbidden", why)),
    )


def not_found() -> Refused:
    """Refuse a record, or a path, that is not there; that paths are refused alike is an assumption."""
    return Refused(json_reply(404, described("RecordNotFound", "Not found")))


def bad_fields(field: str, *texts: str) -> Refused:
    """Refuse a segment for one of its fields; "base" stands for the whole."""
    return Refused(json_reply(400, {"errors": {field: list(texts)}}))


def bad_request(error: str, description: str) -> Refused:
    """Refuse a body or a query."""
    return Refused(json_reply(400, described(error, description)))


def bad_attribute(message: str) -> Refused:
    """Refuse an attribute of the wrong type."""
    return Refused(json_reply(400, {"error": {"title": "Invalid attribute", "message": message}}))


def too_many_values(what: str, most: int) -> Refused:
    """Refuse a call about too many records."""
    return bad_request("TooManyValues", f"Maximum {most} {what} per call")


def record_invalid(field: str, text: str) -> Refused:
    """Refuse values of the right type that do not fit."""
    details = {field: [{"description": text, "error": "InvalidValue"}]}
    return Refused(json_reply(422, {**described("RecordInvalid", "Record validation errors"), "details": details}))


def too_many_calls(wait: int, headers: dict[str, str], as_json: bool = False) -> Refused:
    """Refuse a call for the moment."""
    headers = {**headers, "retry-after": str(wait)}
    if as_json:
        return Refused(json_reply(429, described("TooManyRequests", TOO_MANY), headers))
    return Refused(Reply(429, TOO_MANY.encode(), "text/plain; charset=utf-8", headers))


def too_many_jobs(running: Sequence[str]) -> Refused:
    """Refuse another job; the status is an assumption."""
    body = {**described("TooManyJobs", "Too many jobs are queued or running"), "current_job_ids": list(running)}
    return Refused(json_reply(429, body))


def described(error: str, description: str) -> dict[str, object]:
    """Return the body that most refusals have."""
    return {"error": error, "description": description}

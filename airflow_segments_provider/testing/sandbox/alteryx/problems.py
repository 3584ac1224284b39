"""What Alteryx answers when it refuses: a message, and for bodies and queries the fields at fault."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_segments_provider.testing.sandbox.messages import Refused, json_reply

Fields = dict[str, list[str]]


def problem(status: int, message: str, headers: Mapping[str, str] | None = None) -> Refused:
    """Return a refusal with a message only."""
    return Refused(json_reply(status, {"message": message}, headers))


def invalid(fields: Mapping[str, list[str]], status: int = 400) -> Refused:
    """Return the refusal of what was sent, with the problems of each field."""
    return Refused(json_reply(status, {"message": "The request is invalid.", "modelState": dict(fields)}))

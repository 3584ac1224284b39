"""Zendesk's answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from airflow_segments_provider.testing.sandbox import messages


def json_reply(status: int, value: object, headers: Mapping[str, str] | None = None) -> messages.Reply:
    """Answer with a JSON body, whose type names its encoding."""
    return replace(messages.json_reply(status, value, headers), content_type="application/json; charset=utf-8")

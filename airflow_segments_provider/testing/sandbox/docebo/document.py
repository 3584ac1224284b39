"""Docebo's description of its own API: a list of services, and a Swagger 2 document of each, in ``document.json``.

That there is such a list, and its content, is known from a page that reads it. Where the documents are, what they
contain and that they need no token is an assumption.
"""

from __future__ import annotations

from typing import Any

from airflow_segments_provider.testing.sandbox.documents import load

SERVICES = ("audiences", "manage")


def document(service: str) -> dict[str, Any]:
    """Return a copy of a service's document."""
    found: dict[str, Any] = load("docebo", "document")[service]
    return found

"""Alteryx Server's description of its own API: a Swagger 2 document of the sandbox's operations, in ``document.json``.

Its form, the trailing slash of the base path and the two slashes in its own address are those of real servers. That
it needs no token, and that its address works with one slash as well, is an assumption.
"""

from __future__ import annotations

from typing import Any

from airflow_segments_provider.testing.sandbox.alteryx.constants import PREFIX
from airflow_segments_provider.testing.sandbox.documents import load

DOCUMENT_PATHS = (f"{PREFIX}//swagger/docs/3", f"{PREFIX}/swagger/docs/3")


def document() -> dict[str, Any]:
    """Return a copy of the document."""
    found: dict[str, Any] = load("alteryx", "document")
    return found

"""A local server that speaks the vendors' APIs, for tests, demos and DAG tests without a vendor.

In a test, use the fixture ``walkme_sandbox`` of :mod:`airflow_segments_provider.testing.sandbox.pytest_plugin`;
elsewhere::

    with SandboxServer() as server:
        server.client.connection_json()

or ``python -m airflow_segments_provider.testing.sandbox``. The names below are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox.alteryx.client import AlteryxSandboxClient
    from airflow_segments_provider.testing.sandbox.client import SandboxClient
    from airflow_segments_provider.testing.sandbox.control_client import SandboxError
    from airflow_segments_provider.testing.sandbox.docebo.client import DoceboSandboxClient
    from airflow_segments_provider.testing.sandbox.extra import ExtraMissing
    from airflow_segments_provider.testing.sandbox.server import SandboxServer
    from airflow_segments_provider.testing.sandbox.zendesk.client import ZendeskSandboxClient

_HOMES = {
    "AlteryxSandboxClient": "alteryx.client",
    "DoceboSandboxClient": "docebo.client",
    "ExtraMissing": "extra",
    "SandboxClient": "client",
    "SandboxError": "control_client",
    "SandboxServer": "server",
    "ZendeskSandboxClient": "zendesk.client",
}

__all__ = [
    "AlteryxSandboxClient",
    "DoceboSandboxClient",
    "ExtraMissing",
    "SandboxClient",
    "SandboxError",
    "SandboxServer",
    "ZendeskSandboxClient",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

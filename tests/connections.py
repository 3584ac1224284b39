"""Fixtures that set a vendor's default connection to its sandbox, with fast retries and further extra fields.

A module names the one that it needs: ``connect = connections.docebo``.
"""

from __future__ import annotations

import pytest

from airflow_segments_provider.hooks.alteryx import AlteryxServerHook
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from tests.conftest import RETRY


@pytest.fixture
def docebo(docebo_sandbox, monkeypatch):
    def connect(**extra: object) -> DoceboHook:
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", docebo_sandbox.connection_json(retry=RETRY, **extra))
        return DoceboHook()

    return connect


@pytest.fixture
def alteryx(alteryx_sandbox, monkeypatch):
    def connect(**extra: object) -> AlteryxServerHook:
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", alteryx_sandbox.connection_json(retry=RETRY, **extra))
        return AlteryxServerHook()

    return connect


@pytest.fixture
def zendesk(zendesk_sandbox, monkeypatch):
    return lambda **extra: zendesk_hook(zendesk_sandbox, monkeypatch, **extra)


def zendesk_hook(sandbox, monkeypatch, **extra: object) -> ZendeskHelpCenterHook:
    """Return a hook on the sandbox that treats Zendesk's warnings as errors."""
    connection = sandbox.connection_json(**{"retry": RETRY, "warnings_are_errors": True, **extra})
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", connection)
    return ZendeskHelpCenterHook()

"""A relay before the sandbox, and the connections that lead to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.cli.contract.relay import Relay
from tests.conftest import RETRY


@pytest.fixture
def relay(emptied_segments_sandbox):
    with Relay(emptied_segments_sandbox.url).running() as found:
        yield found


def through(relay: Relay, sandbox: Any, **extra: object) -> str:
    """Return a connection to the sandbox that leads through the relay."""
    fields = sandbox.connection(retry=RETRY, **extra)
    fields["host"] = fields["host"].replace(sandbox.url, relay.url)
    return json.dumps(fields)


@pytest.fixture
def alteryx(relay, alteryx_sandbox, monkeypatch):
    """Return the sandbox's Alteryx Server, reached through the relay."""
    monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", through(relay, alteryx_sandbox))
    return alteryx_sandbox


@pytest.fixture
def docebo(relay, docebo_sandbox, monkeypatch):
    """Return the sandbox's Docebo, reached through the relay."""
    monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", through(relay, docebo_sandbox))
    return docebo_sandbox

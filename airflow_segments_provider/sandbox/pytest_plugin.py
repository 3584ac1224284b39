"""Fixtures for tests that need a vendor: ``segments_sandbox`` and ``walkme_sandbox``.

Every pytest run of the environment imports this module, so it imports nothing but pytest until a fixture is used::

    def test_my_dag(walkme_sandbox):
        walkme_sandbox.create_segment("Trial users", user_ids=["ada"])
        DagBag().get_dag("sync_trial_users").test()
        assert walkme_sandbox.members("Trial users") == {"ada", "grace"}
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_segments_provider.sandbox.client import SandboxClient
    from airflow_segments_provider.sandbox.server import SandboxServer


@pytest.fixture(scope="session")
def segments_sandbox() -> Iterator[SandboxServer]:
    """A sandbox for the whole session, in memory, on a free port; its ``client`` controls it."""
    from airflow_segments_provider.sandbox.extra import ExtraMissing, require_extra

    try:
        require_extra()
    except ExtraMissing as error:
        raise pytest.UsageError(str(error)) from None
    from airflow_segments_provider.sandbox.server import SandboxServer

    with SandboxServer() as server:
        yield server


@pytest.fixture
def walkme_sandbox(segments_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """An empty WalkMe, to which the Airflow connection ``walkme_default`` leads during the test.

    The client id is another one in each test, so that no token of an earlier test is met in a cache.
    """
    client = segments_sandbox.client
    client.reset(client_id=f"walkme-sandbox-client-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", client.connection_json())
    return client

"""Fixtures for tests that need a vendor: ``segments_sandbox``, and one for each, such as ``walkme_sandbox``.

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
    from airflow_segments_provider.testing.sandbox.alteryx.client import AlteryxSandboxClient
    from airflow_segments_provider.testing.sandbox.client import SandboxClient
    from airflow_segments_provider.testing.sandbox.docebo.client import DoceboSandboxClient
    from airflow_segments_provider.testing.sandbox.server import SandboxServer
    from airflow_segments_provider.testing.sandbox.zendesk.client import ZendeskSandboxClient


@pytest.fixture(scope="session")
def segments_sandbox() -> Iterator[SandboxServer]:
    """A sandbox for the whole session, in memory, on a free port; its ``client`` controls it."""
    from airflow_segments_provider.testing.sandbox.extra import ExtraMissing, require_extra

    try:
        require_extra()
    except ExtraMissing as error:
        raise pytest.UsageError(str(error)) from None
    from airflow_segments_provider.testing.sandbox.server import SandboxServer

    with SandboxServer() as server:
        yield server


@pytest.fixture
def emptied_segments_sandbox(segments_sandbox: SandboxServer) -> SandboxServer:
    """The same sandbox, as at its start; emptied once in a test, however many vendors the test needs."""
    segments_sandbox.client.reset()
    return segments_sandbox


@pytest.fixture
def walkme_sandbox(emptied_segments_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> SandboxClient:
    """An empty WalkMe, to which the Airflow connection ``walkme_default`` leads during the test.

    The client id is another one in each test, so that no token of an earlier test is met in a cache.
    """
    client = emptied_segments_sandbox.client
    client.settings(client_id=f"walkme-sandbox-client-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", client.connection_json())
    return client


@pytest.fixture
def zendesk_sandbox(
    emptied_segments_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ZendeskSandboxClient]:
    """A Zendesk with its invented people, to which the Airflow connection ``zendesk_help_center_default`` leads.

    The client id is another one in each test, so that no token of an earlier test is met in a cache.
    """
    from airflow_segments_provider.testing.sandbox.zendesk.client import ZendeskSandboxClient

    with ZendeskSandboxClient(emptied_segments_sandbox.url) as client:
        client.settings(client_id=f"zendesk-sandbox-client-{uuid.uuid4().hex[:8]}")
        monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", client.connection_json())
        yield client


@pytest.fixture
def alteryx_sandbox(
    emptied_segments_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AlteryxSandboxClient]:
    """An Alteryx Server without groups, to which the Airflow connection ``alteryx_server_default`` leads.

    The key is another one in each test, as for WalkMe.
    """
    from airflow_segments_provider.testing.sandbox.alteryx.client import AlteryxSandboxClient

    with AlteryxSandboxClient(emptied_segments_sandbox.url) as client:
        client.settings(api_key=f"alteryx-sandbox-key-{uuid.uuid4().hex[:8]}")
        monkeypatch.setenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT", client.connection_json())
        yield client


@pytest.fixture
def docebo_sandbox(
    emptied_segments_sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DoceboSandboxClient]:
    """A Docebo with its invented people and groups, to which the Airflow connection ``docebo_default`` leads.

    The client id is another one in each test, so that no token of an earlier test is met in a cache.
    """
    from airflow_segments_provider.testing.sandbox.docebo.client import DoceboSandboxClient

    with DoceboSandboxClient(emptied_segments_sandbox.url) as client:
        client.settings(client_id=f"docebo-sandbox-client-{uuid.uuid4().hex[:8]}")
        monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", client.connection_json())
        yield client

"""Fixtures for tests that need a vendor: ``segments_sandbox``, and one for each, such as ``walkme_sandbox``.

The ledger of a sync is in the test's directory; ``segments_ledger`` returns its path. Each fixture returns a client,
which adds users and segments: see ``SandboxClient`` (WalkMe), ``DoceboSandboxClient``, ``AlteryxSandboxClient`` and
``ZendeskSandboxClient``.

Every pytest run of the environment imports this module, so it imports nothing but pytest until a fixture is used::

    def test_my_dag(walkme_sandbox):
        walkme_sandbox.create_segment("Trial users", user_ids=["ada"])
        DagBag().get_dag("sync_trial_users").test()
        assert walkme_sandbox.members("Trial users") == {"ada", "grace"}
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from airflow_segments_provider.testing.sandbox import (
        AlteryxSandboxClient,
        DoceboSandboxClient,
        SandboxClient,
        SandboxServer,
        ZendeskSandboxClient,
    )
    from airflow_segments_provider.testing.sandbox.control_client import ControlClient

    C = TypeVar("C", bound=ControlClient)


@pytest.fixture(scope="session")
def segments_sandbox() -> Iterator[SandboxServer]:
    """Return a sandbox for the whole session, in memory, on a free port; its ``client`` controls it."""
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
    """Return the same sandbox, as at its start; emptied once in a test, however many vendors the test needs."""
    segments_sandbox.client.reset()
    return segments_sandbox


@pytest.fixture
def segments_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the ledger path of a test's syncs, a folder in the test's directory, whatever ``airflow.cfg`` says."""
    path = tmp_path / "segments_ledger"
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(path))
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH_IS_SHARED", "True")
    return path


@pytest.fixture
def walkme_sandbox(
    emptied_segments_sandbox: SandboxServer, segments_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> SandboxClient:
    """Return an empty WalkMe, to which the Airflow connection ``walkme_default`` leads during the test."""
    return _connected(emptied_segments_sandbox.client, "client_id", "WALKME_DEFAULT", monkeypatch)


@pytest.fixture
def zendesk_sandbox(
    emptied_segments_sandbox: SandboxServer, segments_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ZendeskSandboxClient]:
    """Return a Zendesk with invented users; the connection ``zendesk_help_center_default`` leads to it."""
    from airflow_segments_provider.testing.sandbox import ZendeskSandboxClient

    with ZendeskSandboxClient(emptied_segments_sandbox.url) as client:
        yield _connected(client, "client_id", "ZENDESK_HELP_CENTER_DEFAULT", monkeypatch)


@pytest.fixture
def alteryx_sandbox(
    emptied_segments_sandbox: SandboxServer, segments_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AlteryxSandboxClient]:
    """Return an Alteryx Server without groups, to which the Airflow connection ``alteryx_server_default`` leads."""
    from airflow_segments_provider.testing.sandbox import AlteryxSandboxClient

    with AlteryxSandboxClient(emptied_segments_sandbox.url) as client:
        yield _connected(client, "api_key", "ALTERYX_SERVER_DEFAULT", monkeypatch)


@pytest.fixture
def docebo_sandbox(
    emptied_segments_sandbox: SandboxServer, segments_ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DoceboSandboxClient]:
    """Return a Docebo with its invented users and groups, to which the Airflow connection ``docebo_default`` leads."""
    from airflow_segments_provider.testing.sandbox import DoceboSandboxClient

    with DoceboSandboxClient(emptied_segments_sandbox.url) as client:
        yield _connected(client, "client_id", "DOCEBO_DEFAULT", monkeypatch)


def _connected(client: C, login: str, connection: str, monkeypatch: pytest.MonkeyPatch) -> C:
    # The login differs in each test, so that no cache has a token of an earlier test.
    kind = "key" if login == "api_key" else "client"
    client.settings(**{login: f"{client.vendor}-sandbox-{kind}-{uuid.uuid4().hex[:8]}"})
    monkeypatch.setenv(f"AIRFLOW_CONN_{connection}", client.connection_json())
    return client

"""One server for all tests of this folder, emptied before each; without the plugin, which has its own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_segments_provider.testing.sandbox import AlteryxSandboxClient, SandboxClient, SandboxServer
from tests.sandbox.alteryx_caller import AlteryxCaller
from tests.sandbox.caller import Caller


@pytest.fixture(scope="session")
def server() -> Iterator[SandboxServer]:
    with SandboxServer() as server:
        yield server


@pytest.fixture
def sandbox(server: SandboxServer) -> SandboxClient:
    server.client.reset()
    return server.client


@pytest.fixture
def walkme(sandbox: SandboxClient) -> Caller:
    return Caller(sandbox).log_in()


@pytest.fixture
def alteryx(sandbox: SandboxClient) -> Iterator[AlteryxCaller]:
    with AlteryxSandboxClient(sandbox.url) as client:
        yield AlteryxCaller(client).log_in()

"""A vendor, and a clock that only sleeping moves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_segments_provider.http import auth as token
from airflow_segments_provider.http import client
from airflow_segments_provider.http import rate_limit as pace
from tests.http.vendor import Vendor


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as vendor:
        yield vendor


class Clock:
    """Stands in for the module ``time``."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """What the client takes for the time; the others in this process, servers too, go by the real one."""
    clock = Clock()
    monkeypatch.setattr(client, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(token, "time", clock)
    return clock

"""Fixtures: a vendor, and a clock that advances only when the client sleeps."""

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
    """Replacement of the module ``time``."""

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
    """Replace the clock of the client; other code in this process, such as servers, uses the real one."""
    clock = Clock()
    monkeypatch.setattr(client, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    monkeypatch.setattr(token, "time", clock)
    return clock

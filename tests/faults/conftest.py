"""A hook with fast retries on an empty sandbox."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from airflow_segments_provider.hooks.walkme import WalkMeHook
from tests.faults.scene import RETRY


@pytest.fixture
def masked(monkeypatch) -> list[str]:
    """What was masked. Airflow's own masker compiles all that it was ever told into one pattern, each time."""
    told: list[str] = []
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", told.append)
    return told


@pytest.fixture
def new_hook(walkme_sandbox, masked, monkeypatch) -> Callable[..., WalkMeHook]:
    """Make a hook whose connection has these extra fields beside fast retries."""
    known = walkme_sandbox.connection()

    def make(**extra: object) -> WalkMeHook:
        connection = known | {"extra": {**known["extra"], "retry": RETRY, "timeout": 20, **extra}}
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_FAULTS", json.dumps(connection))
        return WalkMeHook("walkme_faults")

    return make

"""Each vendor in turn."""

from __future__ import annotations

import pytest

from tests.conftest import RETRY
from tests.contract.contracted import Contracted
from tests.contract.vendors import VENDORS


@pytest.fixture(autouse=True)
def _unmasked(monkeypatch):
    """Switch off Airflow's masker, which compiles all secrets into one pattern each time."""
    monkeypatch.setattr("airflow.providers.common.compat.sdk.mask_secret", lambda secret: None)


@pytest.fixture(params=VENDORS, ids=lambda kind: kind.__name__)
def vendor(request, monkeypatch) -> Contracted:
    kind: type[Contracted] = request.param
    sandbox = request.getfixturevalue(kind.fixture)
    connection = sandbox.connection_json(retry=RETRY, **kind.extra)
    monkeypatch.setenv(f"AIRFLOW_CONN_{kind.conn_id.upper()}", connection)
    return kind(sandbox)

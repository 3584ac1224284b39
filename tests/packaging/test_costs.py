"""The costs on the vendors' pages are those that `make costs` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.packaging.costs import CONNECTIONS, NAMES, table

PAGES = Path(__file__).parents[2] / "docs" / "vendors"


@pytest.mark.parametrize("vendor", NAMES)
def test_the_page_of_a_vendor_has_the_printed_table_of_costs(vendor, monkeypatch):
    for name, fields in CONNECTIONS.items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name}", json.dumps(fields))
    assert "\n".join(table(vendor)) in (PAGES / f"{vendor}.md").read_text()

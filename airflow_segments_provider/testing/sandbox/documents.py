"""The sandbox's data files: the vendors' API documents, the constant parts of replies, and what exists at the start."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


def load(vendor: str, name: str) -> Any:
    """Return the content of a vendor's JSON file, read once and parsed anew for each caller."""
    return json.loads(_text(vendor, name))


@cache
def _text(vendor: str, name: str) -> str:
    return files("airflow_segments_provider.testing.sandbox").joinpath(vendor, f"{name}.json").read_text("utf-8")

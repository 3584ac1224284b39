"""The Airflow connection to the sandbox's Alteryx Server."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.alteryx.constants import PREFIX


def alteryx_connection(base_url: str, api_key: str, api_secret: str) -> dict[str, object]:
    """Return the fields of a connection, as Airflow reads them from JSON."""
    return {
        "conn_type": "alteryx_server",
        "host": base_url + PREFIX,
        "login": api_key,
        "password": api_secret,
        "extra": {},
    }

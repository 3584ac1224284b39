"""The Airflow connection to the sandbox's Zendesk."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.zendesk.constants import PREFIX


def zendesk_connection(base_url: str, client_id: str, client_secret: str) -> dict[str, object]:
    """Return the fields of a connection, as Airflow reads them from JSON."""
    return {
        "conn_type": "zendesk_help_center",
        "host": base_url + PREFIX,
        "login": client_id,
        "password": client_secret,
        "extra": {},
    }

"""The Airflow connection to the sandbox's Docebo."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.docebo.constants import PREFIX


def docebo_connection(base_url: str, client_id: str, client_secret: str) -> dict[str, object]:
    """Return the fields of a connection, as Airflow reads them from JSON."""
    return {
        "conn_type": "docebo",
        "host": base_url + PREFIX,
        "login": client_id,
        "password": client_secret,
        "extra": {},
    }

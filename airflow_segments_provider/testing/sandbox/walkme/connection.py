"""The Airflow connection to the sandbox's WalkMe."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.walkme.constants import PREFIX


def walkme_connection(base_url: str, client_id: str, client_secret: str, system_guid: str) -> dict[str, object]:
    """Return the fields of a connection, as Airflow reads them from JSON."""
    return {
        "conn_type": "walkme",
        "host": base_url + PREFIX,
        "login": client_id,
        "password": client_secret,
        "extra": {"system_guid": system_guid},
    }

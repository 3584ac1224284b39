"""The fields of a WalkMe connection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_segments_provider.vendors.base.connection import ConnectionFields, Credential
from airflow_segments_provider.vendors.walkme.guids import Guid

MAX_USERS_PER_REQUEST = 25_000

REGIONS = {
    "us": "https://api.walkme.com",
    "eu": "https://eu-api.walkme.com",
    "gov": "https://api.walkmegov.com",
    "ca": "https://api-ca1.walkmedap.com",
}
# The Systems pages (https://support.walkme.com/knowledge-base/system-management/); the one for gov is not published.
ADMIN_CENTERS = {
    "us": "https://admin.walkme.com/systems",
    "eu": "https://eu-admin.walkme.com/systems",
    "gov": "",
    "ca": "https://admin-ca1.walkmedap.com/systems",
}


class WalkMeConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``walkme``."""

    system_guid: Guid | None = None
    region: Literal["us", "eu", "gov", "ca"] = "us"
    token_url: Credential | None = None
    admin_url: str | None = None
    distinct_users: bool = False
    users_per_request: int = Field(MAX_USERS_PER_REQUEST, ge=1, le=MAX_USERS_PER_REQUEST)

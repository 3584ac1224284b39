"""The fields of an Alteryx Server connection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from airflow_segments_provider.vendors.base.connection import ConnectionFields


class AlteryxServerConnectionFields(ConnectionFields):
    """The extra fields of a connection of type ``alteryx_server``."""

    client_auth: Literal["basic", "body"] = "basic"
    gallery_url: str | None = None
    users_per_request: int = Field(1000, ge=1, le=100_000)

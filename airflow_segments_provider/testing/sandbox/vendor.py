"""What a vendor must offer to be part of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.settings import VendorSettings


class Vendor(Protocol):
    """One vendor's API under a path of its own, and the control of it under ``/_sandbox/<name>``."""

    name: str

    @property
    def settings(self) -> VendorSettings:
        """How the vendor behaves at present."""

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change some settings."""

    def reset(self) -> None:
        """Return to the state and the settings of the start."""

    def connections(self, base_url: str) -> dict[str, dict[str, object]]:
        """Return Airflow connections to the sandbox, by connection id.

        :param base_url: the sandbox's own, without a path
        """

    def api(self, gateway: Gateway) -> APIRouter:
        """Return the vendor's endpoints, prefix included."""

    def control(self) -> APIRouter:
        """Return the vendor's own control endpoints, without a prefix."""

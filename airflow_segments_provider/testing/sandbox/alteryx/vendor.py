"""Alteryx Server as a part of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.alteryx.connection import alteryx_connection
from airflow_segments_provider.testing.sandbox.alteryx.control import alteryx_control_router
from airflow_segments_provider.testing.sandbox.alteryx.installation import Installation
from airflow_segments_provider.testing.sandbox.alteryx.routes import alteryx_router
from airflow_segments_provider.testing.sandbox.alteryx.settings import AlteryxSettings
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.gateway import Gateway


class Alteryx:
    """The :class:`.vendor.Vendor` that is Alteryx Server, with one installation.

    :param settings: those that differ from the defaults; a reset returns to them
    """

    name = "alteryx"

    def __init__(self, database: Database, clock: Clock, settings: Mapping[str, object]) -> None:
        self._installation = Installation(database, clock, AlteryxSettings().changed(settings))

    @property
    def settings(self) -> AlteryxSettings:
        """How Alteryx Server behaves at present."""
        return self._installation.settings

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change some settings."""
        self._installation.settings = self._installation.settings.changed(changes)

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self._installation.reset()

    def connections(self, base_url: str) -> dict[str, dict[str, object]]:
        """Return the one connection."""
        settings = self.settings
        return {"alteryx_server_default": alteryx_connection(base_url, settings.api_key, settings.api_secret)}

    def api(self, gateway: Gateway) -> APIRouter:
        """Return the endpoints."""
        return alteryx_router(self._installation, gateway)

    def control(self) -> APIRouter:
        """Return the control of users, groups, shares and tokens."""
        return alteryx_control_router(self._installation)

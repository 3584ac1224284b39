"""WalkMe as a part of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.walkme.account import Account
from airflow_segments_provider.testing.sandbox.walkme.connection import walkme_connection
from airflow_segments_provider.testing.sandbox.walkme.control import walkme_control_router
from airflow_segments_provider.testing.sandbox.walkme.routes import walkme_router
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings


class WalkMe:
    """The :class:`.vendor.Vendor` that is WalkMe, with one account.

    :param settings: those that differ from the defaults; a reset returns to them
    """

    name = "walkme"

    def __init__(self, database: Database, clock: Clock, settings: Mapping[str, object]) -> None:
        self._account = Account(database, clock, WalkMeSettings().changed(settings))

    @property
    def settings(self) -> WalkMeSettings:
        """How WalkMe behaves at present."""
        return self._account.settings

    def configure(self, changes: Mapping[str, object]) -> None:
        """Change some settings."""
        self._account.settings = self._account.settings.changed(changes)

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self._account.reset()

    def connections(self, base_url: str) -> dict[str, dict[str, object]]:
        """Return the one connection."""
        settings = self.settings
        connection = walkme_connection(base_url, settings.client_id, settings.client_secret, settings.systems[0])
        return {"walkme_default": connection}

    def api(self, gateway: Gateway) -> APIRouter:
        """Return the endpoints."""
        return walkme_router(self._account, gateway)

    def control(self) -> APIRouter:
        """Return the control of segments, members and tokens."""
        return walkme_control_router(self._account)

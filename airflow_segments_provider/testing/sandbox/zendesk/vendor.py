"""Zendesk as a part of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.connection import zendesk_connection
from airflow_segments_provider.testing.sandbox.zendesk.control import zendesk_control_router
from airflow_segments_provider.testing.sandbox.zendesk.routes import zendesk_router
from airflow_segments_provider.testing.sandbox.zendesk.settings import ZendeskSettings


class Zendesk:
    """The :class:`.vendor.Vendor` that is Zendesk, with one account.

    :param settings: those that differ from the defaults; a reset returns to them
    """

    name = "zendesk"

    def __init__(self, database: Database, clock: Clock, settings: Mapping[str, object]) -> None:
        self._account = Account(database, clock, ZendeskSettings().changed(settings))

    @property
    def settings(self) -> ZendeskSettings:
        """How Zendesk behaves at present."""
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
        connection = zendesk_connection(base_url, settings.client_id, settings.client_secret)
        return {"zendesk_help_center_default": connection}

    def api(self, gateway: Gateway) -> APIRouter:
        """Return the endpoints."""
        return zendesk_router(self._account, gateway)

    def control(self) -> APIRouter:
        """Return the control of people, segments, content and tokens."""
        return zendesk_control_router(self._account)

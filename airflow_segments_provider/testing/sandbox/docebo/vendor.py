"""Docebo as a part of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.connection import docebo_connection
from airflow_segments_provider.testing.sandbox.docebo.control import docebo_control_router
from airflow_segments_provider.testing.sandbox.docebo.routes import docebo_router
from airflow_segments_provider.testing.sandbox.docebo.settings import DoceboSettings
from airflow_segments_provider.testing.sandbox.gateway import Gateway


class Docebo:
    """The :class:`.vendor.Vendor` that is Docebo, with one platform.

    :param settings: those that differ from the defaults; a reset returns to them
    """

    name = "docebo"

    def __init__(self, database: Database, clock: Clock, settings: Mapping[str, object]) -> None:
        self._account = Account(database, clock, DoceboSettings().changed(settings))

    @property
    def settings(self) -> DoceboSettings:
        """How Docebo behaves at present."""
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
        return {"docebo_default": docebo_connection(base_url, settings.client_id, settings.client_secret)}

    def api(self, gateway: Gateway) -> APIRouter:
        """Return the endpoints."""
        return docebo_router(self._account, gateway)

    def control(self) -> APIRouter:
        """Return the control of users, groups, members, jobs, tokens and the public key."""
        return docebo_control_router(self._account)

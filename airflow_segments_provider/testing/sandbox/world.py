"""All that one sandbox holds: the clock, the faults, the log and the vendors' state."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from airflow_segments_provider.testing.sandbox.alteryx.vendor import Alteryx
from airflow_segments_provider.testing.sandbox.calls import CallLog
from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.docebo.vendor import Docebo
from airflow_segments_provider.testing.sandbox.faults import Faults
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.late import LateWork
from airflow_segments_provider.testing.sandbox.vendor import Vendor
from airflow_segments_provider.testing.sandbox.walkme.vendor import WalkMe
from airflow_segments_provider.testing.sandbox.zendesk.vendor import Zendesk

VENDORS: dict[str, Callable[[Database, Clock, Mapping[str, object]], Vendor]] = {
    "alteryx": Alteryx,
    "docebo": Docebo,
    "walkme": WalkMe,
    "zendesk": Zendesk,
}


class World:
    """The state of one sandbox.

    :param database: a SQLite file, or ":memory:"; segments, members, tokens and clock outlive a restart on one file
    :param settings: by vendor, settings that differ from the defaults; a reset returns to them
    """

    def __init__(self, database: str = ":memory:", settings: Mapping[str, Mapping[str, object]] | None = None) -> None:
        given = settings or {}
        if unknown := set(given) - set(VENDORS):
            raise ValueError(f"unknown vendor {', '.join(sorted(unknown))}; known: {', '.join(VENDORS)}")
        self.database = Database(database)
        self.clock = Clock(self.database)
        self.calls = CallLog()
        self.faults = Faults()
        self.late = LateWork()
        self.gateway = Gateway(self.database, self.clock, self.calls, self.faults, self.late)
        self.vendors: dict[str, Vendor] = {
            name: make(self.database, self.clock, given.get(name, {})) for name, make in VENDORS.items()
        }

    def reset(self, settings: Mapping[str, Mapping[str, object]]) -> None:
        """Begin anew, with other settings by vendor where they are given."""
        self.faults.clear()
        self.late.clear()
        self.calls.clear()
        self.clock.reset()
        for vendor in self.vendors.values():
            vendor.reset()
        for name, changes in settings.items():
            self.vendors[name].configure(changes)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

"""The sandbox's clock: real time plus what tests have added to it."""

from __future__ import annotations

import time

from airflow_segments_provider.testing.sandbox.database import Database


class Clock:
    """Seconds since the epoch, moved forward on demand; the offset is kept in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._offset = float(database.meta("clock_offset") or 0)

    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the sandbox's time forward."""
        self._set(self._offset + seconds)

    def reset(self) -> None:
        """Return to real time."""
        self._set(0.0)

    def _set(self, offset: float) -> None:
        self._offset = offset
        self._database.set_meta("clock_offset", repr(offset))

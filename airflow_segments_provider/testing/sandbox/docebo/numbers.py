"""The one sequence from which users, branches and groups take their numbers."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.database import Database

_KEY = "docebo_next_number"
_FIRST = 13_001


class Numbers:
    """Hands numbers out, each once, whatever for: a mix-up of kinds finds nobody instead of somebody else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, count: int = 1) -> range:
        """Return the next numbers."""
        first = int(self._database.meta(_KEY) or _FIRST)
        self._database.set_meta(_KEY, str(first + count))
        return range(first, first + count)

    def clear(self) -> None:
        """Begin again."""
        self._database.set_meta(_KEY, str(_FIRST))

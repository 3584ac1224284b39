"""What is left of a number of calls per minute."""

from __future__ import annotations

import math

from airflow_segments_provider.testing.sandbox.rate import WINDOW_SECONDS, RateWindow


class Budget(RateWindow):
    """A window that also tells what is left, for the headers that say so."""

    def remaining(self, now: float, per_minute: int) -> int:
        """Return how many calls may still come now."""
        used = sum(1 for moment in self._times if moment > now - WINDOW_SECONDS)
        return max(0, per_minute - used)

    def resets(self, now: float) -> int:
        """Return after how many seconds the oldest call no longer counts."""
        return max(1, math.ceil(self._times[0] + WINDOW_SECONDS - now)) if self._times else 0

    def wait_within(self, now: float, seconds: float, most: int) -> int | None:
        """Return how long to wait when the last seconds saw as many calls; it counts nothing."""
        recent = [moment for moment in self._times if moment > now - seconds]
        return max(1, math.ceil(recent[0] + seconds - now)) if len(recent) >= most else None

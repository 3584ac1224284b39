"""For how long a command waits for runs that are at work."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_segments_provider.sync.ledger.timing import now_ms

PAUSE = 1.0


class Patience:
    """A period that begins now, and ends once for all that is waited for.

    :param seconds: 0 to wait for nothing.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    def pause(self, *, until: int | None = None) -> bool:
        """Wait a little; return False, at once, where the period has ended.

        :param until: wait until then, in milliseconds since 1970; False where the period ends before.
        """
        left = self._until - time.monotonic()
        needed = PAUSE if until is None else max(0.0, (until - now_ms()) / 1000)
        if left <= 0 or (until is not None and needed > left):
            return False
        time.sleep(min(needed, left))
        return True

    def wait_until(self, done: Callable[[], bool]) -> bool:
        """Wait until it is done; return False where the period has ended before."""
        while not done():
            if not self.pause():
                return False
        return True

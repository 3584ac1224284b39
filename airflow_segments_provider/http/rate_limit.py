"""The rate of requests: at most so many a minute, and none while the vendor asks to wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """The moments at which requests may start, for all threads and hooks of one connection.

    Other processes do not share it: where several tasks call one vendor at once, set a part of the rate for each.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0

    def wait(self, per_minute: float | None, sleep: Callable[[float], None]) -> None:
        """Sleep until this caller may send.

        :param per_minute: requests a minute, or None for no limit beyond a hold of the vendor's.
        :param sleep: sleeps, unless the caller was stopped.
        """
        interval = 60 / per_minute if per_minute else 0.0
        with self._lock:
            start = max(time.monotonic(), self._next)
            self._next = max(self._next, start + interval)
        pause = start - time.monotonic()
        if pause > 0:
            sleep(pause)

    def hold(self, seconds: float) -> None:
        """Send nothing for ``seconds``: the vendor asked one caller, and means all of them."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

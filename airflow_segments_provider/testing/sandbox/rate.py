"""A sliding window of calls, for vendors that answer 429."""

from __future__ import annotations

import math
from collections import deque

WINDOW_SECONDS = 60.0


class RateWindow:
    """Counts the calls of the last minute, by whatever clock the caller reads."""

    def __init__(self) -> None:
        self._times: deque[float] = deque()

    def refuse(self, now: float, per_minute: int | None) -> int | None:
        """Count a call, or tell after how many seconds it may come again.

        :param per_minute: None for no limit
        :return: None when the call is let through
        """
        while self._times and self._times[0] <= now - WINDOW_SECONDS:
            self._times.popleft()
        if per_minute is not None and len(self._times) >= per_minute:
            # Room comes when the oldest of the last `per_minute` calls has left the window.
            leaves = self._times[len(self._times) - per_minute] + WINDOW_SECONDS
            return max(1, math.ceil(leaves - now))
        self._times.append(now)
        return None

    def clear(self) -> None:
        """Forget all calls."""
        self._times.clear()

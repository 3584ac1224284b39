"""The progress of a long operation, as lines of a log at intervals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, TypeVar

Item = TypeVar("Item")

# Seconds before the first line, and between two lines.
EVERY = 10.0


class ProgressLog:
    """The lines of one operation; a short operation has none.

    :param log: a logger; an operator's has another class in each version of Airflow.
    :param what: what is counted, and what is done with it, e.g. ``"users looked up"``.
    :param total: how many there are; None where that is not known.
    """

    def __init__(
        self, log: Any, what: str, total: int | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._what, self._total, self._clock = log, what, total, clock
        self._began = self._logged = clock()
        self._done = 0

    def add(self, done: int = 1) -> None:
        """Count what is done now, and log it if the last line is old enough."""
        self.show(self._done + done)

    def show(self, done: int) -> None:
        """Set how much is done in all, and log it if the last line is old enough; the end of a logged one, too."""
        self._done, now = done, self._clock()
        ends = done == self._total and self._logged > self._began
        if now - self._logged < EVERY and not ends:
            return
        self._logged = now
        rate = done / max(now - self._began, 0.001)
        speed = f"{rate:,.0f} a second" if rate >= 1 else f"{60 * rate:,.1f} a minute"
        if self._total is None:
            self._log.info("%s %s, %s.", f"{done:,}", self._what, speed)
            return
        left = timedelta(seconds=round((self._total - done) / rate)) if rate else "an unknown time"
        self._log.info("%s of %s %s, %s, about %s left.", f"{done:,}", f"{self._total:,}", self._what, speed, left)

    def count(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield items, and count each when the next is asked for."""
        for item in items:
            yield item
            self.add()

"""When to send a request again, and how long to wait before: full jitter, ``Retry-After``, a quota."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

RETRIED_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long a call is tried before its error reaches the task.

    The wait before try *n + 1* is ``uniform(0, min(max_delay, base_delay * 2 ** (n - 1)))``, or what the vendor's
    ``Retry-After`` asks for.

    :param max_attempts: tries in all, the first one included.
    :param base_delay: seconds; the upper bound of the first wait.
    :param max_delay: seconds; no jittered wait is longer.
    :param max_total: seconds from the first try; no wait is begun that would pass it.
    :param retry_after_cap: seconds; a ``Retry-After`` above it is raised as ``RateLimited`` at once, because a worker
        slot should not be held that long. Airflow's own retry then comes later.
    """

    max_attempts: int = 5
    base_delay: float = 0.5
    max_delay: float = 20.0
    max_total: float = 300.0
    retry_after_cap: float = 120.0

    def delay(self, attempt: int) -> float:
        """Seconds to wait after try number ``attempt`` failed."""
        # Jitter that spreads load, not a secret.
        return random.uniform(0, min(self.max_delay, self.base_delay * 2 ** (attempt - 1)))  # noqa: S311


class RetryQuota:
    """A budget of retries that runs out while a vendor fails, so that tasks do not overload it.

    The numbers are botocore's: 500 tokens, 5 a retry, 10 after a time-out; a success gives back what its last retry
    cost, and a success at the first try gives back 1.
    """

    CAPACITY = 500
    COST = 5
    TIMEOUT_COST = 10

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = self.CAPACITY

    def take(self, *, timed_out: bool) -> int:
        """Take the cost of a retry and return it; return 0 if too little is left, and do not retry."""
        cost = self.TIMEOUT_COST if timed_out else self.COST
        with self._lock:
            if self._left < cost:
                return 0
            self._left -= cost
            return cost

    def give_back(self, cost: int) -> None:
        """Return ``cost`` tokens after a success; 0 counts as 1."""
        with self._lock:
            self._left = min(self.CAPACITY, self._left + (cost or 1))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, in either form; None where there is none that can be read.

    A date is compared with the same response's ``Date``, so that a difference of clocks does not matter.
    """
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    # isascii: "²".isdigit() is true and float("²") is not a number.
    if value.replace(".", "", 1).isdigit() and value.isascii():
        return float(value)
    moment = http_date(value)
    if moment is None:
        return None
    now = http_date(headers.get("Date", "")) or datetime.now(UTC)
    return max(0.0, (moment - now).total_seconds())


def http_date(value: str) -> datetime | None:
    """Return the moment that an HTTP date names, in UTC, or None where it names none."""
    try:
        moment = parsedate_to_datetime(value)
        # Near the first and the last year, the moment in UTC is beyond the calendar.
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

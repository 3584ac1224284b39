"""How long things may take, and milliseconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from airflow_segments_provider.errors import ConfigurationError

SETTLE_AFTER = timedelta(minutes=10)


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def running_ms() -> int:
    """Milliseconds since this machine was started, also while it was suspended."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


def milliseconds(period: timedelta) -> int:
    """A period in milliseconds."""
    return period // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Timing:
    """How long things may take.

    :param settle_after: how long after it was sent a request may still be carried out; None for 10 minutes, or the
        time in which a batch has to be sent where that is longer.
    :param lease: for how long a run holds the ledger without a sign of life; longer where one batch may be under way
        for more than two thirds of it.
    :param skew: by how much two machines' clocks may differ.
    :param keep: for how long what the newest commit replaced is kept.
    """

    settle_after: timedelta | None = None
    lease: timedelta = timedelta(minutes=15)
    skew: timedelta = timedelta(minutes=1)
    keep: timedelta = timedelta(days=30)

    def settling(self, request_timeout: timedelta) -> int:
        """Return how long a request of unknown outcome is waited for, clock skew included, in milliseconds.

        :param request_timeout: how long after the check before it a request may be sent.
        :raises ConfigurationError: ``settle_after`` is shorter than that.
        """
        settle_after = max(SETTLE_AFTER, request_timeout) if self.settle_after is None else self.settle_after
        if settle_after < request_timeout:
            raise ConfigurationError(
                f"`settle_after` is {settle_after}, shorter than the {request_timeout} within which a batch may be "
                "sent. Nothing was sent. Set it to that or more."
            )
        return milliseconds(settle_after + self.skew)

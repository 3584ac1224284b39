"""The periods of the protocol, and clocks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from airflow_segments_provider.errors import ConfigurationError

SETTLE_AFTER = timedelta(minutes=10)


def now_ms() -> int:
    """Return the milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def running_ms() -> int:
    """Return the milliseconds since this machine was started, suspension included."""
    return time.clock_gettime_ns(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)) // 1_000_000


def milliseconds(period: timedelta) -> int:
    """Return a period in milliseconds."""
    return period // timedelta(milliseconds=1)


def moment(milliseconds: int) -> str:
    """Return a time as text, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Timing:
    """Periods of the protocol.

    :param settle_after: how long after it was sent a request may still be carried out; None for 10 minutes, or the
        request time-out where that is longer.
    :param lease: how long a run holds the ledger without a renewal; longer where a batch may take two thirds of it.
    :param skew: the largest difference between the clocks of two machines.
    :param keep: how long the files are kept that the newest commit replaced.
    """

    settle_after: timedelta | None = None
    lease: timedelta = timedelta(minutes=15)
    skew: timedelta = timedelta(minutes=1)
    keep: timedelta = timedelta(days=30)

    def settling(self, request_timeout: timedelta) -> int:
        """Return how long to wait for a request of unknown outcome, clock skew included, in milliseconds.

        :param request_timeout: how long after its check a request may be sent.
        :raises ConfigurationError: ``settle_after`` is shorter than that.
        """
        settle_after = max(SETTLE_AFTER, request_timeout) if self.settle_after is None else self.settle_after
        if settle_after < request_timeout:
            raise ConfigurationError(
                f"`settle_after` is {settle_after}, shorter than the {request_timeout} within which a batch may be "
                "sent. Nothing was sent. Set it to that or more."
            )
        return milliseconds(settle_after + self.skew)

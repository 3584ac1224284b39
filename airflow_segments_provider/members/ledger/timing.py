"""How long things may take, and milliseconds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def milliseconds(period: timedelta) -> int:
    """A period in milliseconds."""
    return period // timedelta(milliseconds=1)


@dataclass(frozen=True)
class Timing:
    """How long things may take.

    :param settle_after: how long after it was sent a request may still be carried out.
    :param lease: for how long a run holds the ledger without a sign of life; longer where one batch may be under way
        for more than two thirds of it.
    :param skew: by how much two machines' clocks may differ.
    :param keep: for how long what the newest commit replaced is kept.
    """

    settle_after: timedelta = timedelta(minutes=10)
    lease: timedelta = timedelta(minutes=15)
    skew: timedelta = timedelta(minutes=1)
    keep: timedelta = timedelta(days=30)

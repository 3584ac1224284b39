"""The engine with small limits for twelve users, without threads of its own and without reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, Self

import pytest

from airflow_segments_provider.sources import limits
from airflow_segments_provider.sync import apply, guard, plan
from airflow_segments_provider.sync import engine as sync
from airflow_segments_provider.sync.ledger import ledger
from tests.sync.model.weather import Weather

# From these numbers on, the guard uses fractions.
SMALL_BASELINE, SMALL_REMOVALS, GROWTH_BASELINE, FEW_USERS = 6, 2, 3, 5


class Names:
    """File names that are the same when a schedule is repeated, in place of random ones."""

    number = 0

    def uuid4(self) -> SimpleNamespace:
        self.number += 1
        return SimpleNamespace(hex=f"{self.number:032x}"[::-1])


NAMES = Names()


class AtOnce:
    """Executor that runs its work immediately, so that all steps of a worker are in its own thread."""

    def __init__(self, *given: object, **named: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *given: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], *given: Any) -> Future[Any]:
        future = Future[Any]()
        try:
            future.set_result(work(*given))
        except Exception as error:  # noqa: BLE001  # as an executor does
            future.set_exception(error)
        return future


@contextmanager
def small_engine() -> Iterator[None]:
    """Give the engine small limits until the end of the block."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply, "ThreadPoolExecutor", AtOnce)
        patch.setattr(ledger, "ThreadPoolExecutor", AtOnce)
        patch.setattr(plan, "samples", lambda *given: {})
        patch.setattr(sync.Sync, "report", lambda *given: None)
        patch.setattr(limits, "SMALL_BASELINE", SMALL_BASELINE)
        patch.setattr(limits, "SMALL_REMOVALS", SMALL_REMOVALS)
        patch.setattr(guard, "GROWTH_BASELINE", GROWTH_BASELINE)
        patch.setattr(limits, "FEW_USERS", FEW_USERS)
        patch.setattr(apply, "SPLIT_BUDGET", apply.SPLIT_BUDGET)
        patch.setattr(apply, "MOST_REJECTED_ALONE", apply.MOST_REJECTED_ALONE)
        patch.setattr("airflow_segments_provider.sync.ledger.ledger.uuid", NAMES)
        yield


def set_up(weather: Weather) -> None:
    """Apply the weather of a schedule to the small engine."""
    apply.SPLIT_BUDGET = weather.budget
    apply.MOST_REJECTED_ALONE = weather.hopeless
    NAMES.number = 0

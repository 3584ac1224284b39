"""Common parts of the triggers that poll a vendor: connection, thread, and temporary failures."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import AirflowNotFoundException

from airflow_segments_provider.errors import ConfigurationError, RateLimited, UnexpectedReply, VendorUnavailable

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_segments_provider.http import RetryPolicy

    Parameters = ParamSpec("Parameters")
    Result = TypeVar("Result")


# Failures that may be over at the next poll.
PASSING = (RateLimited, UnexpectedReply, VendorUnavailable)

# Seconds. A trigger that fires a few seconds after the deferral races with the task's own end in Airflow.
SHORTEST_DEFERRAL = 10.0

_LAST = datetime(9999, 12, 31, tzinfo=UTC)


def moment_after(seconds: float) -> datetime:
    """Return the moment after so many seconds, at most in the last year that Python has."""
    now = datetime.now(UTC)
    return _LAST if seconds >= (_LAST - now).total_seconds() else now + timedelta(seconds=seconds)


def in_thread(call: Callable[Parameters, Result]) -> Callable[Parameters, Coroutine[Any, Any, Result]]:
    """Return a coroutine function that makes the call in a thread.

    Not by ``asyncio.to_thread``: on Airflow 3.1 a token that is masked in such a thread stops the whole triggerer, with
    a lock that "is bound to a different event loop". In a thread of asgiref's, Airflow finds the right loop.
    """
    from asgiref.sync import sync_to_async

    return sync_to_async(call, thread_sensitive=False)


async def connection_of(conn_id: str) -> Connection:
    """Look up the connection without blocking the loop.

    :raises ConfigurationError: the triggerer does not find it.
    """
    try:
        return await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"The triggerer does not find the connection {conn_id!r}, although the worker did: define it where both "
            "look, not in the worker's environment alone."
        ) from None


def one_try() -> RetryPolicy:
    """Return a policy without retries, which would hold a thread: the next poll is the retry.

    Call it in a thread, because its import is slow and would block the loop.
    """
    from airflow_segments_provider.http import RetryPolicy

    return RetryPolicy(max_attempts=1)

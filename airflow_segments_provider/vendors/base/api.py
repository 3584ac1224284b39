"""What the clients of all vendors' APIs share."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow_segments_provider.errors import (
    AuthenticationError,
    PermissionDenied,
    RateLimited,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.progress import ProgressLog

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, Response
    from airflow_segments_provider.vendors.base.connection import ConnectionFields

logger = logging.getLogger(__name__)

Value = TypeVar("Value")
Result = TypeVar("Result")


# After so many failed changes in a row, no other is begun.
MOST_FAILURES = 100


@dataclass
class Changes:
    """The outcome of changes of single users; those that were not begun are in neither number.

    :param in_doubt: a try of a change was sent and its response lost, also of one that failed.
    :param error: the first error, in the order of the users.
    """

    done: int = 0
    failed: int = 0
    in_doubt: bool = False
    error: VendorError | None = None


class VendorApi:
    """Calls the endpoints of one vendor through one connection.

    :param conn_id: the Airflow connection, for messages.
    :cvar vendor: the vendor's name.
    """

    vendor: ClassVar[str]

    def __init__(self, client: HttpClient, fields: ConnectionFields, conn_id: str) -> None:
        self.client = client
        self.fields = fields
        self.conn_id = conn_id
        self._sent_before = client.requests_sent

    @property
    def requests(self) -> int:
        """Return how many requests this object sent, repeats included."""
        return self.client.requests_sent - self._sent_before

    @property
    def where(self) -> str:
        """Return the sentence that names the connection; it ends every message."""
        return f"The Airflow connection is {self.conn_id!r}."

    def hint(self, error: VendorError) -> str:
        """Return the advice for an error; it ends in :attr:`where`."""
        raise NotImplementedError

    def request(self, method: str, path: Sequence[str], **options: Any) -> Response:
        """Send a request, see :meth:`~airflow_segments_provider.http.HttpClient.request`."""
        try:
            return self.client.request(method, path, **options)
        except VendorError as error:
            raise error.add_hint(self.hint(error)) from None

    def read(self, parse: Callable[[Any], Result], response: Response, *, maybe_done: bool | None = None) -> Result:
        """Parse the body of a response.

        :param maybe_done: whether the write may have been done although the response cannot be read; by default, as
            in the error of ``parse``.
        :raises VendorError: the response cannot be read, or reports a refusal.
        """
        try:
            return parse(response.json)
        except (UnexpectedReply, RejectedRequest) as error:
            raise type(error)(
                f"{error} It answered {response.call} with status {response.status}. {self.where}",
                maybe_done=error.maybe_done if maybe_done is None else maybe_done,
                **response.context,
            ) from None

    def change_each(self, change: Callable[[str], bool], users: Iterable[str], total: int) -> Changes:
        """Change users one by one, ``max_concurrency`` at once; the failure of one does not stop the others.

        After an error that would fail every change, and after many failures in a row, no other is begun.

        :param change: changes a user; returns whether an earlier try may still be carried out.
        :param total: how many users there are, for the log.
        """
        progress = ProgressLog(logger, "users changed", total)
        stopped = threading.Event()
        result, in_a_row = Changes(), 0

        def attempt(user: str) -> bool | None:
            if stopped.is_set():
                return None
            try:
                return change(user)
            except BaseException as error:
                if not isinstance(error, VendorError) or _fails_all(error):
                    stopped.set()
                raise

        def settle(future: Future[bool | None]) -> None:
            nonlocal in_a_row
            progress.add()
            try:
                in_doubt = future.result()
                result.done += in_doubt is not None
                result.in_doubt = result.in_doubt or bool(in_doubt)
                in_a_row = 0
            except VendorError as error:
                result.failed, in_a_row = result.failed + 1, in_a_row + 1
                result.error = result.error or error
                result.in_doubt = result.in_doubt or error.maybe_done
                if in_a_row >= MOST_FAILURES:
                    stopped.set()

        with ThreadPoolExecutor(self.fields.max_concurrency, thread_name_prefix="segments-change") as pool:
            waiting: deque[Future[bool | None]] = deque()
            for user in users:
                waiting.append(pool.submit(attempt, user))
                # A bounded window, so that a million IDs do not become a million futures.
                if len(waiting) >= 4 * self.fields.max_concurrency:
                    settle(waiting.popleft())
                if stopped.is_set():
                    break
            for future in waiting:
                settle(future)
        return result

    def concurrently(self, call: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
        """Return the results of reads in the order of the values; ``max_concurrency`` are sent at once."""
        with ThreadPoolExecutor(self.fields.max_concurrency, thread_name_prefix="segments-read") as pool:
            futures = [pool.submit(call, value) for value in values]
            progress = ProgressLog(logger, "requests done", len(futures))
            try:
                return list(progress.count(future.result() for future in futures))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _fails_all(error: VendorError) -> bool:
    """Return whether the calls for other users would fail in the same way."""
    unreachable = isinstance(error, VendorUnavailable) and error.status is None
    return unreachable or isinstance(error, (AuthenticationError, PermissionDenied, RateLimited))

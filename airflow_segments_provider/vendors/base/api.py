"""What the clients of all vendors' APIs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow_segments_provider.errors import RejectedRequest, UnexpectedReply, VendorError

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, Response
    from airflow_segments_provider.vendors.base.connection import ConnectionFields

Value = TypeVar("Value")
Result = TypeVar("Result")


class VendorApi:
    """Calls the endpoints of one vendor through one connection.

    :param conn_id: the Airflow connection, for messages.
    :cvar vendor: the vendor's name.
    """

    vendor: ClassVar[str]

    def __init__(self, client: HttpClient, fields: ConnectionFields, conn_id: str) -> None:
        self.client = client
        self.conn_id = conn_id
        self.max_concurrency = fields.max_concurrency
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

    def concurrently(self, call: Callable[[Value], Result], values: Iterable[Value]) -> list[Result]:
        """Return the results of reads in the order of the values; ``max_concurrency`` are sent at once."""
        with ThreadPoolExecutor(self.max_concurrency, thread_name_prefix="segments-read") as pool:
            futures = [pool.submit(call, value) for value in values]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

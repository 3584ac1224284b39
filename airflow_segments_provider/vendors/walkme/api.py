"""The endpoints of one WalkMe system's segments, and advice for their errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from airflow_segments_provider.errors import NotFound, PermissionDenied, RejectedRequest, UnexpectedReply, VendorError
from airflow_segments_provider.progress import ProgressLog
from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch
from airflow_segments_provider.vendors.base.api import VendorApi
from airflow_segments_provider.vendors.walkme.paging import SegmentList
from airflow_segments_provider.vendors.walkme.parameters import Action
from airflow_segments_provider.vendors.walkme.responses import Segment, Write, failure_of

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, Response
    from airflow_segments_provider.vendors.walkme.connection import WalkMeConnectionFields


logger = logging.getLogger(__name__)

SEGMENTS_API_IS_OFF = (
    "WalkMe enables the Segments API on request only (Support Portal), and the API key needs Segments API with Read "
    "and Write (Admin Center > API Keys)."
)


class WalkMeApi(VendorApi):
    """Calls the endpoints of one system's segments.

    :param conn_id: the Airflow connection, for messages.
    :ivar system: the system's GUID, hyphenated; by default the connection's.
    """

    vendor = "WalkMe"
    fields: WalkMeConnectionFields

    def __init__(self, client: HttpClient, fields: WalkMeConnectionFields, conn_id: str) -> None:
        super().__init__(client, fields, conn_id)
        self.system = fields.system_guid or ""

    def use_system(self, system_guid: str | None) -> Self:
        """Switch to another system, unless it is None."""
        self.system = system_guid or self.system
        return self

    def problems(self) -> list[str]:
        """Return the problem if no system is set, in a list."""
        if self.system:
            return []
        return [f"`system_guid` is set neither here nor in connection {self.conn_id!r}."]

    def segments(self) -> list[Segment]:
        """Return all segments of the system.

        :raises UnexpectedReply: the list cannot be understood, or cannot be read to its end.
        """
        url = "/".join((self.client.base_url, *self._path))
        with self._advising():
            return SegmentList(lambda query: self._request("GET", query=query), url, self.system).read()

    def send_users(self, segment_guid: str, action: Action, staged: StagedUserIds, *, skip: int = 0) -> datetime:
        """Send staged user IDs, one request a batch; return the time of the last acknowledged change.

        :param skip: the number of batches that were sent already.
        """
        moment, done, users = datetime.now(UTC), skip, 0
        progress = ProgressLog(logger, f"user IDs sent ({action} for segment {segment_guid})", staged.users)
        # An empty override needs a request; an empty add or remove does not.
        batches = staged.batches() if staged.requests or action != "override" else iter([UserIdBatch(0, b"[]")])
        for number, batch in enumerate(batches, start=1):
            if number > skip:
                body = b'{"action":"' + action.encode() + b'","userIds":' + batch.json + b"}"
                try:
                    response = self.write(action, segment_guid, body=body, user_ids=batch.ids)
                except VendorError as error:
                    raise error.add_hint(
                        f"Before it, WalkMe acknowledged {done} of {staged.requests} requests ({users:,} of "
                        f"{staged.users:,} user ids) of this {action} for segment {segment_guid}. Run it again: what "
                        "was sent already is sent once more and changes nothing."
                    ) from None
                moment, done = moment_of(response), number
            users += batch.users
            progress.show(users)
        return moment

    def write(
        self,
        write: Write,
        *segment: str,
        body: bytes | None = None,
        user_ids: Callable[[], Iterable[str]] = tuple,
        idempotent: bool = True,
    ) -> Response:
        """Create a segment, or change one. A creation is not repeated.

        :raises RejectedRequest: also if the response to a 2xx reports a failure, of all or of a part; ``maybe_done``.
        """
        method = {"create": "POST", "delete": "DELETE"}.get(write, "PUT")
        with self._advising(*segment):
            response = self._request(
                method,
                *segment,
                body=body,
                idempotent=idempotent and write != "create",
                may_be_empty=True,
                user_ids=user_ids,
            )
            self._check(response, write, user_ids)
        return response

    def _check(self, response: Response, write: Write, user_ids: Callable[[], Iterable[str]]) -> None:
        """Check that a 2xx response does not report a failure."""
        try:
            failure = failure_of(response.json, write, user_ids)
        except UnexpectedReply as error:
            answered = f"It answered {response.call} with status {response.status}."
            raise UnexpectedReply(f"{error} {answered}", maybe_done=True, **response.context) from None
        if failure is None:
            return
        said = response.call.clean(json.dumps(response.json, ensure_ascii=False))
        raise RejectedRequest(
            f"WalkMe answered {response.call} with status {response.status}, but reports a failure of all or of a part "
            f"(`{response.call.clean(failure)[:60]}`). It says: {said}.",
            maybe_done=True,
            **response.context,
        )

    @property
    def _path(self) -> tuple[str, ...]:
        return ("public", "v1", "user", "system", self.system, "segment")

    def _request(self, method: str, *segment: str, **options: Any) -> Response:
        return self.client.request(method, (*self._path, *segment), **options)

    @contextmanager
    def _advising(self, *segment: str) -> Iterator[None]:
        """Add advice to errors."""
        try:
            yield
        except PermissionDenied as error:
            raise error.add_hint(f"{SEGMENTS_API_IS_OFF} {self.where}") from None
        except NotFound as error:
            unknown = f"system {self.system}" + (f" or segment {segment[0]} in it" if segment else "")
            raise error.add_hint(
                f"So WalkMe does not know {unknown}, or the host of connection {self.conn_id!r} is not WalkMe's."
            ) from None
        except VendorError as error:
            raise error.add_hint(self.where) from None


def moment_of(response: Response) -> datetime:
    """Return the time of the change: WalkMe's clock or the local one, whichever is later.

    An HTTP date is cut to whole seconds and often a second old, and WalkMe's clock may be behind. A wait ends by the
    local clock, so with the date alone it would end too early.
    """
    now = datetime.now(UTC)
    return max(now, response.date or now)

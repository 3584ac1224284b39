"""The endpoints of one WalkMe system's segments, and the advice that belongs to their errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_segments_provider.errors import NotFound, PermissionDenied, UnexpectedReply, VendorError
from airflow_segments_provider.models.walkme import Action, Segment, parse_segments
from airflow_segments_provider.sources.batches import StagedUserIds, UserIdBatch

if TYPE_CHECKING:
    from airflow_segments_provider.http import HttpClient, Reply

logger = logging.getLogger(__name__)

# Seconds between two lines of progress in the log.
PROGRESS_EVERY = 5.0

SEGMENTS_API_IS_OFF = (
    "WalkMe enables the Segments API on request only (Support Portal), and the API key needs Segments API with Read "
    "and Write (Admin Center > API Keys)."
)


class SegmentEndpoints:
    """Calls the endpoints of one system.

    :param system: its GUID, hyphenated.
    :param conn_id: the Airflow connection, for messages.
    """

    def __init__(self, client: HttpClient, system: str, conn_id: str) -> None:
        self.client = client
        self.system = system
        self.conn_id = conn_id
        self._sent_before = client.requests_sent

    @property
    def requests(self) -> int:
        """Requests sent since this object was made, repeats included."""
        return self.client.requests_sent - self._sent_before

    def segments(self) -> list[Segment]:
        """All segments of the system."""
        reply = self.call("GET")
        try:
            return parse_segments(reply.json)
        except UnexpectedReply as error:
            raise UnexpectedReply(
                f"{error} It answered {reply.call} with status {reply.status}. The Airflow connection is "
                f"{self.conn_id!r}.",
                **reply.facts,
            ) from None

    def send_users(self, segment_guid: str, action: Action, staged: StagedUserIds, *, skip: int = 0) -> datetime:
        """Send staged ids, a request a batch, and return the moment of the last acknowledged change.

        :param skip: how many batches were sent already.
        """
        moment, done, users, said = datetime.now(UTC), skip, 0, time.monotonic()
        # An empty override is a request, too; an empty add or remove is none.
        batches = staged.batches() if staged.requests or action != "override" else iter([UserIdBatch(0, b"[]")])
        for number, batch in enumerate(batches, start=1):
            if number > skip:
                body = b'{"action":"' + action.encode() + b'","userIds":' + batch.json + b"}"
                try:
                    reply = self.call("PUT", segment_guid, body=body, may_be_empty=True, people=batch.ids)
                except VendorError as error:
                    raise error.advise(
                        f"Before it, WalkMe acknowledged {done} of {staged.requests} requests ({users:,} of "
                        f"{staged.users:,} user ids) of this {action} for segment {segment_guid}. Run it again: what "
                        "was sent already is sent once more and changes nothing."
                    ) from None
                moment, done = moment_of(reply), number
            users += batch.users
            if number == staged.requests or time.monotonic() - said > PROGRESS_EVERY:
                said = time.monotonic()
                progress = f"{users:,} of {staged.users:,} user ids sent, request {number} of {staged.requests}"
                logger.info("WalkMe segment %s: %s (%s).", segment_guid, progress, action)
        return moment

    def call(
        self,
        method: str,
        *segment: str,
        body: bytes | None = None,
        may_be_empty: bool = False,
        people: Callable[[], Iterable[str]] = tuple,
        idempotent: bool = True,
    ) -> Reply:
        """Call the endpoint of the system's segments, or of one of them. A POST is not repeated blindly."""
        try:
            return self.client.request(
                method,
                ("public", "v1", "user", "system", self.system, "segment", *segment),
                body=body,
                idempotent=idempotent and method != "POST",
                may_be_empty=may_be_empty,
                people=people,
            )
        except PermissionDenied as error:
            raise error.advise(f"{SEGMENTS_API_IS_OFF} The Airflow connection is {self.conn_id!r}.") from None
        except NotFound as error:
            unknown = f"system {self.system}" + (f" or segment {segment[0]} in it" if segment else "")
            raise error.advise(
                f"So WalkMe does not know {unknown}, or the host of connection {self.conn_id!r} is not WalkMe's."
            ) from None
        except VendorError as error:
            raise error.advise(f"The Airflow connection is {self.conn_id!r}.") from None


def moment_of(reply: Reply) -> datetime:
    """When the change was made: WalkMe's clock or ours, whichever is later.

    An HTTP date is cut to whole seconds and often a second old, and a wait ends by our clock: with WalkMe's alone, it
    would end early by that much, and by as much as WalkMe's clock is behind ours.
    """
    now = datetime.now(UTC)
    return max(now, reply.date or now)

"""Deleting a WalkMe segment, which the vendor says is possible without saying how."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_segments_provider.errors import (
    NotFound,
    PermissionDenied,
    RejectedRequest,
    VendorError,
    VendorUnavailable,
)
from airflow_segments_provider.hooks.walkme_endpoints import moment_of
from airflow_segments_provider.models.walkme import SegmentChange, SegmentKey, select

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.walkme_endpoints import SegmentEndpoints
    from airflow_segments_provider.models.walkme import DeleteSegment
    from airflow_segments_provider.sources.batches import StagedUserIds

logger = logging.getLogger(__name__)

# Amazon's gateway answers an unknown path or method with 403, and blames the header of the token.
_UNKNOWN_TO_GATEWAY = re.compile(
    r"missing authentication token|authorization header requires|key=value pair", re.IGNORECASE
)
# The reasons of a 400 that only a server that knows the operation can give.
_REASON = re.compile(
    r"in use|used (by|in)|depend|permission|not (allowed|permitted) to|protected|locked|read.?only",
    re.IGNORECASE,
)

Outcome = Literal["deleted", "emptied", "missing"]


class SegmentDeletion:
    """One deletion: call the obvious endpoint; where it turns out not to exist, empty the segment."""

    def __init__(self, endpoints: SegmentEndpoints, wanted: DeleteSegment, nobody: StagedUserIds) -> None:
        self._endpoints = endpoints
        self._wanted = wanted
        self._nobody = nobody

    def run(self) -> SegmentChange:
        """Carry it out."""
        guid = self._wanted.segment_guid
        outcome: Outcome
        if guid is None:
            found = select(self._endpoints.segments(), self._wanted)
            guid = found.segment_guid if found else None
        if guid is None:
            gone = NotFound(f"WalkMe lists no {self._wanted} in system {self._endpoints.system}.", vendor="WalkMe")
            outcome, moment = self._missing(gone), datetime.now(UTC)
        else:
            outcome, moment = self._delete(guid)
        return SegmentChange(
            system_guid=self._endpoints.system,
            segment_guid=guid,
            external_id=self._wanted.external_id,
            name=self._wanted.name,
            outcome=outcome,
            requests=self._endpoints.requests,
            changed_at=moment,
        )

    def _delete(self, guid: str) -> tuple[Outcome, datetime]:
        try:
            return "deleted", moment_of(self._endpoints.write("delete", guid))
        except NotFound as error:
            # It may be a gateway's, of a path that it does not know: then the segment is still there.
            if not self._is_listed(guid):
                return self._missing(error), datetime.now(UTC)
            failure: VendorError = error
        except (RejectedRequest, PermissionDenied, VendorUnavailable) as error:
            if not _is_unknown_operation(error):
                raise
            failure = error
        return self._empty(guid, failure)

    def _empty(self, guid: str, failure: VendorError) -> tuple[Outcome, datetime]:
        """Remove all members in place of a deletion.

        :param failure: the response to the deletion.
        """
        if self._wanted.if_unsupported == "fail":
            raise failure.advise(
                f"WalkMe seems to offer no deletion by its API. Segment {guid} was not emptied either, because of "
                '`if_unsupported="fail"`.'
            )
        instead = f"WalkMe offers no deletion by its API (status {failure.status})"
        logger.warning("%s; segment %s is emptied instead.", instead, guid)
        try:
            return "emptied", self._endpoints.send_users(guid, "override", self._nobody)
        except NotFound as error:
            if not self._is_listed(guid):
                return self._missing(error), datetime.now(UTC)
            raise
        except VendorError as error:
            raise error.advise(f"{instead}, so the segment was to be emptied.") from None

    def _is_listed(self, guid: str) -> bool:
        return select(self._endpoints.segments(), SegmentKey(segment_guid=guid)) is not None

    def _missing(self, error: NotFound) -> Outcome:
        # The first answer may have been lost: then the repeat is 404 because the first did its work.
        if error.maybe_done:
            return "deleted"
        if self._wanted.if_missing == "skip":
            return "missing"
        raise error.advise('To take a missing segment for deleted, use if_missing="skip".') from None


def _is_unknown_operation(error: VendorError) -> bool:
    """Return whether the error says that there is no such operation, rather than that it is not permitted."""
    if error.status == 403:
        return _UNKNOWN_TO_GATEWAY.search(error.message) is not None
    if error.status == 400:
        return _REASON.search(error.message) is None
    return error.status in (405, 501)

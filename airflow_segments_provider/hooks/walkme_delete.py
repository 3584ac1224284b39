"""Deleting a WalkMe segment, which the vendor says is possible without saying how."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from airflow_segments_provider.errors import NotFound, RejectedRequest, VendorError, VendorUnavailable
from airflow_segments_provider.hooks.walkme_endpoints import moment_of
from airflow_segments_provider.models.walkme import SegmentChange, SegmentKey, select

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.walkme_endpoints import SegmentEndpoints
    from airflow_segments_provider.models.walkme import DeleteSegment
    from airflow_segments_provider.sources.batches import StagedUserIds

logger = logging.getLogger(__name__)

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
            if select(self._endpoints.segments(), SegmentKey(segment_guid=guid)) is None:
                return self._missing(error), datetime.now(UTC)
            failure: VendorError = error
        except (RejectedRequest, VendorUnavailable) as error:
            if error.status not in (405, 501):
                raise
            failure = error
        if self._wanted.if_unsupported == "fail":
            raise failure.advise(f"WalkMe still lists segment {guid}: it seems to offer no deletion by its API.")
        logger.warning("WalkMe offers no deletion by its API; segment %s is emptied instead.", guid)
        return "emptied", self._endpoints.send_users(guid, "override", self._nobody)

    def _missing(self, error: NotFound) -> Outcome:
        # The first answer may have been lost: then the repeat is 404 because the first did its work.
        if error.maybe_done:
            return "deleted"
        if self._wanted.if_missing == "skip":
            return "missing"
        raise error.advise('To take a missing segment for deleted, use if_missing="skip".') from None

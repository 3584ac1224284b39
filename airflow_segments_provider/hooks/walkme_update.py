"""Changing the members of a WalkMe segment that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.models.walkme import SegmentChange, select

if TYPE_CHECKING:
    from airflow_segments_provider.hooks.walkme_endpoints import SegmentEndpoints
    from airflow_segments_provider.models.walkme import UpdateSegment
    from airflow_segments_provider.sources.batches import StagedUserIds


def update(endpoints: SegmentEndpoints, wanted: UpdateSegment, staged: StagedUserIds) -> SegmentChange:
    """Find the segment, unless its GUID is known, and send the people."""
    guid = wanted.segment_guid
    if guid is None:
        found = select(endpoints.segments(), wanted)
        if found is None:
            raise NotFound(
                f"WalkMe lists no {wanted} in system {endpoints.system}; nothing was changed. Create it first, or name "
                "another.",
                vendor="WalkMe",
            )
        guid, wanted = found.segment_guid, wanted.model_copy(update=found.model_dump())
    moment = endpoints.send_users(guid, wanted.action, staged)
    return SegmentChange(
        system_guid=endpoints.system,
        segment_guid=guid,
        external_id=wanted.external_id,
        name=wanted.name,
        outcome="updated",
        users_sent=staged.users,
        users_rejected=dict(staged.invalid),
        requests=endpoints.requests,
        changed_at=moment,
    )

"""What the sandbox knows of one segment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SegmentRecord:
    """A segment as it truly is; GUIDs are 32 digits in lower case, times are seconds by the sandbox's clock.

    A deleted segment stays on record, without members.
    """

    guid: str
    system: str
    external_id: str | None
    name: str
    created_at: float
    deleted_at: float | None
    members: int

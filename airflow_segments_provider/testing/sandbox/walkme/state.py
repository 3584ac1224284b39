"""One WalkMe account: its segments and their members, and what an administrator can see and change."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_segments_provider.testing.sandbox.control import ControlRefused, control, only
from airflow_segments_provider.testing.sandbox.vendor import Vendor
from airflow_segments_provider.testing.sandbox.walkme.constants import PREFIX
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings, guid_digits

Action = Literal["add", "remove", "override"]
UserId = Annotated[str, Field(min_length=1)]
_PAGE = 50_000


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
    deleted_at: float | None = None
    members: int = 0


@dataclass(frozen=True)
class _Member:
    segment: str
    user_id: str


class WalkMe(Vendor[WalkMeSettings]):
    """WalkMe with one account. Members are a set, and IDs are compared exactly."""

    name, prefix, conn_type = "walkme", PREFIX, "walkme"
    make_settings = WalkMeSettings

    def create_tables(self) -> None:
        """Create the tables of the state."""
        self.member_table = self.table("members", _Member, "segment", "user_id")
        count = f"(SELECT count(*) FROM {self.member_table.name} WHERE segment = guid)"  # noqa: S608
        self.segment_table = self.table("segments", SegmentRecord, "guid", computed={"members": count})

    def find(self, system: str, guid: str) -> SegmentRecord | None:
        """Return a segment that is not deleted."""
        return self.segment_table.one("system = ? AND guid = ? AND deleted_at IS NULL", system, guid)

    def of_system(self, system: str, older_than: float = 0.0) -> list[SegmentRecord]:
        """Return a system's segments in the order of their creation, except deleted and too young ones.

        :param older_than: seconds since the creation
        """
        latest = self.clock.now() - older_than
        return self.segment_table.find("system = ? AND deleted_at IS NULL AND created_at <= ?", system, latest)

    def create(self, system: str, name: str, external_id: str | None, user_ids: Iterable[str]) -> SegmentRecord | None:
        """Create a segment, and return it; None if its external ID exists."""
        taken = "system = ? AND external_id = ? AND deleted_at IS NULL"
        if external_id is not None and self.segment_table.count(taken, system, external_id):
            return None
        segment = SegmentRecord(uuid.uuid4().hex, system, external_id, name, self.clock.now())
        self.segment_table.put(segment)
        self.change_members(segment.guid, "add", user_ids)
        return segment

    def change_members(self, guid: str, action: Action, user_ids: Iterable[str]) -> None:
        """Add or remove members, or replace all of them."""
        if action == "remove":
            self.member_table.remove((guid, user_id) for user_id in user_ids)
            return
        if action == "override":
            self.member_table.delete("segment = ?", guid)
        self.member_table.add(_Member(guid, user_id) for user_id in user_ids)

    def delete(self, segment: SegmentRecord) -> None:
        """Delete a segment and its members; its external ID is free again."""
        self.member_table.delete("segment = ?", segment.guid)
        self.segment_table.change(segment, deleted_at=self.clock.now())

    def connection_extra(self) -> dict[str, Any]:
        """Return the system of a connection."""
        return {"system_guid": self.settings.systems[0]}

    # What an administrator can see and change; the API's limits do not apply.

    @control
    def segments(self, deleted: bool = False) -> list[SegmentRecord]:
        """Return the segments of all systems in the order of their creation.

        :param deleted: deleted ones as well
        """
        return self.segment_table.find("1" if deleted else "deleted_at IS NULL")

    @control
    def members(self, segment: str, after: str = "") -> list[str]:
        """Return a page of the true members in the order of their code points.

        :param after: the last ID of the page before
        """
        where = "segment = ? AND user_id > ? ORDER BY user_id LIMIT ?"
        return self.member_table.column("user_id", where, self._segment(segment).guid, after, _PAGE)

    @control
    def member_count(self, segment: str) -> int:
        """Return the number of true members."""
        return self._segment(segment).members

    @control
    def editor(self, system: str | None = None) -> list[str]:
        """Return the names that the Editor's condition builder offers at the sandbox's time.

        :param system: a system GUID; None for the first known
        """
        return [segment.name for segment in self.of_system(self._system(system), self.settings.editor_lag)]

    @control
    def create_segment(
        self, name: str, external_id: str | None = None, user_ids: Iterable[UserId] = (), system: str | None = None
    ) -> str:
        """Create a segment by hand, and return its GUID as 32 digits."""
        segment = self.create(self._system(system), name, external_id, user_ids)
        if segment is None:
            raise ControlRefused(409, "a segment with this external ID exists")
        return segment.guid

    @control
    def delete_segment(self, segment: str) -> None:
        """Delete a segment by hand."""
        self.delete(self._segment(segment))

    @control
    def add_members(self, segment: str, user_ids: Iterable[UserId]) -> None:
        """Add any number of members by hand."""
        self.change_members(self._segment(segment).guid, "add", user_ids)

    @control
    def remove_members(self, segment: str, user_ids: Iterable[UserId]) -> None:
        """Remove any number of members by hand."""
        self.change_members(self._segment(segment).guid, "remove", user_ids)

    def _segment(self, text: str) -> SegmentRecord:
        for column, value in (("guid", guid_digits(text)), ("external_id", text), ("name", text)):
            if found := self.segment_table.find(f"{column} = ? AND deleted_at IS NULL", value):
                return only(found, "segments", text)
        return only([], "segments", text)

    def _system(self, text: str | None) -> str:
        digits = guid_digits(text or self.settings.systems[0])
        if digits is None:
            raise ControlRefused(422, f"{text!r} is not a GUID")
        return digits

"""A WalkMe segment whose members follow a source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.sync.target import Applied, Limits
from airflow_segments_provider.targets.base import Segment, SegmentTarget

if TYPE_CHECKING:
    from airflow_segments_provider.vendors.walkme.parameters import Action

__all__ = ["WalkMeSegment"]


class WalkMeSegment(Segment):
    """A WalkMe segment, identified by GUID, else by external ID, else by name. All fields are templates.

    WalkMe does not list members, so only the ledger shows them. One request holds up to 25,000 IDs.

    :param name: as the Editor shows it.
    :param segment_guid: with or without hyphens; in place of the other two.
    :param external_id: your own ID of the segment.
    :param create: create an empty segment where WalkMe lists none of that external ID or name.
    :param system_guid: in place of the connection's own.
    :param walkme_conn_id: the connection.
    """

    template_fields: Sequence[str] = ("segment_guid", "external_id", "name", "system_guid", "walkme_conn_id")
    vendor = "walkme"
    parts = ("system_guid", "name")

    def __init__(
        self,
        name: str | None = None,
        *,
        segment_guid: str | None = None,
        external_id: str | None = None,
        create: bool = False,
        system_guid: str | None = None,
        walkme_conn_id: str = WalkMeHook.default_conn_name,
    ) -> None:
        self.name = name
        self.segment_guid = segment_guid
        self.external_id = external_id
        self.create = create
        self.system_guid = system_guid
        self.walkme_conn_id = walkme_conn_id

    def open(self) -> WalkMeTarget:
        """Return the target that the sync engine uses."""
        return WalkMeTarget(self)


class WalkMeTarget(SegmentTarget):
    """The target of a WalkMe segment."""

    spec: WalkMeSegment
    hook: WalkMeHook
    noun = "segment"
    replaces = True

    def __init__(self, spec: WalkMeSegment) -> None:
        self.spec = spec.trimmed()
        self.hook = WalkMeHook(spec.walkme_conn_id)

    @cached_property
    def limits(self) -> Limits:  # type: ignore[override]
        """The limits of one request."""
        from airflow_segments_provider.vendors.walkme.parameters import MAX_ID_LENGTH

        fields = self.hook.fields
        most = fields.users_per_request
        return Limits(most, most, MAX_ID_LENGTH, request_timeout=self.longest_try(), per_minute=fields.rate_limit)

    @property
    def system(self) -> str:  # type: ignore[override]
        """The GUID of the system."""
        from airflow_segments_provider.vendors.walkme.guids import normalise_guid

        return normalise_guid(str(self.spec.system_guid or self.hook.fields.system_guid))

    def find(self) -> str | None:
        """Return the segment's GUID."""
        spec = self.spec
        found = self.hook.find_segment(
            segment_guid=spec.segment_guid, external_id=spec.external_id, name=spec.name, system_guid=spec.system_guid
        )
        self.title = found.name if found else None
        return found.segment_guid if found else None

    def create(self, name: str) -> tuple[str, bool]:
        """Create the segment."""
        spec = self.spec
        made = self.hook.create_segment(name, external_id=spec.external_id, system_guid=spec.system_guid)
        return str(made.segment_guid), made.outcome == "created"

    @property
    def names(self) -> dict[str, Any]:
        """The names of the segment's IDs in the other operators and the sensor."""
        return {"system_guid": self.system, "segment_guid": self.segment_id}

    @property
    def made_as(self) -> str:  # type: ignore[override]
        """Its external ID, else its name."""
        return str(self.spec.external_id or self.spec.name) if self.spec.create else ""

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users."""
        return self._send("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users."""
        return self._send("remove", ids)

    def replace(self, ids: Sequence[str]) -> Applied:
        """Make the members exactly these."""
        return self._send("override", ids, idempotent=False)

    def _send(self, action: Action, ids: Sequence[str], *, idempotent: bool = True) -> Applied:
        from airflow_segments_provider.http.client import encode

        body: Mapping[str, Any] = {"action": action, "userIds": list(ids)}
        response = self.hook.api(self.system).write(
            action, self.segment_id, body=encode(body), user_ids=lambda: ids, idempotent=idempotent
        )
        return Applied(in_doubt=response.in_doubt)

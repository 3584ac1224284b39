"""A WalkMe segment whose members follow a source."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.sources.ids import as_is

if TYPE_CHECKING:
    from airflow_segments_provider.sync.target import Applied, Limits, SegmentKey
    from airflow_segments_provider.vendors.walkme.parameters import Action

__all__ = ["WalkMeSegment"]


class WalkMeSegment:
    """A WalkMe segment, identified by GUID, else by external ID, else by name. All fields are templates.

    WalkMe does not list members, so only the ledger shows them. One request holds up to 25,000 IDs.

    :param create: create an empty segment where WalkMe lists none of that external ID or name.
    :param system_guid: in place of the connection's own.
    """

    template_fields: Sequence[str] = ("segment_guid", "external_id", "name", "system_guid", "walkme_conn_id")
    vendor = "walkme"

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

    def __repr__(self) -> str:
        """Return the names of the segment; the same in every process."""
        fields = {name: getattr(self, name) for name in (*self.template_fields, "create")}
        return f"WalkMeSegment({', '.join(f'{name}={value!r}' for name, value in fields.items() if value)})"

    __str__ = __repr__

    def open(self) -> WalkMeTarget:
        """Return the target that the sync engine uses."""
        return WalkMeTarget(self)


class WalkMeTarget:
    """The :class:`~airflow_segments_provider.sync.target.Target` of a WalkMe segment."""

    lists = False

    def __init__(self, spec: WalkMeSegment) -> None:
        self.spec = _trimmed(spec)
        self.hook = WalkMeHook(spec.walkme_conn_id)
        self.ours = False

    @cached_property
    def limits(self) -> Limits:
        """The limits of one request."""
        from airflow_segments_provider.sync.target import Limits
        from airflow_segments_provider.vendors.walkme.parameters import MAX_ID_LENGTH

        fields = self.hook.fields
        most = fields.users_per_request
        longest = timedelta(seconds=fields.retry.max_total + 10 * fields.timeout)
        return Limits(most, most, MAX_ID_LENGTH, request_timeout=longest, per_minute=fields.rate_limit)

    @cached_property
    def segment(self) -> Any:
        """The segment, or None where it is still to be created."""
        spec = self.spec
        found = self.hook.find_segment(
            segment_guid=spec.segment_guid, external_id=spec.external_id, name=spec.name, system_guid=spec.system_guid
        )
        if found is None and not (spec.create and spec.name):
            raise NotFound(
                f"WalkMe lists no such segment ({spec}); nothing was changed. Create it first, or set `create=True` "
                "and a name.",
                vendor="WalkMe",
            )
        return found

    def key(self) -> SegmentKey:
        """Return the key of the segment."""
        from airflow_segments_provider.sync.target import SegmentKey

        guid = self.segment.segment_guid if self.segment else ""
        return SegmentKey("walkme", self.hook.client.base_url, self._system, guid)

    @property
    def before_try(self) -> Callable[[], None]:
        """The check before each try of a request, look-ups included; it raises to prevent the request."""
        return self.hook.client.before_try

    @before_try.setter
    def before_try(self, check: Callable[[], None]) -> None:
        self.hook.client.before_try = check

    @property
    def names(self) -> dict[str, str]:
        """The names of the segment's IDs in the other operators and the sensor."""
        key = self.key()
        return {"system_guid": key.system, "segment_guid": key.segment}

    def make(self) -> None:
        """Create the segment."""
        spec = self.spec
        self.segment = self.hook.create_segment(
            str(spec.name), external_id=spec.external_id, system_guid=spec.system_guid
        )
        self.ours = self.segment.outcome == "created"

    @property
    def made_as(self) -> str:
        """Its external id, else its name."""
        return str(self.spec.external_id or self.spec.name) if self.spec.create else ""

    @property
    def _system(self) -> str:
        from airflow_segments_provider.vendors.walkme.guids import normalise_guid

        return normalise_guid(str(self.spec.system_guid or self.hook.fields.system_guid))

    normalise = staticmethod(as_is)

    def add(self, ids: Sequence[str]) -> Applied:
        """Add users."""
        return self._send("add", ids)

    def remove(self, ids: Sequence[str]) -> Applied:
        """Remove users."""
        return self._send("remove", ids)

    def replace(self, ids: Sequence[str]) -> Applied:
        """Make the members exactly these."""
        return self._send("override", ids, idempotent=False)

    def members(self) -> Iterator[Sequence[str]]:
        """Raise an error: WalkMe does not list members."""
        raise NotImplementedError

    def _send(self, action: Action, ids: Sequence[str], *, idempotent: bool = True) -> Applied:
        from airflow_segments_provider.http.client import encode
        from airflow_segments_provider.sync.target import Applied

        body: Mapping[str, Any] = {"action": action, "userIds": list(ids)}
        response = self.hook.api(self._system).write(
            action, self.segment.segment_guid, body=encode(body), user_ids=lambda: ids, idempotent=idempotent
        )
        return Applied(in_doubt=response.in_doubt)


def _trimmed(spec: WalkMeSegment) -> WalkMeSegment:
    """Return a copy without the spaces that a template may leave, so that one segment has one name.

    What renders to nothing counts as absent, as in the hook.
    """
    trimmed = copy.copy(spec)
    for name in ("segment_guid", "external_id", "name", "system_guid"):
        value = getattr(spec, name)
        if type(value) is int:  # as another task may return it
            value = str(value)
        if isinstance(value, str):
            setattr(trimmed, name, value.strip() or None)
    return trimmed

"""One WalkMe account: its settings, its state and its operations."""

from __future__ import annotations

from airflow_segments_provider.testing.sandbox.clock import Clock
from airflow_segments_provider.testing.sandbox.database import Database
from airflow_segments_provider.testing.sandbox.messages import Call, Refused, Reply, error_reply
from airflow_segments_provider.testing.sandbox.rate import RateWindow
from airflow_segments_provider.testing.sandbox.tokens import TokenStore
from airflow_segments_provider.testing.sandbox.walkme import access, bodies, guids, replies
from airflow_segments_provider.testing.sandbox.walkme.constants import READ, WRITE
from airflow_segments_provider.testing.sandbox.walkme.records import SegmentRecord
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings
from airflow_segments_provider.testing.sandbox.walkme.store import SegmentStore


class Account:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, database: Database, clock: Clock, settings: WalkMeSettings) -> None:
        self._clock = clock
        self._first_settings = settings
        self.settings = settings
        self.segments = SegmentStore(database, clock)
        self.tokens = TokenStore(database, clock, "walkme")
        self._rate = RateWindow()

    def reset(self) -> None:
        """Return to the state and the settings of the start."""
        self.settings = self._first_settings
        self.segments.clear()
        self.tokens.clear()
        self._rate.clear()

    def give_token(self, call: Call) -> Reply:
        """Exchange the API key for a token."""
        settings = self.settings
        access.demand_client(call, settings)
        token = self.tokens.issue(settings.client_id, settings.scopes, settings.token_lifetime)
        return replies.token_reply(token, settings)

    def create(self, call: Call) -> Reply:
        """Create a segment with its first members."""
        self._admit(call, WRITE)
        system = self._system(call)
        wanted = bodies.read_creation(call, self.settings)
        if wanted.external_id is not None and self.segments.external_id_taken(system, wanted.external_id):
            raise Refused(error_reply(409, "conflict", "a segment with this id exists"))
        guid = self.segments.create(system, wanted.name, wanted.external_id, wanted.user_ids)
        return replies.create_reply(self._found(system, guid), self.settings)

    def update(self, call: Call) -> Reply:
        """Add or remove members, or put others in the place of all."""
        self._admit(call, WRITE)
        segment = self._segment(call)
        change = bodies.read_change(call, self.settings)
        self.segments.change_members(segment.guid, change.action, change.user_ids)
        return replies.update_reply(segment, self.settings)

    def list(self, call: Call) -> Reply:
        """List the segments of a system, without their members."""
        self._admit(call, READ)
        return replies.list_reply(self.segments.of_system(self._system(call), self.settings.list_lag), self.settings)

    def delete(self, call: Call) -> Reply:
        """Delete a segment; that there is such a call is an assumption."""
        if self.settings.delete_supported != "yes":
            return self.no_operation(call) if self.settings.delete_supported == "route_405" else self.no_route(call)
        self._admit(call, WRITE)
        self.segments.delete(self._segment(call).guid)
        return Reply(204)

    def no_operation(self, call: Call) -> Reply:
        """Refuse a method on a path that has others."""
        raise Refused(error_reply(405, "method_not_allowed", "no such operation"))

    def no_route(self, call: Call) -> Reply:
        """Refuse a path that is none of WalkMe's."""
        raise Refused(error_reply(404, "not_found", "no such path"))

    def _admit(self, call: Call, scope: str) -> None:
        access.demand_scope(call, self.tokens, self.settings, scope)
        wait = self._rate.refuse(self._clock.now(), self.settings.rate_limit)
        if wait is not None:
            raise Refused(error_reply(429, "too_many_requests", "slow down", {"retry-after": str(wait)}))

    def _system(self, call: Call) -> str:
        system = guids.from_path(call.parameters["system"])
        if system is None or system not in map(guids.from_anything, self.settings.systems):
            raise Refused(error_reply(404, "not_found", "no such system"))
        return system

    def _segment(self, call: Call) -> SegmentRecord:
        system, guid = self._system(call), guids.from_path(call.parameters["segment"])
        return self._found(system, guid or "")

    def _found(self, system: str, guid: str) -> SegmentRecord:
        segment = self.segments.find(system, guid)
        if segment is None:
            raise Refused(error_reply(404, "not_found", "no such segment"))
        return segment

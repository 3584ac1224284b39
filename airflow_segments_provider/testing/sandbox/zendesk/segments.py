"""The operations on user segments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from airflow_segments_provider.testing.sandbox.messages import Refused, Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Guest, demand_manager, demand_staff
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.bodies import read_segment, read_wrapped, warned
from airflow_segments_provider.testing.sandbox.zendesk.membership import belongs
from airflow_segments_provider.testing.sandbox.zendesk.objects import section_object, segment_object, topic_object
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply
from airflow_segments_provider.testing.sandbox.zendesk.records import STAFF, SegmentRecord, UserRecord
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply


class Segments:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list_all(self, guest: Guest) -> Reply:
        """List all segments."""
        self._demand_lister(guest)
        return self._page(guest, self._account.segments.all())

    def list_applicable(self, guest: Guest) -> Reply:
        """List the segments that the plan lets be applied: not those of staff, on the lowest one."""
        self._demand_lister(guest)
        settings = self._account.settings
        found = self._account.segments.all()
        return self._page(guest, (one for one in found if settings.custom_segments or one.user_type != STAFF))

    def list_of_user(self, guest: Guest) -> Reply:
        """List the segments that a user is in; an agent sees of others' only those that are the agent's too."""
        demand_staff(guest, self._account)
        user = self._account.users.get(guest.ask.number())
        if user is None:
            raise errors.not_found()
        found = self._of(user)
        if not guest.user.guide_admin and user.id != guest.user.id:
            own = {segment.id for segment in self._of(guest.user)}
            found = [segment for segment in found if segment.id in own]
        return self._page(guest, found)

    def get(self, guest: Guest) -> Reply:
        """Return one segment."""
        demand_manager(guest, self._account)
        return self._reply(200, self._found(guest))

    def create(self, guest: Guest) -> Reply:
        """Create a segment; names may repeat, which is an assumption."""
        demand_manager(guest, self._account)
        settings, table = self._account.settings, self._account.segments
        if not settings.custom_segments:
            raise errors.forbidden(settings, "The plan has no custom user segments")
        given = read_wrapped(guest.ask, "user_segment")
        fields = read_segment(given, creation=True, account=self._account)
        if settings.max_segments is not None and len(table.ids()) >= settings.max_segments:
            raise errors.bad_fields("base", f"There are {settings.max_segments} user segments already")
        (number,) = table.new_ids()
        now = self._account.now()
        segment = SegmentRecord(id=number, created_at=now, updated_at=now, **fields)
        table.put(segment)
        return warned(self._reply(201, segment), "user_segment", "create", given, "help_center", settings)

    def update(self, guest: Guest) -> Reply:
        """Change the fields of a segment that the body holds."""
        demand_manager(guest, self._account)
        settings, segment = self._account.settings, self._changeable(guest)
        given = read_wrapped(guest.ask, "user_segment")
        fields = read_segment(given, creation=False, account=self._account)
        if fields.get("user_type", segment.user_type) != segment.user_type and not settings.user_type_changeable:
            raise errors.bad_fields("user_type", "The type of a user segment cannot be changed")
        segment = replace(segment, updated_at=self._account.now(), **fields)
        self._account.segments.put(segment)
        return warned(self._reply(200, segment), "user_segment", "update", given, "help_center", settings)

    def delete(self, guest: Guest) -> Reply:
        """Delete a segment that is applied to nothing."""
        demand_manager(guest, self._account)
        segment = self._changeable(guest)
        if self._account.in_use(segment) and (refusal := self._in_use_refusal()):
            raise refusal
        self._account.segments.delete(segment.id)
        return Reply(204)

    def list_sections(self, guest: Guest) -> Reply:
        """List the sections of a segment, by offset only."""
        demand_manager(guest, self._account)
        segment, table = self._found(guest), self._account.sections

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [section_object(section, guest.ask) for section in table.many(numbers)]

        ids = [section.id for section in table.all() if segment.id in section.user_segment_ids]
        listing = Listing("sections", "help_center", ids, render, self._account.settings.segments_per_page, False)
        return page_reply(guest.ask, listing, self._account.settings)

    def list_topics(self, guest: Guest) -> Reply:
        """List the topics that a segment is applied to."""
        demand_manager(guest, self._account)
        segment, table = self._found(guest), self._account.topics

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [topic_object(topic, guest.ask) for topic in table.many(numbers)]

        ids = [topic.id for topic in table.all() if segment.id in topic.user_segment_ids]
        return page_reply(guest.ask, Listing("topics", "help_center", ids, render), self._account.settings)

    def _demand_lister(self, guest: Guest) -> None:
        demand_staff(guest, self._account)
        if not self._account.settings.agents_may_list:
            demand_manager(guest, self._account)

    def _page(self, guest: Guest, segments: Iterable[SegmentRecord]) -> Reply:
        settings = self._account.settings
        wanted = guest.ask.value("built_in")
        if wanted not in (None, "true", "false"):
            raise errors.bad_request("InvalidParameter", "built_in is true or false")
        found = {one.id: one for one in segments if wanted is None or one.built_in == (wanted == "true")}

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [segment_object(found[number], settings) for number in numbers]

        listing = Listing("user_segments", "help_center", sorted(found), render, settings.segments_per_page)
        return page_reply(guest.ask, listing, settings)

    def _reply(self, status: int, segment: SegmentRecord) -> Reply:
        return json_reply(status, {"user_segment": segment_object(segment, self._account.settings)})

    def _of(self, user: UserRecord) -> list[SegmentRecord]:
        inherited = self._account.inherited_tags()
        return [segment for segment in self._account.segments.all() if belongs(user, segment, inherited)]

    def _found(self, guest: Guest) -> SegmentRecord:
        segment = self._account.segments.get(guest.ask.number())
        if segment is None:
            raise errors.not_found()
        return segment

    def _changeable(self, guest: Guest) -> SegmentRecord:
        segment, settings = self._found(guest), self._account.settings
        if not segment.built_in:
            return segment
        why = "Built-in user segments cannot be changed"
        if settings.built_in_refusal == 400:
            raise errors.bad_fields("base", why)
        if settings.built_in_refusal == 422:
            raise errors.record_invalid("base", why)
        raise errors.not_found() if settings.built_in_refusal == 404 else errors.forbidden(settings, why)

    def _in_use_refusal(self) -> Refused | None:
        settings, why = self._account.settings, "The user segment is in use"
        if settings.in_use_refusal == "errors_base":
            return errors.bad_fields("base", why)
        if settings.in_use_refusal == "record_invalid":
            return errors.record_invalid("base", why)
        return errors.forbidden(settings, why) if settings.in_use_refusal == "forbidden" else None

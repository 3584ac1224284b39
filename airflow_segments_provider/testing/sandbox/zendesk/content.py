"""The operations on articles and topics, to which segments are applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from airflow_segments_provider.testing.sandbox.messages import Reply
from airflow_segments_provider.testing.sandbox.zendesk import errors
from airflow_segments_provider.testing.sandbox.zendesk.access import Guest, demand_manager, demand_staff
from airflow_segments_provider.testing.sandbox.zendesk.account import Account
from airflow_segments_provider.testing.sandbox.zendesk.bodies import read_wrapped
from airflow_segments_provider.testing.sandbox.zendesk.constants import MAX_SEGMENTS_PER_ARTICLE
from airflow_segments_provider.testing.sandbox.zendesk.objects import article_object, topic_object
from airflow_segments_provider.testing.sandbox.zendesk.paging import Listing, page_reply
from airflow_segments_provider.testing.sandbox.zendesk.records import STAFF, ContentRecord
from airflow_segments_provider.testing.sandbox.zendesk.replies import json_reply
from airflow_segments_provider.testing.sandbox.zendesk.table import Table

_ONE, _SEVERAL = "user_segment_id", "user_segment_ids"


class Content:
    """Articles or topics; that agents see all of them, and managers alone change them, is an assumption.

    :param kind: which of the two
    """

    def __init__(self, account: Account, kind: Literal["article", "topic"]) -> None:
        self._account, self._kind = account, kind
        self._table: Table[ContentRecord] = account.articles if kind == "article" else account.topics

    def list_all(self, guest: Guest) -> Reply:
        """List all of them."""
        demand_staff(guest, self._account)

        def render(numbers: Sequence[int]) -> list[dict[str, object]]:
            return [self._object(guest, record) for record in self._table.many(numbers)]

        per_page = 30 if self._kind == "article" else 100
        listing = Listing(f"{self._kind}s", "help_center", self._table.ids(), render, per_page)
        return page_reply(guest.ask, listing, self._account.settings)

    def get(self, guest: Guest) -> Reply:
        """Return one."""
        demand_staff(guest, self._account)
        return json_reply(200, {self._kind: self._object(guest, self._found(guest))})

    def update(self, guest: Guest) -> Reply:
        """Apply segments, or lift the restriction; other fields are passed over."""
        demand_manager(guest, self._account)
        record = self._found(guest)
        wanted = self._wanted(read_wrapped(guest.ask, self._kind), record)
        added = [number for number in wanted if number not in record.user_segment_ids]
        segments = self._account.segments.many(added)
        if len(segments) != len(added):
            raise errors.not_found()
        if not self._account.settings.custom_segments and any(one.user_type == STAFF for one in segments):
            raise errors.forbidden(self._account.settings, "The plan does not let segments of staff be applied")
        record = replace(record, user_segment_ids=wanted, updated_at=self._account.now())
        self._table.put(record)
        return json_reply(200, {self._kind: self._object(guest, record)})

    def _wanted(self, given: Mapping[str, Any], record: ContentRecord) -> list[int]:
        if self._kind == "article" and _ONE in given and _SEVERAL in given:
            raise errors.bad_fields("base", f"{_ONE} and {_SEVERAL} cannot be given together")
        if self._kind == "article" and _SEVERAL in given and self._account.settings.several_segments:
            numbers = given[_SEVERAL] or []
            if not isinstance(numbers, list) or not all(_is_number(number) for number in numbers):
                raise errors.bad_fields(_SEVERAL, "The value must be an array of numbers")
            if len(numbers) > MAX_SEGMENTS_PER_ARTICLE:
                raise errors.bad_fields(_SEVERAL, f"There are more than {MAX_SEGMENTS_PER_ARTICLE}")
            return list(dict.fromkeys(numbers))
        if _ONE not in given:
            return record.user_segment_ids
        number = given[_ONE]
        if number is not None and not _is_number(number):
            raise errors.bad_fields(_ONE, "The value must be a number or null")
        return [] if number is None else [number]

    def _object(self, guest: Guest, record: ContentRecord) -> dict[str, object]:
        if self._kind == "topic":
            return topic_object(record, guest.ask)
        return article_object(record, guest.ask, self._account.settings)

    def _found(self, guest: Guest) -> ContentRecord:
        record = self._table.get(guest.ask.number())
        if record is None:
            raise errors.not_found()
        return record


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

"""Zendesk Help Center in the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.contract.contracted import NAME, Contracted


class Zendesk(Contracted):
    """User segments that are not built in; their members are the added users."""

    fixture, conn_id, conn_argument = "zendesk_sandbox", "zendesk_help_center_default", "zendesk_conn_id"
    id_argument, result_argument = "user_segment_id", "user_segment"
    token, list_endpoint = "zendesk.create_token", "zendesk.list_segments"
    create_endpoint, add_endpoint = "zendesk.create_segment", "zendesk.update_segment"
    extra = {"warnings_are_errors": True}
    segments_a_page = 100
    sees_its_work = True
    members_endpoint = "zendesk.get_segment"
    imports = "from airflow_segments_provider.operators.zendesk import *"
    operators = {
        "create": 'ZendeskCreateUserSegmentOperator(name="Trial users", user_ids=PEOPLE[:2], ...)',
        "add": 'ZendeskUpdateUserSegmentOperator(name="Trial users", user_ids=PEOPLE, ...)',
        "remove": 'ZendeskUpdateUserSegmentOperator(name="Trial users", user_ids=PEOPLE[:1], action="remove", ...)',
        "list": "ZendeskListUserSegmentsOperator(...)",
        "get": 'ZendeskGetUserSegmentOperator(name="Trial users", ...)',
        "delete": 'ZendeskDeleteUserSegmentOperator(name="Trial users", ...)',
    }

    def __init__(self, sandbox: Any) -> None:
        from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook

        super().__init__(sandbox)
        self.hook = ZendeskHelpCenterHook()
        sandbox.settings(max_segments=None, plan="enterprise_plus")

    def people(self, count: int) -> list[str]:
        return [str(number) for number in self.sandbox.seed_users(count)] if count else []

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        return self.hook.create_user_segment(name, ids, **options)

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_user_segment(**self.named(key), **options)

    def names(self) -> list[str]:
        return [str(segment.name) for segment in self.hook.get_user_segments(built_in=False).segments]

    def fill(self, count: int) -> None:
        for number in range(count):
            self.sandbox.create_segment(f"Segment {number}")

    def members(self, name: str = NAME) -> set[str]:
        (found,) = [segment for segment in self.sandbox.segments() if segment.name == name]
        return {str(number) for number in found.added_user_ids}

    def listed_members(self, key: Any) -> list[str]:
        return [str(number) for number in self.hook.get_user_segment(**self.named(key)).added_user_ids]

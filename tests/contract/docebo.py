"""Docebo in the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.contract.contracted import NAME, Contracted


class Docebo(Contracted):
    """Groups, without those that exist from the beginning."""

    fixture, conn_id, conn_argument = "docebo_sandbox", "docebo_default", "docebo_conn_id"
    id_argument, result_argument = "group_id", "group"
    token, list_endpoint = "docebo.get_token", "docebo.list_groups"
    create_endpoint, add_endpoint = "docebo.create_group", "docebo.add_members"
    extra = {"users_per_request": 10, "page_size": 7}
    segments_a_page = 7
    members_endpoint, members_a_page = "docebo.list_members", 7
    imports = """
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.operators.docebo import *
"""
    operators = {
        "create": 'DoceboCreateGroupOperator(name="Trial users", user_ids=PEOPLE[:2], ...)',
        "add": 'DoceboAddGroupUsersOperator(name="Trial users", user_ids=PEOPLE, ...)',
        "remove": 'DoceboRemoveGroupUsersOperator(name="Trial users", user_ids=PEOPLE[:1], ...)',
        "list": "DoceboListGroupsOperator(...)",
        "get": 'DoceboGetGroupOperator(name="Trial users", ...)',
        "delete": 'DoceboDeleteGroupOperator(name="Trial users", ...)',
    }

    def __init__(self, sandbox: Any) -> None:
        from airflow_segments_provider.hooks.docebo import DoceboHook

        super().__init__(sandbox)
        self.hook = DoceboHook()
        for group in sandbox.groups():
            sandbox.delete_group(group.uuid)

    def people(self, count: int) -> list[str]:
        return [str(number) for number in self.sandbox.seed_users(count)]

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        return self.hook.create_group(name, ids, **options)

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_group(**self.named(key), **options)

    def names(self) -> list[str]:
        return [group.name for group in self.hook.get_groups()]

    def fill(self, count: int) -> None:
        for number in range(count):
            self.sandbox.create_group(f"Group {number}")

    def members(self, name: str = NAME) -> set[str]:
        return {str(number) for number in self.sandbox.members(name)}

    def listed_members(self, key: Any) -> list[str]:
        return [member.user_id for member in self.hook.get_members(**self.named(key))]

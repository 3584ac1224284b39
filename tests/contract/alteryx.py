"""Alteryx Server in the contract."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.contract.contracted import NAME, Contracted


class Alteryx(Contracted):
    """User groups; neither groups nor members are paged."""

    fixture, conn_id, conn_argument = "alteryx_sandbox", "alteryx_server_default", "alteryx_conn_id"
    id_argument, result_argument = "user_group_id", "user_group"
    token, list_endpoint = "alteryx.token", "alteryx.list_groups"
    create_endpoint, add_endpoint = "alteryx.create_group", "alteryx.add_users"
    members_endpoint = "alteryx.get_group"
    imports = "from airflow_segments_provider.operators.alteryx import *"
    operators = {
        "create": 'AlteryxServerCreateUserGroupOperator(name="Trial users", user_ids=PEOPLE[:2], ...)',
        "add": 'AlteryxServerAddUserGroupUsersOperator(name="Trial users", user_ids=PEOPLE, ...)',
        "remove": 'AlteryxServerRemoveUserGroupUsersOperator(name="Trial users", user_ids=PEOPLE[:1], ...)',
        "list": "AlteryxServerListUserGroupsOperator(...)",
        "get": 'AlteryxServerGetUserGroupOperator(name="Trial users", ...)',
        "delete": 'AlteryxServerDeleteUserGroupOperator(name="Trial users", force_delete=True, ...)',
    }

    def __init__(self, sandbox: Any) -> None:
        from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

        super().__init__(sandbox)
        self.hook = AlteryxServerHook()

    def people(self, count: int) -> list[str]:
        found: list[str] = self.sandbox.seed_users(count)
        return found

    def create(self, ids: Iterable[object], *, name: str = NAME, **options: Any) -> Any:
        return self.hook.create_user_group(name, ids, **options)

    def delete(self, key: Any, **options: Any) -> Any:
        return self.hook.delete_user_group(**self.named(key), force_delete=True, **options)

    def names(self) -> list[str]:
        return [group.name for group in self.hook.get_user_groups()]

    def fill(self, count: int) -> None:
        for number in range(count):
            self.sandbox.create_group(f"Group {number}")

    def members(self, name: str = NAME) -> set[str]:
        found: set[str] = self.sandbox.members(name)
        return found

    def listed_members(self, key: Any) -> list[str]:
        return sorted(self.hook.get_user_group(**self.named(key)).members)

"""Alteryx Server in the fault tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.faults.scene import NAME, OTHERS, PEOPLE, Operation, Scene


def _create(hook: Any, group: str, people: list[str]) -> Any:
    return hook.create_user_group(NAME, people)


class AlteryxScene(Scene):
    """Token, List, Get, Create, Update, Add, Remove, Delete."""

    vendor, fixture = "Alteryx Server", "alteryx_sandbox"
    conn_id = "alteryx_server_default"
    login_setting = "api_key"
    letters = {
        "alteryx.token": "T",
        "alteryx.list_groups": "L",
        "alteryx.get_group": "G",
        "alteryx.create_group": "C",
        "alteryx.update_group": "U",
        "alteryx.add_users": "A",
        "alteryx.remove_user": "R",
        "alteryx.delete_group": "D",
    }
    operations = {
        "token": Operation("token", "alteryx.token", "TLCAAA", None, None, "12345", _create),
        "list": Operation("read", "alteryx.list_groups", "TLCAAA", None, None, "12345", _create),
        "create": Operation("create", "alteryx.create_group", "TLCAAA", None, "", "12345", _create, lost="TLCLAAA"),
        "get": Operation(
            "read",
            "alteryx.get_group",
            "TG",
            before="ab",
            first="ab",
            wanted="ab",
            run=lambda hook, group, people: hook.get_user_group(group),
            right=lambda group: len(group.members) == 2,
        ),
        # A user whom a request with a lost response added is a member when it is repeated, which the server reports
        # as a failure, so the members are read.
        "add": Operation(
            "write",
            "alteryx.add_users",
            "TAAA",
            before="ab",
            first="ab12",
            wanted="ab12345",
            run=lambda hook, group, people: hook.add_users(people, user_group_id=group),
            lost="TAAAAG",
        ),
        "remove": Operation(
            "write",
            "alteryx.remove_user",
            "TRRRRR",
            before="ab12345",
            first="ab2345",
            wanted="ab",
            run=lambda hook, group, people: hook.remove_users(people, user_group_id=group),
            answer="optional",
            extra={"max_concurrency": 1},
        ),
        "update": Operation(
            "write",
            "alteryx.update_group",
            "TGU",
            before="ab",
            first="ab",
            wanted="ab",
            run=lambda hook, group, people: hook.update_user_group(user_group_id=group, role="Viewer"),
            answer="none",
        ),
        "delete": Operation(
            "delete",
            "alteryx.delete_group",
            "TD",
            before="ab12345",
            first=None,
            wanted=None,
            run=lambda hook, group, people: hook.delete_user_group(user_group_id=group, force_delete=True),
            lost="TDDL",
            answer="none",
        ),
    }
    crashes = {
        "reuse": Operation(
            "create", "alteryx.create_group", "TLAAAG", before="ab1", first=None, wanted="ab12345", run=_create
        ),
        "exact": Operation(
            "create",
            "alteryx.create_group",
            "TLGAAGRR",
            before="ab1",
            first=None,
            wanted="12345",
            run=lambda hook, group, people: hook.create_user_group(NAME, people, if_exists="update"),
            extra={"max_concurrency": 1},
        ),
        "delete by name": Operation(
            "delete",
            "alteryx.delete_group",
            "TLD",
            before="ab",
            first=None,
            wanted=None,
            run=lambda hook, group, people: hook.delete_user_group(name=NAME, force_delete=True),
        ),
    }
    # The response to a create is an ID as text, so any text is checked: the list shows whether there is a new group.
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {
        (fault, "create"): "TLCLLL UnexpectedReply maybe" for fault in ("login page", "garbage", "JSON too deep")
    } | {
        # A name that is in use is refused with 400, too.
        ("400", "create"): "TLCL RejectedRequest",
        # A removal that fails does not prevent the others.
        ("404", "remove"): "<.> NotFound",
        ("405", "remove"): "<.> RejectedRequest",
        ("409", "remove"): "<.> Conflict",
        # All are removed, and not only the first: see test_alteryx_answers.
        ("truncated JSON", "remove"): None,
        ("oversized", "remove"): None,
        ("JSON of another shape", "remove"): "<.> UnexpectedReply maybe",
    }

    def new_hook(self, conn_id: str) -> Any:
        from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

        return AlteryxServerHook(conn_id)

    def begin(self) -> None:
        self.ids = dict(zip(OTHERS + PEOPLE, self.sandbox.seed_users(7), strict=True))

    def put(self, members: str) -> str:
        self.sandbox.create_group("Another")
        return str(self.sandbox.create_group(NAME, user_ids=self.people(members)))

    def nothing(self) -> str:
        return "0123456789abcdef01234567"

    def shown(self) -> list[list[Any]]:
        return [list(self.sandbox.members(group.id)) for group in self.sandbox.groups() if group.name == NAME]

"""Docebo in the fault tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.faults.scene import NAME, OTHERS, PEOPLE, Operation, Scene
from tests.faults.table import Fault, status


def _create(hook: Any, group: str, people: list[int]) -> Any:
    return hook.create_group(NAME, people)


class DoceboScene(Scene):
    """Token, List, Get, Create, Update, Add, Remove, Delete, and the list of Members."""

    vendor, fixture = "Docebo", "docebo_sandbox"
    conn_id = "docebo_default"
    letters = {
        "docebo.get_token": "T",
        "docebo.list_groups": "L",
        "docebo.get_group": "G",
        "docebo.create_group": "C",
        "docebo.update_group": "U",
        "docebo.delete_group": "D",
        "docebo.list_members": "M",
        "docebo.add_members": "A",
        "docebo.remove_members": "R",
    }
    operations = {
        "token": Operation("token", "docebo.get_token", "TLCAAA", None, None, "12345", _create),
        "list": Operation("read", "docebo.list_groups", "TLCAAA", None, None, "12345", _create),
        "create": Operation("create", "docebo.create_group", "TLCAAA", None, "", "12345", _create, lost="TLCLAAA"),
        "get": Operation(
            "read",
            "docebo.get_group",
            "TG",
            before="ab",
            first="ab",
            wanted="ab",
            run=lambda hook, group, people: hook.get_group(group),
            right=lambda group: group.name == NAME,
        ),
        "members": Operation(
            "read",
            "docebo.list_members",
            "TMMM",
            before="ab123",
            first="ab123",
            wanted="ab123",
            run=lambda hook, group, people: list(hook.get_members(group_id=group)),
            right=lambda members: len({member.user_id for member in members}) == 5,
            extra={"page_size": 2},
        ),
        "add": Operation(
            "write",
            "docebo.add_members",
            "TAAA",
            before="ab",
            first="ab12",
            wanted="ab12345",
            run=lambda hook, group, people: hook.add_users(people, group_id=group),
        ),
        # The responses to a removal, a change and a deletion are assumed, so an empty one is accepted.
        "remove": Operation(
            "write",
            "docebo.remove_members",
            "TRRR",
            before="ab12345",
            first="ab345",
            wanted="ab",
            run=lambda hook, group, people: hook.remove_users(people, group_id=group),
            answer="optional",
        ),
        "update": Operation(
            "write",
            "docebo.update_group",
            "TGU",
            before="ab",
            first="ab",
            wanted="ab",
            run=lambda hook, group, people: hook.update_group(group_id=group, description="Everybody"),
            answer="optional",
        ),
        "delete": Operation(
            "delete",
            "docebo.delete_group",
            "TD",
            before="ab12345",
            first=None,
            wanted=None,
            run=lambda hook, group, people: hook.delete_group(group_id=group),
            lost="TDDGL",
            look="G",
            answer="optional",
        ),
    }
    crashes = {
        "reuse": Operation(
            "create", "docebo.create_group", "TLAAA", before="ab1", first=None, wanted="ab12345", run=_create
        ),
        "exact": Operation(
            "create",
            "docebo.create_group",
            "TLMGAAR",
            before="ab1",
            first=None,
            wanted="12345",
            run=lambda hook, group, people: hook.create_group(NAME, people, if_exists="update"),
        ),
        "delete by name": Operation(
            "delete",
            "docebo.delete_group",
            "TLD",
            before="ab",
            first=None,
            wanted=None,
            run=lambda hook, group, people: hook.delete_group(name=NAME),
        ),
    }
    # A path that does not exist leads to the next form of the request; for an addition, the group is read first.
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {
        ("404", "create"): "TLCC NotFound",
        ("404 as HTML", "create"): "TLCC NotFound",
        ("405", "create"): "TLCC RejectedRequest",
        ("404", "add"): "TAGAA NotFound",
        ("404 as HTML", "add"): "TAGAA NotFound",
        ("405", "add"): "TAAA RejectedRequest",
        # Another process may be changing members, which Docebo refuses.
        ("409", "add"): "TAAA VendorUnavailable",
        ("409", "remove"): "TRRR VendorUnavailable",
        # Names may repeat: what is done after the next run makes a second one, and nothing sent could prevent it.
        ("done late", "create"): "TLCL VendorUnavailable maybe twins",
        # The list may lag, names may repeat, and a create has no ID: so a create of unknown outcome is not sent again.
        **{
            (fault, "create"): "TLCL VendorUnavailable maybe"
            for fault in (
                *("500 always", "502 as HTML always"),
                *("reset once", "reset always", "time-out once", "time-out always"),
            )
        },
        # Once is the same as always, except for 503, whose own row follows.
        **{(fault, "create"): None for fault in ("500 once", "502 as HTML once", "503 once")},
    }
    rows: ClassVar[list[Any]] = [
        Fault("503", "status", status(503), {"create": "TLCL VendorUnavailable maybe"}, status=503),
    ]

    def new_hook(self, conn_id: str) -> Any:
        from airflow_segments_provider.hooks.docebo import DoceboHook

        return DoceboHook(conn_id)

    def begin(self) -> None:
        self.ids = dict(zip(OTHERS + PEOPLE, self.sandbox.seed_users(7), strict=True))

    def put(self, members: str) -> str:
        self.sandbox.create_group("Another")
        return str(self.sandbox.create_group(NAME, user_ids=self.people(members)))

    def nothing(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def shown(self) -> list[list[Any]]:
        return [list(self.sandbox.members(group.uuid)) for group in self.sandbox.groups() if group.name == NAME]

"""WalkMe in the fault tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.faults.scene import NAME, OTHERS, PEOPLE, Operation, Scene
from tests.faults.table import Fault


def _create(hook: Any, guid: str, people: list[str]) -> Any:
    return hook.create_segment(NAME, people)


class WalkMeScene(Scene):
    """Token, List, Create, Delete; an update is Add, Remove or Override."""

    vendor, fixture = "WalkMe", "walkme_sandbox"
    conn_id = "walkme_default"
    letters = {
        "walkme.token": "T",
        "walkme.list": "L",
        "walkme.create": "C",
        "walkme.delete": "D",
        ("walkme.update", "add"): "A",
        ("walkme.update", "remove"): "R",
        ("walkme.update", "override"): "O",
    }
    operations = {
        "token": Operation("token", "walkme.token", "TLCAA", None, None, "12345", _create),
        "list": Operation("read", "walkme.list", "TLCAA", None, None, "12345", _create),
        "create": Operation("create", "walkme.create", "TLCAA", None, "12", "12345", _create, lost="TLCLAAA"),
        "add": Operation(
            "write",
            "walkme.update",
            "TAAA",
            before="ab",
            first="ab12",
            wanted="ab12345",
            run=lambda hook, guid, people: hook.add_users(people, segment_guid=guid),
            answer="optional",
        ),
        "remove": Operation(
            "write",
            "walkme.update",
            "TRRR",
            before="ab12345",
            first="ab345",
            wanted="ab",
            run=lambda hook, guid, people: hook.remove_users(people, segment_guid=guid),
            answer="optional",
        ),
        "override": Operation(
            "write",
            "walkme.update",
            "TO",
            before="ab",
            first="12345",
            wanted="12345",
            run=lambda hook, guid, people: hook.override_users(people, segment_guid=guid),
            answer="optional",
            extra={"users_per_request": 5},
        ),
        "delete": Operation(
            "delete",
            "walkme.delete",
            "TD",
            before="ab12345",
            first=None,
            wanted=None,
            run=lambda hook, guid, people: hook.delete_segment(segment_guid=guid),
            lost="TDDL",
            answer="none",
        ),
    }
    crashes = {
        "nobody": Operation(
            "create",
            "walkme.create",
            "TLC",
            before=None,
            first="",
            wanted="",
            run=lambda hook, guid, people: hook.create_segment(NAME),
        ),
        "reuse": Operation("create", "walkme.create", "TLAAA", before="ab", first=None, wanted="ab12345", run=_create),
        "exact": Operation(
            "create",
            "walkme.create",
            "TLO",
            before="ab",
            first=None,
            wanted="12345",
            run=lambda hook, guid, people: hook.create_segment(NAME, people, if_exists="update"),
            extra={"users_per_request": 5},
        ),
        "add by name": Operation(
            "write",
            "walkme.update",
            "TLAAA",
            before="ab",
            first="ab12",
            wanted="ab12345",
            run=lambda hook, guid, people: hook.add_users(people, name=NAME),
        ),
        "remove by name": Operation(
            "write",
            "walkme.update",
            "TLRRR",
            before="ab12345",
            first="ab345",
            wanted="ab",
            run=lambda hook, guid, people: hook.remove_users(people, name=NAME),
        ),
        "delete by name": Operation(
            "delete",
            "walkme.delete",
            "TLD",
            before="ab",
            first=None,
            wanted=None,
            run=lambda hook, guid, people: hook.delete_segment(name=NAME),
        ),
    }
    # The deletion is not published: these mean that WalkMe has none, and the segment is emptied.
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {
        ("400", "delete"): "TDO emptied",
        ("404", "delete"): "TDLO emptied",
        ("404 as HTML", "delete"): "TDLO emptied",
        ("405", "delete"): "TDO emptied",
        ("501", "delete"): "TDO emptied",
        # A list without segments may be returned so.
        ("JSON null", "list"): "<.>",
        ("204 for nothing", "list"): "<.>",
        # The first users were sent with the create, and may have been added.
        ("empty body", "create"): "TLCLAA",
        # Each takes its time.
        ("time-out once", "remove"): None,
        ("time-out once", "override"): None,
        ("time-out once after the effect", "remove"): None,
    }
    rows = [
        Fault(
            "400 that quotes the ids",
            "",
            {},
            status=400,
            strike=lambda scene: scene.sandbox.settings(
                refused_user_ids=scene.people("12345"), echo_ids_in_errors=True
            ),
            cells={
                "create": "<. RejectedRequest",
                "add": "<. RejectedRequest",
                "remove": "<. RejectedRequest",
                "override": "<. RejectedRequest",
            },
        ),
        Fault("time-out once, elsewhere", "hang", {}, timeout=0.5, cells={"token": "<..>", "list": "<..>"}),
        Fault(
            "time-out once after the effect, elsewhere",
            "hang",
            {"effect": True},
            timeout=0.5,
            cells={"delete": "lost"},
        ),
    ]

    def new_hook(self, conn_id: str) -> Any:
        from airflow_segments_provider.hooks.walkme import WalkMeHook

        return WalkMeHook(conn_id)

    def begin(self) -> None:
        odd = ["stays-0001", "stays-0002", "zoë-0001", "CORP\\ada", 'o"brien-77', "grace@people.example", "4711-0815"]
        self.ids = dict(zip(OTHERS + PEOPLE, odd, strict=True))

    def put(self, members: str) -> str:
        self.sandbox.create_segment("Another", "another")
        return str(self.sandbox.create_segment(NAME, "ours", self.people(members)))

    def nothing(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def shown(self) -> list[list[Any]]:
        found = [segment for segment in self.sandbox.segments() if segment.name == NAME]
        members = [list(self.sandbox.iter_members(segment.guid)) for segment in found]
        assert [segment.members for segment in found] == list(map(len, members))
        return members

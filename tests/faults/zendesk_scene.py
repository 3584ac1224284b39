"""Zendesk Help Center in the fault tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tests.faults.scene import NAME, OTHERS, PEOPLE, Operation, Scene
from tests.faults.table import Fault, status

# Operations that read the added users, and write all of them.
ADDED = ("add", "remove")
# The table's faults for these operations and for a create: not carried out, and the vendor says so; not
# carried out, but unknown; carried out with a lost response; and never carried out.
WAITING = (
    "408 once", "429 with seconds", "429 with a date", "429 without Retry-After", "429 as plain text",
)  # fmt: skip
PASSING = ("500 once", "502 as HTML once", "503 once", "reset once", "time-out once")
DONE = (
    "500 once after the effect", "502 as HTML once after the effect", "reset mid-body once", "reset mid-body always",
    "answer lost once", "answer lost always", "time-out once after the effect",
)  # fmt: skip
ALWAYS = ("500 always", "502 as HTML always", "reset always", "time-out always")
IN_DOUBT = "<.? VendorUnavailable maybe"
SHAPELESS = ("JSON of another shape", "JSON null", "JSON text", "204 for nothing")


def _create(hook: Any, segment: int, people: list[int]) -> Any:
    return hook.create_user_segment(NAME, people)


def _tag(scene: ZendeskScene, members: str) -> int:
    for person in scene.people(members):
        scene.sandbox.change_user(person, tags=["fault-tag"])
    return 0


def _tagged(scene: ZendeskScene) -> list[list[int]]:
    """Return the users who have the tag when every background job is done."""
    scene.sandbox.advance(60)
    return [[user.id for user in scene.sandbox.iter_users() if "fault-tag" in user.tags]]


class ZendeskScene(Scene):
    """Token, List, Get, Create, Update, Delete; a tag added (V), removed (X), shown (W); many users (B).

    The places where a segment in use is searched: sections, topics, articles.
    """

    vendor, fixture = "Zendesk", "zendesk_sandbox"
    conn_id = "zendesk_help_center_default"
    letters = {
        "zendesk.create_token": "T",
        "zendesk.list_segments": "L",
        "zendesk.get_segment": "G",
        "zendesk.create_segment": "C",
        "zendesk.update_segment": "U",
        "zendesk.delete_segment": "D",
        "zendesk.add_user_tags": "V",
        "zendesk.remove_user_tags": "X",
        "zendesk.get_user_tags": "W",
        "zendesk.update_users": "B",
        "zendesk.list_segment_sections": "s",
        "zendesk.list_segment_topics": "t",
        "zendesk.list_articles": "a",
    }
    extra: ClassVar[dict[str, Any]] = {"warnings_are_errors": True}
    operations = {
        "token": Operation("token", "zendesk.create_token", "TLC", None, None, "12345", _create),
        "list": Operation("read", "zendesk.list_segments", "TLC", None, None, "12345", _create),
        "create": Operation("create", "zendesk.create_segment", "TLC", None, "12345", "12345", _create, lost="TLCL"),
        "get": Operation(
            "read",
            "zendesk.get_segment",
            "TGU",
            before="ab",
            first="ab",
            wanted="ab12345",
            run=lambda hook, segment, people: hook.add_users(people, user_segment_id=segment),
        ),
        "add": Operation(
            "write",
            "zendesk.update_segment",
            "TGU",
            before="ab",
            first="ab12345",
            wanted="ab12345",
            run=lambda hook, segment, people: hook.add_users(people, user_segment_id=segment),
        ),
        "remove": Operation(
            "write",
            "zendesk.update_segment",
            "TGU",
            before="ab12345",
            first="ab",
            wanted="ab",
            run=lambda hook, segment, people: hook.remove_users(people, user_segment_id=segment),
        ),
        "tag": Operation(
            "write",
            "zendesk.add_user_tags",
            "TV",
            before="",
            first="1",
            wanted="1",
            run=lambda hook, nothing, people: hook.add_user_tags(people[0], ["fault-tag"]),
            put=_tag,
            shown=_tagged,
        ),
        "untag": Operation(
            "write",
            "zendesk.remove_user_tags",
            "TXW",
            before="1",
            first="",
            wanted="",
            run=lambda hook, nothing, people: hook.remove_user_tags(people[0], ["fault-tag"]),
            answer="none",
            put=_tag,
            shown=_tagged,
        ),
        "many": Operation(
            "write",
            "zendesk.update_users",
            "TB",
            before="",
            first="12345",
            wanted="12345",
            run=lambda hook, nothing, people: hook.update_users(people, {"tags": ["fault-tag"]}),
            put=_tag,
            shown=_tagged,
        ),
        "delete": Operation(
            "delete",
            "zendesk.delete_segment",
            "TGD",
            before="ab12345",
            first=None,
            wanted=None,
            run=lambda hook, segment, people: hook.delete_user_segment(user_segment_id=segment),
            lost="TGDDL",
            look="L",
            answer="none",
        ),
    }
    crashes = {
        "reuse": Operation(
            "create", "zendesk.create_segment", "TLU", before="ab1", first=None, wanted="ab12345", run=_create
        ),
        "exact": Operation(
            "create",
            "zendesk.create_segment",
            "TLU",
            before="ab1",
            first=None,
            wanted="12345",
            run=lambda hook, segment, people: hook.create_user_segment(NAME, people, if_exists="update"),
        ),
        "set": Operation(
            "write",
            "zendesk.update_segment",
            "TLU",
            before="ab1",
            first=None,
            wanted="12345",
            run=lambda hook, segment, people: hook.set_users(people, name=NAME),
        ),
        "delete by name": Operation(
            "delete",
            "zendesk.delete_segment",
            "TLD",
            before="ab",
            first=None,
            wanted=None,
            run=lambda hook, segment, people: hook.delete_user_segment(name=NAME),
        ),
    }
    cells: ClassVar[Mapping[tuple[str, str], str | None]] = {
        # Any refusal of a deletion may mean that the segment is in use, so its use is searched.
        **{(fault, "delete"): "TGDsta Conflict" for fault in ("400", "405", "409", "413", "418")},
        ("403", "delete"): "TGDsta PermissionDenied",
        # Jobs of other clients may use all places; waiting for a place is tested separately.
        ("429 always", "many"): None,
        # A response without tags is followed by a read of them.
        ("JSON null", "tag"): "TVW UnexpectedReply maybe",
        ("204 for nothing", "tag"): "TVW UnexpectedReply maybe",
        # Names may repeat: a create that may be under way is not sent again. One that is carried out later than
        # Airflow's next try creates a second segment, which cannot be prevented.
        ("done late", "create"): f"{IN_DOUBT} twins",
        **dict.fromkeys(((fault, "create") for fault in ("reset once", "time-out once", *ALWAYS)), IN_DOUBT),
        # These are the words of a success; a row of this vendor has the status.
        **dict.fromkeys((fault, "create") for fault in ("500 once", "502 as HTML once", "503 once")),
        **dict.fromkeys(((fault, "create") for fault in SHAPELESS), "<.? UnexpectedReply maybe"),
        # The added users are read again before each repeat: the change may be done, or another client may have changed
        # them.
        **dict.fromkeys(((fault, name) for fault in WAITING + PASSING + ("done late",) for name in ADDED), "<.G."),
        **dict.fromkeys(((fault, name) for fault in DONE for name in ADDED), "<.G"),
        **dict.fromkeys(((fault, name) for fault in ALWAYS for name in ADDED), "<.G.G. VendorUnavailable maybe"),
        **dict.fromkeys((("429 always", name) for name in ADDED), "<.G.G. RateLimited"),
        **dict.fromkeys((("refused once", name) for name in ADDED), "<G."),
    }
    rows: ClassVar[list[Any]] = [Fault("503", "status", status(503), {"create": IN_DOUBT}, status=503)]

    def new_hook(self, conn_id: str) -> Any:
        from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook

        return ZendeskHelpCenterHook(conn_id)

    def begin(self) -> None:
        self.ids = dict(zip(OTHERS + PEOPLE, self.sandbox.seed_users(7), strict=True))

    def put(self, members: str) -> int:
        self.sandbox.create_segment("Another")
        return int(self.sandbox.create_segment(NAME, added_user_ids=self.people(members)))

    def nothing(self) -> int:
        return 0

    def shown(self) -> list[list[Any]]:
        return [list(segment.added_user_ids) for segment in self.sandbox.segments() if segment.name == NAME]

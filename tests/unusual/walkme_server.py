"""A WalkMe that responds in one of the ways that its documentation leaves open, on a real socket.

Six choices make a server. Their values are strings, and their product is the set of all servers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from itertools import product
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.http.vendor import TOKEN_PATH, Answer, Received, Vendor

SYSTEM = "5a4d0c1e-77b2-4c39-9f0e-2b6d8e51a7c4"
PATH = f"/public/v1/user/system/{SYSTEM}/segment"
PAGE = 2
# The user whom a server leaves out if it does not add all.
BAD = "bad"

# Envelope and paging depend on each other: a bare list can announce pages only by headers.
HEADER_PAGING = ("whole", "total", "link header", "next page header")
BODY_PAGING = ("whole", "total", "next URL", "links", "link header", "cursor", "pages", "offset", "foreign", "deaf")
LISTS = (
    *product(["bare"], HEADER_PAGING),
    *product(["segments", "data.segments", "HAL"], BODY_PAGING),
)
FIELDS = {
    "documented": ("guid", "id", "name"),
    "external": ("segmentId", "externalId", "displayName"),
    "capitals": ("Guid", "", "Name"),
    "id": ("id", "", "name"),
    "two": ("guid", "id", "name"),
}
GUIDS = ("hex", "braces")
WRITES = ("object", "enveloped", "none", "false", "part", "count")
DELETES = ("204", "false", "400", "403", "403 gateway", "404 gateway", "405", "501")

INCOMPLETE = ("total", "foreign", "deaf")
UNSUPPORTED = ("400", "403 gateway", "404 gateway", "405", "501")


@dataclass(frozen=True)
class Variant:
    """One server.

    :param fields: ``two`` returns two different GUIDs for each segment.
    :param write: The response to a creation or a change: ``false`` changes nothing; ``part`` and ``count`` leave BAD
        out and report it.
    :param delete: The response to a deletion: ``false`` changes nothing, ``403`` is a missing permission, ``… gateway``
        an unknown path.
    """

    envelope: str = "segments"
    paging: str = "whole"
    fields: str = "documented"
    guid: str = "hex"
    write: str = "object"
    delete: str = "204"

    def __str__(self) -> str:
        return ", ".join(astuple(self))

    @property
    def readable(self) -> bool:
        """Return whether a list of more than one page can be read without guessing."""
        return self.paging not in INCOMPLETE and self.fields != "two"

    @property
    def lists_external_ids(self) -> bool:
        return bool(FIELDS[self.fields][1])


def lists() -> Iterator[Variant]:
    """Yield all servers, without the variants of the responses to writes and deletions."""
    for (envelope, paging), fields, guid in product(LISTS, FIELDS, GUIDS):
        yield Variant(envelope, paging, fields, guid)


@dataclass
class Segment:
    external_id: str | None
    name: str
    members: set[str]


class UnusualWalkMe(Vendor):
    """Server with segments by GUID and the responses of a variant."""

    def __init__(self) -> None:
        super().__init__()
        self.variant = Variant()
        self.segments: dict[str, Segment] = {}

    def reset(self, variant: Variant, **members: set[str]) -> None:
        self.requests.clear()
        self.variant = variant
        self.segments = {
            uuid.uuid5(uuid.UUID(SYSTEM), f"guid of {name}").hex: Segment(f"ext-{name}", name, set(users))
            for name, users in members.items()
        }

    def state(self) -> list[tuple[str, tuple[str, ...]]]:
        """Return the names and true members of all segments."""
        return sorted((segment.name, tuple(sorted(segment.members))) for segment in self.segments.values())

    def members(self, name: str) -> set[str]:
        (found,) = (segment.members for segment in self.segments.values() if segment.name == name)
        return found

    def guid(self, name: str) -> str:
        return next(guid for guid, segment in self.segments.items() if segment.name == name)

    @property
    def connection(self) -> dict[str, Any]:
        extra = {"system_guid": SYSTEM, "token_url": f"{self.url}{TOKEN_PATH}", "retry": {"max_attempts": 1}}
        return {"conn_type": "walkme", "host": self.url, "login": "x", "password": self.secret, "extra": extra}

    def answer(self, request: Received) -> Answer:
        if request.target.endswith(TOKEN_PATH):
            return super().answer(request)
        self.requests.append(request)
        parts = urlsplit(request.target)
        guid = parts.path.removeprefix(PATH).strip("/").replace("-", "")
        if request.method == "GET":
            return self._list(dict(parse_qsl(parts.query)))
        if request.method == "DELETE":
            return self._delete(guid)
        body = json.loads(request.body)
        if request.method == "PUT" and guid not in self.segments:
            return Answer(404, {"message": "no such segment"})
        return self._write(guid, body)

    # Lists ---------------------------------------------------------------------------------------------------------

    def _list(self, query: dict[str, str]) -> Answer:
        paging = self.variant.paging
        asked = int(query.get({"pages": "page", "next page header": "page"}.get(paging, "offset"), 0))
        if paging in ("cursor", "links"):
            asked = int(query.get("cursor", "at-0").removeprefix("at-"))
        start = {"deaf": 0, "pages": max(0, asked - 1) * PAGE, "next page header": max(0, asked - 1) * PAGE}.get(
            paging, asked
        )
        shown = list(self.segments) if paging == "whole" else list(self.segments)[start : start + PAGE]
        entries = [self._entry(guid, self.segments[guid]) for guid in shown]
        more = start + len(shown) < len(self.segments)
        extra, headers = self._paging(start, more=more)
        return self._enveloped(entries, extra, headers)

    def _paging(self, start: int, *, more: bool) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the fields and headers by which the list describes its pages."""
        total, number, following = len(self.segments), start // PAGE + 1, start + PAGE
        here = f"{self.url}{PATH}"
        match self.variant.paging:
            case "total":
                bare = self.variant.envelope == "bare"
                return ({}, {"X-Total-Count": str(total)}) if bare else ({"totalCount": total}, {})
            case "next URL":
                return {"next": f"{here}?offset={following}" if more else None}, {}
            case "links":
                return {"links": {"next": f"{PATH}?cursor=at-{following}"} if more else {}}, {}
            case "link header":
                return {}, {"Link": f'<{here}?offset={following}>; rel="next"'} if more else {}
            case "next page header":
                return {}, {"X-Next-Page": str(number + 1) if more else ""}
            case "cursor" | "deaf":
                return {"hasMore": more, "nextCursor": f"at-{following}" if more else None}, {}
            case "pages":
                return {"page": number, "pages": -(-total // PAGE), "limit": PAGE}, {}
            case "offset":
                return {"offset": start, "limit": PAGE, "total": total}, {}
            case "foreign":
                return {"next": f"https://walkme.example{PATH}?offset={following}" if more else ""}, {}
        return {}, {}

    def _enveloped(self, entries: list[Any], extra: dict[str, Any], headers: dict[str, str]) -> Answer:
        body: Any = {
            "bare": entries,
            "segments": {"segments": entries or None, **extra},
            "data.segments": {"success": True, "data": {"segments": entries}, "meta": {"pagination": extra}},
            "HAL": {"_embedded": {"segments": entries}, "_links": {"self": {"href": PATH}}, **extra},
        }[self.variant.envelope]
        nothing = self.variant.envelope == "bare" and not entries and not headers
        return Answer(204, b"", headers) if nothing else Answer(200, body, headers)

    def _entry(self, guid: str, segment: Segment) -> dict[str, Any]:
        guid_field, id_field, name_field = FIELDS[self.variant.fields]
        spelled = guid if self.variant.guid == "hex" else f"{{{uuid.UUID(guid)}}}".upper()
        entry = {guid_field: spelled, name_field: segment.name} | ({id_field: segment.external_id} if id_field else {})
        return entry | ({"uuid": str(uuid.uuid4())} if self.variant.fields == "two" else {})

    # Writes --------------------------------------------------------------------------------------------------------

    def _write(self, guid: str, body: dict[str, Any]) -> Answer:
        """Create a segment if there is no GUID, or change one, and respond."""
        users, action, write = set(body["userIds"]), body.get("action", "add"), self.variant.write
        if write == "false":
            return Answer(200, {"success": False, "message": "not now"})
        left_out = {BAD} & users if write in ("part", "count") and action != "remove" else set()
        if not guid:
            if any(segment.external_id == body["id"] for segment in self.segments.values()):
                return Answer(409, {"message": "exists"})
            guid = uuid.uuid4().hex
            self.segments[guid] = Segment(body["id"], body["name"], set())
        segment = self.segments[guid]
        wanted = users - left_out
        segment.members = {
            "add": segment.members | wanted,
            "remove": segment.members - wanted,
            "override": wanted,
        }[action]
        entry = self._entry(guid, segment)
        bodies: dict[str, Any] = {
            "object": entry,
            "enveloped": {"status": "ok", "data": {"segment": entry}},
            "part": {**entry, "result": {"failed": sorted(left_out)}},
            "count": {**entry, "processed": len(wanted)},
        }
        return Answer(204, b"") if write == "none" else Answer(200, bodies[write])

    def _delete(self, guid: str) -> Answer:
        match self.variant.delete:
            case "400":
                return Answer(400, {"message": "Invalid request"})
            case "403":
                return Answer(403, {"message": "Your key has no permission"})
            case "403 gateway":
                return Answer(403, {"message": "Missing Authentication Token"})
            case "404 gateway":
                return Answer(404, "<h1>Not found</h1>", {"Content-Type": "text/html"})
            case "405" | "501" as status:
                return Answer(int(status), {})
        if guid not in self.segments:
            return Answer(404, {"message": "no such segment"})
        if self.variant.delete == "false":
            return Answer(200, {"success": False})
        del self.segments[guid]
        return Answer(204, b"")

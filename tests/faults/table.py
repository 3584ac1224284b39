"""The faults that a vendor's API may show, and the expected outcome of each kind of request under each fault.

A cell states which requests the operation sends and how it ends. ``<`` stands for the requests before the faulty one,
``.`` for the faulty request, ``?`` for the lookup after a create whose outcome is uncertain, ``>`` for the requests
after the faulty one, ``lost`` for those sent when the response is lost after the request was carried out; a capital
letter is a request by its name in the vendor's scene. "<..>" is a success after one repeat;
"<... VendorUnavailable maybe effect" is a failure after three attempts: the class of the error, then ``maybe`` if the
error must say that the vendor may have carried out the request, and ``effect`` if the vendor carried out the first
attempt. For a success, ``emptied`` means that the segment is left without members, and ``twins`` that a late request
creates a second segment of the same name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from airflow_segments_provider import errors
from tests.faults.scene import Operation, Scene

REFUSED = "connection refused"
ELSEWHERE = "http://127.0.0.1:9/elsewhere"


@dataclass(frozen=True)
class Fault:
    """One row: a fault, and a cell for each kind of request that it affects.

    :param kind: The kind of the sandbox's fault; or REFUSED, or empty where ``strike`` causes the fault.
    :param cells: The cells by role, or by role and form of the response; in a vendor's own rows, by operation.
    :param status: The HTTP status that the errors must have.
    :param others: Further faults, as (endpoint, kind, parameters); "list" is the endpoint of the operation of this
        name.
    :param brief: The shared client handles the fault, so one vendor is tested with every operation, and the others
        with one operation that creates, one that writes and one that deletes.
    :param slow: The test takes seconds.
    """

    name: str
    kind: str
    parameters: dict[str, Any]
    cells: dict[str, str]
    status: int | None = None
    retry_after: float | None = None
    timeout: float = 20.0
    strike: Callable[[Any], None] | None = None
    others: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    brief: bool = False
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """A parsed cell."""

    calls: str
    error: type
    words: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def read(cls, cell: str, operation: Operation, scene: type[Scene]) -> Outcome:
        calls, _, rest = cell.partition(" ")
        words = set(rest.split())
        named = words - {"maybe", "effect", "emptied", "twins"}
        error = getattr(errors, named.pop()) if named else NoneType
        return cls(_spelled(calls, operation, scene), error, frozenset(words))


def _spelled(calls: str, operation: Operation, scene: type[Scene]) -> str:
    if calls == "lost":
        if operation.lost is not None:
            return operation.lost
        calls = "<..>"
    at = scene.struck(operation)
    before, letter, after = operation.healthy[:at], operation.healthy[at], operation.healthy[at + 1 :]
    return "".join(
        {"<": before, ".": letter, "?": operation.look or scene.look, ">": after}.get(sign, sign) for sign in calls
    )


def status(code: int, *, times: int | None = 1, **parameters: Any) -> dict[str, Any]:
    return {"status": code, "times": times, **parameters}


ALWAYS: dict[str, Any] = {"times": None}
HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"
ROLES = ("token", "read", "create", "write", "delete")
# Cells of temporary faults: repeated at once; repeated, but a create only after a look; and carried out already.
REPEATED = dict.fromkeys(ROLES, "<..>")
LOOKED = REPEATED | {"create": "<.?.>"}
DONE = REPEATED | dict.fromkeys(("create", "write", "delete"), "lost")


def only(cells: dict[str, str], *roles: str) -> dict[str, str]:
    """Return some of the cells, for faults for which the role makes no difference or each takes its time."""
    return {role: cells[role] for role in roles}


def each(error: str, calls: str, **others: str) -> dict[str, str]:
    """Return the cells of a fault that ends each operation.

    Errors of the token never say ``maybe``, and a read has no effect.
    """
    cells = dict.fromkeys(ROLES, f"{calls} {error}")
    cells["token"] = f"{calls} {error.removesuffix(' effect').removesuffix(' maybe')}"
    cells["read"] = f"{calls} {error.removesuffix(' effect')}"
    return cells | others


def at_once(error: str, **others: str) -> dict[str, str]:
    """Return the cells of a fault that ends each operation at the first struck request."""
    return each(error, "<.", **others)


def at_last(error: str, **others: str) -> dict[str, str]:
    """Return the cells of a fault that ends each operation after three tries, a create after a look each."""
    return each(error, "<...", **{"create": f"<.?.?.? {error}", **others})


def unreadable(**others: str) -> dict[str, str]:
    """Return the cells of an unreadable 2xx response to an executed request: a create looks for the segment."""
    done = at_once("UnexpectedReply maybe effect", create="lost")
    return done | {"write none": "<.>", "delete none": "<.>"} | others


def nonsense(**others: str) -> dict[str, str]:
    """Return the cells of a 2xx response without a result to a request that was not carried out."""
    return at_once("UnexpectedReply maybe", read="<. UnexpectedReply", create="<.??? UnexpectedReply maybe") | others


TABLE = [
    # Refusals
    Fault("401 once", "status", status(401), status=401,
          cells=dict.fromkeys(ROLES, "<.T.>") | {"token": "<. AuthenticationError"}, brief=True),
    Fault("401 always", "status", status(401, **ALWAYS), status=401,
          cells=each("AuthenticationError", "<.T.", token="<. AuthenticationError"), brief=True),
    Fault("400", "status", status(400, **ALWAYS), status=400,
          cells=at_once("RejectedRequest", token="<. AuthenticationError"), brief=True),
    Fault("403", "status", status(403, **ALWAYS), status=403, cells=at_once("PermissionDenied"), brief=True),
    # "Not found" for an existing segment is not a deletion: the address is wrong, or a gateway responds.
    Fault("404", "status", status(404, **ALWAYS), status=404, cells=at_once("NotFound", delete="<.? NotFound")),
    Fault("404 as HTML", "html", {"status": 404, **ALWAYS}, status=404,
          cells=at_once("NotFound", delete="<.? NotFound"), brief=True),
    Fault("405", "status", status(405, **ALWAYS), status=405, cells=at_once("RejectedRequest")),
    Fault("409", "status", status(409, **ALWAYS), status=409,
          cells=at_once("Conflict", create="<.??? UnexpectedReply")),
    Fault("413", "status", status(413, **ALWAYS), status=413,
          cells=only(at_once("RejectedRequest"), "create", "write"), brief=True),
    Fault("418", "status", status(418, **ALWAYS), status=418, cells=at_once("RejectedRequest"), brief=True),
    # Waiting
    Fault("408 once", "status", status(408), cells=REPEATED, brief=True),
    Fault("429 with seconds", "status", status(429, headers={"Retry-After": "0.01"}), cells=REPEATED, brief=True),
    Fault("429 with a date", "status", status(429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
          cells=only(REPEATED, "read", "create", "write"), brief=True),
    Fault("429 without Retry-After", "status", status(429), cells=only(REPEATED, "token", "create", "write"),
          brief=True),
    Fault("429 as plain text", "status", status(429, body="Number of allowed API requests per minute exceeded"),
          cells=only(REPEATED, "read", "create", "write"), brief=True),
    Fault("429 with nonsense", "status", status(429, headers={"Retry-After": "soon"}),
          cells=only(REPEATED, "create", "delete"), brief=True),
    Fault("429 always", "status", status(429, **ALWAYS), status=429,
          cells=at_last("RateLimited", create="<... RateLimited"), brief=True),
    Fault("429 beyond the cap", "status", status(429, headers={"Retry-After": "3600"}, **ALWAYS), status=429,
          retry_after=3600.0, cells=at_once("RateLimited"), brief=True),
    # A vendor that fails
    Fault("500 once", "status", status(500), cells=LOOKED, brief=True),
    Fault("500 once after the effect", "status", status(500, effect=True), cells=DONE),
    Fault("500 always", "status", status(500, **ALWAYS), status=500, cells=at_last("VendorUnavailable maybe"),
          brief=True),
    Fault("501", "status", status(501, **ALWAYS), status=501,
          cells=at_once("VendorUnavailable maybe", create="<.? VendorUnavailable maybe"), brief=True),
    Fault("502 as HTML once", "html", {}, cells=LOOKED, brief=True),
    Fault("502 as HTML once after the effect", "html", {"effect": True}, cells=DONE, brief=True),
    Fault("502 as HTML always", "html", ALWAYS, status=502, cells=at_last("VendorUnavailable maybe"), brief=True),
    Fault("503 once", "status", status(503), cells=LOOKED, brief=True),
    Fault("503 beyond the cap", "status", status(503, headers={"Retry-After": "3"}, **ALWAYS), status=503,
          retry_after=3.0,
          cells=at_once("VendorUnavailable maybe", create="<.? VendorUnavailable maybe"), brief=True),
    # The network; "late" is a request that is carried out an hour after its connection broke
    Fault("refused once", REFUSED, {}, cells=dict.fromkeys(ROLES, "<.>"), brief=True),
    Fault("refused always", REFUSED, ALWAYS, cells=dict.fromkeys(ROLES, "< VendorUnavailable"), brief=True),
    Fault("reset once", "reset", {}, cells=LOOKED, brief=True),
    Fault("reset always", "reset", ALWAYS, cells=at_last("VendorUnavailable maybe"), brief=True),
    Fault("reset mid-body once", "reset_mid_body", {}, cells=DONE | {"write none": "<.>", "delete none": "<.>"}),
    Fault("reset mid-body always", "reset_mid_body", ALWAYS,
          cells=at_last("VendorUnavailable maybe effect", create="lost") | {"write none": "<.>", "delete none": "<.>"}),
    Fault("answer lost once", "lost", {}, cells=DONE),
    Fault("answer lost always", "lost", ALWAYS, cells=at_last("VendorUnavailable maybe effect", create="lost"),
          brief=True),
    Fault("answer lost, look fails", "lost", {}, cells={"create": "<.??? VendorUnavailable maybe effect"},
          others=(("list", "status", status(503, times=None)),)),
    Fault("answer lost, look refused", "lost", {}, cells={"create": "<.? VendorUnavailable maybe effect"},
          others=(("list", "status", status(403, times=None)),)),
    Fault("answer lost, look unreadable", "lost", {}, cells={"create": "<.? VendorUnavailable maybe effect"},
          others=(("list", "truncate", ALWAYS),)),
    Fault("done late", "late", {"seconds": 3600}, cells=LOOKED),
    Fault("time-out once", "hang", {}, timeout=0.5, cells=only(LOOKED, "create", "write"), brief=True),
    Fault("time-out once after the effect", "hang", {"effect": True}, timeout=0.5,
          cells=only(DONE, "create", "write"), brief=True),
    Fault("time-out always", "hang", ALWAYS, timeout=0.5, slow=True, cells=at_last("VendorUnavailable maybe")),
    # Unreadable responses
    Fault("truncated JSON", "truncate", ALWAYS, status=200, cells=unreadable()),
    Fault("wrong content type", "wrong_content_type", ALWAYS, status=200, cells=unreadable(), brief=True),
    Fault("empty body", "empty_body", ALWAYS, status=200,
          cells=unreadable() | {"write optional": "<.>", "delete optional": "<.>"}),
    Fault("login page", "status", status(200, body=HTML, content_type="text/html", **ALWAYS), status=200,
          cells=at_once("UnexpectedReply maybe", create="<.? UnexpectedReply maybe"), brief=True),
    Fault("garbage", "status", status(200, body="\0\1{{", content_type="application/json", **ALWAYS), status=200,
          cells=at_once("UnexpectedReply maybe", create="<.? UnexpectedReply maybe"), brief=True),
    Fault("JSON too deep", "status", status(200, body="[" * 100_000, content_type="application/json", **ALWAYS),
          status=200, cells=at_once("UnexpectedReply maybe", create="<.? UnexpectedReply maybe"), brief=True),
    Fault("JSON of another shape", "status", status(200, body={"surprise": 1}, **ALWAYS), status=200,
          cells=only(nonsense(), "token", "read", "create") | {"write json": "<. UnexpectedReply maybe",
                                                              "delete json": "<. UnexpectedReply maybe"}),
    Fault("JSON null", "status", status(200, body="null", content_type="application/json", **ALWAYS), status=200,
          cells=only(nonsense(), "token", "read", "create") | {"write json": "<. UnexpectedReply maybe",
                                                              "delete json": "<. UnexpectedReply maybe"}),
    Fault("JSON text", "status", status(200, body='"ok"', content_type="application/json", **ALWAYS), status=200,
          cells=only(nonsense(), "token", "read", "create") | {"write json": "<. UnexpectedReply maybe",
                                                              "delete json": "<. UnexpectedReply maybe"}),
    Fault("204 for nothing", "status", status(204, body=None, **ALWAYS), status=204,
          cells=only(nonsense(), "token", "read", "create") | {"write json": "<. UnexpectedReply maybe",
                                                              "delete json": "<. UnexpectedReply maybe"}),
    Fault("oversized", "status", status(200, body={"a": "x" * 20_000}, effect=True, **ALWAYS), status=200,
          cells=at_once("UnexpectedReply maybe effect", create="lost")),
    # Redirects
    Fault("302 to another host", "redirect", {"location": ELSEWHERE, **ALWAYS}, status=302,
          cells=at_once("UnexpectedReply"), brief=True),
    Fault("307 to another host", "redirect", {"location": ELSEWHERE, "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply"), brief=True),
    Fault("302 on the same host", "redirect", {"location": "?moved=1"}, status=302,
          cells=at_once("UnexpectedReply", read="<..>"), brief=True),
    Fault("303 after the effect", "redirect", {"location": "?moved=1", "status": 303, "effect": True}, status=303,
          cells=at_once("UnexpectedReply maybe effect", read="<..>", create="lost"), brief=True),
    Fault("307 on the same host", "redirect", {"location": "?moved=1", "status": 307}, status=307,
          cells=at_once("UnexpectedReply", read="<..>"), brief=True),
    Fault("307 in a circle", "redirect", {"location": "?moved=1", "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply", read="<.. UnexpectedReply"), brief=True),
    Fault("307 without a place", "redirect", {"location": "http://[", "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply"), brief=True),
]  # fmt: skip

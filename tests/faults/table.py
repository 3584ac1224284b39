"""Every fault, and by the name of each operation of :mod:`tests.faults.scene` a cell that says what becomes of it.

A cell of the table reads "TLCLAAA" where the operation succeeds by these calls (Token, List, Create, Delete, Add,
Remove, Override), or "TAAA VendorUnavailable maybe effect" where it fails: the error; ``maybe`` where it must say that
WalkMe may have carried the request out; ``effect`` where WalkMe did carry out the first. ``emptied`` is a success, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import NoneType
from typing import Any

from airflow_segments_provider import errors
from tests.faults.scene import OPERATIONS, PEOPLE

REFUSED = "connection refused"
ELSEWHERE = "http://127.0.0.1:9/elsewhere"


@dataclass(frozen=True)
class Fault:
    """One row: a fault, and a cell for each endpoint that it strikes.

    :param kind: of the sandbox's faults, or REFUSED.
    :param cells: by the name of the operation.
    :param status: that the errors must carry.
    :param others: further faults, as (endpoint, kind, parameters).
    :param slow: takes seconds.
    """

    name: str
    kind: str
    parameters: dict[str, Any]
    cells: dict[str, str]
    status: int | None = None
    retry_after: float | None = None
    timeout: float = 20.0
    settings: dict[str, Any] = field(default_factory=dict)
    others: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    slow: bool = False


@dataclass(frozen=True)
class Outcome:
    """A cell, read."""

    calls: str
    error: type
    maybe_done: bool
    effect: bool
    emptied: bool

    @classmethod
    def read(cls, cell: str) -> Outcome:
        calls, _, rest = cell.partition(" ")
        words = set(rest.split())
        named = words - {"maybe", "effect", "emptied"}
        error = getattr(errors, named.pop()) if named else NoneType
        return cls(calls, error, "maybe" in words, "effect" in words, "emptied" in words)


def status(code: int, *, times: int | None = 1, **parameters: Any) -> dict[str, Any]:
    return {"status": code, "times": times, **parameters}


ALWAYS: dict[str, Any] = {"times": None}
# Cells of faults that pass: repeated at once; repeated, but a create only after a look; and the work already done.
REPEATED = {
    "token": "TTLCAA", "list": "TLLCAA", "create": "TLCCAA",
    "add": "TAAAA", "remove": "TRRRR", "override": "TOO", "delete": "TDD",
}  # fmt: skip
LOOKED = REPEATED | {"create": "TLCLCAA"}
DONE = REPEATED | {"create": "TLCLAAA", "delete": "TDDL"}


def each(**cells: str) -> dict[str, str]:
    return cells


def only(cells: dict[str, str], *names: str) -> dict[str, str]:
    """Some of the cells, where the endpoint makes no difference or each takes its time."""
    return {name: cells[name] for name in names}


def at_once(error: str, **others: str) -> dict[str, str]:
    """Cells of a fault that ends each operation at its first call to the endpoint."""
    calls = {"token": "T", "list": "TL", "create": "TLC", "add": "TA", "remove": "TR", "override": "TO", "delete": "TD"}
    return {name: f"{call} {error}" for name, call in calls.items()} | others


def at_last(error: str, **others: str) -> dict[str, str]:
    """Cells of a fault that ends each operation after three tries; errors of the token never say ``maybe``."""
    calls = {
        "list": "TLLL", "create": "TLCLCLCL", "add": "TAAA", "remove": "TRRR", "override": "TOOO", "delete": "TDDD",
    }  # fmt: skip
    token = f"TTT {error.removesuffix(' maybe')}"
    return {"token": token} | {name: f"{call} {error}" for name, call in calls.items()} | others


def unreadable(error: str = "UnexpectedReply", **others: str) -> dict[str, str]:
    """Cells of a 2xx answer that cannot be read although the work is done: a create looks, a 204 has no body."""
    done = at_once(f"{error} maybe effect", token=f"T {error}", list=f"TL {error} maybe")
    return done | {"create": "TLCLAAA", "delete": "TD"} | others


TABLE = [
    # Refusals
    Fault("401 once", "status", status(401), status=401, cells=each(token="T AuthenticationError", list="TLTLCAA",
          create="TLCTCAA", add="TATAAA", remove="TRTRRR", override="TOTO", delete="TDTD")),
    Fault("401 always", "status", status(401, **ALWAYS), status=401, cells=each(token="T AuthenticationError",
          list="TLTL AuthenticationError", create="TLCTC AuthenticationError", add="TATA AuthenticationError",
          remove="TRTR AuthenticationError", override="TOTO AuthenticationError", delete="TDTD AuthenticationError")),
    Fault("400", "status", status(400, **ALWAYS), status=400,
          cells=at_once("RejectedRequest", token="T AuthenticationError")),
    Fault("400 that quotes the ids", "status", {}, status=400,
          settings={"refused_user_ids": PEOPLE, "echo_ids_in_errors": True},
          cells=each(create="TLC RejectedRequest", add="TA RejectedRequest", remove="TR RejectedRequest",
          override="TO RejectedRequest")),
    Fault("403", "status", status(403, **ALWAYS), status=403, cells=at_once("PermissionDenied")),
    # Deleting is not published: 404, 405 and 501 mean that WalkMe cannot, and the segment is emptied.
    Fault("404", "status", status(404, **ALWAYS), status=404, cells=at_once("NotFound", delete="TDLO emptied")),
    Fault("405", "status", status(405, **ALWAYS), status=405, cells=at_once("RejectedRequest", delete="TDO emptied")),
    Fault("409", "status", status(409, **ALWAYS), status=409,
          cells=at_once("Conflict", create="TLCLLL UnexpectedReply")),
    Fault("413", "status", status(413, **ALWAYS), status=413, cells=only(at_once("RejectedRequest"), "create", "add")),
    # Waiting
    Fault("408 once", "status", status(408), cells=REPEATED),
    Fault("429 with seconds", "status", status(429, headers={"Retry-After": "0.01"}), cells=REPEATED),
    Fault("429 with a date", "status", status(429, headers={"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
          cells=only(REPEATED, "list", "create", "add")),
    Fault("429 without Retry-After", "status", status(429), cells=only(REPEATED, "token", "create", "remove")),
    Fault("429 as plain text", "status", status(429, body="Too many requests"),
          cells=only(REPEATED, "list", "create", "override")),
    Fault("429 with nonsense", "status", status(429, headers={"Retry-After": "soon"}),
          cells=only(REPEATED, "create", "delete")),
    Fault("429 always", "status", status(429, **ALWAYS), status=429,
          cells=at_last("RateLimited", create="TLCCC RateLimited")),
    Fault("429 beyond the cap", "status", status(429, headers={"Retry-After": "3600"}, **ALWAYS), status=429,
          retry_after=3600.0, cells=at_once("RateLimited")),
    # A vendor that fails
    Fault("500 once", "status", status(500), cells=LOOKED),
    Fault("500 once after the effect", "status", status(500, effect=True), cells=DONE),
    Fault("500 always", "status", status(500, **ALWAYS), status=500, cells=at_last("VendorUnavailable maybe")),
    Fault("501", "status", status(501, **ALWAYS), status=501,
          cells=at_once("VendorUnavailable maybe", token="T VendorUnavailable", create="TLCL VendorUnavailable maybe",
                    delete="TDO emptied")),
    Fault("502 as HTML once", "html", {}, cells=LOOKED),
    Fault("502 as HTML once after the effect", "html", {"effect": True}, cells=DONE),
    Fault("502 as HTML always", "html", ALWAYS, status=502, cells=at_last("VendorUnavailable maybe")),
    Fault("503 once", "status", status(503), cells=LOOKED),
    Fault("503 beyond the cap", "status", status(503, headers={"Retry-After": "3"}, **ALWAYS), status=503,
          retry_after=3.0, cells=at_once("VendorUnavailable maybe", token="T VendorUnavailable",
                                        create="TLCL VendorUnavailable maybe")),
    # The network; "late" is work that is done an hour after its connection broke
    Fault("refused once", REFUSED, {}, cells={name: operation.healthy for name, operation in OPERATIONS.items()}),
    Fault("refused always", REFUSED, ALWAYS, cells=each(token=" VendorUnavailable", list="T VendorUnavailable",
          create="TL VendorUnavailable", add="T VendorUnavailable", remove="T VendorUnavailable",
          override="T VendorUnavailable", delete="T VendorUnavailable")),
    Fault("reset once", "reset", {}, cells=LOOKED),
    Fault("reset always", "reset", ALWAYS, cells=at_last("VendorUnavailable maybe")),
    Fault("reset mid-body once", "reset_mid_body", {}, cells=DONE | {"delete": "TD"}),
    Fault("reset mid-body always", "reset_mid_body", ALWAYS,
          cells=at_last("VendorUnavailable maybe effect", token="TTT VendorUnavailable",
                    list="TLLL VendorUnavailable maybe", create="TLCLAAA", delete="TD")),
    Fault("answer lost once", "lost", {}, cells=DONE),
    Fault("answer lost always", "lost", ALWAYS,
          cells=at_last("VendorUnavailable maybe effect", token="TTT VendorUnavailable",
                    list="TLLL VendorUnavailable maybe", create="TLCLAAA")),
    Fault("answer lost, list fails", "lost", {}, cells=each(create="TLCLLL VendorUnavailable maybe effect"),
          others=(("walkme.list", "status", {"status": 503, "times": None, "skip": 1}),)),
    Fault("answer lost, list refused", "lost", {}, cells=each(create="TLCL VendorUnavailable maybe effect"),
          others=(("walkme.list", "status", {"status": 403, "times": None, "skip": 1}),)),
    Fault("answer lost, list unreadable", "lost", {}, cells=each(create="TLCL VendorUnavailable maybe effect"),
          others=(("walkme.list", "truncate", {"times": None, "skip": 1}),)),
    Fault("done late", "late", {"seconds": 3600}, cells=LOOKED),
    Fault("time-out once", "hang", {}, timeout=0.8, cells=only(LOOKED, "token", "list", "create", "add")),
    Fault("time-out once after the effect", "hang", {"effect": True}, timeout=0.8,
          cells=only(DONE, "create", "add", "override", "delete")),
    Fault("time-out always", "hang", ALWAYS, timeout=0.8, slow=True, cells=at_last("VendorUnavailable maybe")),
    # Answers that cannot be read
    Fault("truncated JSON", "truncate", ALWAYS, status=200, cells=unreadable()),
    Fault("wrong content type", "wrong_content_type", ALWAYS, status=200, cells=unreadable()),
    Fault("empty body", "empty_body", ALWAYS, status=200,
          cells=unreadable(create="TLCLAA", add="TAAA", remove="TRRR", override="TO")),
    Fault("garbage", "status", status(200, body="\0\1{{", content_type="application/json", **ALWAYS), status=200,
          cells=at_once("UnexpectedReply maybe", token="T UnexpectedReply", create="TLCL UnexpectedReply maybe")),
    Fault("JSON too deep", "status", status(200, body="[" * 100_000, content_type="application/json", **ALWAYS),
          status=200, cells=at_once("UnexpectedReply maybe", token="T UnexpectedReply",
                                create="TLCL UnexpectedReply maybe")),
    Fault("JSON of another shape", "status", status(200, body={"surprise": 1}, **ALWAYS), status=200,
          cells=each(token="T UnexpectedReply", list="TL UnexpectedReply", create="TLCLLL UnexpectedReply maybe")),
    Fault("oversized", "status", status(200, body={"a": "x" * 20_000}, effect=True, **ALWAYS), status=200,
          cells=unreadable(delete="TD UnexpectedReply maybe effect")),
    # Redirects
    Fault("302 to another host", "redirect", {"location": ELSEWHERE, **ALWAYS}, status=302,
          cells=at_once("UnexpectedReply")),
    Fault("307 to another host", "redirect", {"location": ELSEWHERE, "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply")),
    Fault("302 on the same host", "redirect", {"location": "?moved=1"}, status=302,
          cells=at_once("UnexpectedReply", list="TLLCAA")),
    Fault("303 after the effect", "redirect", {"location": "?moved=1", "status": 303, "effect": True}, status=303,
          cells=at_once("UnexpectedReply maybe effect", token="T UnexpectedReply", list="TLLCAA", create="TLCLAAA")),
    Fault("307 on the same host", "redirect", {"location": "?moved=1", "status": 307}, cells=REPEATED),
    Fault("307 in a circle", "redirect", {"location": "?moved=1", "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply", token="TT UnexpectedReply", list="TLL UnexpectedReply",
                    create="TLCC UnexpectedReply", add="TAA UnexpectedReply", remove="TRR UnexpectedReply",
                    override="TOO UnexpectedReply", delete="TDD UnexpectedReply")),
    Fault("307 without a place", "redirect", {"location": "http://[", "status": 307, **ALWAYS}, status=307,
          cells=at_once("UnexpectedReply")),
]  # fmt: skip

"""What the fault tests do, one operation an endpoint, and how they look at what became of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_segments_provider.hooks.walkme import WalkMeHook
from airflow_segments_provider.sandbox import SandboxClient

RETRY = {"max_attempts": 3, "base_delay": 0.01, "max_delay": 0.02, "max_total": 20, "retry_after_cap": 2}
NAME = "Trial users"
# Ids of every awkward kind; two go in a request, so these are three requests.
PEOPLE = ["zoë-0001", "CORP\\ada", 'o"brien-77', "grace@people.example", "4711-0815"]
OTHERS = {"stays-0001", "stays-0002"}

Members = set[str] | None


@dataclass(frozen=True)
class Operation:
    """One way to call WalkMe, and the letter of each request of a healthy run.

    :param endpoint: whose faults its rows are about, with the action as the sandbox takes it.
    :param before: the members of the segment, None where there is none, as for the others.
    :param first: the members when the first request to the endpoint was carried out and no other.
    """

    endpoint: str
    healthy: str
    before: Members
    first: Members
    wanted: Members
    run: Callable[[WalkMeHook, str], Any]
    users_per_request: int = 2


def _create(hook: WalkMeHook, guid: str) -> Any:
    return hook.create_segment(NAME, PEOPLE)


_EVERYBODY = OTHERS | set(PEOPLE)
OPERATIONS = {
    "token": Operation("walkme.token", "TLCAA", None, None, set(PEOPLE), _create),
    "list": Operation("walkme.list", "TLCAA", None, None, set(PEOPLE), _create),
    "create": Operation("walkme.create", "TLCAA", None, set(PEOPLE[:2]), set(PEOPLE), _create),
    "add": Operation(
        "walkme.update",
        "TAAA",
        before=OTHERS,
        first=OTHERS | set(PEOPLE[:2]),
        wanted=_EVERYBODY,
        run=lambda hook, guid: hook.add_users(PEOPLE, segment_guid=guid),
    ),
    "remove": Operation(
        "walkme.update",
        "TRRR",
        before=_EVERYBODY,
        first=_EVERYBODY - set(PEOPLE[:2]),
        wanted=OTHERS,
        run=lambda hook, guid: hook.remove_users(PEOPLE, segment_guid=guid),
    ),
    "override": Operation(
        "walkme.update",
        "TO",
        before=OTHERS,
        first=set(PEOPLE),
        wanted=set(PEOPLE),
        run=lambda hook, guid: hook.override_users(PEOPLE, segment_guid=guid),
        users_per_request=5,
    ),
    "delete": Operation(
        "walkme.delete",
        "TD",
        before=_EVERYBODY,
        first=None,
        wanted=None,
        run=lambda hook, guid: hook.delete_segment(segment_guid=guid),
    ),
}

_LETTERS = {"walkme.token": "T", "walkme.list": "L", "walkme.create": "C", "walkme.delete": "D"}


def trace(sandbox: SandboxClient) -> str:
    """The calls that the sandbox counted, a letter each: Token, List, Create, Delete, Add, Remove, Override."""
    return "".join(_LETTERS.get(call.endpoint) or str(call.action)[0].upper() for call in sandbox.calls())


def members(sandbox: SandboxClient) -> list[set[str]]:
    """The true members of each segment of the name; ids that were doubled would show as a number of members."""
    found = [segment for segment in sandbox.segments() if segment.name == NAME]
    shown = [sandbox.members(segment.guid) for segment in found]
    assert [segment.members for segment in found] == list(map(len, shown))
    return shown


def as_list(expected: Members) -> list[set[str]]:
    """What :func:`members` returns where there is one segment with these members, or none."""
    return [] if expected is None else [expected]


def secrets_of(sandbox: SandboxClient, hook: WalkMeHook) -> list[str]:
    """What no message may hold: the client secret, the Basic value, the tokens; the ids, raw and as in JSON."""
    pair = f"{sandbox.client_id}:{sandbox.client_secret}".encode()
    ids = {form for person in PEOPLE for form in (person, json.dumps(person)[1:-1])}
    return [sandbox.client_secret, base64.b64encode(pair).decode(), *hook.client._used_tokens, *ids]

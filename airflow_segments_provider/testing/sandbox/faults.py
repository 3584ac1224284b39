"""The rules by which calls fail, and how each kind of fault changes a reply.

================== ============================================================ ===================================
kind               what the client sees                                         parameters (default)
================== ============================================================ ===================================
status             this status instead of the work                              status (500), body, content_type,
                                                                                headers, effect (false)
html               an HTML page, as from a gateway                              status (502), effect (false)
redirect           a redirect                                                   location, status (302),
                                                                                effect (false)
latency            the right reply, late                                        seconds (1)
reset              a TCP reset before any reply                                 effect (false)
reset_mid_body     headers and half of the body, then a TCP reset               effect (true)
lost               the work is done, the connection closes without a reply
late               the connection closes at once, the work is done later        seconds (1), by the sandbox's clock
hang               nothing, until the client disconnects or time is over        seconds (30), effect (false)
truncate           JSON cut in half under a Content-Length that fits the half
wrong_content_type the right body under a wrong type                            content_type (text/html)
empty_body         the right status without a body
================== ============================================================ ===================================

``effect`` true carries out the call before it fails. Kinds without this parameter always do the work, except ``late``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_segments_provider.testing.sandbox.messages import Reply, error_reply
from airflow_segments_provider.testing.sandbox.wire import Play, Wire


class FaultRule(BaseModel):
    """One rule: the calls it applies to, how many of them, and what happens.

    ``endpoint`` is a name such as "walkme.update", or "*". ``action`` narrows it to calls whose action is that one.
    The first ``skip`` matching calls pass, then ``times`` calls fail (None: all).
    """

    model_config = ConfigDict(extra="forbid")

    endpoint: str
    kind: str
    times: int | None = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    action: str | None = None
    effect: bool | None = None
    status: int | None = Field(default=None, ge=200, le=599)
    seconds: float | None = Field(default=None, ge=0)
    body: object = None
    content_type: str | None = None
    headers: dict[str, str] | None = None
    location: str | None = None

    @model_validator(mode="after")
    def _known_kind_and_parameters(self) -> Self:
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind {self.kind!r}; known: {', '.join(sorted(KINDS))}")
        parameters = self.model_fields_set - {"endpoint", "kind", "times", "skip", "action"}
        foreign = parameters - set(KINDS[self.kind].parameters)
        if foreign:
            raise ValueError(f"{self.kind} takes no {', '.join(sorted(foreign))}")
        if self.kind == "redirect" and not self.location:
            raise ValueError("redirect needs a location")
        return self

    @property
    def carries_out(self) -> bool:
        """Whether the call's work is done before it fails."""
        return KINDS[self.kind].effect if self.effect is None else self.effect


@dataclass(frozen=True)
class FaultKind:
    """The parameters of one kind, whether the work is done, the changed reply, and how that is sent."""

    parameters: tuple[str, ...]
    effect: bool
    play: Play
    change: Callable[[Reply, FaultRule], Reply] = lambda reply, rule: reply
    loses: bool = False


def _given(reply: Reply, rule: FaultRule) -> Reply:
    status = rule.status or 500
    plain = error_reply(status, "fault", "a fault rule demands this reply")
    headers = rule.headers or {}
    if "body" not in rule.model_fields_set:
        return replace(plain, content_type=rule.content_type or plain.content_type, headers=headers)
    if isinstance(rule.body, str):
        return Reply(status, rule.body.encode(), rule.content_type or "text/plain; charset=utf-8", headers)
    content = b"" if rule.body is None else json.dumps(rule.body).encode()
    return Reply(status, content, rule.content_type or "application/json", headers)


def _page(reply: Reply, rule: FaultRule) -> Reply:
    page = b"<!DOCTYPE html>\n<html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n"
    return Reply(rule.status or 502, page, "text/html; charset=utf-8")


def _moved(reply: Reply, rule: FaultRule) -> Reply:
    return Reply(rule.status or 302, headers={"location": rule.location or ""})


def _mistyped(reply: Reply, rule: FaultRule) -> Reply:
    return replace(reply, content_type=rule.content_type or "text/html; charset=utf-8")


KINDS: dict[str, FaultKind] = {
    "status": FaultKind(("status", "body", "content_type", "headers", "effect"), False, Wire.send, _given),
    "html": FaultKind(("status", "effect"), False, Wire.send, _page),
    "redirect": FaultKind(("location", "status", "effect"), False, Wire.send, _moved),
    "latency": FaultKind(("seconds",), True, Wire.send_late),
    "reset": FaultKind(("effect",), False, Wire.reset, loses=True),
    "reset_mid_body": FaultKind(("effect",), True, Wire.send_half, loses=True),
    "lost": FaultKind((), True, Wire.close, loses=True),
    "late": FaultKind(("seconds",), False, Wire.close, loses=True),
    "hang": FaultKind(("seconds", "effect"), False, Wire.hang, loses=True),
    "truncate": FaultKind(
        (), True, Wire.send, lambda reply, rule: replace(reply, content=reply.content[: len(reply.content) // 2])
    ),
    "wrong_content_type": FaultKind(("content_type",), True, Wire.send, _mistyped),
    "empty_body": FaultKind((), True, Wire.send, lambda reply, rule: replace(reply, content=b"")),
}


class Faults:
    """The active rules; the oldest that matches a call is applied, and only that one."""

    def __init__(self) -> None:
        self._rules: list[FaultRule] = []

    def add(self, rule: FaultRule) -> None:
        """Add a rule."""
        self._rules.append(rule.model_copy())

    def take(self, endpoint: str, action: str | None) -> FaultRule | None:
        """Return the rule for this call, and decrease its count."""
        for rule in self._rules:
            if rule.endpoint not in ("*", endpoint) or rule.action not in (None, action):
                continue
            if rule.skip:
                rule.skip -= 1
                continue
            if rule.times is not None:
                rule.times -= 1
                if rule.times == 0:
                    self._rules.remove(rule)
            return rule
        return None

    def rules(self) -> list[FaultRule]:
        """Return the rules that may still apply, with their remaining counts."""
        return list(self._rules)

    def clear(self) -> None:
        """Remove all rules."""
        self._rules.clear()

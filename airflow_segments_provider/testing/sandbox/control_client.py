"""The control of a running sandbox, over HTTP: in this process or in another. What all vendors share."""

from __future__ import annotations

import base64
from types import TracebackType
from typing import Any, ClassVar, Self

import requests

from airflow_segments_provider.testing.sandbox.calls import CallRecord

_TIMEOUT_SECONDS = 60


class SandboxError(Exception):
    """The sandbox refused a control call: an unknown segment, setting, or kind of fault."""


class ControlClient:
    """Sets a sandbox up, lets it fail, and tells what was called. Each vendor's own client knows its truth besides.

    :param url: the sandbox's own address, without a vendor's path
    :param password: the control password, if the sandbox has one
    """

    vendor: ClassVar[str]

    def __init__(self, url: str, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        if password:
            # requests itself encodes a password as Latin-1.
            basic = base64.b64encode(f"sandbox:{password}".encode()).decode()
            self._session.headers["authorization"] = f"Basic {basic}"
        # A proxy of the environment must not stand between a test and its own machine.
        self._session.trust_env = False

    # How it behaves

    def settings(self, **changes: object) -> dict[str, Any]:
        """Change some settings, and return all; fields and meanings as in the vendor's own settings."""
        path = f"/{self.vendor}/settings"
        found: dict[str, Any] = self._call("PATCH", path, _plain(changes)) if changes else self._call("GET", path)
        return found

    def reset(self, **changes: object) -> None:
        """Forget the state of every vendor, calls, faults and the moved clock; settings return to those of the start.

        :param changes: settings of this vendor that shall differ from those of the start
        """
        self._call("POST", "/reset", {self.vendor: _plain(changes)})

    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return float(self._call("GET", "/clock")["now"])

    def advance(self, seconds: float) -> float:
        """Let time pass at once, and return the new time."""
        return float(self._call("POST", "/clock/advance", {"seconds": seconds})["now"])

    def fault(
        self,
        endpoint: str,
        kind: str,
        *,
        times: int | None = 1,
        skip: int = 0,
        action: str | None = None,
        **parameters: object,
    ) -> None:
        """Let calls go wrong; the oldest matching rule is applied, and only that one.

        :param endpoint: a name such as "walkme.update", or "*"
        :param kind: see the table in :mod:`airflow_segments_provider.testing.sandbox.faults`
        :param times: how many calls; None for all to come
        :param skip: how many matching calls pass before
        :param action: only calls with this action ("add", "remove", "override")
        :param parameters: those of the kind: effect, status, seconds, body, content_type, headers, location
        """
        rule = {"endpoint": endpoint, "kind": kind, "times": times, "skip": skip, "action": action, **parameters}
        self._call("POST", "/faults", rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules that may still apply."""
        found: list[dict[str, Any]] = self._call("GET", "/faults")
        return found

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._call("DELETE", "/faults")

    # What happened

    def calls(self, endpoint: str | None = None) -> list[CallRecord]:
        """Return the vendor calls in the order of their arrival; control calls are not among them."""
        query = {} if endpoint is None else {"endpoint": endpoint}
        return [CallRecord(**call) for call in self._call("GET", "/calls", **query)]

    def counts(self) -> dict[str, int]:
        """Return the number of vendor calls by endpoint; one never called is absent."""
        found: dict[str, int] = self._call("GET", "/calls/counts")
        return found

    def close(self) -> None:
        """Close the connections to the sandbox."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: str, path: str, body: object = None, **query: str) -> Any:
        reply = self._session.request(
            method, f"{self.url}/_sandbox{path}", json=body, params=query, timeout=_TIMEOUT_SECONDS
        )
        if not reply.ok:
            raise SandboxError(f"{method} {path}: {reply.status_code} {reply.text}")
        return reply.json() if reply.content else None


def _plain(changes: dict[str, object]) -> dict[str, object]:
    return {name: sorted(value) if isinstance(value, set | frozenset) else value for name, value in changes.items()}

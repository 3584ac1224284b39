"""The control of a running sandbox over HTTP, in this process or in another: what all vendors' clients share."""

from __future__ import annotations

import base64
import functools
import inspect
import json
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, ClassVar, Concatenate, ParamSpec, Self, TypeVar, get_type_hints

import requests
from pydantic import TypeAdapter

from airflow_segments_provider.testing.sandbox.calls import CallRecord

_TIMEOUT_SECONDS = 60
P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")


class SandboxError(Exception):
    """The sandbox refused a control call: an unknown segment, setting, or kind of fault."""


class ControlClient:
    """Configures a sandbox, makes calls fail, and returns what was called; each vendor's client adds its state.

    :param url: the sandbox's own address, without a vendor's path
    :param password: the control password, if the sandbox has one
    """

    vendor: ClassVar[str]

    def __init__(self, url: str, password: str | None = None) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["content-type"] = "application/json"
        if password:
            # requests itself encodes a password as Latin-1.
            basic = base64.b64encode(f"sandbox:{password}".encode()).decode()
            self._session.headers["authorization"] = f"Basic {basic}"
        # A proxy of the environment must not stand between a test and its own machine.
        self._session.trust_env = False

    # Settings

    def settings(self, **changes: object) -> dict[str, Any]:
        """Change some settings, and return all; fields and meanings as in the vendor's own settings."""
        found: dict[str, Any] = self.operate(f"{self.vendor}/configure", **changes)
        return found

    def reset(self, **changes: object) -> None:
        """Forget the state of every vendor, calls, faults and the moved clock; settings return to those of the start.

        :param changes: settings of this vendor that differ from those of the start
        """
        self.operate("reset", **{self.vendor: changes})

    def connection(self, **extra: object) -> dict[str, Any]:
        """Return the fields of an Airflow connection to the vendor.

        :param extra: more fields of the connection's ``extra``
        """
        fields: dict[str, Any] = self.operate(f"{self.vendor}/connection", url=self.url)
        fields["extra"].update(extra)
        return fields

    def connection_json(self, **extra: object) -> str:
        """Return the connection as JSON, for a variable such as ``AIRFLOW_CONN_WALKME_DEFAULT``."""
        return json.dumps(self.connection(**extra))

    def expire_tokens(self) -> None:
        """Make every token issued so far invalid."""
        self.operate(f"{self.vendor}/expire_tokens")

    # Time and faults

    def now(self) -> float:
        """Return the sandbox's time, in seconds since the epoch."""
        return float(self.operate("now"))

    def advance(self, seconds: float) -> float:
        """Let time pass at once, and return the new time."""
        return float(self.operate("advance", seconds=seconds))

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
        """Make calls fail; the oldest matching rule is applied, and only that one.

        :param endpoint: a name such as "walkme.update", or "*"
        :param kind: see the table in :mod:`airflow_segments_provider.testing.sandbox.faults`
        :param times: how many calls; None for all that follow
        :param skip: how many matching calls pass before
        :param action: only calls with this action ("add", "remove", "override")
        :param parameters: those of the kind: effect, status, seconds, body, content_type, headers, location
        """
        rule = {"endpoint": endpoint, "kind": kind, "times": times, "skip": skip, "action": action, **parameters}
        self.operate("fault", **rule)

    def faults(self) -> list[dict[str, Any]]:
        """Return the rules that may still apply."""
        found: list[dict[str, Any]] = self.operate("faults")
        return found

    def clear_faults(self) -> None:
        """Remove all rules."""
        self.operate("clear_faults")

    # Calls

    def calls(self, endpoint: str | None = None) -> list[CallRecord]:
        """Return the vendor calls in the order of their arrival, of one endpoint or all, without control calls."""
        return [CallRecord(**call) for call in self.operate("calls", endpoint=endpoint)]

    def counts(self) -> dict[str, int]:
        """Return the number of vendor calls by endpoint; an endpoint that was never called is absent."""
        found: dict[str, int] = self.operate("counts")
        return found

    # Transport

    def operate(self, operation: str, **arguments: object) -> Any:
        """Have an operation of the control API carried out, and return its result.

        :param operation: its name, after the vendor's name and a slash if it is a vendor's
        """
        return json.loads(self.send(operation, arguments))

    def close(self) -> None:
        """Close the connections to the sandbox."""
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, operation: str, arguments: dict[str, Any]) -> bytes:
        """Return the result of an operation as JSON."""
        body = json.dumps(arguments, default=list)
        reply = self._session.post(f"{self.url}/_sandbox/{operation}", data=body, timeout=_TIMEOUT_SECONDS)
        if not reply.ok:
            raise SandboxError(f"{operation}: {reply.status_code} {reply.text}")
        return reply.content

    def _pages(self, operation: str, after: Any, key: Callable[[Any], Any], **arguments: object) -> Iterator[Any]:
        """Return the items of an operation that takes the key of the last item before a page."""
        while page := self.operate(f"{self.vendor}/{operation}", after=after, **arguments):
            yield from page
            after = key(page[-1])


class Setting:
    """An attribute of a client that is one of the vendor's settings."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, client: ControlClient, owner: type) -> str:
        return str(client.settings()[self._name])


def remote(operation: Callable[Concatenate[V, P], T]) -> Callable[Concatenate[ControlClient, P], T]:
    """Return the client's method for an operation of a vendor's state: same arguments, same result, over HTTP."""
    signature = inspect.signature(operation)

    @functools.cache
    def result() -> TypeAdapter[T]:
        return TypeAdapter(get_type_hints(operation, include_extras=True)["return"])

    def call(client: ControlClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        arguments = dict(signature.bind(client, *args, **kwargs).arguments)
        del arguments["self"]
        for parameter in signature.parameters.values():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments |= arguments.pop(parameter.name, {})
        return result().validate_json(client.send(f"{client.vendor}/{operation.__name__}", arguments))

    functools.update_wrapper(call, operation)
    return call

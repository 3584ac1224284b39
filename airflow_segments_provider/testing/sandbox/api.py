"""A vendor's API: methods marked as routes become FastAPI routes behind the gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.messages import Call, Endpoint, Reply
from airflow_segments_provider.testing.sandbox.vendor import Vendor

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
OTHER = "other"
V = TypeVar("V", bound=Vendor[Any])
F = TypeVar("F", bound=Callable[..., Reply])


@dataclass(frozen=True)
class Route:
    """One method and path of an operation; see :func:`route`."""

    method: str
    path: str
    name: str
    needs: str | None
    arguments: dict[str, Any]


def route(
    method: str, *paths: str, name: str | None = None, needs: str | None = None, **arguments: Any
) -> Callable[[F], F]:
    """Mark a method of an :class:`Api` as an operation.

    :param name: of the operation in faults and counts, after the vendor's name; None for the method's own
    :param needs: what :meth:`Api.admit` demands of the caller; None for an operation without a check
    :param arguments: those of the method, after the call
    """

    def mark(function: F) -> F:
        made = [Route(method, path, name or function.__name__, needs, arguments) for path in paths]
        function.__dict__["routes"] = [*made, *function.__dict__.get("routes", ())]
        return function

    return mark


def others(*paths: str) -> Callable[[F], F]:
    """Mark a method of an :class:`Api` as the handler of all methods that paths do not have otherwise."""
    return route("", *paths, name=OTHER)


class Api(Generic[V]):
    """The operations of one vendor; each takes a call and returns the reply, or raises the refusal."""

    def __init__(self, state: V, gateway: Gateway) -> None:
        self.state, self.gateway = state, gateway

    def admit(self, call: Call, needs: str) -> Any:
        """Refuse a call that is not allowed; return the caller, for ``call.caller``."""
        raise NotImplementedError

    def describe(self, call: Call) -> None:
        """Fill in the log of calls; this runs before any fault and must not fail, whatever the body is."""

    def refuse(self, error: Exception) -> Reply:
        """Return the vendor's reply to a :class:`.messages.BadBody` or a validation error of pydantic."""
        raise NotImplementedError

    def handle(self, call: Call, found: Route, operation: Callable[..., Reply]) -> Reply:
        """Check a call and carry it out."""
        if found.needs is not None:
            call.caller = self.admit(call, found.needs)
        return operation(call, **found.arguments)

    def router(self) -> APIRouter:
        """Return the vendor's endpoints; of two routes that match a call, the first one defined handles it."""
        router = APIRouter(tags=[self.state.name])
        for found, operation in sorted(self._routes(), key=lambda item: item[0].name == OTHER):
            self._add(router, found, operation)
        return router

    def _routes(self) -> Iterator[tuple[Route, Callable[..., Reply]]]:
        for kind in reversed(type(self).__mro__):
            for name, function in vars(kind).items():
                for found in getattr(function, "routes", ()):
                    yield found, getattr(self, name)

    def _add(self, router: APIRouter, found: Route, operation: Callable[..., Reply]) -> None:
        name = f"{self.state.name}.{found.name}"
        self.gateway.endpoints.add(name)
        endpoint = Endpoint(name, lambda call: self.handle(call, found, operation), self.describe, self.refuse)

        async def serve(request: Request) -> Response:
            return await self.gateway.serve(endpoint, request)

        methods, shown = [found.method] if found.method else list(METHODS), found.name != OTHER
        router.add_api_route(found.path, serve, methods=methods, name=name, include_in_schema=shown)

"""How a vendor's paths and methods lead through the gateway."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.messages import Call, Endpoint, Reply

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class Routes:
    """The router of one vendor, filled operation by operation; of two that fit a call, the first added has it.

    :param describe: what the log says of each call; see :class:`.messages.Endpoint`
    """

    def __init__(self, vendor: str, gateway: Gateway, describe: Callable[[Call], None] | None = None) -> None:
        self.router = APIRouter(tags=[vendor])
        self._vendor, self._gateway, self._describe = vendor, gateway, describe

    def add(self, name: str, method: str, path: str, handle: Callable[[Call], Reply]) -> None:
        """Add one operation, which faults and counts know as ``<vendor>.<name>``."""
        self._add(name, [method], path, handle, schema=True)

    def others(self, path: str, handle: Callable[[Call], Reply]) -> None:
        """Let every method that a path has not yet go to one handler, under the name "other"."""
        self._add("other", list(METHODS), path, handle, schema=False)

    def _add(self, name: str, methods: list[str], path: str, handle: Callable[[Call], Reply], schema: bool) -> None:
        endpoint = Endpoint(f"{self._vendor}.{name}", handle, self._describe)

        async def serve(request: Request) -> Response:
            return await self._gateway.serve(endpoint, request)

        self.router.add_api_route(path, serve, methods=methods, name=endpoint.name, include_in_schema=schema)

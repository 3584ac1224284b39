"""WalkMe's paths and methods."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from airflow_segments_provider.sandbox.gateway import Gateway
from airflow_segments_provider.sandbox.messages import Call, Endpoint, Reply
from airflow_segments_provider.sandbox.walkme.account import Account
from airflow_segments_provider.sandbox.walkme.bodies import describe
from airflow_segments_provider.sandbox.walkme.constants import PREFIX, SEGMENT_PATH, SEGMENTS_PATH, TOKEN_PATH

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def walkme_router(account: Account, gateway: Gateway) -> APIRouter:
    """Return the endpoints; what is no endpoint answers as WalkMe would, under the name "walkme.other"."""
    router = APIRouter(tags=["walkme"])

    def route(name: str, methods: list[str], path: str, handle: Callable[[Call], Reply], schema: bool = True) -> None:
        endpoint = Endpoint(f"walkme.{name}", handle, describe)

        async def serve(request: Request) -> Response:
            return await gateway.serve(endpoint, request)

        router.add_api_route(path, serve, methods=methods, name=endpoint.name, include_in_schema=schema)

    route("token", ["POST"], TOKEN_PATH, account.give_token)
    route("create", ["POST"], SEGMENTS_PATH, account.create)
    route("list", ["GET"], SEGMENTS_PATH, account.list)
    route("update", ["PUT"], SEGMENT_PATH, account.update)
    route("delete", ["DELETE"], SEGMENT_PATH, account.delete)
    for path in (TOKEN_PATH, SEGMENTS_PATH, SEGMENT_PATH):
        route("other", _METHODS, path, account.no_operation, schema=False)
    route("other", _METHODS, PREFIX + "/{rest:path}", account.no_route, schema=False)
    return router

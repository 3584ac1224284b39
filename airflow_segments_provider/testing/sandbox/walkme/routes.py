"""WalkMe's paths and methods."""

from __future__ import annotations

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.routes import Routes
from airflow_segments_provider.testing.sandbox.walkme.account import Account
from airflow_segments_provider.testing.sandbox.walkme.bodies import describe
from airflow_segments_provider.testing.sandbox.walkme.constants import PREFIX, SEGMENT_PATH, SEGMENTS_PATH, TOKEN_PATH


def walkme_router(account: Account, gateway: Gateway) -> APIRouter:
    """Return the endpoints; what is no endpoint answers as WalkMe would, under the name "walkme.other"."""
    routes = Routes("walkme", gateway, describe)
    routes.add("token", "POST", TOKEN_PATH, account.give_token)
    routes.add("create", "POST", SEGMENTS_PATH, account.create)
    routes.add("list", "GET", SEGMENTS_PATH, account.list)
    routes.add("update", "PUT", SEGMENT_PATH, account.update)
    routes.add("delete", "DELETE", SEGMENT_PATH, account.delete)
    for path in (TOKEN_PATH, SEGMENTS_PATH, SEGMENT_PATH):
        routes.others(path, account.no_operation)
    routes.others(PREFIX + "/{rest:path}", account.no_route)
    return routes.router

"""Alteryx's paths and methods.

Paths are matched as they are written, case and slashes included; the real server may well be more lenient.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter

from airflow_segments_provider.testing.sandbox.alteryx import constants as paths
from airflow_segments_provider.testing.sandbox.alteryx.bodies import describe
from airflow_segments_provider.testing.sandbox.alteryx.document import DOCUMENT_PATHS, describe_api
from airflow_segments_provider.testing.sandbox.alteryx.group_calls import GroupCalls
from airflow_segments_provider.testing.sandbox.alteryx.installation import Installation
from airflow_segments_provider.testing.sandbox.alteryx.markup import spelled
from airflow_segments_provider.testing.sandbox.alteryx.other_calls import ShareCalls, TokenCalls, UserCalls, refusing
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.messages import Call, Reply
from airflow_segments_provider.testing.sandbox.routes import Routes

_NO_METHOD = refusing(405, "The requested resource does not support this http method.")
_NO_ROUTE = refusing(404, "No HTTP resource was found that matches the request URI.")
_NOT_OFFERED = refusing(501, "The sandbox does not offer this operation.")


def alteryx_router(installation: Installation, gateway: Gateway) -> APIRouter:
    """Return the endpoints; what is no endpoint answers 404 or 405, under the name "alteryx.other".

    What the real server offers besides for users is not offered here, and says so with 501.
    """
    routes = _SpelledRoutes(installation, gateway)
    # The token endpoint keeps to JSON, whatever the caller accepts: an assumption.
    routes.plain.add("token", "POST", paths.TOKEN_PATH, TokenCalls(installation).give)
    for path in DOCUMENT_PATHS:
        routes.plain.add("describe", "GET", path, describe_api)
    groups, users = GroupCalls(installation), UserCalls(installation)
    routes.add("list_groups", "GET", paths.GROUPS_PATH, groups.list)
    routes.add("create_group", "POST", paths.GROUPS_PATH, groups.create)
    routes.add("get_group", "GET", paths.GROUP_PATH, groups.get)
    routes.add("update_group", "PUT", paths.GROUP_PATH, groups.update)
    routes.add("delete_group", "DELETE", paths.GROUP_PATH, groups.delete)
    routes.add("add_users", "POST", paths.GROUP_USERS_PATH, groups.add_users)
    routes.add("remove_user", "DELETE", paths.GROUP_USER_PATH, groups.remove_user)
    routes.add("add_ad_group", "POST", paths.AD_GROUPS_PATH, groups.add_ad_group)
    routes.add("remove_ad_group", "DELETE", paths.AD_GROUP_PATH, groups.remove_ad_group)
    routes.add("list_users", "GET", paths.USERS_PATH, users.list)
    routes.add("get_user", "GET", paths.USER_PATH, users.get)
    _add_shares(routes, installation)
    for path in (paths.USERS_PATH, f"{paths.USERS_PATH}/{{rest:path}}"):
        routes.others(path, _NOT_OFFERED)
    for path in (paths.TOKEN_PATH, paths.GROUPS_PATH, paths.GROUP_PATH, paths.GROUP_USERS_PATH):
        routes.others(path, _NO_METHOD)
    for path in (paths.GROUP_USER_PATH, paths.AD_GROUPS_PATH, paths.AD_GROUP_PATH):
        routes.others(path, _NO_METHOD)
    routes.others(paths.PREFIX + "/{rest:path}", _NO_ROUTE)
    return routes.plain.router


class _SpelledRoutes:
    """Routes whose replies are XML where the caller will have it so; ``plain`` are the same without that."""

    def __init__(self, installation: Installation, gateway: Gateway) -> None:
        self._home = installation
        self.plain = Routes("alteryx", gateway, describe)

    def add(self, name: str, method: str, path: str, handle: Callable[[Call], Reply]) -> None:
        self.plain.add(name, method, path, spelled(handle, lambda: self._home.settings))

    def others(self, path: str, handle: Callable[[Call], Reply]) -> None:
        self.plain.others(path, spelled(handle, lambda: self._home.settings))


def _add_shares(routes: _SpelledRoutes, installation: Installation) -> None:
    for kind, path in paths.SHARED_PATHS.items():
        calls, one = ShareCalls(installation, kind), f"{path}/{{group}}"
        routes.add("share", "POST", path, calls.share)
        routes.add("unshare", "DELETE", one, calls.unshare)
        routes.others(path, _NO_METHOD)
        routes.others(one, _NO_METHOD)
        if kind == "collection":
            routes.add("update_share", "PUT", f"{one}/permissions", calls.update)
            routes.others(f"{one}/permissions", _NO_METHOD)

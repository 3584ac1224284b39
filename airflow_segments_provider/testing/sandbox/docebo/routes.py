"""Docebo's paths and methods."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.bodies import describe
from airflow_segments_provider.testing.sandbox.docebo.constants import (
    GROUP_PATH,
    GROUPS_PATH,
    GROUPS_PATH_PLURAL,
    JOBS_PATH,
    OLD_GROUPS_PATH,
    PREFIX,
    TOKEN_PATH,
    USERS_PATH,
)
from airflow_segments_provider.testing.sandbox.docebo.document import DOCUMENT_PATH, SERVICES_PATH, DescriptionCalls
from airflow_segments_provider.testing.sandbox.docebo.group_calls import GroupCalls
from airflow_segments_provider.testing.sandbox.docebo.manage_calls import ManageCalls
from airflow_segments_provider.testing.sandbox.docebo.member_calls import MemberCalls
from airflow_segments_provider.testing.sandbox.gateway import Gateway
from airflow_segments_provider.testing.sandbox.messages import Endpoint
from airflow_segments_provider.testing.sandbox.routes import Routes

_MEMBERS_PATH = f"{GROUP_PATH}/users"
_ASSIGN_PATH = f"{GROUP_PATH}/assign_users"


def docebo_router(account: Account, gateway: Gateway) -> APIRouter:
    """Return the endpoints; what is no endpoint answers as Docebo would, under the name "docebo.other"."""
    groups, members, manage = GroupCalls(account), MemberCalls(account), ManageCalls(account)
    changes = Routes("docebo", _ChangesGateway(gateway, account), describe)
    changes.add("add_members", "PUT", _ASSIGN_PATH, members.add_by("assign_users"))
    changes.add("add_members", "PUT", _MEMBERS_PATH, members.add_by("put_users"))
    changes.add("add_members", "POST", _MEMBERS_PATH, members.add_by("post_users"))
    changes.add("remove_members", "DELETE", _MEMBERS_PATH, members.remove)
    routes = Routes("docebo", gateway, describe)
    routes.router.include_router(changes.router)
    routes.add("get_token", "POST", TOKEN_PATH, account.give_token)
    routes.add("list_groups", "GET", GROUPS_PATH, groups.list)
    routes.add("create_group", "POST", GROUPS_PATH, groups.create)
    routes.add("create_group", "POST", GROUPS_PATH_PLURAL, groups.create)
    routes.add("get_group", "GET", GROUP_PATH, groups.get)
    routes.add("update_group", "PUT", GROUP_PATH, groups.update)
    routes.add("delete_group", "DELETE", GROUP_PATH, groups.delete)
    routes.add("list_members", "GET", _MEMBERS_PATH, members.list)
    routes.add("export_members", "GET", f"{GROUP_PATH}/export-users", members.export)
    routes.add("list_conditions", "GET", f"{GROUP_PATH}/conditions-history", groups.history)
    routes.add("get_old_id", "GET", f"{GROUP_PATH}/audience_to_group", groups.old_id)
    routes.add("get_new_id", "GET", f"{GROUP_PATH}/group_to_audience", groups.new_id)
    routes.add("list_users", "GET", USERS_PATH, manage.list_users)
    routes.add("get_user", "GET", f"{USERS_PATH}/{{number}}", manage.get_user)
    routes.add("list_jobs", "GET", JOBS_PATH, manage.list_jobs)
    routes.add("get_job", "GET", f"{JOBS_PATH}/{{hash}}", manage.get_job)
    descriptions = DescriptionCalls(account)
    routes.add("list_services", "GET", SERVICES_PATH, descriptions.list_services)
    routes.add("describe", "GET", DOCUMENT_PATH, descriptions.describe)
    known = (TOKEN_PATH, GROUPS_PATH, GROUPS_PATH_PLURAL, GROUP_PATH, _MEMBERS_PATH, _ASSIGN_PATH, USERS_PATH)
    for path in known:
        routes.others(path, account.no_operation)
    for path in (OLD_GROUPS_PATH, OLD_GROUPS_PATH + "/{rest:path}"):
        routes.others(path, account.no_old_groups)
    routes.others(PREFIX + "/{rest:path}", account.no_route)
    return routes.router


class _ChangesGateway(Gateway):
    """The same gateway, for changes of members: these are counted until they are answered."""

    def __init__(self, gateway: Gateway, account: Account) -> None:
        self._gateway, self._account = gateway, account

    async def serve(self, endpoint: Endpoint, request: Request) -> Response:
        """Answer one request."""
        response = await self._gateway.serve(endpoint, request)
        # Nothing else ran since the call was carried out, so no other change has missed this one.
        self._account.changes_in_flight += 1
        return _CountedResponse(response, self._account)


class _CountedResponse(Response):
    """A response that is in flight until it was sent, or could not be."""

    def __init__(self, response: Response, account: Account) -> None:
        super().__init__()
        self._response, self._account = response, account

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._response(scope, receive, send)
        finally:
            self._account.changes_in_flight -= 1

"""What this package sends to Alteryx Server, but for the token request."""

from __future__ import annotations

from typing import get_args

from airflow_segments_provider.cli.contract.operation import Operation, Shape
from airflow_segments_provider.vendors.alteryx.parameters import Role

_GROUP: Shape = {"name": "string", "role": get_args(Role)}
_TERMS: dict[str, Shape] = {
    "collectionsPermissions": {
        "isAdmin": "boolean",
        "canAddAssets": "boolean",
        "canRemoveAssets": "boolean",
        "canUpdateAssets": "boolean",
        "canAddUsers": "boolean",
        "canRemoveUsers": "boolean",
    },
    "expirationDate?": "string",
}
_DIRECTORY = "The vendor's pages have it since 2023.2; nothing but the Active Directory operators needs it."

ALTERYX = (
    Operation("list user groups", ("GET /v3/usergroups",)),
    Operation("get a user group", ("GET /v3/usergroups/{}",)),
    Operation("create a user group", ("POST /v3/usergroups",), body=_GROUP),
    Operation("update a user group", ("PUT /v3/usergroups/{}",), body=_GROUP),
    Operation("delete a user group", ("DELETE /v3/usergroups/{}",), query=("forceDelete?",)),
    Operation("add users", ("POST /v3/usergroups/{}/users",), body=["string"]),
    Operation("remove a user", ("DELETE /v3/usergroups/{}/users/{}",)),
    Operation(
        "add an Active Directory group",
        ("POST /v3/usergroups/{}/activedirectorygroups",),
        body="string",
        absent=_DIRECTORY,
    ),
    Operation(
        "remove an Active Directory group",
        ("DELETE /v3/usergroups/{}/activedirectorygroups/{}",),
        absent=_DIRECTORY,
    ),
    Operation(
        "find users",
        ("GET /v3/users",),
        query=("email?", "firstName?", "lastName?", "role?", "active?", "createdAfter?", "createdBefore?"),
    ),
    Operation("get a user", ("GET /v3/users/{}",)),
    Operation("share a collection", ("POST /v3/collections/{}/userGroups",), body={"userGroupId": "string", **_TERMS}),
    Operation(
        "change what a user group may do in a collection",
        ("PUT /v3/collections/{}/userGroups/{}/permissions",),
        body=_TERMS,
    ),
    Operation("unshare a collection", ("DELETE /v3/collections/{}/userGroups/{}",)),
    Operation("share a credential", ("POST /v3/credentials/{}/userGroups",), body={"userGroupId": "string"}),
    Operation("unshare a credential", ("DELETE /v3/credentials/{}/userGroups/{}",)),
    Operation(
        "share a data connection", ("POST /v3/serverDataConnections/{}/userGroups",), body={"userGroupId": "string"}
    ),
    Operation("unshare a data connection", ("DELETE /v3/serverDataConnections/{}/userGroups/{}",)),
)

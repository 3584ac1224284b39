"""What Alteryx Server says of its own API: a Swagger 2 document, as far as the sandbox's operations go.

Its form, the trailing slash of the base path and the two slashes in its own address are those of real servers. That
it needs no token, and that one slash in its address does as well, is an assumption.
"""

from __future__ import annotations

from typing import Any, get_args

from airflow_segments_provider.testing.sandbox.alteryx.bodies import PERMISSIONS
from airflow_segments_provider.testing.sandbox.alteryx.constants import MAX_NAME_CHARACTERS, PREFIX, Role
from airflow_segments_provider.testing.sandbox.messages import Call, Reply, json_reply

DOCUMENT_PATHS = (f"{PREFIX}//swagger/docs/3", f"{PREFIX}/swagger/docs/3")

_JSON_TYPES = ["application/json", "text/json"]
_XML_TYPES = ["application/xml", "text/xml"]
_TEXT = {"type": "string"}


def describe_api(call: Call) -> Reply:
    """Answer with the document."""
    return json_reply(200, document())


def document() -> dict[str, Any]:
    """The document, made anew."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, query, body in _operations():
        paths.setdefault(path, {})[method] = _operation(path, query, body)
    return {
        "swagger": "2.0",
        "info": {"version": "3", "title": "Alteryx Server API V3"},
        "host": "localhost",
        "basePath": f"{PREFIX}/",
        "schemes": ["http"],
        "paths": paths,
        "definitions": _definitions(),
    }


def _operations() -> list[tuple[str, str, dict[str, str], Any]]:
    """Method, path, types of the query's parameters, schema of the body."""
    group, members, ad_groups = "/v3/usergroups/{userGroupId}", "/users", "/activedirectorygroups"
    filters = ("view", "active", "email", "role", "firstName", "lastName", "createdAfter", "createdBefore")
    listed = dict.fromkeys(filters, "string") | {"active": "boolean"}
    found: list[tuple[str, str, dict[str, str], Any]] = [
        ("get", "/v3/usergroups", {}, None),
        ("post", "/v3/usergroups", {}, _named("CreateUserGroupContract")),
        ("get", group, {}, None),
        ("put", group, {}, _named("UpdateUserGroupContract")),
        ("delete", group, {"forceDelete": "boolean"}, None),
        ("post", group + members, {}, {"type": "array", "items": _TEXT}),
        ("delete", group + members + "/{userId}", {}, None),
        ("post", group + ad_groups, {}, _TEXT),
        ("delete", group + ad_groups + "/{adGroupSid}", {}, None),
        ("get", "/v3/users", listed, None),
        ("get", "/v3/users/{userId}", {}, None),
        (
            "put",
            "/v3/collections/{collectionId}/userGroups/{userGroupId}/permissions",
            {},
            _named("UpdatePermissionsContract"),
        ),
    ]
    for shared, identity, contract in (
        ("collections", "collectionId", "AddUserGroupContract"),
        ("credentials", "credentialId", "AddCredentialsUserGroupContract"),
        ("serverDataConnections", "dataConnectionId", "AddServerConnectionUserGroupContract"),
    ):
        path = f"/v3/{shared}/{{{identity}}}/userGroups"
        found.append(("post", path, {}, _named(contract)))
        found.append(("delete", f"{path}/{{userGroupId}}", {}, None))
    return found


def _operation(path: str, query: dict[str, str], body: Any) -> dict[str, Any]:
    in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    parameters: list[dict[str, Any]] = [
        *({"name": name, "in": "path", "required": True, "type": "string"} for name in in_path),
        *({"name": name, "in": "query", "required": False, "type": kind} for name, kind in query.items()),
    ]
    if body is not None:
        parameters.append({"name": "contract", "in": "body", "required": True, "schema": body})
    return {
        "consumes": [] if body is None else [*_JSON_TYPES, *_XML_TYPES, "application/x-www-form-urlencoded"],
        "produces": [*_JSON_TYPES, *_XML_TYPES],
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}, "401": {"description": "Unauthorized"}},
    }


def _definitions() -> dict[str, Any]:
    group = {
        "type": "object",
        "required": ["name", "role"],
        "properties": {
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME_CHARACTERS},
            "role": {"type": "string", "enum": list(get_args(Role))},
        },
    }
    terms = {
        "expirationDate": {"type": "string", "format": "date-time"},
        "collectionsPermissions": _named("CollectionsPermissionsViewContract"),
    }
    receiver = {"type": "object", "required": ["userGroupId"], "properties": {"userGroupId": _TEXT}}
    return {
        "CreateUserGroupContract": group,
        "UpdateUserGroupContract": group,
        "CollectionsPermissionsViewContract": {
            "type": "object",
            "properties": {name: {"type": "boolean"} for name in PERMISSIONS},
        },
        "UpdatePermissionsContract": {"type": "object", "required": ["collectionsPermissions"], "properties": terms},
        "AddUserGroupContract": {
            "type": "object",
            "required": ["userGroupId", "collectionsPermissions"],
            "properties": {"userGroupId": _TEXT, **terms},
        },
        "AddCredentialsUserGroupContract": receiver,
        "AddServerConnectionUserGroupContract": receiver,
    }


def _named(definition: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{definition}"}

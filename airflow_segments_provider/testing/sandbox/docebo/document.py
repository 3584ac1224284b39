"""What Docebo says of its own API: a list of services, and a Swagger 2 document of each.

That there is such a list, and what it holds, is known from a page that reads it. Where the documents lie, what is in
them and that they need no token is an assumption.
"""

from __future__ import annotations

from typing import Any

from airflow_segments_provider.testing.sandbox.docebo import errors, replies
from airflow_segments_provider.testing.sandbox.docebo.account import Account
from airflow_segments_provider.testing.sandbox.docebo.constants import PREFIX
from airflow_segments_provider.testing.sandbox.messages import Call, Reply, json_reply

SERVICES_PATH = f"{PREFIX}/manage/v1/site/microservices"
DOCUMENT_PATH = f"{PREFIX}/{{service}}/v1/site/swagger"

_PAGE = ("page", "page_size", "cursor", "sort_attr", "sort_dir", "search_text", "get_total_count")
_TEXT, _FLAG, _IDS = {"type": "string"}, {"type": "boolean"}, {"type": "array", "items": {"type": "integer"}}


class DescriptionCalls:
    """Each operation takes a call and returns the answer, or raises the refusal."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def list_services(self, call: Call) -> Reply:
        """List the services with the addresses of their documents."""
        self._account.admit(call)
        origin = f"http://{call.headers.get('host', '')}"
        return replies.data_reply(
            [{"app": name, "url": origin + DOCUMENT_PATH.format(service=name)} for name in SERVICES]
        )

    def describe(self, call: Call) -> Reply:
        """Answer with a service's document."""
        service = call.parameters["service"]
        if service not in SERVICES:
            raise errors.refused(404, "no such path", self._account.settings)
        return json_reply(200, document(service))


def document(service: str) -> dict[str, Any]:
    """The document of a service, made anew."""
    paths: dict[str, dict[str, Any]] = {}
    for method, path, query, body in SERVICES[service]:
        in_path = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters: list[dict[str, Any]] = [
            *({"name": name, "in": "path", "required": True, "type": "string"} for name in in_path),
            *({"name": name, "in": "query", "type": "string"} for name in query),
        ]
        if body is not None:
            parameters.append({"name": "body", "in": "body", "schema": {"type": "object", **body}})
        paths.setdefault(path, {})[method] = {"parameters": parameters, "responses": {"200": {"description": "OK"}}}
    return {
        "swagger": "2.0",
        "info": {"title": service, "version": "1.0.0"},
        "basePath": f"/{service}/v1",
        "consumes": ["application/json"],
        "paths": paths,
    }


_GROUP = {
    "name": _TEXT,
    "description": _TEXT,
    "type": {"type": "string", "enum": ["manual", "automatic"]},
    "ruleset": {"type": "object"},
    "exclude_deactivated_users": _FLAG,
}
_ADDITION = {"properties": {"user_ids": _IDS, "branch_ids": _IDS, "group_ids": _IDS}}
_REMOVAL = {
    "required": ["user_ids"],
    "properties": {"user_ids": _IDS, "user_all": _FLAG, "user_filters": {"type": "object"}},
}
_UPDATE = {"properties": {name: field for name, field in _GROUP.items() if name != "type"}}
_CSV = ("userid", "firstname", "lastname", "email", "include_header", "delimiter")

# Method, path, parameters of the query, body.
SERVICES: dict[str, list[tuple[str, str, tuple[str, ...], Any]]] = {
    "audiences": [
        ("get", "/audience", _PAGE, None),
        ("post", "/audience", (), {"required": ["name", "type"], "properties": _GROUP}),
        ("get", "/audience/{uuid}", (), None),
        ("put", "/audience/{uuid}", (), _UPDATE),
        ("delete", "/audience/{uuid}", (), None),
        ("get", "/audience/{uuid}/users", _PAGE, None),
        ("put", "/audience/{uuid}/assign_users", (), _ADDITION),
        ("put", "/audience/{uuid}/users", (), _ADDITION),
        ("delete", "/audience/{uuid}/users", (), _REMOVAL),
        ("get", "/audience/{uuid}/export-users", _CSV, None),
        ("get", "/audience/{uuid}/conditions-history", _PAGE, None),
        ("get", "/audience/{uuid}/audience_to_group", (), None),
        ("get", "/audience/{id}/group_to_audience", (), None),
    ],
    "manage": [
        ("get", "/user", (*_PAGE, "match_type", "branch_id"), None),
        ("get", "/user/{user_id}", (), None),
    ],
}

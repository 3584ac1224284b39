"""Each way in which a vendor's description can differ from what is sent, in both forms of document."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from airflow_segments_provider.__main__ import main
from airflow_segments_provider.testing.sandbox.alteryx.document import document

CHECK = ["check-contract", "--conn-id", "alteryx_server_default"]
PATH = "/alteryx/webapi//swagger/docs/3"
GROUPS, GROUP = "/v3/usergroups", "/v3/usergroups/{userGroupId}"
Change = Callable[[dict[str, Any]], object]


def as_openapi(swagger: dict[str, Any]) -> dict[str, Any]:
    """Return the same description as an OpenAPI 3 document."""
    text = json.dumps(swagger).replace("#/definitions/", "#/components/schemas/")
    found = json.loads(text)
    for item in found["paths"].values():
        for operation in (one for one in item.values() if isinstance(one, dict)):
            kinds = operation.pop("consumes")
            for parameter in [one for one in operation["parameters"] if one.get("in") == "body"]:
                operation["parameters"].remove(parameter)
                content = {kind: {"schema": parameter["schema"]} for kind in kinds}
                operation["requestBody"] = {"required": parameter.get("required", False), "content": content}
            for parameter in operation["parameters"]:
                if "type" in parameter:
                    parameter["schema"] = {"type": parameter.pop("type")}
    return {
        **found,
        "openapi": "3.0.1",
        "swagger": None,
        "basePath": None,
        "servers": [{"url": "https://{host}" + found["basePath"], "variables": {"host": {"default": "localhost"}}}],
        "components": {"schemas": found["definitions"]},
    }


FORMS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"swagger": copy.deepcopy, "openapi": as_openapi}


@pytest.fixture(params=FORMS)
def told(request, relay, alteryx, capsys):
    """Serve a changed description, check it, and return the status and the lines that report differences."""

    def run(change: Change = lambda found: None) -> tuple[int, list[str]]:
        described = document()
        change(described)
        relay.serve(PATH, FORMS[request.param](described))
        status = main(CHECK)
        told = [line.strip() for line in capsys.readouterr().out.splitlines()]
        return status, [line for line in told if line.startswith(("DIFFERS", "UNCLEAR", "NOT READ", "note"))]

    return run


def contract(found: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of the body that creates a group, used by that operation only."""
    made: dict[str, Any] = copy.deepcopy(found["definitions"]["CreateUserGroupContract"])
    found["definitions"]["CreateUserGroupContract"] = made
    return made


def parameters(found: dict[str, Any], path: str, method: str) -> list[dict[str, Any]]:
    given: list[dict[str, Any]] = found["paths"][path][method]["parameters"]
    return given


def moved(found: dict[str, Any], old: str, new: str) -> None:
    found["paths"][new] = found["paths"].pop(old)


def without(given: list[dict[str, Any]], name: str) -> None:
    given[:] = [one for one in given if one["name"] != name]


CREATE = "DIFFERS   POST /v3/usergroups (create a user group)"
LIST = "DIFFERS   GET /v3/usergroups (list user groups)"
DELETE = "DIFFERS   DELETE /v3/usergroups/{} (delete a user group)"
ADD = "DIFFERS   POST /v3/usergroups/{}/users (add users)"
SHARE = "DIFFERS   POST /v3/credentials/{}/userGroups (share a credential)"
PERMIT = "DIFFERS   PUT /v3/collections/{}/userGroups/{}/permissions (change what a user group may do in a collection)"
WRONG: dict[str, tuple[Change, str]] = {
    "operation gone": (
        lambda found: found["paths"].pop("/v3/users"),
        "DIFFERS   GET /v3/users (find users): the document has no such operation.",
    ),
    "method gone": (
        lambda found: found["paths"][GROUPS].pop("post"),
        f"{CREATE}: the document has the path only with GET.",
    ),
    "path spelled otherwise": (
        lambda found: moved(found, "/v3/credentials/{credentialId}/userGroups", "/v3/credentials/{id}/usergroups"),
        f"{SHARE}: it is spelled /v3/credentials/{{}}/usergroups.",
    ),
    "parameter gone": (
        lambda found: without(parameters(found, GROUP, "delete"), "forceDelete"),
        f"{DELETE} does not have the parameter `forceDelete`, which is sent.",
    ),
    "parameter wanted": (
        lambda found: parameters(found, GROUPS, "get").append(
            {"name": "tenant", "in": "query", "required": True, "type": "string"}
        ),
        f"{LIST} requires the parameter `tenant`, which is never sent.",
    ),
    "parameter always wanted": (
        lambda found: parameters(found, GROUP, "delete")[-1].update(required=True),
        f"{DELETE} requires the parameter `forceDelete`, which is not always sent.",
    ),
    "header wanted": (
        lambda found: parameters(found, GROUPS, "get").append(
            {"name": "X-Tenant", "in": "header", "required": True, "type": "string"}
        ),
        f"{LIST} requires the header `X-Tenant`, which is never sent.",
    ),
    "field gone": (
        lambda found: contract(found).update(required=["name"], properties={"name": {"type": "string"}}),
        f"{CREATE} does not have the field `role`, which is sent.",
    ),
    "field wanted": (
        lambda found: contract(found)["required"].append("owner"),
        f"{CREATE} requires the field `owner`, which is never sent.",
    ),
    "field always wanted": (
        lambda found: found["definitions"]["UpdatePermissionsContract"]["required"].append("expirationDate"),
        f"{PERMIT} requires the field `expirationDate`, which is not always sent.",
    ),
    "field of another type": (
        lambda found: contract(found)["properties"].update(name={"type": "integer"}),
        f"{CREATE} takes the field `name` as integer, and it is sent as string.",
    ),
    "value gone": (
        lambda found: contract(found)["properties"]["role"]["enum"].remove("Evaluated"),
        f"{CREATE} does not have the value 'Evaluated' of the field `role`.",
    ),
    "items of another type": (
        lambda found: parameters(found, GROUP + "/users", "post")[-1]["schema"].update(items={"type": "integer"}),
        f"{ADD} takes each item of the body as integer, and it is sent as string.",
    ),
    "body in an object": (
        lambda found: parameters(found, GROUP + "/users", "post")[-1].update(
            schema={"type": "object", "properties": {"userIds": {"type": "array"}}}
        ),
        f"{ADD} takes the body as object, and it is sent as array.",
    ),
    "body not taken": (
        lambda found: without(parameters(found, GROUPS, "post"), "contract"),
        f"{CREATE} takes no body, and one is sent.",
    ),
    "body wanted": (
        lambda found: found["paths"][GROUP]["delete"].update(
            parameters=[
                *parameters(found, GROUP, "delete"),
                {"name": "reason", "in": "body", "required": True, "schema": {"type": "string"}},
            ],
            consumes=["application/json"],
        ),
        f"{DELETE} requires a body, and none is sent.",
    ),
    "JSON not taken": (
        lambda found: found["paths"][GROUPS]["post"].update(consumes=["application/xml"]),
        f"{CREATE} takes application/xml only, and JSON is sent.",
    ),
    "no alternative fits": (
        lambda found: contract(found).update(
            oneOf=[{"required": ["name", "owner", "team"]}, {"required": ["owner"]}], required=[]
        ),
        f"{CREATE} requires the field `owner`, which is never sent.",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_each_kind_of_difference_is_reported(told, what):
    change, line = WRONG[what]
    assert told(change) == (1, [line])


def test_the_description_of_the_sandbox_has_no_difference(told):
    assert told() == (0, [])


def joined(found: dict[str, Any]) -> None:
    whole = contract(found)
    parts = [
        {"type": "object", "properties": {name: field}, "required": [name]}
        for name, field in whole["properties"].items()
    ]
    whole.clear()
    whole["allOf"] = parts


def by_reference(found: dict[str, Any]) -> None:
    given = parameters(found, "/v3/users", "get")
    found["definitions"]["a/parameter"] = given.pop()
    given.append({"$ref": "#/definitions/a~1parameter"})


FINE: dict[str, Change] = {
    "a field of answers only": lambda found: contract(found).update(
        properties=contract(found)["properties"] | {"id": {"type": "string", "readOnly": True}},
        required=["name", "role", "id"],
    ),
    "a field more": lambda found: contract(found)["properties"].update(note={"type": "string"}),
    "an operation more": lambda found: found["paths"].update({"/v3/jobs": {"get": {"parameters": [], "consumes": []}}}),
    "any fields": lambda found: contract(found).update(properties={"x": {}}, required=[], additionalProperties=True),
    "no fields": lambda found: contract(found).update(properties={}, required=[]),
    "nothing said": lambda found: parameters(found, GROUPS, "post")[-1].update(schema={}),
    "parts joined": joined,
    "an alternative fits": lambda found: contract(found).update(
        anyOf=[{"required": ["owner"]}, {"required": ["name"]}], required=[]
    ),
    "null or text": lambda found: contract(found)["properties"].update(name={"type": ["string", "null"]}),
    "parameters of the path": lambda found: found["paths"]["/v3/users"].update(
        parameters=[found["paths"]["/v3/users"]["get"]["parameters"].pop()]
    ),
    "a parameter by reference": by_reference,
    "a path by reference": lambda found: found.update(
        {"x-items": {"users": found["paths"]["/v3/users"]}},
        paths=found["paths"] | {"/v3/users": {"$ref": "#/x-items/users"}},
    ),
}


@pytest.mark.parametrize("what", FINE)
def test_a_compatible_change_of_the_description_is_not_a_difference(told, what):
    assert told(FINE[what]) == (0, [])


def test_a_deprecated_operation_is_reported_as_a_note(told):
    status, lines = told(lambda found: found["paths"]["/v3/users"]["get"].update(deprecated=True))
    assert (status, lines) == (0, ["note      GET /v3/users (find users) is marked as deprecated."])


BROKEN: dict[str, tuple[Change, str]] = {
    "to nothing": (
        lambda found: found["definitions"].pop("CreateUserGroupContract"),
        "UserGroupContract refers to nothing.",
    ),
    "elsewhere": (
        lambda found: parameters(found, GROUPS, "post")[-1].update(schema={"$ref": "https://example.com/x.json"}),
        "https://example.com/x.json refers to another document; it was not fetched.",
    ),
    "to itself": (
        lambda found: (
            found["definitions"].update(CreateUserGroupContract={"allOf": [{"$ref": "#/definitions/Loop"}]})
            or found["definitions"].update(Loop={"allOf": [{"$ref": "#/definitions/Loop"}]})
        ),
        "A schema contains itself.",
    ),
    "to one that refers back": (
        lambda found: found["definitions"].update(
            CreateUserGroupContract={"$ref": "#/definitions/CreateUserGroupContract"}
        ),
        "A schema refers to itself.",
    ),
    "an alternative of itself": (
        lambda found: found["definitions"].update(
            CreateUserGroupContract={"anyOf": [{"$ref": "#/definitions/CreateUserGroupContract"}]}
        ),
        "A schema is an alternative of itself.",
    ),
    "of another kind": (
        lambda found: found["definitions"].update(CreateUserGroupContract=["no", "schema"]),
        "is not a JSON object.",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_part_of_the_description_is_reported_and_the_rest_compared(told, what):
    change, end = BROKEN[what]
    status, lines = told(change)
    assert status == 2
    assert [line.startswith("UNCLEAR   POST /v3/usergroups (create a user group): ") for line in lines] == [True]
    assert lines[0].endswith(end)


@pytest.mark.parametrize(
    ("media", "lines"),
    [
        ("application/json", []),
        ("multipart/form-data", [f"{CREATE} takes multipart/form-data only, and JSON is sent."]),
    ],
)
def test_the_fields_of_a_body_may_be_described_as_form_data_if_json_is_accepted(relay, alteryx, capsys, media, lines):
    described = document()
    form = [{"name": name, "in": "formData", "required": True, "type": "string"} for name in ("name", "role")]
    described["paths"][GROUPS]["post"].update(parameters=form, consumes=[media])
    relay.serve(PATH, described)
    assert main(CHECK) == bool(lines)
    told = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in told if line.startswith("DIFFERS")] == lines

"""The requests of this package to Alteryx Server and Docebo, apart from those for tokens, in a form to compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, get_args

from airflow_segments_provider.vendors.alteryx.parameters import Role

ANY = "any"

# A JSON body: an object by its fields, an array by the shape of its items, one of several texts, or the name of a JSON
# type. A field whose name ends in "?" is not always sent.
Shape: TypeAlias = "str | tuple[str, ...] | list[Shape] | dict[str, Shape]"


@dataclass(frozen=True)
class Operation:
    """One request of this package.

    :param does: its purpose, for the report.
    :param spellings: ``"METHOD /path"`` below the base URL, with ``{}`` for parameters. Of several, the client uses the
        first that the vendor has.
    :param query: names of the query's parameters; those that end in ``?`` are not always sent.
    :param absent: a note for the report where the document does not have the request.
    """

    does: str
    spellings: tuple[str, ...]
    query: tuple[str, ...] = ()
    body: Shape | None = None
    absent: str = ""


def sent(name: str) -> str:
    """Return the name as it is sent."""
    return name.removesuffix("?")


def always(name: str) -> bool:
    """Return whether the parameter or field is always sent."""
    return not name.endswith("?")


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
_DIRECTORY = "The vendor documents it since 2023.2; only the Active Directory operators need it."

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

_PAGE = ("page", "page_size", "cursor?", "sort_attr?", "sort_dir?", "search_text?")
_ASSIGN = "PUT /audiences/v1/audience/{}/assign_users"
_PUT = "PUT /audiences/v1/audience/{}/users"
_POST = "POST /audiences/v1/audience/{}/users"

DOCEBO = (
    Operation("list groups", ("GET /audiences/v1/audience",), query=_PAGE),
    Operation("get a group", ("GET /audiences/v1/audience/{}",)),
    Operation(
        "create a group",
        ("POST /audiences/v1/audience", "POST /audiences/v1/audiences"),
        body={
            "name": "string",
            "type": ("manual", "automatic"),
            "description?": "string",
            "ruleset?": ANY,
            "exclude_deactivated_users?": "boolean",
        },
    ),
    Operation(
        "update a group",
        ("PUT /audiences/v1/audience/{}",),
        body={"name?": "string", "description?": "string", "ruleset?": ANY, "exclude_deactivated_users?": "boolean"},
    ),
    Operation("delete a group", ("DELETE /audiences/v1/audience/{}",)),
    Operation("list the members", ("GET /audiences/v1/audience/{}/users",), query=_PAGE),
    Operation("add users", (_ASSIGN, _PUT, _POST), body={"user_ids": ["integer"]}),
    Operation(
        "add the users of branches and groups",
        (_PUT, _POST, _ASSIGN),
        body={"branch_ids?": ["integer"], "group_ids?": ["integer"]},
    ),
    Operation(
        "remove users",
        ("DELETE /audiences/v1/audience/{}/users",),
        body={"user_ids": ["integer"], "user_all?": "boolean", "user_filters?": ANY},
    ),
    Operation(
        "export the members",
        ("GET /audiences/v1/audience/{}/export-users",),
        query=("userid?", "firstname?", "lastname?", "email?", "include_header?", "delimiter?"),
    ),
    Operation(
        "list the changes of the rules",
        ("GET /audiences/v1/audience/{}/conditions-history",),
        query=("page?", "cursor?"),
    ),
    Operation("convert a UUID", ("GET /audiences/v1/audience/{}/audience_to_group",)),
    Operation("convert a former ID", ("GET /audiences/v1/audience/{}/group_to_audience",)),
    Operation("find users", ("GET /manage/v1/user",), query=(*_PAGE, "match_type?", "get_total_count?")),
    Operation("get a user", ("GET /manage/v1/user/{}",)),
)

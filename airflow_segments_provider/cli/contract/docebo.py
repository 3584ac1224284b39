"""What this package sends to Docebo, but for the token request."""

from __future__ import annotations

from airflow_segments_provider.cli.contract.operation import ANY, Operation

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
        "add the people of branches and groups",
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
    Operation("convert a uuid", ("GET /audiences/v1/audience/{}/audience_to_group",)),
    Operation("convert a former id", ("GET /audiences/v1/audience/{}/group_to_audience",)),
    Operation("find users", ("GET /manage/v1/user",), query=(*_PAGE, "match_type?", "get_total_count?")),
    Operation("get a user", ("GET /manage/v1/user/{}",)),
)

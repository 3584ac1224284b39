"""Docebo's groups: creation, changes, deletion, rules, and paging of lists."""

from __future__ import annotations

import re

import pytest

from tests.sandbox.test_docebo_caller import NO_GROUP, branch_rules, caller_of

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture
def docebo(server):
    return caller_of(server.url)


def branch(docebo, name):
    return next(branch.idst for branch in docebo.sandbox.branches() if branch.name == name)


def people(docebo, *branches):
    wanted = {branch(docebo, name) for name in branches}
    return {user.idst for user in docebo.sandbox.users() if user.branch in wanted}


def names(reply):
    assert reply.status_code == 200, reply.text
    return [group["name"] for group in reply.json()["data"]["items"]]


def test_a_new_docebo_sandbox_has_invented_users_branches_and_groups(docebo):
    sandbox = docebo.sandbox
    assert all(user.email.endswith("@example.com") for user in sandbox.users())
    assert [group.name for group in sandbox.groups()] == ["Support team", "Everyone in sales"]
    assert sandbox.members("Support team") == people(docebo, "Support")
    assert sandbox.members("Everyone in sales") == people(docebo, "Sales", "Sales North")


def test_a_docebo_group_is_created_read_updated_and_deleted(docebo):
    created = docebo.create("Trial users", description="on trial", type="manual")
    assert created.status_code == 200
    assert created.headers["content-type"] == "application/json; charset=UTF-8"
    data = created.json()["data"]
    uuid = data["uuid"]
    assert UUID.fullmatch(uuid)
    assert (data["name"], data["description"], data["type"], data["ruleset"]) == (
        "Trial users", "on trial", "manual", None
    )  # fmt: skip
    assert docebo.send("GET", f"/{uuid}").json()["data"] == data
    docebo.sandbox.advance(5)
    updated = docebo.send("PUT", f"/{uuid}", json={"name": "Paying users"}).json()["data"]
    assert (updated["name"], updated["description"]) == ("Paying users", "on trial")
    assert updated["updated_at"] > data["updated_at"]
    assert docebo.send("DELETE", f"/{uuid}").json()["data"] == {"success": True}
    for method in ("GET", "PUT", "DELETE"):
        reply = docebo.send(method, f"/{uuid}", json={"name": "x"} if method == "PUT" else None)
        assert (reply.status_code, reply.json()["name"]) == (404, "Not Found")
    (kept,) = [group for group in docebo.sandbox.groups(deleted=True) if group.deleted_at is not None]
    assert (kept.uuid, kept.members) == (uuid, 0)


def test_the_paths_and_responses_of_a_creation_can_be_set(docebo):
    plural = f"{docebo.sandbox.docebo_url}/audiences/v1/audiences"

    def statuses():
        return docebo.create("a").status_code, docebo.session.post(plural, json={"name": "a"}, timeout=20).status_code

    assert statuses() == (200, 200)
    docebo.sandbox.settings(create_paths="plural", create_status=201, missing_route_status=405)
    assert statuses() == (405, 201)
    docebo.sandbox.settings(create_paths="singular", create_reply="uuid")
    assert statuses() == (201, 405)
    assert docebo.create("b").json()["data"].keys() == {"uuid"}
    docebo.sandbox.settings(duplicate_names="refuse")
    assert docebo.create("b").status_code == 409
    docebo.sandbox.settings(type_required=True, message_as="string")
    assert docebo.create("c").json() == {
        "name": "Bad Request", "message": "type is missing", "code": 1001, "status": 400
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": " "},
        {"name": 1},
        {"name": "x" * 256},
        {"description": 1},
        {"type": "magic"},
        {"type": "automatic"},
        {"ruleset": branch_rules(1)},
        {"exclude_deactivated_users": "yes"},
        {"colour": "red"},
    ],
)
def test_an_invalid_creation_of_a_docebo_group_is_refused(docebo, body):
    reply = docebo.create(**body)
    assert (reply.status_code, reply.json()["status"]) == (400, 400)
    assert isinstance(reply.json()["message"], list)
    assert len(docebo.sandbox.groups()) == 2


def test_a_docebo_request_body_must_be_a_json_object(docebo):
    for request in ({"json": ["x"]}, {"data": "{", "headers": {"content-type": "application/json"}}, {"data": "{}"}):
        assert docebo.send("POST", **request).status_code == 400
    assert docebo.send("POST", json={}).json()["message"] == ["name is missing"]
    docebo.sandbox.settings(unknown_fields="ignore")
    assert docebo.create(colour="red").status_code == 200


def test_the_list_of_groups_is_searched_sorted_and_paged(docebo):
    for name in ("b one", "a two", "c one"):
        docebo.create(name, description=f"of {name}")
    assert names(docebo.send("GET"))[2:] == ["b one", "a two", "c one"]
    assert names(docebo.send("GET", params={"search_text": "ONE"})) == ["Everyone in sales", "b one", "c one"]
    assert names(docebo.send("GET", params={"search_text": "%"})) == []
    assert names(docebo.send("GET", params={"sort_attr": "name", "sort_dir": "desc", "search_text": "of "})) == [
        "c one", "b one", "a two"
    ]  # fmt: skip
    first = docebo.send("GET", params={"page_size": 2}).json()["data"]
    assert first["has_more_data"] is True
    assert (first["count"], first["total_count"], first["total_page_count"], first["cursor"]) == (2, 5, 3, None)
    last = docebo.send("GET", params={"page_size": 2, "page": 3}).json()["data"]
    assert (last["count"], last["has_more_data"], last["current_page"]) == (1, False, 3)
    for wrong in ({"sort_attr": "colour"}, {"sort_dir": "up"}, {"page": 0}, {"page_size": 201}, {"page_size": "x"}):
        assert docebo.send("GET", params=wrong).status_code == 400


def test_the_form_of_a_list_response_can_be_set(docebo):
    docebo.sandbox.settings(list_cursor=True, list_totals=False, large_page_size="clamp", max_page_size=1)
    first = docebo.send("GET", params={"page_size": 5}).json()["data"]
    assert first["cursor"]
    assert first.keys().isdisjoint({"total_count", "total_page_count"})
    assert docebo.send("GET", params={"page": 2}).status_code == 400
    second = docebo.send("GET", params={"page": 2, "cursor": first["cursor"]})
    assert names(second) == ["Everyone in sales"]
    assert second.json()["data"]["cursor"] is None
    docebo.sandbox.settings(list_form="bare", list_lag=60, max_page_size=200)
    docebo.create("young")
    assert isinstance(docebo.send("GET").json()["data"], list)
    assert len(docebo.send("GET").json()["data"]) == 0
    docebo.sandbox.advance(61)
    assert len(docebo.send("GET").json()["data"]) == 3


def test_rules_fill_a_group_within_an_hour(docebo):
    rules = branch_rules(branch(docebo, "Support"))
    data = docebo.create("Helpers", type="automatic", ruleset={**rules, "status": "READY"}).json()["data"]
    assert data["ruleset"]["status"] == "PENDING"
    docebo.sandbox.advance(3500)
    assert docebo.members(data["uuid"]) == []
    docebo.sandbox.advance(101)
    ready = docebo.log_in().send("GET", f"/{data['uuid']}").json()["data"]["ruleset"]
    assert ready["status"] == "READY"
    members = docebo.members(data["uuid"])
    assert {member["idst"] for member in members} == people(docebo, "Support")
    assert {member["relation_type"] for member in members} == {"automatic"}
    # Only IDs differ: no recalculation.
    docebo.send("PUT", f"/{data['uuid']}", json={"ruleset": ready})
    assert docebo.send("GET", f"/{data['uuid']}").json()["data"]["ruleset"]["status"] == "READY"


def test_changed_rules_remove_automatic_members_only_and_are_in_the_history(docebo):
    sandbox = docebo.sandbox
    (old,) = [group for group in sandbox.groups() if group.type == "automatic"]
    (helper, *_) = sorted(people(docebo, "Support"))
    docebo.add(old.uuid, [helper])
    docebo.send("PUT", f"/{old.uuid}", json={"ruleset": branch_rules(branch(docebo, "Sales North"))})
    assert sandbox.members(old.uuid) == {helper}
    sandbox.advance(3601)
    assert sandbox.members(old.uuid, "automatic") == people(docebo, "Sales North")
    assert sandbox.members(old.uuid, "manual") == {helper}
    history = docebo.log_in().send("GET", f"/{old.uuid}/conditions-history").json()["data"]
    assert (history["count"], history["items"][0]["ruleset"]["operator"]) == (2, "AND")
    assert docebo.send("GET", f"/{docebo.new_group()}/conditions-history").status_code == 400


def test_sets_of_rules_are_combined_by_their_operators(docebo):
    sandbox = docebo.sandbox
    sales, north = branch_rules(branch(docebo, "Sales")), branch_rules(branch(docebo, "Sales North"))
    either = {"operator": "OR", "sets": sales["sets"] + north["sets"]}
    assert sandbox.members(sandbox.create_group("either", ruleset=either)) == people(docebo, "Sales", "Sales North")
    both = {"operator": "AND", "sets": either["sets"]}
    assert sandbox.members(sandbox.create_group("both", ruleset=both)) == set()
    below = branch_rules(branch(docebo, "Example"), branch_ids_descendants=True)
    assert len(sandbox.members(sandbox.create_group("below", ruleset=below))) == len(sandbox.users())
    rule = {"type": "SomethingElse", "payload": {"field": "16"}}
    other = {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": [rule]}]}
    assert sandbox.members(sandbox.create_group("other", ruleset=other)) == set()
    sandbox.settings(other_rules="everybody")
    assert len(sandbox.members(sandbox.create_group("all", ruleset=other))) == len(sandbox.users())
    sandbox.settings(other_rules="refuse")
    assert docebo.create("none", type="automatic", ruleset=other).status_code == 400


@pytest.mark.parametrize(
    "ruleset",
    [
        "all",
        {"operator": "AND"},
        {"operator": "XOR", "sets": branch_rules(1)["sets"]},
        {"operator": "AND", "sets": branch_rules(1)["sets"] * 11},
        {"operator": "AND", "sets": [{"rules_operator": "OR", "rules": branch_rules(1)["sets"][0]["rules"]}]},
        {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": branch_rules(1)["sets"][0]["rules"] * 11}]},
        {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": [{"type": "x"}]}]},
        {"operator": "AND", "sets": [{**branch_rules(1)["sets"][0], "id": {}}]},
        branch_rules("1"),  # type: ignore[arg-type]
    ],
)
def test_an_invalid_ruleset_is_refused(docebo, ruleset):
    assert docebo.create("x", type="automatic", ruleset=ruleset).status_code == 400
    (group,) = [group for group in docebo.sandbox.groups() if group.type == "automatic"]
    assert docebo.send("PUT", f"/{group.uuid}", json={"ruleset": ruleset}).status_code == 400


def test_the_limit_of_ten_rules_can_be_set_to_count_all_sets(docebo):
    ruleset = {"operator": "OR", "sets": branch_rules(1)["sets"] * 10}
    ruleset["sets"] = [{**item, "rules": item["rules"] * 2} for item in ruleset["sets"]]
    assert docebo.create("x", type="automatic", ruleset=ruleset).status_code == 200
    docebo.sandbox.settings(rules_limit="in_all")
    assert docebo.create("x", type="automatic", ruleset=ruleset).status_code == 400


def test_an_update_may_name_only_sets_and_rules_of_the_group(docebo):
    (group,) = [group for group in docebo.sandbox.groups() if group.type == "automatic"]
    other = branch_rules(branch(docebo, "Support"))
    assert group.ruleset is not None
    other["sets"][0]["id"] = group.ruleset["sets"][0]["id"]
    assert docebo.send("PUT", f"/{group.uuid}", json={"ruleset": other}).status_code == 200
    other["sets"][0]["rules"][0]["id"] = 1
    assert docebo.send("PUT", f"/{group.uuid}", json={"ruleset": other}).status_code == 400
    assert docebo.send("PUT", f"/{docebo.new_group()}", json={"ruleset": other}).status_code == 400


def test_the_docebo_sandbox_converts_group_ids_in_both_directions(docebo):
    uuid = docebo.new_group()
    number = docebo.send("GET", f"/{uuid}/audience_to_group").json()["data"]["id"]
    assert isinstance(number, int)
    assert docebo.send("GET", f"/{number}/group_to_audience").json()["data"] == {"uuid": uuid}
    for path in (f"/{NO_GROUP}/audience_to_group", "/1/group_to_audience", f"/{uuid}/group_to_audience"):
        assert docebo.send("GET", path).status_code == 404


def test_an_unknown_docebo_operation_is_refused(docebo):
    assert docebo.send("PATCH").status_code == 405
    assert docebo.send("GET", f"/{NO_GROUP}/strange").status_code == 404
    assert docebo.send("GET", "/").status_code == 404
    assert docebo.manage("group/1/members").status_code == 404
    docebo.sandbox.settings(old_groups_status=410)
    assert docebo.manage("group/members/batch", "POST").status_code == 410
    assert set(docebo.sandbox.counts()) == {"docebo.get_token", "docebo.other"}


def test_docebo_requests_above_the_rate_limit_are_refused_with_a_wait(docebo):
    docebo.sandbox.settings(rate_limit=2)
    assert [docebo.send("GET").status_code for _ in range(3)] == [200, 200, 429]
    refused = docebo.send("GET")
    assert refused.json()["name"] == "Too Many Requests"
    assert 3500 <= int(refused.headers["retry-after"]) <= 3660
    assert docebo.token().status_code == 200
    docebo.sandbox.advance(1800)
    assert docebo.log_in().send("GET").status_code == 429
    docebo.sandbox.settings(retry_after=False)
    assert "retry-after" not in docebo.send("GET").headers
    docebo.sandbox.advance(1860)
    assert docebo.log_in().send("GET").status_code == 200

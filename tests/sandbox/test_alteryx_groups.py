"""User groups of Alteryx Server: documented behaviour, and both variants of each assumption."""

from __future__ import annotations

import json
import re

import pytest

from tests.sandbox.alteryx_caller import FORM, NO_ID

SID = "S-1-5-21-1004336348-1177238915-682003330-512"


def test_the_response_to_a_creation_is_the_id_as_a_json_string(alteryx):
    reply = alteryx.create("Trial users", "Artisan")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert re.fullmatch(r'"[0-9a-f]{24}"', reply.text)
    assert alteryx.send("GET", "usergroups").json() == [{"id": reply.json(), "name": "Trial users", "role": "Artisan"}]


def test_the_response_to_a_creation_can_be_set_to_a_raw_id_and_status_201(alteryx):
    alteryx.sandbox.settings(create_reply="raw", create_status=201)
    reply = alteryx.create()
    assert (reply.status_code, reply.text) == (201, alteryx.sandbox.groups()[0].id)


def test_a_name_and_a_role_can_be_sent_as_a_form(alteryx):
    group_id = alteryx.send("POST", "usergroups", data={"name": "é & b", "role": "Viewer"}).json()
    assert alteryx.send("PUT", f"usergroups/{group_id}", data={"name": "c", "role": "Member"}).status_code == 200
    assert [(group.name, group.role) for group in alteryx.sandbox.groups()] == [("c", "Member")]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "role"}),
        ({"name": None, "role": None}, {"name", "role"}),
        ({"name": "", "role": "Viewer"}, {"name"}),
        ({"name": "  ", "role": "Viewer"}, {"name"}),
        ({"name": "a" * 256, "role": "Viewer"}, {"name"}),
        ({"name": "\N{OWL}" * 128, "role": "Viewer"}, {"name"}),
        ({"name": "\ud800", "role": "Viewer"}, {"name"}),
        ({"name": 7, "role": "Viewer"}, {"name"}),
        ({"name": "a", "role": "viewer"}, {"role"}),
        ({"name": "a", "role": "Admin"}, {"role"}),
        ({"name": "a", "role": "Viewer", "description": "x"}, {"description"}),
        ([], {"contract"}),
        ("a", {"contract"}),
    ],
)
def test_an_invalid_group_is_refused_with_its_fields(alteryx, body, fields):
    group_id = alteryx.new_group("before")
    for method, path in (("POST", "usergroups"), ("PUT", f"usergroups/{group_id}")):
        reply = alteryx.send(method, path, json=body)
        assert (reply.status_code, set(reply.json())) == (400, {"message", "modelState"})
        assert set(reply.json()["modelState"]) == fields
        assert all(isinstance(problems, list) for problems in reply.json()["modelState"].values())
    assert [group.name for group in alteryx.sandbox.groups()] == ["before"]


def test_a_name_of_255_characters_is_accepted_and_unknown_fields_can_be_ignored(alteryx):
    assert alteryx.create("a" * 255).status_code == 200
    alteryx.sandbox.settings(unknown_fields="ignore")
    assert alteryx.create("b", description="x").status_code == 200


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("application/json", b"{", 400),
        ("application/json", b"", 400),
        ("text/plain", b"{}", 415),
        (None, b"{}", 415),
        ("text/json; charset=utf-8", b'{"name": "a", "role": "Viewer"}', 200),
    ],
)
def test_a_group_must_be_json_by_content_type_and_content(alteryx, content_type, content, status):
    reply = alteryx.send("POST", "usergroups", data=content, headers={"content-type": content_type})
    assert reply.status_code == status
    assert status == 200 or reply.json()["message"]


def test_two_groups_can_have_one_name_only_if_set_so(alteryx):
    first, second = alteryx.new_group("a"), alteryx.new_group("b")
    for refused in (alteryx.create("a"), alteryx.update(second, "a")):
        assert (refused.status_code, set(refused.json())) == (400, {"message"})
    assert alteryx.update(first, "a", "Curator").status_code == 200
    alteryx.sandbox.settings(duplicate_names="allow")
    assert [alteryx.create("a").status_code, alteryx.update(second, "a").status_code] == [200, 200]


def test_the_response_to_an_update_has_no_body(alteryx):
    group_id = alteryx.new_group()
    reply = alteryx.update(group_id, "Others", "Member")
    assert (reply.status_code, reply.content) == (200, b"")
    assert alteryx.group(group_id).json()["name"] == "Others"


def test_a_group_shows_its_members(alteryx):
    sandbox = alteryx.sandbox
    caller, ada, bruno, *_ = (user.id for user in sandbox.users())
    group_id = alteryx.new_group()
    alteryx.add(group_id, [bruno, ada])
    group = alteryx.group(group_id.upper()).json()
    assert [(member["userId"], member["addedByUserId"]) for member in group["members"]] == [
        (bruno, caller),
        (ada, caller),
    ]
    assert "activeDirectoryObject" not in group["members"][0]
    date = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    assert date.fullmatch(group.pop("dateAdded"))
    assert date.fullmatch(group.pop("members")[0]["dateAddedToGroup"])
    expected = {"id": group_id, "name": "Trial users", "role": "Viewer", "credentialIds": [], "connectionIds": []}
    assert group == expected


def test_a_group_with_members_is_deleted_only_with_force_delete(alteryx):
    empty, full = alteryx.new_group("empty"), alteryx.new_group("full")
    alteryx.add(full, [alteryx.sandbox.users()[1].id])
    deleted = alteryx.delete(empty)
    assert (deleted.status_code, deleted.content) == (200, b"")
    for query in ({}, {"forceDelete": "false"}):
        assert alteryx.delete(full, **query).status_code == 400
    assert "forceDelete" in alteryx.delete(full, forceDelete="yes").json()["modelState"]
    assert [group.name for group in alteryx.sandbox.groups()] == ["full"]
    assert alteryx.delete(full, forceDelete="True").status_code == 200
    assert alteryx.sandbox.groups() == []


def test_users_are_added_and_those_who_cannot_be_added_are_reported(alteryx):
    ada, bruno = (user.id for user in alteryx.sandbox.users()[1:3])
    group_id = alteryx.new_group()
    assert alteryx.add(group_id, [ada]).json() == {"successfullyAddedUserCount": 1, "totalUsersSubmittedCount": 1}
    reply = alteryx.add(group_id, [ada, bruno, bruno, NO_ID])
    body = reply.json()
    assert (reply.status_code, set(body.pop("failedUserReasons"))) == (200, {ada, NO_ID})
    assert body == {"successfullyAddedUserCount": 1, "totalUsersSubmittedCount": 4}
    assert alteryx.sandbox.members(group_id) == {ada, bruno}


@pytest.mark.parametrize(("setting", "added", "failed"), [("silent", 0, set()), ("counted", 1, set())])
def test_adding_a_member_again_can_be_set_to_be_no_failure(alteryx, setting, added, failed):
    ada = alteryx.sandbox.users()[1].id
    alteryx.sandbox.create_group("a", user_ids=[ada])
    alteryx.sandbox.settings(existing_member=setting, no_failures_as="empty")
    body = alteryx.add(alteryx.sandbox.groups()[0].id, [ada]).json()
    assert (body["successfullyAddedUserCount"], set(body["failedUserReasons"])) == (added, failed)


def test_an_unknown_user_can_be_set_to_refuse_the_whole_request(alteryx):
    alteryx.sandbox.settings(unknown_user="refuse", no_failures_as="null")
    group_id, ada = alteryx.new_group(), alteryx.sandbox.users()[1].id
    assert alteryx.add(group_id, [ada, NO_ID]).status_code == 400
    assert alteryx.sandbox.members(group_id) == set()
    assert alteryx.add(group_id, [ada]).json()["failedUserReasons"] is None


def test_a_malformed_user_id_is_refused_or_reported(alteryx):
    group_id, ada = alteryx.new_group(), alteryx.sandbox.users()[1].id
    refused = alteryx.add(group_id, [ada, "ada@example.com"])
    assert (refused.status_code, set(refused.json()["modelState"])) == (400, {"userIds[1]"})
    alteryx.sandbox.settings(malformed_user="reported")
    body = alteryx.add(group_id, [ada, "ada@example.com"]).json()
    assert (body["successfullyAddedUserCount"], set(body["failedUserReasons"])) == (1, {"ada@example.com"})


@pytest.mark.parametrize("body", [{}, {"userIds": []}, "x", [1], [None], [["x"]], None])
def test_users_to_add_must_be_an_array_of_strings(alteryx, body):
    reply = alteryx.send("POST", f"usergroups/{alteryx.new_group()}/users", data=json.dumps(body).encode(),
                         headers={"content-type": "application/json"})  # fmt: skip
    assert (reply.status_code, "modelState" in reply.json()) == (400, True)


def test_users_in_a_form_too_many_users_and_no_users_are_refused_as_set(alteryx):
    group_id, sandbox = alteryx.new_group(), alteryx.sandbox
    form = {"data": "userIds=x", "headers": {"content-type": FORM}}
    assert alteryx.send("POST", f"usergroups/{group_id}/users", **form).status_code == 400
    assert alteryx.add(group_id, []).json() == {"successfullyAddedUserCount": 0, "totalUsersSubmittedCount": 0}
    sandbox.settings(form_users_status=415, empty_add_status=400, max_users_per_add=2)
    assert alteryx.send("POST", f"usergroups/{group_id}/users", **form).status_code == 415
    assert alteryx.add(group_id, []).status_code == 400
    ids = sandbox.seed_users(3)
    assert [alteryx.add(group_id, ids).status_code, alteryx.add(group_id, ids[:2]).status_code] == [400, 200]


def test_thirty_thousand_users_are_added_with_one_request(alteryx):
    ids = alteryx.sandbox.seed_users(30_000)
    group_id = alteryx.new_group()
    assert alteryx.add(group_id, ids).json()["successfullyAddedUserCount"] == 30_000
    assert alteryx.sandbox.members(group_id) == set(ids)
    assert alteryx.sandbox.groups()[0].users == 30_000


def test_a_removal_returns_the_group_whether_the_user_was_a_member_or_not(alteryx):
    ada, bruno = (user.id for user in alteryx.sandbox.users()[1:3])
    group_id = alteryx.new_group()
    alteryx.add(group_id, [ada, bruno])
    for user_id in (ada, ada, NO_ID):
        reply = alteryx.remove(group_id, user_id)
        assert (reply.status_code, [member["userId"] for member in reply.json()["members"]]) == (200, [bruno])


def test_unknown_and_malformed_ids_are_refused_with_different_statuses(alteryx):
    calls = (alteryx.group, alteryx.update, alteryx.delete, lambda group: alteryx.add(group, []),
             lambda group: alteryx.remove(group, NO_ID))  # fmt: skip
    for call in calls:
        assert (call(NO_ID).status_code, set(call(NO_ID).json())) == (404, {"message"})
        assert (call("x").status_code, set(call("x").json()["modelState"])) == (400, {"groupId"})
    assert alteryx.remove(alteryx.new_group(), "x").status_code == 400
    alteryx.sandbox.settings(unknown_id_status=400, malformed_id_status=404)
    assert [call(NO_ID).status_code for call in calls] == [400] * 5
    assert [call("x").status_code for call in calls] == [404] * 5


def test_directory_groups_need_windows_authentication(alteryx):
    group_id = alteryx.new_group()
    path = f"usergroups/{group_id}/activedirectorygroups"
    assert alteryx.send("POST", path, json=SID).status_code == 400
    assert alteryx.send("DELETE", f"{path}/{SID}").status_code == 400
    alteryx.sandbox.settings(windows_authentication=True)
    for wrong in ([SID], "", "Domain Admins", {"sid": SID}):
        assert alteryx.send("POST", path, json=wrong).status_code == 400
    added = alteryx.send("POST", path, json=SID)
    assert (added.status_code, added.content, alteryx.sandbox.ad_groups(group_id)) == (200, b"", {SID})
    alteryx.add(group_id, [alteryx.sandbox.users()[1].id])
    person, directory_group = alteryx.group(group_id).json()["members"]
    assert person["activeDirectoryObject"]["sidAccountName"] == "ada.byrne"
    assert directory_group["activeDirectoryObject"]["sid"] == SID
    assert "userId" not in directory_group
    assert alteryx.delete(group_id).status_code == 400
    removed = alteryx.send("DELETE", f"{path}/{SID}")
    assert (removed.status_code, removed.content, alteryx.sandbox.ad_groups(group_id)) == (200, b"", set())

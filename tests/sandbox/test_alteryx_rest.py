"""Users, shares, XML and unknown requests of Alteryx Server."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from tests.sandbox.alteryx_caller import NO_ID

FLAGS = ("isAdmin", "canAddAssets", "canRemoveAssets", "canUpdateAssets", "canAddUsers", "canRemoveUsers")
PERMISSIONS = {flag: flag == "canAddAssets" for flag in FLAGS}


def test_a_new_alteryx_sandbox_has_six_users_and_no_groups(alteryx):
    users = alteryx.users().json()
    assert len(users) == 6
    assert set(users[0]) == {"id", "firstName", "lastName", "email", "isActive", "role", "dateCreated"}
    assert [user["email"] for user in users] == [user.email for user in alteryx.sandbox.users()]
    assert all(user["email"].endswith("@example.com") and len(user["id"]) == 24 for user in users)
    assert alteryx.send("GET", "usergroups").json() == []


def test_the_full_view_of_users_is_that_of_each_user(alteryx):
    users = alteryx.users(view="Full").json()
    assert [alteryx.send("GET", f"users/{user['id']}").json() for user in users] == users
    assert len(users[0]) == 24
    assert not {"dateCreated"} & set(users[0])
    assert alteryx.users(view="Default").json() == alteryx.users().json()
    assert alteryx.send("GET", f"users/{NO_ID}").status_code == 404
    assert alteryx.send("GET", "users/x").status_code == 400


@pytest.mark.parametrize(
    ("query", "first_names"),
    [
        ({"email": "BYRNE@"}, ["Ada"]),
        ({"email": "ada.byrne@example.com"}, ["Ada"]),
        ({"email": "nobody"}, []),
        ({"firstName": "a"}, ["Orla", "Ada", "Chiara", "Edgar"]),
        ({"lastName": "o'h"}, ["Zoë"]),
        ({"active": "false"}, ["Edgar"]),
        ({"active": "True", "role": "Member"}, ["Bruno"]),
        ({"role": "Curator", "email": ""}, ["Orla"]),
        ({"createdAfter": "2999-01-01T00:00:00Z"}, []),
        ({"createdBefore": "2999-01-01"}, ["Orla", "Ada", "Bruno", "Chiara", "Zoë", "Edgar"]),
        ({"page": 2, "pageSize": 1, "active": False}, ["Edgar"]),
    ],
)
def test_users_are_filtered(alteryx, query, first_names):
    assert [user["firstName"] for user in alteryx.users(**query).json()] == first_names


@pytest.mark.parametrize(
    ("name", "value"), [("view", "full"), ("active", "maybe"), ("role", "Admin"), ("createdAfter", "yesterday")]
)
def test_an_invalid_filter_is_refused(alteryx, name, value):
    reply = alteryx.users(**{name: value})
    assert (reply.status_code, set(reply.json()["modelState"])) == (400, {name})


def test_filters_can_be_set_to_compare_whole_texts(alteryx):
    alteryx.sandbox.settings(email_filter="exact", name_filter="exact")
    assert alteryx.users(email="byrne").json() == alteryx.users(firstName="A").json() == []
    assert len(alteryx.users(email="ADA.byrne@example.com", firstName="ada").json()) == 1


@pytest.mark.parametrize(
    ("kind", "path", "extra"),
    [
        ("collection", "collections", {"collectionsPermissions": PERMISSIONS, "expirationDate": "2999-01-01"}),
        ("credential", "credentials", {}),
        ("connection", "serverDataConnections", {}),
    ],
)
def test_a_resource_is_shared_with_a_group_and_unshared(alteryx, kind, path, extra):
    sandbox, group_id = alteryx.sandbox, alteryx.new_group("a")
    make = {
        "collection": sandbox.create_collection,
        "credential": sandbox.create_credential,
        "connection": sandbox.create_data_connection,
    }[kind]
    path = f"{path}/{make('thing')}/userGroups"
    object_id = ""
    for _ in range(2):
        shared = alteryx.send("POST", path, json={"userGroupId": group_id, **extra})
        assert (shared.status_code, shared.json()["userGroupIds"]) == (200, [group_id])
        object_id = shared.json()["id"]
    (share,) = sandbox.shares("a")
    assert (share.kind, share.object_id, share.group_id) == (kind, object_id, group_id)
    assert (share.permissions, share.expires) == ((PERMISSIONS, "2999-01-01") if extra else (None, None))
    group = alteryx.group(group_id).json()
    assert (group["credentialIds"], group["connectionIds"]) == (
        [share.object_id] if kind == "credential" else [],
        [share.object_id] if kind == "connection" else [],
    )
    for _ in range(2):
        taken = alteryx.send("DELETE", f"{path}/{group_id}")
        assert (taken.status_code, taken.json()["userGroupIds"], sandbox.shares()) == (200, [], [])
    assert alteryx.send("POST", path.replace("userGroups", "usergroups"), json={}).status_code == 404
    assert alteryx.send("GET", path).status_code == 405
    assert [call.action for call in sandbox.calls("alteryx.share")] == [kind, kind]
    assert sandbox.counts()["alteryx.unshare"] == 2


def test_the_permissions_of_a_group_in_a_collection_are_changed(alteryx):
    group_id, collection = alteryx.new_group(), alteryx.sandbox.create_collection("c")
    path = f"collections/{collection}/userGroups/{group_id}/permissions"
    body = {"collectionsPermissions": {"isAdmin": True}}
    assert alteryx.send("PUT", path, json=body).status_code == 404
    alteryx.sandbox.share(collection, group_id)
    assert alteryx.send("PUT", path, json=body).json()["userGroupIds"] == [group_id]
    assert alteryx.sandbox.shares()[0].permissions == dict.fromkeys(FLAGS, False) | {"isAdmin": True}
    assert alteryx.sandbox.counts()["alteryx.update_share"] == 2
    assert alteryx.send("PUT", path.replace("collections/", "credentials/"), json=body).status_code == 404


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"userGroupId": None}, {"userGroupId"}),
        ({"userGroupId": "x"}, {"userGroupId"}),
        ({"collectionsPermissions": None}, {"collectionsPermissions"}),
        ({"collectionsPermissions": []}, {"collectionsPermissions"}),
        ({"collectionsPermissions": {"isAdmin": "yes"}}, {"collectionsPermissions.isAdmin"}),
        ({"collectionsPermissions": {"canFly": True}}, {"collectionsPermissions.canFly"}),
        ({"expirationDate": "soon"}, {"expirationDate"}),
        ({"colour": "red"}, {"colour"}),
    ],
)
def test_an_invalid_share_is_refused_with_its_fields(alteryx, changes, fields):
    collection = alteryx.sandbox.create_collection("c")
    body = {"userGroupId": NO_ID, "collectionsPermissions": PERMISSIONS, **changes}
    reply = alteryx.send("POST", f"collections/{collection}/userGroups", json=body)
    assert (reply.status_code, set(reply.json()["modelState"])) == (400, fields)


def test_a_share_needs_an_existing_group_and_a_resource_of_the_right_kind(alteryx):
    group_id, credential = alteryx.new_group(), alteryx.sandbox.create_credential("c")
    for path, group in ((f"credentials/{NO_ID}", group_id), (f"serverDataConnections/{credential}", group_id),
                        (f"credentials/{credential}", NO_ID)):  # fmt: skip
        assert alteryx.send("POST", f"{path}/userGroups", json={"userGroupId": group}).status_code == 404
    alteryx.sandbox.share(credential, group_id)
    alteryx.delete(group_id)
    assert alteryx.sandbox.shares() == []


def test_errors_are_xml_unless_json_is_requested(alteryx):
    alteryx.session.headers["accept"] = "*/*"
    for reply in (alteryx.create(""), alteryx.group(NO_ID), alteryx.send("PATCH", "usergroups")):
        assert reply.headers["content-type"] == "application/xml; charset=utf-8"
        assert ET.fromstring(reply.content).findtext("Message")
    wrong = alteryx.add(alteryx.new_group(), ["\x00"])
    assert ET.fromstring(wrong.content).find("ModelState/Entry/Item") is not None
    alteryx.sandbox.settings(xml_for="all")
    assert [user.findtext("Email") for user in ET.fromstring(alteryx.users(role="Curator").content)] == [
        "orla.quill@example.com"
    ]
    alteryx.sandbox.settings(xml_for="none")
    assert alteryx.group(NO_ID).json()["message"]
    alteryx.sandbox.settings(xml_for="all")
    alteryx.session.headers["accept"] = "text/html, application/json;q=0.9"
    assert alteryx.group(NO_ID).json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PATCH", "usergroups", 405),
        ("POST", f"usergroups/{NO_ID}", 405),
        ("GET", f"usergroups/{NO_ID}/users", 405),
        ("PUT", f"usergroups/{NO_ID}/users/{NO_ID}", 405),
        ("GET", "userGroups", 404),
        ("GET", "usergroups/", 404),
        ("GET", "/usergroups", 404),
        ("GET", "workflows", 404),
        ("POST", "users", 501),
        ("POST", f"users/{NO_ID}/deactivate", 501),
        ("DELETE", f"users/{NO_ID}", 501),
    ],
)
def test_an_unknown_alteryx_operation_is_refused_with_404_or_405(alteryx, method, path, status):
    reply = alteryx.send(method, path)
    assert (reply.status_code, set(reply.json())) == (status, {"message"})
    assert set(alteryx.sandbox.counts()) == {"alteryx.token", "alteryx.other"}

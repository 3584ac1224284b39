"""Creation of WalkMe segments: accepted and rejected requests, and the forms of the response."""

from __future__ import annotations

import re

import pytest

from tests.sandbox.caller import NO_GUID, hyphenated


def test_a_segment_is_created_with_its_members(walkme):
    reply = walkme.create("Trial users", ["ada", "grace", "ada"], id="crm-7")
    assert reply.status_code == 201
    body = reply.json()
    assert re.fullmatch("[0-9a-f]{32}", body.pop("guid"))
    assert body == {"id": "crm-7", "name": "Trial users"}
    assert walkme.sandbox.members("crm-7") == {"ada", "grace"}
    assert walkme.sandbox.member_count("crm-7") == 2


def test_a_segment_can_be_created_without_an_external_id(walkme):
    assert walkme.create("a").json()["id"] is None


def test_two_segments_can_have_one_name(walkme):
    assert walkme.create("a").json()["guid"] != walkme.create("a").json()["guid"]


def test_an_external_id_is_unique_within_a_system(walkme):
    assert walkme.create("a", id="x").status_code == 201
    again = walkme.create("b", ["ada"], id="x")
    assert (again.status_code, again.json()["error"]) == (409, "conflict")
    assert [segment.name for segment in walkme.sandbox.segments()] == ["a"]


def test_an_external_id_can_be_used_in_another_system_and_after_deletion(walkme):
    walkme.sandbox.settings(systems=[walkme.sandbox.system_guid, NO_GUID])
    assert walkme.create("a", id="x").status_code == 201
    here = walkme.segments_url
    walkme.segments_url = here.replace(walkme.sandbox.system_guid, NO_GUID)
    assert walkme.create("a", id="x").status_code == 201
    walkme.segments_url = here
    walkme.delete(hyphenated(walkme.sandbox.segments()[0].guid))
    assert walkme.create("a", id="x").status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "a"},
        {"userIds": []},
        {"name": 1, "userIds": []},
        {"name": "", "userIds": []},
        {"name": " \t", "userIds": []},
        {"name": "a" * 256, "userIds": []},
        {"name": "\ud800", "userIds": []},
        {"name": "a", "userIds": [], "id": None},
        {"name": "a", "userIds": [], "id": 7},
        {"name": "a", "userIds": [], "id": ""},
        {"name": "a", "userIds": [], "id": "x" * 101},
        {"name": "a", "userIds": None},
        {"name": "a", "userIds": "ada"},
        {"name": "a", "userIds": {"ada": 1}},
        {"name": "a", "userIds": [1]},
        {"name": "a", "userIds": [None]},
        {"name": "a", "userIds": ["ada", ""]},
        {"name": "a", "userIds": ["x" * 101]},
        {"name": "a", "userIds": ["\udfff"]},
        {"name": "a", "userIds": [], "userIDs": []},
        [],
        "text",
        None,
    ],
)
def test_an_invalid_creation_is_refused_and_changes_nothing(walkme, body):
    reply = walkme.send("POST", json=body) if body is not None else walkme.send("POST", data="null")
    assert (reply.status_code, reply.json()["error"]) == (400, "validation_error")
    assert walkme.sandbox.segments() == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\xfd", b'{"name": "a", "userIds": []'])
def test_a_body_that_is_not_json_is_refused(walkme, body):
    assert walkme.send("POST", data=body, headers={"content-type": "application/json"}).status_code == 400


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", None])
def test_another_content_type_of_a_creation_is_refused(walkme, content_type):
    headers = {"content-type": content_type} if content_type else {}
    assert walkme.send("POST", data=b'{"name": "a", "userIds": []}', headers=headers).status_code == 400


def test_the_content_type_of_a_creation_may_have_parameters(walkme):
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert walkme.send("POST", data=b'{"name": "a", "userIds": []}', headers=headers).status_code == 201


def test_a_creation_at_all_limits_is_accepted(walkme):
    ids = [f"{number:0100d}" for number in range(25_000)]
    assert walkme.create("n" * 255, ids, id="i" * 100).status_code == 201
    assert walkme.sandbox.member_count("i" * 100) == 25_000


def test_one_id_more_than_the_limit_refuses_the_whole_request(walkme):
    ids = [str(number) for number in range(25_001)]
    assert walkme.create("a", ids).status_code == 400
    walkme.sandbox.settings(over_limit_status=413)
    assert walkme.create("a", ids).status_code == 413
    assert walkme.sandbox.segments() == []


def test_lengths_are_counted_in_characters_and_not_in_bytes(walkme):
    assert walkme.create("a", ["é" * 100], id="ü" * 100).status_code == 201
    assert walkme.sandbox.members("a") == {"é" * 100}


@pytest.mark.parametrize("spelling", [str.upper, lambda guid: guid])
def test_the_system_is_named_by_its_hyphenated_guid_in_either_case(walkme, spelling):
    guid = walkme.sandbox.system_guid
    walkme.segments_url = walkme.segments_url.replace(guid, spelling(guid))
    assert walkme.create().status_code == 201


@pytest.mark.parametrize("system", ["{digits}", "{{{guid}}}", NO_GUID, "demo", "{guid}0", "%20{guid}"])
def test_an_unknown_system_is_a_404(walkme, system):
    guid = walkme.sandbox.system_guid
    walkme.segments_url = walkme.segments_url.replace(guid, system.format(guid=guid, digits=guid.replace("-", "")))
    for reply in (walkme.create(), walkme.list(), walkme.update(NO_GUID), walkme.delete(NO_GUID)):
        assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("form", "pattern"),
    [("hex32", "[0-9a-f]{32}"), ("hyphenated", "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), ("upper", "[0-9A-F]{32}")],
)
def test_guids_have_the_form_that_is_set(walkme, form, pattern):
    walkme.sandbox.settings(guid_form=form)
    created = walkme.create("a", id="x").json()
    assert re.fullmatch(pattern, created["guid"])
    assert walkme.list().json() == [created]


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("guid", {"guid": "GUID", "id": "x", "name": "a"}),
        ("segment_guid", {"segmentGuid": "GUID", "id": "x", "name": "a"}),
        ("id", {"id": "GUID", "name": "a"}),
        ("external_id_only", {"id": "x", "name": "a"}),
    ],
)
def test_the_response_to_a_creation_has_the_form_that_is_set(walkme, form, body):
    walkme.sandbox.settings(create_reply=form)
    reply = walkme.create("a", id="x")
    (segment,) = walkme.sandbox.segments()
    assert reply.json() == {key: segment.guid if value == "GUID" else value for key, value in body.items()}
    assert "location" not in reply.headers


def test_the_response_to_a_creation_can_be_a_location_only(walkme):
    walkme.sandbox.settings(create_reply="location")
    reply = walkme.create("a", ["ada"])
    assert (reply.status_code, reply.content) == (201, b"")
    assert reply.headers["location"].startswith("/walkme/public/v1/user/system/")
    changed = walkme.session.put(
        walkme.sandbox.url + reply.headers["location"], json={"action": "add", "userIds": ["grace"]}, timeout=20
    )
    assert changed.status_code == 200
    assert walkme.sandbox.members("a") == {"ada", "grace"}


def test_the_response_to_a_creation_can_be_empty(walkme):
    walkme.sandbox.settings(create_reply="none", create_status=200)
    reply = walkme.create("a")
    assert (reply.status_code, reply.content) == (200, b"")
    assert "location" not in reply.headers
    assert [segment.name for segment in walkme.sandbox.segments()] == ["a"]

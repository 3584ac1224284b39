"""Changes of members in WalkMe: set semantics, rejections, and the forms of the response."""

from __future__ import annotations

import pytest

from tests.sandbox.caller import NO_GUID


def test_members_of_a_segment_are_a_set(walkme):
    guid = walkme.new_segment("a", ["ada"])
    assert walkme.update(guid, "add", ["grace", "grace", "ada"]).status_code == 200
    assert walkme.sandbox.members(guid) == {"ada", "grace"}
    assert walkme.update(guid, "remove", ["ada", "ada", "stranger"]).status_code == 200
    assert walkme.sandbox.members(guid) == {"grace"}
    assert walkme.update(guid, "override", ["linus", "ken", "ken"]).status_code == 200
    assert walkme.sandbox.members(guid) == {"linus", "ken"}


def test_user_ids_are_compared_exactly(walkme):
    ids = ["Ada", "ada", " ada", "ada ", "a\u0301da", "\u00e1da", "007", "7", "a\x00b", "a", "😀", "', --"]
    guid = walkme.new_segment("a", ids)
    assert walkme.sandbox.members(guid) == set(ids)
    walkme.update(guid, "remove", ["ADA", "a\x00", "\u00e1da", "7"])
    assert walkme.sandbox.members(guid) == set(ids) - {"\u00e1da", "7"}


def test_a_change_of_one_segment_keeps_the_members_of_another(walkme):
    first, second = walkme.new_segment("a", ["ada"]), walkme.new_segment("b", ["ada"])
    walkme.update(first, "override", [])
    assert (walkme.sandbox.members(first), walkme.sandbox.members(second)) == (set(), {"ada"})


def test_an_override_without_users_empties_the_segment_unless_set_otherwise(walkme):
    guid = walkme.new_segment("a", ["ada"])
    walkme.sandbox.settings(empty_override_allowed=False)
    assert walkme.update(guid, "override", []).status_code == 400
    assert walkme.update(guid, "add", []).status_code == 200
    assert walkme.sandbox.members(guid) == {"ada"}
    walkme.sandbox.settings(empty_override_allowed=True)
    assert walkme.update(guid, "override", []).status_code == 200
    assert walkme.sandbox.members(guid) == set()


@pytest.mark.parametrize("action", ["delete", "ADD", "", None, 1, ["add"], {"add": 1}])
def test_an_unknown_action_is_refused(walkme, action):
    guid = walkme.new_segment("a", ["ada"])
    assert walkme.update(guid, action, ["grace"]).status_code == 400
    assert walkme.sandbox.members(guid) == {"ada"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action": "add"},
        {"userIds": ["grace"]},
        {"action": "add", "userIds": ["grace", ""]},
        {"action": "add", "userIds": ["grace", 7]},
        {"action": "add", "userIds": ["grace", "x" * 101]},
        {"action": "add", "userIds": ["grace"], "name": "renamed"},
        {"action": "add", "userIds": [str(number) for number in range(25_001)]},
    ],
)
@pytest.mark.parametrize("echo", [False, True])
def test_an_invalid_update_is_refused_as_a_whole(walkme, body, echo):
    guid = walkme.new_segment("a", ["ada"])
    walkme.sandbox.settings(echo_ids_in_errors=echo)
    assert walkme.send("PUT", f"/{guid}", json=body).status_code == 400
    assert walkme.sandbox.members(guid) == {"ada"}


def test_configured_ids_are_refused_and_named_only_if_set_so(walkme):
    guid = walkme.new_segment("a")
    walkme.sandbox.settings(refused_user_ids={"bad-1", "bad-2"})
    reply = walkme.update(guid, "add", ["good", "bad-1", "bad-2"])
    assert reply.status_code == 400
    assert "bad-" not in reply.text
    walkme.sandbox.settings(echo_ids_in_errors=True)
    message = walkme.update(guid, "add", ["good", "bad-1", "bad-2"]).json()["message"]
    assert "bad-1, bad-2" in message
    assert "good" not in message
    assert walkme.sandbox.members(guid) == set()
    assert walkme.update(guid, "add", ["good"]).status_code == 200


def test_ids_that_are_too_long_are_named_only_if_set_so(walkme):
    long = "long-" * 21
    assert long not in walkme.create("a", [long]).text
    walkme.sandbox.settings(echo_ids_in_errors=True)
    assert long in walkme.create("a", [long]).json()["message"]


@pytest.mark.parametrize(
    ("form", "status", "empty"), [("200", 200, False), ("200_empty", 200, True), ("202", 202, True), ("204", 204, True)]
)
def test_the_response_to_an_update_has_the_form_that_is_set(walkme, form, status, empty):
    walkme.sandbox.settings(update_reply=form)
    guid = walkme.new_segment("a", id="x")
    reply = walkme.update(guid, "add", ["ada"])
    assert reply.status_code == status
    if empty:
        assert reply.content == b""
        assert "content-type" not in reply.headers
    else:
        assert reply.json() == {"guid": guid.replace("-", ""), "id": "x", "name": "a"}
    assert walkme.sandbox.members(guid) == {"ada"}


def test_a_segment_is_named_by_its_hyphenated_guid_only(walkme):
    guid = walkme.new_segment("a", id="x")
    assert walkme.update(guid.upper()).status_code == 200
    for wrong in (guid.replace("-", ""), "x", "a", NO_GUID, guid[:-1], guid + "0", f"{{{guid}}}", guid + "%0A"):
        assert (walkme.update(wrong).status_code, walkme.delete(wrong).status_code) == (404, 404)
    assert len(walkme.sandbox.segments()) == 1


def test_a_segment_is_not_found_in_another_system(walkme):
    guid = walkme.new_segment("a")
    walkme.sandbox.settings(systems=[walkme.sandbox.system_guid, NO_GUID])
    walkme.segments_url = walkme.segments_url.replace(walkme.sandbox.system_guid, NO_GUID)
    assert walkme.update(guid).status_code == 404


def test_a_segment_can_have_more_members_than_one_request_adds(walkme):
    guid = walkme.new_segment("a")
    for start in range(0, 75_000, 25_000):
        ids = [f"user-{number}" for number in range(start, start + 25_000)]
        assert walkme.update(guid, "add", ids).status_code == 200
    assert walkme.sandbox.member_count(guid) == 75_000
    assert walkme.sandbox.members(guid) == {f"user-{number}" for number in range(75_000)}

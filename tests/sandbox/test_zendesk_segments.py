"""User segments, their members, pages and places of use in the sandbox's Zendesk."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from airflow_segments_provider.testing.sandbox import SandboxError, SandboxServer
from tests.sandbox.test_zendesk_access import HC, SEGMENTS, SUPPORT, ZendeskCaller, calling

COMMUNITY = "/api/v2/community"
MISSING = {"error": "RecordNotFound", "description": "Not found"}


@pytest.fixture
def zendesk(server: SandboxServer) -> Iterator[ZendeskCaller]:
    with calling(server) as caller:
        yield caller


def names(reply, key="user_segments"):
    return [found["name"] for found in reply.json()[key]]


def test_a_zendesk_segment_is_created_read_changed_and_deleted(zendesk):
    reply = zendesk.create(name="Trial", tags=["trial", "trial"], or_tags=["a"], added_user_ids=[7])
    assert reply.status_code == 201
    segment = reply.json()["user_segment"]
    assert segment | {"id": 0, "created_at": "", "updated_at": ""} == {
        "id": 0, "user_type": "signed_in_users", "name": "Trial", "built_in": False, "tags": ["trial"],
        "or_tags": ["a"], "organization_ids": [], "group_ids": [], "added_user_ids": [7], "created_at": "",
        "updated_at": "",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", segment["created_at"])
    path = f"{SEGMENTS}/{segment['id']}"
    assert zendesk.get(path).json() == zendesk.get(f"{path}.json").json() == {"user_segment": segment}
    reply = zendesk.update(segment["id"], tags=["b"])
    assert (reply.status_code, reply.json()["user_segment"]["tags"]) == (200, ["b"])
    assert reply.json()["user_segment"]["name"] == "Trial"
    reply = zendesk.send("DELETE", f"{path}.json")
    assert (reply.status_code, reply.content) == (204, b"")
    for reply in (zendesk.get(path), zendesk.update(segment["id"]), zendesk.send("DELETE", path)):
        assert (reply.status_code, reply.json()) == (404, MISSING)


@pytest.mark.parametrize(
    ("segment", "field"),
    [
        ({"user_type": "everybody"}, "user_type"),
        ({"user_type": None}, "user_type"),
        ({"tags": "a"}, "tags"),
        ({"organization_ids": ["1"]}, "organization_ids"),
        ({"group_ids": [True]}, "group_ids"),
        ({"name": 7}, "name"),
        ({"tags": [str(number) for number in range(51)]}, "tags"),
        ({"organization_ids": list(range(51))}, "organization_ids"),
    ],
)
def test_invalid_fields_of_a_segment_are_named(zendesk, segment, field):
    reply = zendesk.create(**segment)
    assert reply.status_code == 400
    assert list(reply.json()["errors"]) == [field]
    assert all(isinstance(text, str) for text in reply.json()["errors"][field])
    assert zendesk.sandbox.segments() == []


def test_only_the_user_type_of_a_segment_is_required(zendesk):
    assert zendesk.send("POST", SEGMENTS, json={"user_segment": {"name": "a"}}).status_code == 400
    assert zendesk.send("POST", SEGMENTS, json={"name": "a"}).json()["error"] == "ParameterMissing"
    assert zendesk.send("POST", SEGMENTS, data="[").status_code == 400
    assert zendesk.create().json()["user_segment"]["name"] == ""
    zendesk.sandbox.settings(missing_name="null")
    assert zendesk.create().json()["user_segment"]["name"] is None


def test_assumptions_about_segments_can_be_set_otherwise(zendesk):
    sandbox = zendesk.sandbox
    number = zendesk.new_segment(name="a")
    assert zendesk.update(number, user_type="staff").status_code == 200
    sandbox.settings(user_type_changeable=False, strict_ids=True, absent_fields=["or_tags"], max_segments=3)
    assert zendesk.update(number, user_type="signed_in_users").status_code == 400
    assert "or_tags" not in zendesk.get(f"{SEGMENTS}/{number}").json()["user_segment"]
    assert "group_ids" in zendesk.update(number, group_ids=[1]).json()["errors"]
    assert "base" in zendesk.create(name="b").json()["errors"]


def test_unknown_fields_are_ignored_and_named_in_a_warning_if_set_so(zendesk):
    assert "x-zendesk-api-warn" not in zendesk.create(groups_ids=[1]).headers
    zendesk.sandbox.settings(warn_of_unknown_fields="both")
    reply = zendesk.create(groups_ids=[1], id=7)
    assert reply.status_code == 201
    assert "unpermitted_keys" in reply.headers["x-zendesk-api-warn"]
    assert "groups_ids" in reply.headers["x-zendesk-api-warn"]


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_built_in_segments_cannot_be_changed(zendesk, status):
    zendesk.sandbox.settings(built_in_refusal=status)
    before = zendesk.sandbox.segments(built_in=True)
    assert len(before) == 2
    for segment in before:
        assert zendesk.update(segment.id, name="a").status_code == status
        assert zendesk.send("DELETE", f"{SEGMENTS}/{segment.id}").status_code == status
    assert zendesk.sandbox.segments(built_in=True) == before


def test_the_list_is_filtered_by_built_in(zendesk):
    zendesk.create(name="a")
    assert names(zendesk.get(SEGMENTS, built_in="false")) == ["a"]
    assert len(names(zendesk.get(SEGMENTS, built_in="true"))) == 2
    assert len(names(zendesk.get(f"{SEGMENTS}.json", built_in=""))) == 3
    assert zendesk.get(SEGMENTS, built_in="perhaps").status_code == 400


def test_the_lowest_plan_has_no_custom_segments_and_applies_no_segment_of_staff(zendesk):
    assert len(names(zendesk.get(f"{SEGMENTS}/applicable"))) == 2
    zendesk.sandbox.settings(plan="team")
    assert names(zendesk.get(f"{SEGMENTS}/applicable.json")) == ["Signed-in users"]
    assert zendesk.create().status_code == 403
    staff, topic = zendesk.sandbox.segments(built_in=True)[1].id, zendesk.sandbox.topics()[0].id
    body = {"topic": {"user_segment_id": staff}}
    assert zendesk.send("PUT", f"{COMMUNITY}/topics/{topic}", json=body).status_code == 403


def test_an_agent_sees_only_shared_segments_of_another_user(zendesk):
    for name in ("beta", "vip"):
        zendesk.create(name=name, tags=[name])
    dalia, goran, bruno = (zendesk.sandbox.user(f"{name}@example.com").id for name in PEOPLE)
    path = f"{HC}/users/{{}}/user_segments"
    assert names(zendesk.get(path.format(dalia))) == ["Signed-in users", "vip"]
    assert names(zendesk.get(path.format(goran), built_in="false")) == ["beta"]
    assert zendesk.get(path.format(5)).json() == MISSING
    zendesk.become("bruno.lindqvist@example.com")
    assert names(zendesk.get(path.format(dalia))) == ["Signed-in users"]
    assert names(zendesk.get(path.format(goran))) == ["Signed-in users", "beta"]
    assert names(zendesk.get(path.format(bruno))) == ["Signed-in users", "Agents and managers", "beta"]


PEOPLE = ("dalia.novak", "goran.petrov", "bruno.lindqvist")


@pytest.mark.parametrize(
    ("rules", "members"),
    [
        ({"tags": ["trial"]}, {"farah", "goran", "hana"}),
        ({"tags": ["trial", "vip"]}, {"farah"}),
        ({"or_tags": ["vip", "beta"]}, {"bruno", "dalia", "farah", "goran"}),
        ({"tags": ["wholesale"]}, {"dalia", "emil"}),
        ({"organization_ids": [370000002, 370000003], "tags": ["trial"]}, {"farah", "goran"}),
        ({"organization_ids": [370000003]}, {"bruno", "chiara", "goran"}),
        ({"organization_ids": [370000003], "tags": ["beta"]}, {"bruno", "goran"}),
        ({"user_type": "staff"}, {"bruno", "chiara"}),
        ({"user_type": "staff", "group_ids": [380000002]}, {"chiara"}),
        ({"user_type": "staff", "tags": ["beta"], "organization_ids": [370000001]}, {"bruno"}),
        ({"tags": ["nobody has it"], "added_user_ids": [360000000009]}, {"isak"}),
        ({"user_type": "staff", "tags": ["x"], "added_user_ids": [360000000009]}, {"isak"}),
    ],
)
def test_members_follow_the_rules_and_managers_are_in_all_segments(zendesk, rules, members):
    number = zendesk.new_segment(name="s", **rules)
    found = {email.partition(".")[0] for email in zendesk.sandbox.member_emails("s")}
    assert found == {"ada", *members}
    assert zendesk.sandbox.members(number) == zendesk.sandbox.members("s")


def test_cursor_pages_of_the_help_center_have_links_to_the_next_and_previous_page(zendesk):
    for number in range(3):
        zendesk.create(name=f"s{number}")
    first = zendesk.get(f"{SEGMENTS}.json", **{"page[size]": 2, "built_in": "false"})
    body = first.json()
    assert names(first) == ["s0", "s1"]
    assert body["meta"]["has_more"] is True
    assert set(body["links"]) == {"first", "last", "next"}
    assert first.headers["link"] == f'<{body["links"]["next"]}>; rel="next"'
    assert first.links["next"]["url"] == body["links"]["next"]
    assert ".json" not in body["links"]["next"]
    last = zendesk.session.get(body["links"]["next"], timeout=20)
    assert names(last) == ["s2"]
    assert last.json()["meta"]["has_more"] is False
    assert set(last.json()["links"]) == {"first", "last", "prev"}
    assert "link" not in last.headers
    assert names(zendesk.session.get(last.json()["links"]["prev"], timeout=20)) == ["s0", "s1"]
    assert names(zendesk.session.get(body["links"]["last"], timeout=20)) == ["s1", "s2"]
    empty = zendesk.get(f"{SEGMENTS}/{zendesk.new_segment()}/topics", **{"page[size]": 5}).json()
    assert (empty["topics"], empty["meta"]["after_cursor"]) == ([], None)
    assert set(empty["links"]) == {"first", "last"}


def test_offset_pages_of_the_help_center_have_links_to_the_next_and_previous_page(zendesk):
    zendesk.create(name="a")
    body = zendesk.get(SEGMENTS, page=2, per_page=2).json()
    assert [segment["name"] for segment in body.pop("user_segments")] == ["a"]
    previous = body.pop("previous_page")
    assert body == {"page": 2, "per_page": 2, "page_count": 2, "count": 3, "next_page": None}
    assert names(zendesk.session.get(previous, timeout=20)) == ["Signed-in users", "Agents and managers"]
    assert zendesk.get(SEGMENTS).json()["per_page"] == 30
    assert zendesk.get(SEGMENTS, per_page=500).json()["per_page"] == 100
    zendesk.sandbox.settings(over_page_size="refuse", link_origin="https://help.example.com")
    assert zendesk.get(SEGMENTS, per_page=500).status_code == 400
    assert zendesk.get(SEGMENTS, per_page=1).json()["next_page"].startswith("https://help.example.com/zendesk/")
    for wrong in ({"page": 101}, {"page": "x"}, {"page[size]": 0}, {"page[size]": 1, "page[after]": "?"}):
        assert zendesk.get(SEGMENTS, **wrong).status_code == 400


def test_sections_are_paged_by_offset_only(zendesk):
    number = zendesk.new_segment(name="a")
    zendesk.sandbox.restrict_section("Announcements", [number])
    body = zendesk.get(f"{SEGMENTS}/{number}/sections", **{"page[size]": 5}).json()
    assert [section["name"] for section in body["sections"]] == ["Announcements"]
    assert ("page_count" in body, "meta" in body, "user_segment_id" in body["sections"][0]) == (True, False, False)
    assert zendesk.get(f"{SEGMENTS}/1/sections").json() == MISSING


def test_a_segment_is_applied_to_topics_and_articles(zendesk):
    sandbox = zendesk.sandbox
    number, other = zendesk.new_segment(name="a"), zendesk.new_segment(name="b")
    topic, article = sandbox.topics()[0].id, sandbox.articles()[0].id
    paths = {"topic": f"{COMMUNITY}/topics/{topic}", "article": f"{HC}/articles/{article}"}
    for kind, path in paths.items():
        assert zendesk.get(path).json()[kind]["user_segment_id"] is None
        reply = zendesk.send("PUT", path, json={kind: {"user_segment_id": number}})
        assert reply.json()[kind]["user_segment_id"] == number
        assert zendesk.send("PUT", path, json={kind: {"user_segment_id": 5}}).json() == MISSING
        assert zendesk.send("PUT", path, json={kind: {"user_segment_id": "5"}}).status_code == 400
    assert names(zendesk.get(f"{SEGMENTS}/{number}/topics"), "topics") == ["General discussion"]
    reply = zendesk.send("PUT", paths["article"], json={"article": {"user_segment_ids": [other, number]}})
    assert reply.json()["article"]["user_segment_ids"] == [other, number]
    assert zendesk.get(f"{HC}/articles.json").json()["articles"][0]["user_segment_id"] == other
    assert sandbox.articles()[0].user_segment_ids == [other, number]
    zendesk.sandbox.settings(plan="growth")
    assert "user_segment_ids" not in zendesk.get(paths["article"]).json()["article"]
    zendesk.send("PUT", paths["article"], json={"article": {"user_segment_id": None}})
    assert sandbox.articles()[0].user_segment_ids == []
    assert len(zendesk.get(f"{COMMUNITY}/topics").json()["topics"]) == 2


@pytest.mark.parametrize(("form", "status"), [("errors_base", 400), ("record_invalid", 422), ("forbidden", 403)])
def test_a_segment_in_use_cannot_be_deleted_unless_set_so(zendesk, form, status):
    zendesk.sandbox.settings(in_use_refusal=form)
    number = zendesk.new_segment(name="a")
    article = zendesk.sandbox.create_article("Secret", [number])
    assert zendesk.send("DELETE", f"{SEGMENTS}/{number}").status_code == status
    assert [segment.id for segment in zendesk.sandbox.segments()] == [number]
    zendesk.sandbox.settings(in_use_refusal="none")
    assert zendesk.send("DELETE", f"{SEGMENTS}/{number}").status_code == 204
    assert zendesk.sandbox.articles()[-1].user_segment_ids == [number]
    zendesk.sandbox.restrict_article(article, [])
    assert zendesk.sandbox.articles()[-1].user_segment_ids == []


def test_the_control_api_changes_zendesk_users_and_segments(zendesk):
    sandbox = zendesk.sandbox
    organization = sandbox.create_organization("New", tags=["new"])
    user = sandbox.create_user("Lena", "lena@example.com", organization_ids=[organization])
    number = sandbox.create_segment("by hand", tags=["new"])
    assert sandbox.members(number) == {sandbox.users()[0].id, user}
    sandbox.change_user("lena@example.com", organization_ids=[])
    assert user not in sandbox.members(number)
    assert sandbox.change_segment(number, tags=[]).tags == []
    assert user in sandbox.members(number)
    assert sandbox.change_user(user, suspended=True).suspended
    assert zendesk.send("GET", f"/api/v2/users/{user}").json()["user"]["suspended"] is True
    sandbox.delete_user(user)
    sandbox.delete_segment("by hand")
    assert sandbox.segments() == []
    for wrong in (lambda: sandbox.user(user), lambda: sandbox.members("?"), lambda: sandbox.change_user(1, x=1)):
        with pytest.raises(SandboxError, match="404"):
            wrong()
    with pytest.raises(SandboxError, match="422"):
        sandbox.change_user("ada.okafor@example.com", colour="red")
    assert sandbox.counts().get("zendesk.create_segment", 0) == 0


def test_an_unknown_zendesk_endpoint_is_a_404(zendesk):
    for method, path in (("GET", "/"), ("PATCH", SEGMENTS), ("GET", f"{SUPPORT}/tickets"), ("GET", f"{SEGMENTS}/x")):
        reply = zendesk.send(method, path)
        assert (reply.status_code, reply.json()) == (404, MISSING)
    assert zendesk.sandbox.counts()["zendesk.other"] == 3


def test_faults_apply_to_zendesk_requests_and_are_logged(zendesk):
    zendesk.sandbox.fault("zendesk.create_segment", "lost")
    with pytest.raises(OSError, match="Connection aborted"):
        zendesk.create(name="a")
    assert [segment.name for segment in zendesk.sandbox.segments()] == ["a"]
    zendesk.sandbox.fault("zendesk.list_segments", "status", status=503, headers={"retry-after": "1"})
    assert (zendesk.get(SEGMENTS).status_code, zendesk.get(SEGMENTS).status_code) == (503, 200)
    assert [call.endpoint for call in zendesk.sandbox.calls()] == [
        "zendesk.create_token", "zendesk.create_segment", "zendesk.list_segments", "zendesk.list_segments"
    ]  # fmt: skip


def test_a_zendesk_sandbox_keeps_all_after_a_restart_and_nothing_after_a_reset(tmp_path):
    path = str(tmp_path / "sandbox.db")
    with SandboxServer(database=path) as server, calling(server) as caller:
        number = caller.new_segment(name="a", tags=["vip"])
        headers = dict(caller.session.headers)
        caller.sandbox.create_user("Lena", "lena@example.com", tags=["vip"])
    with SandboxServer(database=path, zendesk={"plan": "growth"}) as server:
        caller = ZendeskCaller(type(caller.sandbox)(server.url))
        caller.session.headers.update(headers)
        assert caller.get(f"{SEGMENTS}/{number}").json()["user_segment"]["name"] == "a"
        assert "lena@example.com" in caller.sandbox.member_emails("a")
        caller.sandbox.reset()
        assert caller.sandbox.segments() == []
        assert len(caller.sandbox.users()) == 9
        assert caller.sandbox.settings()["plan"] == "growth"
        assert caller.get(SEGMENTS).status_code == 401
        caller.sandbox.close()

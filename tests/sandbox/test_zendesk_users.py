"""Users, their tags and the background jobs of the sandbox's Zendesk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from airflow_segments_provider.testing.sandbox import SandboxServer
from tests.sandbox.test_pytest_plugin import run_pytest
from tests.sandbox.test_zendesk_access import SUPPORT, ZendeskCaller, calling

USERS, JOBS = f"{SUPPORT}/users", f"{SUPPORT}/job_statuses"
FARAH, HANA, ISAK = 360_000_000_006, 360_000_000_008, 360_000_000_009
MISSING = {"error": "RecordNotFound", "description": "Not found"}


@pytest.fixture
def zendesk(server: SandboxServer) -> Iterator[ZendeskCaller]:
    with calling(server) as caller:
        yield caller


def emails(reply):
    return [user["email"].partition(".")[0] for user in reply.json()["users"]]


def test_tags_are_read_set_added_and_removed(zendesk):
    path = f"{USERS}/{FARAH}/tags"
    reply = zendesk.get(f"{path}.json")
    assert (reply.status_code, reply.json()) == (200, {"tags": ["vip", "trial"]})
    for method, given, status, left in (
        ("PUT", ["new", "vip"], 200, ["vip", "trial", "new"]),
        ("DELETE", ["trial", "stranger"], 204, ["vip", "new"]),
        ("POST", ["a", "a", "b"], 201, ["a", "b"]),
    ):
        reply = zendesk.send(method, path, json={"tags": given})
        assert reply.status_code == status
        assert reply.content == b"" if status == 204 else reply.json() == {"tags": left}
        assert zendesk.sandbox.user(FARAH).tags == left
    zendesk.sandbox.settings(tags_delete_status=200)
    assert zendesk.send("DELETE", path, json={"tags": ["a"]}).json() == {"tags": ["b"]}


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        (f"{USERS}/{FARAH}", f"{USERS}/{{user}}"),
        (f"{USERS}/{FARAH}.json", f"{USERS}/{{user}}.json"),
        (f"{USERS}/{FARAH}/tags", f"{USERS}/{{user}}/tags"),
        (f"{USERS}/{FARAH}/elsewhere", f"{USERS}/{{user}}/elsewhere"),
        (f"{USERS}/me", f"{USERS}/me"),
        ("/api/v2/help_center/users/7/user_segments", "/api/v2/help_center/users/{user}/user_segments"),
    ],
)
def test_paths_are_logged_without_user_ids(zendesk, path, logged):
    zendesk.get(path)
    assert zendesk.sandbox.calls()[-1].path.endswith(logged)


def test_invalid_tag_requests_are_refused(zendesk):
    path = f"{USERS}/{FARAH}/tags"
    reply = zendesk.send("PUT", path, json={"tags": "a"})
    assert (reply.status_code, reply.json()["error"]["title"]) == (400, "Invalid attribute")
    assert zendesk.send("DELETE", path).status_code == 400
    assert zendesk.send("PUT", f"{USERS}/5/tags", json={"tags": ["a"]}).json() == MISSING
    zendesk.sandbox.settings(user_tagging=False)
    assert zendesk.send("PUT", path, json={"tags": ["a"]}).status_code == 403


def test_the_list_of_all_tags_has_its_own_rate_limit(zendesk):
    zendesk.sandbox.settings(tag_lists_per_minute=2)
    reply = zendesk.get(f"{SUPPORT}/tags.json")
    assert reply.json()["tags"] == [
        {"name": "beta", "count": 1}, {"name": "trial", "count": 3}, {"name": "vip", "count": 2}
    ]  # fmt: skip
    assert reply.headers["zendesk-ratelimit-tags-index"].startswith("total=2; remaining=1; resets=")
    assert [zendesk.get(f"{SUPPORT}/tags").status_code for _ in range(2)] == [200, 429]
    zendesk.sandbox.settings(tag_lists_per_minute=None)
    assert "zendesk-ratelimit-tags-index" not in zendesk.get(f"{SUPPORT}/tags").headers


def test_half_a_character_is_refused_and_a_huge_id_is_accepted(zendesk):
    rows = ({"external_id": "\ud800", "tags": ["a"]}, {"id": ISAK, "name": "\ud800"}, {"id": 2**70}, {"id": ISAK})
    for row, status in zip(rows, (400, 400, 200, 200), strict=True):
        body = json.dumps({"users": [row]})
        reply = zendesk.send("PUT", f"{USERS}/update_many", data=body, headers={"content-type": "application/json"})
        assert reply.status_code == status
    zendesk.sandbox.advance(60)
    assert [len(job.results) for job in zendesk.sandbox.jobs()] == [1, 1]
    assert zendesk.get(f"{USERS}/{ISAK}").status_code == 200


def test_a_zendesk_user_is_updated(zendesk):
    reply = zendesk.send("PUT", f"{USERS}/{ISAK}.json", json={"user": {"tags": ["a"], "organization_id": 370000003}})
    assert (reply.status_code, reply.json()["user"]["tags"]) == (200, ["a"])
    assert zendesk.sandbox.user(ISAK).organization_ids == [370000003]
    reply = zendesk.send("PUT", f"{USERS}/{ISAK}", json={"user": {"tags": "a"}})
    assert (reply.status_code, reply.json()["error"]["title"]) == (400, "Invalid attribute")
    reply = zendesk.send("PUT", f"{USERS}/{ISAK}", json={"user": {"role": "king"}})
    assert (reply.status_code, list(reply.json()["details"])) == (422, ["role"])
    reply = zendesk.send("PUT", f"{USERS}/{ISAK}", json={"user": {"tag": ["b"]}})
    called = ':controller=>"users", :action=>"update"'
    assert (reply.status_code, reply.headers["x-zendesk-api-warn"]) == (
        200,
        f'{{:allowed_parameters=>{{{called}, :unpermitted_keys=>["user.tag"], :invalid_values=>[]}}}}',
    )
    assert zendesk.get(f"{USERS}/{ISAK}").json()["user"]["tags"] == ["a"]


def test_updates_of_a_user_have_their_own_rate_limits(zendesk):
    sandbox = zendesk.sandbox
    sandbox.settings(user_updates_per_minute=2)

    def update(user: int) -> int:
        return int(zendesk.send("PUT", f"{USERS}/{user}", json={"user": {"tags": []}}).status_code)

    assert [update(ISAK), update(ISAK), update(ISAK), update(HANA)] == [200, 200, 429, 200]
    sandbox.advance(60)
    sandbox.settings(user_updates_per_second=1)
    assert [update(ISAK), update(HANA)] == [200, 429]
    sandbox.advance(1)
    assert update(HANA) == 200


def test_zendesk_users_are_searched_and_shown(zendesk):
    search = f"{USERS}/search"
    assert emails(zendesk.get(search, query="email:DALIA.novak@example.com")) == ["dalia"]
    assert emails(zendesk.get(f"{search}.json", query="tags:trial type:user")) == ["farah", "goran", "hana"]
    assert emails(zendesk.get(search, query="moreau")) == ["chiara"]
    assert emails(zendesk.get(search, external_id=f"EXT-{HANA}")) == ["hana"]
    assert emails(zendesk.get(search, query=f"external_id:Ext-{HANA}")) == ["hana"]
    body = zendesk.get(search, query="nobody").json()
    assert body == {"users": [], "next_page": None, "previous_page": None, "count": 0}
    many = f"{USERS}/show_many"
    assert emails(zendesk.get(many, ids=f"{ISAK},5,{FARAH}")) == ["isak", "farah"]
    assert emails(zendesk.get(many, external_ids=f"eXT-{ISAK},nobody")) == ["isak"]
    reply = zendesk.get(many, ids=",".join(map(str, range(101))))
    assert (reply.status_code, reply.json()["error"]) == (400, "TooManyValues")


def test_offset_paging_ends_at_ten_thousand_records(zendesk):
    zendesk.sandbox.seed_users(10_050, tags=["many"])
    body = zendesk.get(f"{USERS}/search.json", query="tags:many", page=100).json()
    assert (len(body["users"]), body["count"]) == (100, 10_050)
    assert f"{USERS}/search.json?" in body["next_page"]
    reply = zendesk.session.get(body["next_page"], timeout=20)
    assert (reply.status_code, "error" in reply.json()) == (400, True)
    assert "page_count" not in body


def test_cursor_pages_of_support_have_links_at_the_first_and_last_page(zendesk):
    first = zendesk.get(f"{USERS}.json", **{"page[size]": 5})
    body = first.json()
    assert (body["meta"]["has_more"], len(body["users"])) == (True, 5)
    assert set(body["links"]) == {"prev", "next"}
    assert f"{USERS}.json?" in body["links"]["next"]
    last = zendesk.session.get(body["links"]["next"], timeout=20).json()
    assert (last["meta"]["has_more"], len(last["users"])) == (False, 4)
    beyond = zendesk.session.get(last["links"]["next"], timeout=20).json()
    assert (beyond["users"], beyond["meta"]["has_more"]) == ([], False)
    assert len(zendesk.session.get(beyond["links"]["prev"], timeout=20).json()["users"]) == 5
    empty = zendesk.get(JOBS, **{"page[size]": 5}).json()
    assert empty["links"] == {"prev": None, "next": None}


def test_organizations_and_groups_are_listed(zendesk):
    assert len(zendesk.get(f"{SUPPORT}/organizations").json()["organizations"]) == 3
    assert len(zendesk.get(f"{SUPPORT}/groups.json").json()["groups"]) == 2
    assert (len(zendesk.sandbox.organizations()), len(zendesk.sandbox.groups())) == (3, 2)


def test_a_job_is_queued_runs_and_completes_with_failed_rows(zendesk):
    sandbox = zendesk.sandbox
    sandbox.settings(job_queue_seconds=100, job_seconds_per_row=100, failing_user_ids=[HANA])
    users = [{"id": FARAH, "tags": ["x"]}, {"id": HANA, "tags": ["x"]}, {"id": 5, "tags": []},
             {"external_id": f"ext-{ISAK}", "tags": ["x"]}]  # fmt: skip
    reply = zendesk.send("PUT", f"{USERS}/update_many.json", json={"users": users})
    job = reply.json()["job_status"]
    assert reply.headers["zendesk-ratelimit-inflight-jobs"].startswith("total=30; remaining=29")
    assert {key: job[key] for key in ("total", "progress", "status", "message", "results")} == {
        "total": 4, "progress": None, "status": "queued", "message": None, "results": None
    }  # fmt: skip
    assert job["id"].startswith("V3-")
    assert job["url"].endswith(f"{job['id']}.json")
    sandbox.advance(210)
    shown = zendesk.session.get(job["url"], timeout=20).json()["job_status"]
    assert (shown["status"], shown["progress"], shown["message"]) == ("working", 1, "Updating user #1")
    assert sandbox.user(FARAH).tags == ["x"]
    assert sandbox.user(ISAK).tags == []
    sandbox.advance(300)
    shown = zendesk.get(f"{JOBS}/{job['id']}").json()["job_status"]
    assert shown["status"] == "completed"
    assert shown["message"].startswith("Completed at ")
    done, failed, unknown, named = shown["results"]
    assert done == {"id": FARAH, "action": "update", "status": "Updated", "success": True}
    assert (failed["index"], failed["id"], "details" in failed) == (1, HANA, True)
    assert (unknown["index"], unknown["error"], named["id"]) == (2, "UserUpdateFailed", ISAK)
    assert sandbox.user(ISAK).tags == ["x"]
    assert [job.results for job in sandbox.jobs()] == [shown["results"]]
    assert sandbox.calls("zendesk.update_users")[0].user_ids == 4


def test_a_job_replaces_tags_that_were_added_after_its_start(zendesk):
    zendesk.send("PUT", f"{USERS}/update_many?ids={ISAK},{HANA}", json={"user": {"tags": ["x"]}})
    zendesk.send("PUT", f"{USERS}/{ISAK}/tags", json={"tags": ["late"]})
    assert zendesk.sandbox.user(ISAK).tags == ["late"]
    zendesk.sandbox.advance(60)
    assert zendesk.sandbox.user(ISAK).tags == ["x"]
    zendesk.send("PUT", f"{USERS}/update_many?external_ids=ext-{ISAK}", json={"user": {"tags": ["y"]}})
    zendesk.sandbox.advance(60)
    assert zendesk.sandbox.user(ISAK).tags == ["y"]


def test_a_bulk_request_has_a_limit_of_users_and_the_account_one_of_jobs(zendesk):
    ids = list(zendesk.sandbox.seed_users(101))
    path = f"{USERS}/update_many"
    requests: list[dict[str, object]] = [
        {"params": {"ids": ",".join(map(str, ids))}, "json": {"user": {"tags": []}}},
        {"json": {"users": [{"id": number} for number in ids]}},
    ]
    for request in requests:
        reply = zendesk.send("PUT", path, **request)
        assert (reply.status_code, reply.json()["error"]) == (400, "TooManyValues")
    zendesk.sandbox.settings(max_jobs=1, job_outcome="failed")
    hundred = {"users": [{"id": number, "tags": ["x"]} for number in ids[:100]]}
    job = zendesk.send("PUT", path, json=hundred).json()["job_status"]
    reply = zendesk.send("PUT", path, json=hundred)
    assert (reply.status_code, reply.json()["error"]) == (429, "TooManyJobs")
    assert reply.json()["current_job_ids"] == [job["id"]]
    zendesk.sandbox.advance(60)
    (shown,) = zendesk.get(f"{JOBS}/show_many", ids=f"{job['id']},V3-x").json()["job_statuses"]
    assert (shown["status"], shown["results"]) == ("failed", None)
    assert zendesk.sandbox.user(ids[0]).tags == []
    assert len(zendesk.get(JOBS).json()["job_statuses"]) == 1
    assert zendesk.get(f"{JOBS}/V3-x").json() == MISSING


def test_invalid_bulk_requests_are_refused(zendesk):
    path = f"{USERS}/update_many"
    requests: list[dict[str, object]] = [{"json": {"users": {}}}, {"json": {"user": {}}}]
    for request in (*requests, {"params": {"ids": "1"}, "json": {"users": []}}):
        assert zendesk.send("PUT", path, **request).status_code == 400
    assert zendesk.sandbox.jobs() == []


def test_twenty_thousand_zendesk_users_are_seeded_at_once(zendesk):
    ids = zendesk.sandbox.seed_users(20_000, tags=["many"], organization_ids=[370000001])
    number = zendesk.new_segment(name="a", tags=["many", "wholesale"])
    assert zendesk.sandbox.members(number) == {360_000_000_001, *ids}
    assert zendesk.sandbox.user(f"person-{ids[0]}@example.com").external_id == f"ext-{ids[0]}"
    assert len(zendesk.sandbox.users()) == 20_009


USERS_TESTS = """
import json, os, requests

def test_it(zendesk_sandbox):
    connection = json.loads(os.environ["AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT"])
    assert connection["conn_type"] == "zendesk_help_center"
    body = {"grant_type": "client_credentials", "client_id": connection["login"],
            "client_secret": connection["password"]}
    assert requests.post(connection["host"] + "/oauth/tokens", json=body, timeout=20).status_code == 201
    assert zendesk_sandbox.counts() == {"zendesk.create_token": 1}

def test_without(segments_sandbox):
    assert "AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT" not in os.environ
"""


def test_the_zendesk_fixture_sets_a_connection_to_the_sandbox(tmp_path):
    done = run_pytest(tmp_path, USERS_TESTS)
    assert "2 passed" in done.stdout, done.stdout + done.stderr

"""The clock, the Editor, the request log, changes by hand, settings and reset."""

from __future__ import annotations

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest

from airflow_segments_provider.testing.sandbox import DoceboSandboxClient, SandboxClient, SandboxError
from airflow_segments_provider.testing.sandbox.walkme.settings import WalkMeSettings
from tests.sandbox.caller import NO_GUID, eventually
from tests.sandbox.test_docebo_caller import DoceboCaller


def test_the_clock_is_the_real_time_plus_what_was_advanced(sandbox):
    assert abs(sandbox.now() - time.time()) < 60
    before = sandbox.now()
    assert sandbox.advance(10_000) - before >= 10_000
    assert sandbox.now() - before >= 10_000
    with pytest.raises(SandboxError):
        sandbox.advance(-1)


def test_the_editor_shows_a_segment_after_its_lag(walkme):
    sandbox = walkme.sandbox
    walkme.create("first", ["ada"])
    sandbox.advance(300)
    assert sandbox.editor() == []
    walkme.create("second")
    sandbox.advance(301)
    assert sandbox.editor() == ["first"]
    sandbox.advance(300)
    assert sandbox.editor() == ["first", "second"]


def test_the_editor_shows_the_segments_of_one_system_without_deleted_ones(walkme):
    sandbox = walkme.sandbox
    sandbox.settings(editor_lag=0)
    guid = walkme.new_segment("a")
    sandbox.create_segment("elsewhere", system=NO_GUID)
    assert (sandbox.editor(), sandbox.editor(NO_GUID)) == (["a"], ["elsewhere"])
    walkme.delete(guid)
    assert sandbox.editor() == []


def test_requests_are_logged_with_the_number_of_ids_and_without_ids_or_secrets(walkme):
    sandbox = walkme.sandbox
    guid = walkme.new_segment("a", ["ada-id", "grace-id"])
    walkme.session.headers["user-agent"] = "tests/1"
    walkme.update(guid, "remove", ["ada-id"])
    walkme.update(guid, "perish", ["ada-id"])
    walkme.list()
    walkme.send("PATCH")
    seen = [
        (call.endpoint, call.method, call.action, call.user_ids, call.status, call.effect) for call in sandbox.calls()
    ]
    assert seen == [
        ("walkme.token", "POST", None, None, 200, True),
        ("walkme.create", "POST", None, 2, 201, True),
        ("walkme.update", "PUT", "remove", 1, 200, True),
        ("walkme.update", "PUT", "perish", 1, 400, False),
        ("walkme.list", "GET", None, None, 200, True),
        ("walkme.other", "PATCH", None, None, 405, False),
    ]
    assert sandbox.counts() == {
        "walkme.token": 1, "walkme.create": 1, "walkme.update": 2, "walkme.list": 1, "walkme.other": 1
    }  # fmt: skip
    update = sandbox.calls("walkme.update")[0]
    assert update.path.endswith(f"/segment/{guid}")
    assert (update.headers["authorization"], update.headers["user-agent"]) == ("Bearer", "tests/1")
    assert sandbox.calls()[0].headers["authorization"] == "Basic"
    log = json.dumps(sandbox.operate("calls"))
    assert "ada-id" not in log
    assert sandbox.client_secret not in log


def test_a_request_that_waits_does_not_delay_others_and_is_counted_in_flight(walkme):
    sandbox = walkme.sandbox
    sandbox.fault("walkme.list", "hang", seconds=600)
    waiting = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=20)
    waiting.request("GET", urlsplit(walkme.segments_url).path, headers=dict(walkme.session.headers))
    assert eventually(lambda: sandbox.counts().get("walkme.list") == 1)
    walkme.list()
    waiting.close()
    assert [call.in_flight for call in sandbox.calls("walkme.list")] == [1, 2]
    assert eventually(lambda: walkme.list().ok and sandbox.calls("walkme.list")[-1].in_flight == 1)


def test_the_control_api_changes_walkme_segments_and_members(walkme):
    sandbox = walkme.sandbox
    guid = sandbox.create_segment(" ", external_id="e" * 300, user_ids=["ada", "x" * 500])
    assert sandbox.members(guid) == {"ada", "x" * 500}
    sandbox.add_members("e" * 300, ["grace", "grace"])
    sandbox.remove_members(guid, ["ada", "stranger"])
    assert list(sandbox.iter_members(guid)) == ["grace", "x" * 500]
    assert [segment["id"] for segment in walkme.list().json()] == ["e" * 300]
    sandbox.delete_segment(guid)
    assert walkme.list().json() == []
    assert sandbox.counts().get("walkme.create", 0) == 0


def test_the_control_api_finds_a_segment_by_guid_external_id_or_name(sandbox):
    guid = sandbox.create_segment("by name", external_id="by id", user_ids=["ada"])
    for text in (guid, guid.upper(), f"{guid[:8]}-{guid[8:12]}-{guid[12:16]}-{guid[16:20]}-{guid[20:]}"):
        assert sandbox.members(text) == {"ada"}
    assert sandbox.members("by id") == sandbox.members("by name") == {"ada"}
    with pytest.raises(SandboxError, match="404"):
        sandbox.members("nobody")
    sandbox.create_segment("by name")
    with pytest.raises(SandboxError, match="2 segments"):
        sandbox.members("by name")
    with pytest.raises(SandboxError, match="409"):
        sandbox.create_segment("other", external_id="by id")


def test_the_control_api_returns_all_members_in_order(sandbox):
    ids = [f"{number:06d}" for number in range(120_001)]
    sandbox.create_segment("big", user_ids=reversed(ids))
    assert list(sandbox.iter_members("big")) == ids
    assert sandbox.member_count("big") == 120_001


def test_the_control_api_returns_all_fields_of_a_segment(walkme):
    guid = walkme.new_segment("a", ["ada"], id="x")
    (segment,) = walkme.sandbox.segments()
    assert (segment.guid, segment.external_id, segment.name) == (guid.replace("-", ""), "x", "a")
    assert segment.system == walkme.sandbox.system_guid.replace("-", "")
    assert (segment.members, segment.deleted_at) == (1, None)
    assert abs(segment.created_at - walkme.sandbox.now()) < 60


def test_settings_begin_with_the_defaults_and_are_validated(sandbox):
    assert WalkMeSettings.model_validate(sandbox.settings()) == WalkMeSettings()
    assert sandbox.settings(editor_lag=5)["editor_lag"] == 5
    assert sandbox.settings()["editor_lag"] == 5
    for wrong in ({"editor_lag": -1}, {"create_reply": "haiku"}, {"colour": "red"}, {"systems": ["demo"]}):
        with pytest.raises(SandboxError, match="422"):
            sandbox.settings(**wrong)
    stranger = SandboxClient(sandbox.url)
    stranger.vendor = "nobody"  # type: ignore[misc]
    with pytest.raises(SandboxError, match="404"):
        stranger.settings(editor_lag=1)
    assert sandbox.settings()["editor_lag"] == 5


def test_a_reset_deletes_segments_faults_log_tokens_and_settings(walkme):
    sandbox = walkme.sandbox
    walkme.create("a", ["ada"])
    sandbox.settings(list_reply="data", rate_limit=1)
    sandbox.fault("*", "reset", times=None)
    sandbox.advance(50_000)
    sandbox.reset(editor_lag=7)
    assert (sandbox.segments(deleted=True), sandbox.faults(), sandbox.calls(), sandbox.counts()) == ([], [], [], {})
    assert sandbox.settings() == {**WalkMeSettings(editor_lag=7).model_dump(), **_as_json()}
    assert abs(sandbox.now() - time.time()) < 600
    assert walkme.list().status_code == 401
    sandbox.reset()
    assert sandbox.settings()["editor_lag"] == 600


def _as_json() -> dict[str, object]:
    settings = WalkMeSettings()
    return {"systems": list(settings.systems), "scopes": list(settings.scopes), "refused_user_ids": []}


def test_a_reset_with_an_invalid_setting_changes_nothing(walkme):
    sandbox = walkme.sandbox
    walkme.create("a")
    sandbox.advance(50_000)
    now = sandbox.now()
    with pytest.raises(SandboxError, match="422"):
        sandbox.reset(editor_lag=-1)
    assert [segment.name for segment in sandbox.segments()] == ["a"]
    assert sandbox.now() >= now
    assert sandbox.counts() == {"walkme.token": 1, "walkme.create": 1}


@pytest.mark.parametrize(
    ("operation", "arguments", "status"),
    [
        ("nothing", {}, 404),
        ("walkme/create_tables", {}, 404),
        ("walkme/settle", {}, 404),
        ("walkme/members", {}, 422),
        ("walkme/members", {"segment": "a", "colour": "red"}, 422),
        ("walkme/create_segment", {"name": 7}, 422),
        ("walkme/create_segment", {"name": "a", "user_ids": ["ada", ""]}, 422),
    ],
)
def test_unknown_operations_and_invalid_arguments_of_the_control_api_are_refused(sandbox, operation, arguments, status):
    with pytest.raises(SandboxError, match=str(status)):
        sandbox.operate(operation, **arguments)
    assert sandbox.segments() == []


def test_a_late_request_that_is_refused_changes_nothing(server, sandbox):
    with DoceboSandboxClient(sandbox.url) as docebo:
        caller = DoceboCaller(docebo).log_in()
        group = docebo.create_group("manual")
        docebo.fault("docebo.update_group", "late", seconds=60)
        rules = {"operator": "AND", "sets": [{"rules": [{"type": "x", "payload": {}}]}]}
        with pytest.raises(OSError, match="Connection aborted"):
            caller.send("PUT", f"/{group}", json={"name": "renamed", "ruleset": rules})
        docebo.advance(61)
        assert [one.name for one in docebo.groups()][-1] == "manual"
        assert docebo.calls("docebo.update_group")[0].status == 400


def test_a_reset_discards_late_requests(walkme):
    walkme.sandbox.fault("walkme.create", "late", seconds=60)
    with pytest.raises(OSError, match="Connection aborted"):
        walkme.create("a")
    walkme.sandbox.reset()
    walkme.sandbox.advance(120)
    assert walkme.sandbox.segments() == []


def test_the_client_of_the_control_api_ignores_the_proxy_of_the_environment(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with SandboxClient(server.url + "/") as client:
        assert client.counts() is not None

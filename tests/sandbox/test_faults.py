"""Each kind of fault as a client meets it, and which calls it meets."""

from __future__ import annotations

import http.client
import json
import re
import time

import pytest
import requests

from airflow_segments_provider.testing.sandbox import SandboxError
from airflow_segments_provider.testing.sandbox.faults import KINDS
from tests.sandbox.caller import eventually


def causes(error: BaseException) -> list[type[BaseException]]:
    """The types of an error and of all that is wrapped in it."""
    inner = [arg for arg in error.args if isinstance(arg, BaseException)]
    return [type(error), *(kind for cause in inner for kind in causes(cause))]


@pytest.fixture
def guid(walkme):
    return walkme.new_segment("a")


def last(walkme):
    call = walkme.sandbox.calls()[-1]
    return call.status, call.effect, call.lost, call.fault


def test_every_kind_has_a_test():
    assert set(KINDS) == {
        "status", "html", "redirect", "latency", "reset", "reset_mid_body", "lost", "late", "hang", "truncate",
        "wrong_content_type", "empty_body",
    }  # fmt: skip


@pytest.mark.parametrize("endpoint", ["walkme.updat", "walkme", "update", "", "walkme.*", "hubspot.update"])
def test_a_fault_for_an_endpoint_that_does_not_exist_is_rejected(walkme, endpoint):
    with pytest.raises(SandboxError, match=f"no endpoint '{re.escape(endpoint)}'; known: .*walkme.update"):
        walkme.sandbox.fault(endpoint, "status")
    assert walkme.sandbox.faults() == []


def test_status_stands_in_for_the_work(walkme, guid):
    walkme.sandbox.fault("walkme.update", "status")
    reply = walkme.update(guid, "add", ["ada"])
    assert (reply.status_code, reply.json()["error"]) == (500, "fault")
    assert walkme.sandbox.members(guid) == set()
    assert last(walkme) == (500, False, False, "status")


def test_status_after_the_work(walkme, guid):
    walkme.sandbox.fault("walkme.update", "status", status=503, effect=True)
    assert walkme.update(guid, "add", ["ada"]).status_code == 503
    assert walkme.sandbox.members(guid) == {"ada"}
    assert last(walkme) == (503, True, False, "status")


@pytest.mark.parametrize(
    ("parameters", "content", "content_type"),
    [
        ({"body": {"code": 7}}, b'{"code": 7}', "application/json"),
        ({"body": "Slow down"}, b"Slow down", "text/plain; charset=utf-8"),
        ({"body": None}, b"", "application/json"),
        ({"body": "<p>", "content_type": "text/html"}, b"<p>", "text/html"),
        ({"body": "{", "content_type": "application/json"}, b"{", "application/json"),
    ],
)
def test_status_with_a_body_of_choice(walkme, parameters, content, content_type):
    walkme.sandbox.fault("walkme.list", "status", status=429, headers={"Retry-After": "7"}, **parameters)
    reply = walkme.list()
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (429, content, content_type)
    assert reply.headers["retry-after"] == "7"


def test_html(walkme):
    walkme.sandbox.fault("walkme.list", "html")
    walkme.sandbox.fault("walkme.list", "html", status=200)
    replies = [walkme.list(), walkme.list()]
    assert [reply.status_code for reply in replies] == [502, 200]
    assert all(reply.text.startswith("<!DOCTYPE html>") for reply in replies)
    assert all(reply.headers["content-type"].startswith("text/html") for reply in replies)


def test_redirect(walkme, guid):
    walkme.sandbox.fault("walkme.update", "redirect", location="http://127.0.0.1:9/there", status=307)
    reply = walkme.update(guid, "add", ["ada"])
    assert (reply.status_code, reply.headers["location"]) == (307, "http://127.0.0.1:9/there")
    assert walkme.sandbox.members(guid) == set()


def test_latency_answers_rightly_and_late(walkme, guid):
    walkme.sandbox.fault("walkme.update", "latency", seconds=0.3)
    begin = time.monotonic()
    reply = walkme.update(guid, "add", ["ada"])
    assert time.monotonic() - begin >= 0.3
    assert reply.json()["name"] == "a"
    assert last(walkme) == (200, True, False, "latency")


def test_latency_beyond_the_client_loses_the_answer(walkme, guid):
    walkme.sandbox.fault("walkme.update", "latency", seconds=60)
    walkme.timeout = 0.3
    with pytest.raises(requests.ReadTimeout):
        walkme.update(guid, "add", ["ada"])
    assert walkme.sandbox.members(guid) == {"ada"}
    assert eventually(lambda: last(walkme) == (200, True, True, "latency"))


@pytest.mark.parametrize("effect", [False, True])
def test_reset_before_any_answer(walkme, guid, effect):
    walkme.sandbox.fault("walkme.update", "reset", effect=effect)
    with pytest.raises(requests.ConnectionError) as caught:
        walkme.update(guid, "add", ["ada"])
    assert ConnectionResetError in causes(caught.value)
    assert http.client.RemoteDisconnected not in causes(caught.value)
    assert walkme.sandbox.members(guid) == ({"ada"} if effect else set())
    assert last(walkme) == (200 if effect else None, effect, True, "reset")
    assert walkme.list().status_code == 200


@pytest.mark.parametrize("effect", [False, True])
def test_reset_in_the_middle_of_the_body(walkme, guid, effect):
    walkme.sandbox.fault("walkme.update", "reset_mid_body", effect=effect)
    with walkme.send("PUT", f"/{guid}", json={"action": "add", "userIds": ["ada"]}, stream=True) as reply:
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
        size = int(reply.headers["content-length"])
        begun = reply.raw.read(size // 2)
        assert begun.startswith(b'{"')
        with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
            list(reply.iter_content(size))
    assert {ConnectionResetError, http.client.IncompleteRead} & set(causes(caught.value))
    assert walkme.sandbox.members(guid) == ({"ada"} if effect else set())
    assert last(walkme) == (200 if effect else None, effect, True, "reset_mid_body")


def test_lost_does_the_work_and_says_nothing(walkme, guid):
    walkme.sandbox.fault("walkme.update", "lost")
    with pytest.raises(requests.ConnectionError) as caught:
        walkme.update(guid, "add", ["ada"])
    assert http.client.RemoteDisconnected in causes(caught.value)
    assert walkme.sandbox.members(guid) == {"ada"}
    assert last(walkme) == (200, True, True, "lost")


def test_a_lost_creation_leaves_a_segment(walkme):
    walkme.sandbox.fault("walkme.create", "lost")
    with pytest.raises(requests.ConnectionError):
        walkme.create("a", id="x")
    assert walkme.create("a", id="x").status_code == 409


def test_late_does_the_work_when_its_moment_has_come(walkme, guid):
    walkme.sandbox.fault("walkme.update", "late", seconds=300)
    with pytest.raises(requests.ConnectionError):
        walkme.update(guid, "override", ["late"])
    assert walkme.update(guid, "add", ["ada"]).status_code == 200
    walkme.sandbox.advance(150)
    assert walkme.sandbox.members(guid) == {"ada"}
    assert walkme.sandbox.calls("walkme.update")[0].effect is False
    walkme.sandbox.advance(151)
    assert walkme.sandbox.members(guid) == {"late"}
    call = walkme.sandbox.calls("walkme.update")[0]
    assert (call.status, call.effect, call.lost, call.fault) == (200, True, True, "late")


def test_late_work_is_done_before_whatever_call_comes_next(walkme):
    walkme.sandbox.fault("walkme.create", "late", seconds=0, times=2)
    with pytest.raises(requests.ConnectionError):
        walkme.create("a")
    assert [segment["name"] for segment in walkme.list().json()] == ["a"]
    with pytest.raises(requests.ConnectionError):
        walkme.create("b")
    assert [segment.name for segment in walkme.sandbox.segments()] == ["a", "b"]


def test_late_work_is_done_once_in_the_order_of_its_moments(walkme, guid):
    walkme.sandbox.fault("walkme.update", "late", seconds=200)
    walkme.sandbox.fault("walkme.update", "late", seconds=100)
    for who in ("last", "first"):
        with pytest.raises(requests.ConnectionError):
            walkme.update(guid, "override", [who])
    walkme.sandbox.advance(300)
    assert walkme.sandbox.members(guid) == {"last"}
    walkme.update(guid, "override", ["ada"])
    walkme.sandbox.advance(300)
    assert walkme.sandbox.members(guid) == {"ada"}


def test_late_work_needs_the_token_to_live_when_it_was_called_only(walkme, guid):
    walkme.sandbox.fault("walkme.update", "late", seconds=90_000)
    with pytest.raises(requests.ConnectionError):
        walkme.update(guid, "add", ["ada"])
    walkme.sandbox.advance(90_001)
    assert walkme.list().status_code == 401
    assert walkme.sandbox.members(guid) == {"ada"}


@pytest.mark.parametrize("effect", [False, True])
def test_hang_until_the_client_gives_up(walkme, guid, effect):
    walkme.sandbox.fault("walkme.update", "hang", effect=effect)
    walkme.timeout = 0.3
    with pytest.raises(requests.ReadTimeout):
        walkme.update(guid, "add", ["ada"])
    assert walkme.sandbox.members(guid) == ({"ada"} if effect else set())
    assert last(walkme) == (200 if effect else None, effect, True, "hang")


def test_hang_ends_without_an_answer(walkme, guid):
    walkme.sandbox.fault("walkme.update", "hang", seconds=0.1)
    with pytest.raises(requests.ConnectionError) as caught:
        walkme.update(guid)
    assert http.client.RemoteDisconnected in causes(caught.value)


def test_truncate(walkme, guid):
    walkme.sandbox.fault("walkme.update", "truncate")
    reply = walkme.update(guid, "add", ["ada"])
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert int(reply.headers["content-length"]) == len(reply.content) > 10
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.content)
    assert last(walkme) == (200, True, False, "truncate")


def test_wrong_content_type(walkme, guid):
    walkme.sandbox.fault("walkme.update", "wrong_content_type")
    walkme.sandbox.fault("walkme.update", "wrong_content_type", content_type="text/plain")
    replies = [walkme.update(guid), walkme.update(guid)]
    assert [reply.headers["content-type"] for reply in replies] == ["text/html; charset=utf-8", "text/plain"]
    assert [json.loads(reply.content)["name"] for reply in replies] == ["a", "a"]


def test_empty_body(walkme):
    walkme.sandbox.fault("walkme.create", "empty_body")
    reply = walkme.create("a")
    assert (reply.status_code, reply.content) == (201, b"")
    assert len(walkme.sandbox.segments()) == 1


def test_a_rule_lets_calls_pass_then_counts_down(walkme):
    walkme.sandbox.fault("walkme.list", "status", skip=1, times=2)
    assert [walkme.list().status_code for _ in range(4)] == [200, 500, 500, 200]
    assert walkme.sandbox.faults() == []


def test_a_rule_may_hold_for_ever_and_is_cleared(walkme):
    walkme.sandbox.fault("walkme.list", "status", times=None)
    assert [walkme.list().status_code for _ in range(3)] == [500] * 3
    walkme.sandbox.clear_faults()
    assert walkme.list().status_code == 200


def test_the_oldest_rule_that_matches_is_the_one(walkme):
    walkme.sandbox.fault("walkme.create", "status", status=501)
    walkme.sandbox.fault("*", "status", status=502)
    walkme.sandbox.fault("walkme.list", "status", status=503)
    assert [walkme.list().status_code for _ in range(3)] == [502, 503, 200]
    assert walkme.create().status_code == 501


def test_a_rule_may_be_for_one_action(walkme, guid):
    walkme.sandbox.fault("walkme.update", "status", action="remove")
    assert walkme.update(guid, "add", ["ada"]).status_code == 200
    assert walkme.update(guid, "remove", ["ada"]).status_code == 500
    assert walkme.sandbox.members(guid) == {"ada"}


def test_tokens_fail_too(walkme):
    walkme.sandbox.fault("walkme.token", "status", status=503)
    assert [walkme.token().status_code, walkme.token().status_code] == [503, 200]
    walkme.sandbox.fault("walkme.token", "reset")
    with pytest.raises(requests.ConnectionError):
        walkme.token()


def test_a_call_that_would_be_refused_has_no_effect_under_a_fault(walkme):
    walkme.sandbox.fault("walkme.create", "lost")
    with pytest.raises(requests.ConnectionError):
        walkme.create("")
    assert last(walkme) == (400, False, True, "lost")


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("explode", {}),
        ("lost", {"effect": False}),
        ("status", {"seconds": 1}),
        ("status", {"status": 99}),
        ("redirect", {}),
        ("latency", {"seconds": -1}),
        ("reset", {"times": 0}),
        ("reset", {"skip": -1}),
        ("reset", {"colour": "red"}),
    ],
)
def test_a_rule_that_means_nothing_is_refused(walkme, kind, parameters):
    with pytest.raises(SandboxError, match="422"):
        walkme.sandbox.fault("walkme.list", kind, **parameters)
    assert walkme.sandbox.faults() == []

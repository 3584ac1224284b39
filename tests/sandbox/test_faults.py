"""Each kind of fault as a client sees it, and the requests that it affects."""

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
    """Return the types of an error and of all errors wrapped in it."""
    inner = [arg for arg in error.args if isinstance(arg, BaseException)]
    return [type(error), *(kind for cause in inner for kind in causes(cause))]


@pytest.fixture
def guid(walkme):
    return walkme.new_segment("a")


def last(walkme):
    call = walkme.sandbox.calls()[-1]
    return call.status, call.effect, call.lost, call.fault


def test_every_kind_of_fault_has_a_test():
    assert set(KINDS) == {
        "status", "html", "redirect", "latency", "reset", "reset_mid_body", "lost", "late", "hang", "truncate",
        "wrong_content_type", "empty_body",
    }  # fmt: skip


@pytest.mark.parametrize("endpoint", ["walkme.updat", "walkme", "update", "", "walkme.*", "hubspot.update"])
def test_a_fault_for_an_endpoint_that_does_not_exist_is_rejected(walkme, endpoint):
    with pytest.raises(SandboxError, match=f"no endpoint '{re.escape(endpoint)}'; known: .*walkme.update"):
        walkme.sandbox.fault(endpoint, "status")
    assert walkme.sandbox.faults() == []


def test_a_status_fault_responds_without_carrying_out_the_request(walkme, guid):
    walkme.sandbox.fault("walkme.update", "status")
    reply = walkme.update(guid, "add", ["ada"])
    assert (reply.status_code, reply.json()["error"]) == (500, "fault")
    assert walkme.sandbox.members(guid) == set()
    assert last(walkme) == (500, False, False, "status")


def test_a_status_fault_with_effect_carries_out_the_request(walkme, guid):
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
def test_a_status_fault_returns_the_body_and_headers_that_were_set(walkme, parameters, content, content_type):
    walkme.sandbox.fault("walkme.list", "status", status=429, headers={"Retry-After": "7"}, **parameters)
    reply = walkme.list()
    assert (reply.status_code, reply.content, reply.headers["content-type"]) == (429, content, content_type)
    assert reply.headers["retry-after"] == "7"


def test_an_html_fault_returns_an_html_page(walkme):
    walkme.sandbox.fault("walkme.list", "html")
    walkme.sandbox.fault("walkme.list", "html", status=200)
    replies = [walkme.list(), walkme.list()]
    assert [reply.status_code for reply in replies] == [502, 200]
    assert all(reply.text.startswith("<!DOCTYPE html>") for reply in replies)
    assert all(reply.headers["content-type"].startswith("text/html") for reply in replies)


def test_a_redirect_fault_returns_the_address_and_carries_out_nothing(walkme, guid):
    walkme.sandbox.fault("walkme.update", "redirect", location="http://127.0.0.1:9/there", status=307)
    reply = walkme.update(guid, "add", ["ada"])
    assert (reply.status_code, reply.headers["location"]) == (307, "http://127.0.0.1:9/there")
    assert walkme.sandbox.members(guid) == set()


def test_a_latency_fault_carries_out_the_request_and_responds_late(walkme, guid):
    walkme.sandbox.fault("walkme.update", "latency", seconds=0.3)
    begin = time.monotonic()
    reply = walkme.update(guid, "add", ["ada"])
    assert time.monotonic() - begin >= 0.3
    assert reply.json()["name"] == "a"
    assert last(walkme) == (200, True, False, "latency")


def test_a_latency_beyond_the_timeout_of_the_client_loses_the_response(walkme, guid):
    walkme.sandbox.fault("walkme.update", "latency", seconds=60)
    walkme.timeout = 0.3
    with pytest.raises(requests.ReadTimeout):
        walkme.update(guid, "add", ["ada"])
    assert walkme.sandbox.members(guid) == {"ada"}
    assert eventually(lambda: last(walkme) == (200, True, True, "latency"))


@pytest.mark.parametrize("effect", [False, True])
def test_a_reset_fault_resets_the_connection_before_a_response(walkme, guid, effect):
    walkme.sandbox.fault("walkme.update", "reset", effect=effect)
    with pytest.raises(requests.ConnectionError) as caught:
        walkme.update(guid, "add", ["ada"])
    assert ConnectionResetError in causes(caught.value)
    assert http.client.RemoteDisconnected not in causes(caught.value)
    assert walkme.sandbox.members(guid) == ({"ada"} if effect else set())
    assert last(walkme) == (200 if effect else None, effect, True, "reset")
    assert walkme.list().status_code == 200


@pytest.mark.parametrize("effect", [False, True])
def test_a_reset_mid_body_fault_resets_the_connection_within_the_body(walkme, guid, effect):
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


def test_a_lost_fault_carries_out_the_request_and_sends_no_response(walkme, guid):
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


def test_a_late_fault_carries_out_the_request_after_its_delay(walkme, guid):
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


def test_a_late_request_is_carried_out_before_the_next_request(walkme):
    walkme.sandbox.fault("walkme.create", "late", seconds=0, times=2)
    with pytest.raises(requests.ConnectionError):
        walkme.create("a")
    assert [segment["name"] for segment in walkme.list().json()] == ["a"]
    with pytest.raises(requests.ConnectionError):
        walkme.create("b")
    assert [segment.name for segment in walkme.sandbox.segments()] == ["a", "b"]


def test_late_requests_are_carried_out_once_in_the_order_of_their_times(walkme, guid):
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


def test_a_late_request_needs_a_token_that_was_valid_when_it_was_sent(walkme, guid):
    walkme.sandbox.fault("walkme.update", "late", seconds=90_000)
    with pytest.raises(requests.ConnectionError):
        walkme.update(guid, "add", ["ada"])
    walkme.sandbox.advance(90_001)
    assert walkme.list().status_code == 401
    assert walkme.sandbox.members(guid) == {"ada"}


@pytest.mark.parametrize("effect", [False, True])
def test_a_hang_fault_sends_nothing_until_the_client_gives_up(walkme, guid, effect):
    walkme.sandbox.fault("walkme.update", "hang", effect=effect)
    walkme.timeout = 0.3
    with pytest.raises(requests.ReadTimeout):
        walkme.update(guid, "add", ["ada"])
    assert walkme.sandbox.members(guid) == ({"ada"} if effect else set())
    assert last(walkme) == (200 if effect else None, effect, True, "hang")


def test_a_hang_fault_closes_the_connection_after_its_time(walkme, guid):
    walkme.sandbox.fault("walkme.update", "hang", seconds=0.1)
    with pytest.raises(requests.ConnectionError) as caught:
        walkme.update(guid)
    assert http.client.RemoteDisconnected in causes(caught.value)


def test_a_truncate_fault_sends_half_of_the_json(walkme, guid):
    walkme.sandbox.fault("walkme.update", "truncate")
    reply = walkme.update(guid, "add", ["ada"])
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "application/json"
    assert int(reply.headers["content-length"]) == len(reply.content) > 10
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.content)
    assert last(walkme) == (200, True, False, "truncate")


def test_a_wrong_content_type_fault_changes_the_content_type(walkme, guid):
    walkme.sandbox.fault("walkme.update", "wrong_content_type")
    walkme.sandbox.fault("walkme.update", "wrong_content_type", content_type="text/plain")
    replies = [walkme.update(guid), walkme.update(guid)]
    assert [reply.headers["content-type"] for reply in replies] == ["text/html; charset=utf-8", "text/plain"]
    assert [json.loads(reply.content)["name"] for reply in replies] == ["a", "a"]


def test_an_empty_body_fault_carries_out_the_request_and_sends_no_body(walkme):
    walkme.sandbox.fault("walkme.create", "empty_body")
    reply = walkme.create("a")
    assert (reply.status_code, reply.content) == (201, b"")
    assert len(walkme.sandbox.segments()) == 1


def test_a_fault_skips_and_counts_requests(walkme):
    walkme.sandbox.fault("walkme.list", "status", skip=1, times=2)
    assert [walkme.list().status_code for _ in range(4)] == [200, 500, 500, 200]
    assert walkme.sandbox.faults() == []


def test_a_fault_can_last_until_it_is_cleared(walkme):
    walkme.sandbox.fault("walkme.list", "status", times=None)
    assert [walkme.list().status_code for _ in range(3)] == [500] * 3
    walkme.sandbox.clear_faults()
    assert walkme.list().status_code == 200


def test_the_oldest_fault_that_matches_a_request_applies(walkme):
    walkme.sandbox.fault("walkme.create", "status", status=501)
    walkme.sandbox.fault("*", "status", status=502)
    walkme.sandbox.fault("walkme.list", "status", status=503)
    assert [walkme.list().status_code for _ in range(3)] == [502, 503, 200]
    assert walkme.create().status_code == 501


def test_a_fault_can_be_for_one_action(walkme, guid):
    walkme.sandbox.fault("walkme.update", "status", action="remove")
    assert walkme.update(guid, "add", ["ada"]).status_code == 200
    assert walkme.update(guid, "remove", ["ada"]).status_code == 500
    assert walkme.sandbox.members(guid) == {"ada"}


def test_faults_apply_to_token_requests(walkme):
    walkme.sandbox.fault("walkme.token", "status", status=503)
    assert [walkme.token().status_code, walkme.token().status_code] == [503, 200]
    walkme.sandbox.fault("walkme.token", "reset")
    with pytest.raises(requests.ConnectionError):
        walkme.token()


def test_an_invalid_request_has_no_effect_under_a_fault(walkme):
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
def test_an_invalid_fault_is_refused(walkme, kind, parameters):
    with pytest.raises(SandboxError, match="422"):
        walkme.sandbox.fault("walkme.list", kind, **parameters)
    assert walkme.sandbox.faults() == []

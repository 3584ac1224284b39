"""WalkMe's list, deletion, unknown requests, headers and rate limit."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox.caller import NO_GUID


def test_the_list_contains_the_segments_of_the_system_without_members(walkme):
    assert walkme.list().json() == []
    first = walkme.create("b", ["ada"], id="x").json()
    second = walkme.create("a").json()
    walkme.sandbox.create_segment("elsewhere", system=NO_GUID)
    assert walkme.list().json() == [first, second]


@pytest.mark.parametrize("form", ["segments", "data"])
def test_the_list_can_be_wrapped_in_an_object(walkme, form):
    walkme.sandbox.settings(list_reply=form)
    created = walkme.create("a").json()
    assert walkme.list().json() == {form: [created]}


def test_the_list_can_lag_while_the_external_id_is_taken(walkme):
    walkme.sandbox.settings(list_lag=120)
    guid = walkme.new_segment("a", id="x")
    assert walkme.list().json() == []
    assert walkme.create("b", id="x").status_code == 409
    assert walkme.update(guid, "add", ["ada"]).status_code == 200
    walkme.sandbox.advance(60)
    assert walkme.list().json() == []
    walkme.sandbox.advance(61)
    assert [segment["name"] for segment in walkme.list().json()] == ["a"]


def test_a_deleted_segment_is_not_found(walkme):
    guid = walkme.new_segment("a", ["ada"])
    reply = walkme.delete(guid)
    assert (reply.status_code, reply.content) == (204, b"")
    assert walkme.list().json() == []
    assert (walkme.delete(guid).status_code, walkme.update(guid).status_code) == (404, 404)
    assert walkme.sandbox.segments() == []
    (kept,) = walkme.sandbox.segments(deleted=True)
    assert (kept.name, kept.members) == ("a", 0)
    assert kept.deleted_at is not None


@pytest.mark.parametrize(("form", "status"), [("route_404", 404), ("route_405", 405)])
def test_deletion_can_be_set_to_be_unsupported(walkme, form, status):
    walkme.sandbox.settings(delete_supported=form)
    guid = walkme.new_segment("a")
    assert walkme.delete(guid).status_code == status
    assert len(walkme.sandbox.segments()) == 1


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_the_path_of_a_segment_accepts_put_and_delete_only(walkme, method):
    reply = walkme.send(method, f"/{walkme.new_segment('a')}")
    assert (reply.status_code, reply.json()["error"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_the_path_of_all_segments_accepts_get_and_post_only(walkme, method):
    assert walkme.send(method).status_code == 405


@pytest.mark.parametrize("path", ["/", f"/{NO_GUID}/", f"/{NO_GUID}/members", "s"])
def test_any_other_path_is_a_404_and_never_a_redirect(walkme, path):
    for method in ("GET", "PUT", "DELETE"):
        reply = walkme.send(method, path)
        assert (reply.status_code, reply.json()["error"]) == (404, "not_found")


def test_the_bare_base_path_is_a_404_and_not_a_redirect(walkme):
    assert walkme.session.get(walkme.sandbox.walkme_url, allow_redirects=False, timeout=20).status_code == 404


def test_every_response_has_one_date_and_its_own_request_id(walkme):
    replies = [walkme.token(), walkme.create(), walkme.list(), walkme.send("PATCH"), walkme.update("x")]
    assert all(parsedate_to_datetime(reply.headers["date"]) for reply in replies)
    ids = [reply.headers["x-request-id"] for reply in replies]
    assert len(set(ids)) == 5
    assert [call.request_id for call in walkme.sandbox.calls()[-5:]] == ids


def test_requests_above_the_rate_limit_are_refused_with_a_wait(walkme):
    walkme.sandbox.settings(rate_limit=2)
    assert [walkme.list().status_code, walkme.create("a").status_code] == [200, 201]
    refused = walkme.create("b")
    assert (refused.status_code, refused.json()["error"]) == (429, "too_many_requests")
    wait = int(refused.headers["retry-after"])
    assert 50 <= wait <= 60
    assert walkme.token().status_code == 200
    walkme.sandbox.advance(wait)
    assert walkme.create("b").status_code == 201
    walkme.sandbox.settings(rate_limit=None)
    assert [walkme.list().status_code for _ in range(5)] == [200] * 5

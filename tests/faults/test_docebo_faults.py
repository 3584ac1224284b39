"""Faults of Docebo: requests that exist in one form only, background jobs, failures within a success."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import Conflict, NotFound, RejectedRequest, UnexpectedReply, VendorUnavailable
from tests.faults.docebo_scene import DoceboScene
from tests.faults.scene import NAME

pytestmark = pytest.mark.parametrize("scene", [DoceboScene], indirect=True, ids=["Docebo"])

ADD, REMOVE = "docebo.add_members", "docebo.remove_members"


def answer(scene, endpoint, body, **parameters):
    scene.sandbox.fault(endpoint, "status", status=200, body=body, times=None, **parameters)


@pytest.mark.parametrize("status", [404, 405])
@pytest.mark.parametrize(("form", "calls"), [("assign_users", "A"), ("put_users", "AA"), ("post_users", "AAA")])
def test_the_form_of_the_add_request_is_found_once(scene, new_hook, form, calls, status):
    """After a 404, the group is read once, because the 404 may be that of the group."""
    group = scene.put("ab")
    scene.sandbox.settings(add_forms=[form], missing_route_status=status)
    new_hook().add_users(scene.people("123"), group_id=group)
    asked = calls[:1] + ("G" if status == 404 and len(calls) > 1 else "") + calls[1:]
    assert scene.trace() == "T" + asked + "A"
    new_hook().add_users(scene.people("45"), group_id=group)
    assert scene.trace() == "T" + asked + "A" + "A"
    assert scene.members() == ["12345ab"]


def test_another_form_of_the_add_request_is_found_when_the_known_one_disappears(scene, new_hook):
    group = scene.put("ab")
    new_hook().add_users(scene.people("12"), group_id=group)
    scene.sandbox.settings(add_forms=["post_users"])
    new_hook().add_users(scene.people("345"), group_id=group)
    assert scene.members() == ["12345ab"]


def test_a_deleted_group_is_not_taken_for_a_missing_form_of_the_add_request(scene, new_hook):
    group = scene.put("ab")
    scene.sandbox.delete_group(group)
    with pytest.raises(NotFound) as caught:
        new_hook().add_users(scene.people("12"), group_id=group)
    assert scene.trace() == "TAG"
    assert "forms" not in str(caught.value)


@pytest.mark.parametrize("spelling", ["singular", "plural"])
@pytest.mark.parametrize("status", [404, 405])
def test_the_path_for_creations_is_found_by_the_first_creation(scene, new_hook, spelling, status):
    scene.sandbox.settings(create_paths=spelling, missing_route_status=status)
    new_hook().create_group(NAME, scene.people("12345"))
    assert scene.trace() == ("TLCAAA" if spelling == "singular" else "TLCCAAA")
    assert scene.members() == ["12345"]


def test_a_creation_at_the_second_path_whose_response_is_lost_creates_one_group(scene, new_hook):
    scene.sandbox.settings(create_paths="plural")
    scene.sandbox.fault("docebo.create_group", "lost", skip=1)
    new_hook().create_group(NAME, scene.people("12345"))
    assert scene.members() == ["12345"]


@pytest.mark.parametrize("kind", ["lost", "reset_mid_body"])
def test_a_creation_whose_response_is_lost_while_the_list_lags_creates_one_group(scene, new_hook, kind):
    scene.sandbox.settings(list_lag=600)
    scene.sandbox.fault("docebo.create_group", kind)
    with pytest.raises(VendorUnavailable, match="Run the task again: it looks first") as caught:
        new_hook().create_group(NAME, scene.people("12345"))
    assert caught.value.maybe_done
    assert scene.trace() == "TLCL"
    scene.sandbox.advance(600)
    assert new_hook().create_group(NAME, scene.people("12345")).outcome == "reused"
    assert scene.members() == ["12345"]


def test_a_404_of_the_token_after_a_lost_response_to_a_deletion_is_an_error(scene, new_hook):
    """A 404 of the token endpoint says nothing about the group, whatever was sent before."""
    group = scene.put("ab")
    scene.sandbox.fault("docebo.delete_group", "status", status=500)
    scene.sandbox.fault("docebo.delete_group", "status", status=401)
    scene.sandbox.fault("docebo.get_token", "status", status=404, skip=1, times=None)
    with pytest.raises(NotFound, match="'faults'"):
        new_hook().delete_group(group_id=group)
    assert scene.trace() == "TDDT"
    assert scene.members() == ["ab"]


@pytest.mark.parametrize("if_missing", ["skip", "fail"])
def test_an_old_id_without_a_group_is_missing_but_a_404_of_the_token_is_an_error(scene, new_hook, if_missing):
    hook = new_hook()
    if if_missing == "skip":
        assert hook.delete_group(group_id=99_999).outcome == "missing"
    else:
        with pytest.raises(NotFound, match="if_missing"):
            hook.delete_group(group_id=99_999, if_missing="fail")
    scene.sandbox.reset()
    scene.sandbox.fault("docebo.get_token", "status", status=404, times=None)
    with pytest.raises(NotFound, match="'faults'"):
        new_hook().delete_group(group_id=99_999, if_missing=if_missing)


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}])
def test_an_old_id_without_a_group_is_missing_after_a_failed_conversion(scene, new_hook, fault):
    scene.sandbox.fault("docebo.get_new_id", "status", **fault)
    assert new_hook().delete_group(group_id=99_999).outcome == "missing"


def test_a_change_in_the_background_is_reported(scene, new_hook):
    group = scene.put("ab")
    scene.sandbox.settings(background_threshold=1)
    change = new_hook().add_users(scene.people("12345"), group_id=group)
    assert change.background_job
    assert scene.members() == ["5ab"]
    scene.sandbox.advance(61)
    assert scene.members() == ["12345ab"]
    assert new_hook().remove_users(scene.people("12345"), group_id=group).background_job


@pytest.mark.parametrize(
    "data",
    [
        {"success": False},
        {"success": "false"},
        {"success": None},
        {"success": 0, "background_job": True},
        [{"row_index": 0, "success": True}, {"row_index": 1, "success": False, "message": "no such user"}],
    ],
)
@pytest.mark.parametrize("endpoint", [ADD, REMOVE])
def test_a_failure_with_status_200_is_an_error(scene, new_hook, endpoint, data):
    group, hook = scene.put("ab"), new_hook()
    change = hook.add_users if endpoint == ADD else hook.remove_users
    answer(scene, endpoint, {"data": data, "version": "1.0.0", "_links": []})
    with pytest.raises(RejectedRequest, match="'faults'") as caught:
        change(scene.people("12"), group_id=group)
    assert caught.value.maybe_done


@pytest.mark.parametrize("endpoint", [ADD, REMOVE])
def test_the_reasons_of_failed_rows_are_named_without_users(scene, new_hook, endpoint):
    group, hook, people = scene.put("ab"), new_hook(), scene.people("12")
    messages = [f"User {people[0]} is locked.", f"User {people[1]} is locked.", ["ada@example.com", "is unknown"], None]
    rows = [{"row_index": index, "success": False, "message": message} for index, message in enumerate(messages)]
    answer(scene, endpoint, {"data": rows})
    change = hook.add_users if endpoint == ADD else hook.remove_users
    with pytest.raises(RejectedRequest, match="4 of 4 parts") as caught:
        change(people, group_id=group)
    told = str(caught.value)
    assert told.count("User [user id] is locked") == 1
    assert "is unknown" in told
    assert "ada@" not in told
    assert scene.users_in(told) == []


@pytest.mark.parametrize("body", [{"data": "ok"}, {"data": [7]}, {"data": 7}, [], {}, "ok"])
def test_a_response_to_an_addition_without_a_result_is_an_error(scene, new_hook, body):
    group = scene.put("ab")
    answer(scene, ADD, body)
    with pytest.raises(UnexpectedReply) as caught:
        new_hook().add_users(scene.people("12"), group_id=group)
    assert caught.value.maybe_done


def test_two_groups_of_one_name_are_refused(scene, new_hook):
    scene.put("ab")
    scene.put("ab")
    with pytest.raises(Conflict, match="has 2 groups"):
        new_hook().create_group(NAME, scene.people("12345"))
    assert scene.members() == ["ab", "ab"]


def test_a_change_that_conflicts_with_another_one_is_repeated_and_then_names_the_remedy(scene, new_hook):
    group = scene.put("ab")
    scene.sandbox.fault(ADD, "status", status=409)
    new_hook().add_users(scene.people("12"), group_id=group)
    assert scene.trace() == "TAA"
    scene.sandbox.fault(ADD, "status", status=409, times=None)
    with pytest.raises(VendorUnavailable, match="one Airflow pool with one slot"):
        new_hook().add_users(scene.people("12"), group_id=group)
    assert scene.trace() == "TAA" + "AAA"

"""Faults of Zendesk: warnings in a header, too many jobs, users whom a response does not show."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import RateLimited, RejectedRequest, UnexpectedReply
from airflow_segments_provider.vendors.zendesk import jobs as zendesk_jobs
from tests.faults.scene import NAME
from tests.faults.zendesk_scene import ZendeskScene

pytestmark = pytest.mark.parametrize("scene", [ZendeskScene], indirect=True, ids=["Zendesk"])

UPDATE = "zendesk.update_segment"
TOO_MANY = {"error": "TooManyJobs", "description": "Too many jobs are queued or running", "current_job_ids": []}


def segment_of(scene, number, **fields):
    return {
        "user_segment": {
            "id": number,
            "name": NAME,
            "user_type": "signed_in_users",
            "built_in": False,
            "tags": [],
            **fields,
        }
    }


@pytest.mark.parametrize("strict", [True, False])
def test_a_dropped_field_is_an_error_or_a_warning_without_users(scene, new_hook, strict, caplog):
    segment = scene.put("ab")
    body = segment_of(scene, segment, added_user_ids=scene.people("ab12345"))
    headers = {"x-zendesk-api-warn": f'{{"unpermitted_keys": ["added_ids"]}} for {scene.ids["1"]}'}
    scene.sandbox.fault(UPDATE, "status", status=200, body=body, headers=headers)
    hook = new_hook(warnings_are_errors=strict)
    if strict:
        with pytest.raises(UnexpectedReply, match=r"added_ids.*'faults'") as caught:
            hook.add_users(scene.people("12345"), user_segment_id=segment)
        assert caught.value.maybe_done
        assert scene.users_in(str(caught.value)) == []
    else:
        hook.add_users(scene.people("12345"), user_segment_id=segment)
        assert "added_ids" in caplog.text
        told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
        assert scene.users_in("".join(told)) == []


@pytest.mark.parametrize("who", ["ab", "ab1234", ""])
def test_a_response_that_lacks_added_users_is_an_error(scene, new_hook, who):
    segment = scene.put("ab")
    body = segment_of(scene, segment, added_user_ids=scene.people(who))
    scene.sandbox.fault(UPDATE, "status", status=200, body=body)
    with pytest.raises(UnexpectedReply, match="lacks") as caught:
        new_hook().add_users(scene.people("12345"), user_segment_id=segment)
    assert caught.value.maybe_done
    assert scene.users_in(str(caught.value)) == []


def test_a_response_that_still_has_removed_users_is_an_error(scene, new_hook):
    segment = scene.put("ab1")
    body = segment_of(scene, segment, added_user_ids=scene.people("ab1"))
    scene.sandbox.fault(UPDATE, "status", status=200, body=body)
    with pytest.raises(UnexpectedReply, match="still has 1"):
        new_hook().remove_users(scene.people("1"), user_segment_id=segment)


def test_a_change_is_refused_if_zendesk_does_not_show_the_users(scene, new_hook):
    """A user who is not sent again would be removed."""
    segment = scene.put("ab")
    scene.sandbox.settings(absent_fields=["added_user_ids"])
    for change in (new_hook().add_users, new_hook().remove_users):
        with pytest.raises(UnexpectedReply, match="without `added_user_ids`"):
            change(scene.people("12345"), user_segment_id=segment)
    assert scene.members() == ["ab"]


@pytest.mark.parametrize("shown", ["all", {"1": 1}, [None], ["x"], 7])
def test_an_invalid_list_of_users_is_not_taken_for_an_empty_one(scene, new_hook, shown):
    segment = scene.put("ab")
    scene.sandbox.fault(
        "zendesk.get_segment", "status", status=200, body=segment_of(scene, segment, added_user_ids=shown), times=None
    )
    with pytest.raises(UnexpectedReply):
        new_hook().add_users(scene.people("12345"), user_segment_id=segment)
    assert scene.members() == ["ab"]


def test_a_change_without_effect_writes_nothing(scene, new_hook):
    segment = scene.put("ab12345")
    new_hook().add_users(scene.people("12345"), user_segment_id=segment)
    assert scene.trace() == "TG"
    new_hook().create_user_segment(NAME, scene.people("12345"))
    assert scene.trace() == "TG" + "L"


def test_a_job_waits_for_a_free_place(scene, new_hook, monkeypatch):
    monkeypatch.setattr(zendesk_jobs, "INTERVAL", 0.01)
    scene.sandbox.fault("zendesk.update_users", "status", status=429, body=TOO_MANY, times=4)
    update = new_hook().update_users(scene.people("12345"), {"tags": ["fault-tag"]})
    assert scene.trace() == "TBBBBB"
    assert len(update.jobs) == 1


def test_a_job_waits_for_a_free_place_as_long_as_the_connection_allows(scene, new_hook, monkeypatch):
    monkeypatch.setattr(zendesk_jobs, "INTERVAL", 0.01)
    scene.sandbox.fault("zendesk.update_users", "status", status=429, body=TOO_MANY, times=None)
    retry = {"max_attempts": 2, "base_delay": 0.01, "max_delay": 0.02, "max_total": 0.5, "retry_after_cap": 2}
    with pytest.raises(RateLimited, match="0 jobs were begun"):
        new_hook(retry=retry).update_users(scene.people("12345"), {"tags": ["fault-tag"]})


def test_failed_users_of_a_job_are_counted_by_reason(scene, new_hook):
    people = scene.people("12345")
    scene.sandbox.settings(failing_user_ids=people[:2])
    update = new_hook().update_users(people, {"tags": ["fault-tag"]})
    scene.sandbox.advance(60)
    (job,) = new_hook().get_job_statuses([update.jobs[0].job_id])
    assert job.finished
    assert sum(job.failed.values()) == 2
    assert scene.users_in(job.model_dump_json()) == []


def test_the_error_for_a_rejected_rule_names_its_field(scene, new_hook):
    body = {"errors": {"user_type": ["value is invalid; must be either staff or signed_in_users"]}}
    scene.sandbox.fault("zendesk.create_segment", "status", status=400, body=body)
    with pytest.raises(RejectedRequest, match=r"user_type.*must be either"):
        new_hook().create_user_segment(NAME)

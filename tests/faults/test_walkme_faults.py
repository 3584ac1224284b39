"""Faults of WalkMe: a segment that never existed, a token that expires, a failure half way, a list that lags."""

from __future__ import annotations

import pytest

from airflow_segments_provider import errors
from tests.faults.scene import NAME
from tests.faults.walkme_scene import WalkMeScene

pytestmark = pytest.mark.parametrize("scene", [WalkMeScene], indirect=True, ids=["WalkMe"])


def test_a_segment_that_never_existed_is_reported_as_missing_and_not_as_deleted(scene, new_hook):
    """A 404 after a 429 is not a deletion by an earlier try; after a lost response it may be one."""
    sandbox = scene.sandbox
    gone = sandbox.create_segment(NAME)
    sandbox.delete_segment(gone)
    sandbox.fault("walkme.delete", "status", status=429)
    assert new_hook().delete_segment(segment_guid=gone).outcome == "missing"
    sandbox.fault("walkme.delete", "status", status=429)
    with pytest.raises(errors.NotFound, match="if_missing"):
        new_hook().delete_segment(segment_guid=gone, if_missing="fail")

    sandbox.fault("walkme.delete", "lost")
    guid = sandbox.create_segment(NAME)
    assert new_hook().delete_segment(segment_guid=guid, if_missing="fail").outcome == "deleted"


def test_a_token_that_expires_during_a_run_is_renewed(scene, new_hook):
    hook = new_hook()
    guid = scene.put("ab")
    hook.add_users(scene.people("12345"), segment_guid=guid)
    scene.sandbox.expire_tokens()
    hook.add_users(scene.people("12345"), segment_guid=guid)
    assert scene.trace() == "TAAA" + "ATAAA"


def test_the_error_of_an_update_counts_the_requests_that_were_sent_before(scene, new_hook):
    """The error says how many requests and users were sent."""
    guid = scene.put("ab")
    scene.sandbox.fault("walkme.update", "status", status=403, skip=1)
    with pytest.raises(errors.PermissionDenied, match=r"1 of 3 requests \(2 of 5 user ids\)"):
        new_hook().add_users(scene.people("12345"), segment_guid=guid)


def test_a_list_that_lags_behind_a_lost_create_causes_no_second_segment(scene, new_hook):
    """The external ID makes WalkMe refuse the repeat; once the list has caught up, the next try finds the segment."""
    people = scene.people("12345")
    scene.sandbox.settings(list_lag=60)
    scene.sandbox.fault("walkme.create", "lost")
    with pytest.raises(errors.UnexpectedReply, match="is in use") as caught:
        new_hook().create_segment(NAME, people)
    assert scene.trace() == "TLCLCLLL"
    assert caught.value.status == 409
    scene.sandbox.advance(61)
    new_hook().create_segment(NAME, people)
    assert scene.members() == ["12345"]

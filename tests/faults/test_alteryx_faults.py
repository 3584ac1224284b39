"""Alteryx Server's own faults: a failure in a success, an answer that says too little, a name taken meanwhile."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import RejectedRequest, SegmentsError, UnexpectedReply
from airflow_segments_provider.http.transport import Transport
from tests.faults.alteryx_scene import AlteryxScene
from tests.faults.scene import NAME

pytestmark = pytest.mark.parametrize("scene", [AlteryxScene], indirect=True, ids=["Alteryx Server"])

ADD, GET = "alteryx.add_users", "alteryx.get_group"


def answer(scene, endpoint, **body):
    scene.sandbox.fault(endpoint, "status", status=200, body=body, times=None)


def test_a_failure_in_a_success_fails_after_the_others_were_added(scene, new_hook):
    group, people = scene.put("ab"), scene.people("12345")
    scene.sandbox.delete_user(people[2])
    with pytest.raises(RejectedRequest, match="refused to add 1 of 5 users") as caught:
        new_hook().add_users(people, user_group_id=group)
    assert scene.trace() == "TAAAG"
    assert scene.members() == ["1245ab"]
    assert scene.people_in(str(caught.value)) == []


def test_people_who_are_neither_added_nor_refused_are_looked_for(scene, new_hook):
    """The server may say nothing of those whom it does not know, as of those who are members already."""
    group, people = scene.put("ab12345"), scene.people("12345")
    scene.sandbox.settings(existing_member="silent")
    assert new_hook().add_users(people, user_group_id=group).users_refused == {}

    scene.sandbox.remove_members(group, people[3:])
    answer(scene, ADD, successfullyAddedUserCount=0, totalUsersSubmittedCount=2)
    with pytest.raises(SegmentsError, match="2 of 5"):
        new_hook().add_users(people, user_group_id=group)


@pytest.mark.parametrize("counted", [-1, True, "2", 2.0, None, [2]])
def test_a_count_that_is_none_is_no_success(scene, new_hook, counted):
    group = scene.put("ab")
    answer(scene, ADD, successfullyAddedUserCount=counted, totalUsersSubmittedCount=2)
    with pytest.raises(UnexpectedReply) as caught:
        new_hook().add_users(scene.people("12"), user_group_id=group)
    assert caught.value.maybe_done


@pytest.mark.parametrize("reasons", [["no"], "no", 7])
def test_reasons_of_another_form_are_no_success(scene, new_hook, reasons):
    group = scene.put("ab")
    answer(scene, ADD, successfullyAddedUserCount=2, totalUsersSubmittedCount=2, failedUserReasons=reasons)
    with pytest.raises(UnexpectedReply):
        new_hook().add_users(scene.people("12"), user_group_id=group)


def test_a_reason_may_name_others_of_the_request(scene, new_hook):
    group, (one, two) = scene.put("ab"), scene.people("12")
    reasons = {one: f"{one} was replaced by {two} (ada@example.com)"}
    answer(scene, ADD, successfullyAddedUserCount=1, totalUsersSubmittedCount=2, failedUserReasons=reasons)
    change = new_hook().add_users([one, two], user_group_id=group, on_refused="skip")
    assert sum(change.users_refused.values()) == 1
    assert scene.people_in(change.model_dump_json()) == []
    assert "ada@" not in change.model_dump_json()


def test_a_result_has_few_reasons_however_many_people_were_refused(scene, new_hook):
    """A reason may be another one for each person, and a million of them would go into the XCom."""
    group = scene.put("")
    people = [f"{number:024x}" for number in range(300)]
    reasons = {person: f"refused at 12:00:{number}" for number, person in enumerate(people)}
    answer(scene, ADD, successfullyAddedUserCount=0, totalUsersSubmittedCount=300, failedUserReasons=reasons)
    change = new_hook(users_per_request=1000).add_users(people, user_group_id=group, on_refused="skip")
    assert sum(change.users_refused.values()) == 300
    assert len(change.users_refused) <= 50


@pytest.mark.parametrize("members", ["all", {"userId": "x"}, 7, [7], [{"userId": None}]])
def test_members_of_another_form_are_not_taken_for_nobody(scene, new_hook, members):
    """With ``if_exists="update"`` whoever is in and not wanted must go: they cannot be told here."""
    group = scene.put("ab")
    answer(scene, GET, id=group, name=NAME, role="Evaluated", dateAdded="2026-01-01T00:00:00Z", members=members)
    with pytest.raises(UnexpectedReply):
        new_hook().create_user_group(NAME, scene.people("12"), if_exists="update")


def test_a_removal_that_did_nothing_is_no_success(scene, new_hook):
    """The answer to a removal shows the group: who is still in it was not removed."""
    group = scene.put("ab")
    still = [{"userId": person} for person in scene.people("ab")]
    body = {"id": group, "name": NAME, "role": "Evaluated", "dateAdded": "2026-01-01T00:00:00Z", "members": still}
    scene.sandbox.fault("alteryx.remove_user", "status", status=200, body=body, times=None)
    with pytest.raises(SegmentsError):
        new_hook().remove_users(scene.people("a"), user_group_id=group)


def test_a_name_that_somebody_else_takes_meanwhile_is_used(scene, new_hook, monkeypatch):
    """Two tasks look, and both find nothing; the server refuses the second group with 400."""
    send = Transport.send

    def late(self, call, url, **request):
        if call.method == "POST" and call.path.endswith("/v3/usergroups"):
            scene.sandbox.create_group(NAME)
        return send(self, call, url, **request)

    monkeypatch.setattr(Transport, "send", late)
    assert new_hook().create_user_group(NAME, scene.people("12345")).outcome == "reused"
    assert scene.members() == ["12345"]

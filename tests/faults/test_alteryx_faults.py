"""Faults of Alteryx Server: a failure within a success, an incomplete response, a name that another client takes."""

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


def test_a_failure_within_a_successful_addition_is_an_error_after_the_others_were_added(scene, new_hook):
    group, people = scene.put("ab"), scene.people("12345")
    scene.sandbox.delete_user(people[2])
    with pytest.raises(RejectedRequest, match="refused to add 1 of 5 users") as caught:
        new_hook().add_users(people, user_group_id=group)
    assert scene.trace() == "TAAAG"
    assert scene.members() == ["1245ab"]
    assert scene.users_in(str(caught.value)) == []


def test_users_who_are_neither_added_nor_rejected_are_looked_for_in_the_group(scene, new_hook):
    """The server may report neither users whom it does not know nor users who are members already."""
    group, people = scene.put("ab12345"), scene.people("12345")
    scene.sandbox.settings(existing_member="silent")
    assert new_hook().add_users(people, user_group_id=group).users_refused == {}

    scene.sandbox.remove_members(group, people[3:])
    answer(scene, ADD, successfullyAddedUserCount=0, totalUsersSubmittedCount=2)
    with pytest.raises(SegmentsError, match="2 of 5"):
        new_hook().add_users(people, user_group_id=group)


@pytest.mark.parametrize("counted", [-1, True, "2", 2.0, None, [2]])
def test_an_invalid_count_of_added_users_is_an_error(scene, new_hook, counted):
    group = scene.put("ab")
    answer(scene, ADD, successfullyAddedUserCount=counted, totalUsersSubmittedCount=2)
    with pytest.raises(UnexpectedReply) as caught:
        new_hook().add_users(scene.people("12"), user_group_id=group)
    assert caught.value.maybe_done


@pytest.mark.parametrize("reasons", [["no"], "no", 7])
def test_invalid_reasons_of_failed_users_are_an_error(scene, new_hook, reasons):
    group = scene.put("ab")
    answer(scene, ADD, successfullyAddedUserCount=2, totalUsersSubmittedCount=2, failedUserReasons=reasons)
    with pytest.raises(UnexpectedReply):
        new_hook().add_users(scene.people("12"), user_group_id=group)


def test_a_reason_that_names_other_users_of_the_request_is_cleaned(scene, new_hook):
    group, (one, two) = scene.put("ab"), scene.people("12")
    reasons = {one: f"{one} was replaced by {two} (ada@example.com)"}
    answer(scene, ADD, successfullyAddedUserCount=1, totalUsersSubmittedCount=2, failedUserReasons=reasons)
    change = new_hook().add_users([one, two], user_group_id=group, on_refused="skip")
    assert sum(change.users_refused.values()) == 1
    assert scene.users_in(change.model_dump_json()) == []
    assert "ada@" not in change.model_dump_json()


def test_the_result_of_an_addition_has_few_reasons_however_many_users_were_rejected(scene, new_hook):
    """Each user may have another reason, and a million reasons would go into the XCom."""
    group = scene.put("")
    people = [f"{number:024x}" for number in range(300)]
    reasons = {person: f"refused at 12:00:{number}" for number, person in enumerate(people)}
    answer(scene, ADD, successfullyAddedUserCount=0, totalUsersSubmittedCount=300, failedUserReasons=reasons)
    change = new_hook(users_per_request=1000).add_users(people, user_group_id=group, on_refused="skip")
    assert sum(change.users_refused.values()) == 300
    assert len(change.users_refused) <= 50


@pytest.mark.parametrize("members", ["all", {"userId": "x"}, 7, [7], [{"userId": None}]])
def test_an_invalid_list_of_members_is_not_taken_for_an_empty_one(scene, new_hook, members):
    """With ``if_exists="update"``, other members are removed, so the list of members must be valid."""
    group = scene.put("ab")
    answer(scene, GET, id=group, name=NAME, role="Evaluated", dateAdded="2026-01-01T00:00:00Z", members=members)
    with pytest.raises(UnexpectedReply):
        new_hook().create_user_group(NAME, scene.people("12"), if_exists="update")


def test_a_removal_whose_response_still_shows_the_user_is_an_error(scene, new_hook):
    """The response to a removal shows the group: a user who is still in it was not removed."""
    group = scene.put("ab")
    still = [{"userId": person} for person in scene.people("ab")]
    body = {"id": group, "name": NAME, "role": "Evaluated", "dateAdded": "2026-01-01T00:00:00Z", "members": still}
    scene.sandbox.fault("alteryx.remove_user", "status", status=200, body=body, times=None)
    with pytest.raises(SegmentsError):
        new_hook().remove_users(scene.people("a"), user_group_id=group)


def test_a_group_of_the_name_that_another_client_created_meanwhile_is_reused(scene, new_hook, monkeypatch):
    """Two tasks find no group; the server refuses the second creation with 400."""
    send = Transport.send

    def late(self, call, url, **request):
        if call.method == "POST" and call.path.endswith("/v3/usergroups"):
            scene.sandbox.create_group(NAME)
        return send(self, call, url, **request)

    monkeypatch.setattr(Transport, "send", late)
    assert new_hook().create_user_group(NAME, scene.people("12345")).outcome == "reused"
    assert scene.members() == ["12345"]

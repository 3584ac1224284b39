"""Kills that only WalkMe has: a GUID that must be looked up, a segment that is emptied, and many users."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_segments_provider.errors import InvalidInput
from tests.faults.crash import killed, run_again_after_each_kill
from tests.faults.scene import NAME, Operation
from tests.faults.walkme_scene import WalkMeScene

CREATE = WalkMeScene.operations["create"]
CROWD = [f"person-{number:05}" for number in range(60_000)]

pytestmark = pytest.mark.parametrize("scene", [WalkMeScene], indirect=True, ids=["WalkMe"])


@pytest.mark.parametrize("guid_in", ["location", "external_id_only", "none"])
def test_a_killed_create_whose_guid_must_be_looked_up_is_continued(scene, new_hook, guid_in):
    healthy = "TLCAA" if guid_in == "location" else "TLCLAA"

    def put(scene: WalkMeScene, members: str) -> str:
        scene.sandbox.settings(create_reply=guid_in)
        return scene.nothing()

    run_again_after_each_kill(scene, replace(CREATE, healthy=healthy, put=put), new_hook)


def test_a_killed_delete_that_empties_the_segment_is_completed(scene, new_hook):
    def put(scene: WalkMeScene, members: str) -> str:
        scene.sandbox.settings(delete_supported="route_404")
        return scene.put(members)

    delete: Operation = WalkMeScene.crashes["delete by name"]
    run_again_after_each_kill(scene, replace(delete, healthy="TLDLO", put=put, wanted=""), new_hook)


def test_an_override_of_more_than_one_request_is_refused(scene, new_hook):
    """Each request of an override replaces all members: of several, only the last one's users would be left."""
    scene.put("ab")
    people = scene.people("12345")
    for run in (
        lambda hook: hook.update_segment("override", people, name=NAME),
        lambda hook: hook.create_segment(NAME, people, if_exists="update"),
    ):
        with pytest.raises(InvalidInput, match="override"):
            run(new_hook())
    assert scene.members() == ["ab"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("at", [3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_a_create_of_sixty_thousand_users_that_is_killed_is_continued(scene, new_hook, at, when):
    """With the real limit of 25,000 users a request: TLCAA."""

    def run():
        return new_hook(users_per_request=25_000).create_segment(NAME, CROWD)

    assert killed(run, at, when)
    assert scene.trace() == "TLCAA"[: at if when == "after" else at - 1]
    assert run().users_sent == 60_000
    assert [set(members) for members in scene.shown()] == [set(CROWD)]

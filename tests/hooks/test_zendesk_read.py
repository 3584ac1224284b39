"""Zendesk user segments by the hook: one segment, lists, and what they are applied to."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
)
from tests import connections
from tests.hooks.test_zendesk import BRUNO, FARAH, HANA, NAME, NOBODY, SIGNED_IN, STAFF, counts

connect = connections.zendesk


@pytest.fixture
def hook(connect):
    return connect()


class TestRead:
    def test_a_segment_is_read_by_id_result_or_name_and_shows_no_user(self, hook, zendesk_sandbox):
        made = hook.create_user_segment(NAME, [FARAH, HANA], tags=["vip"])
        segment = hook.get_user_segment(user_segment_id=str(made.user_segment_id))
        for key in ({"user_segment": made}, {"user_segment": made.model_dump(mode="json")}, {"name": NAME}):
            assert hook.get_user_segment(**key) == segment
            assert (segment.user_segment_id, segment.tags) == (made.user_segment_id, ["vip"])
            assert segment.added_user_ids == {FARAH, HANA}
        assert hook.find_user_segment(NAME) == segment
        assert hook.find_user_segment("No such") is None
        assert hook.find_user_segment("Signed-in users") is None
        assert segment.model_dump()["added_users"] == 2
        for shown in (repr(segment), segment.model_dump_json()):
            assert str(FARAH) not in shown

    @pytest.mark.parametrize("key", [{"name": "No such"}, {"user_segment_id": 5}])
    def test_a_segment_that_does_not_exist_is_an_error_that_names_the_connection(self, hook, key):
        with pytest.raises(NotFound, match="zendesk_help_center_default"):
            hook.get_user_segment(**key)

    def test_reading_by_name_takes_a_list_and_reading_by_id_one_request(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        hook.get_user_segment(name=NAME)
        hook.get_user_segment(user_segment_id=made)
        assert counts(zendesk_sandbox) == {"list_segments": 1, "get_segment": 1}

    @pytest.mark.parametrize("bad", [None, 0, -1, True, 1.5, "a/b", "..", "%2e", "?x", "٣", "1_0", "1" * 20, [7]])
    def test_an_id_that_is_not_a_whole_number_is_refused(self, hook, zendesk_sandbox, bad):
        with pytest.raises(InvalidInput):
            hook.get_user_segment(user_segment_id=bad)
        with pytest.raises(InvalidInput):
            hook.apply_user_segment(article_id=bad, clear=True)
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize(("built_in", "found"), [(None, 3), (True, 2), (False, 1)])
    def test_segments_are_listed_by_whether_they_are_built_in(self, hook, zendesk_sandbox, built_in, found):
        zendesk_sandbox.create_segment(NAME)
        listed = hook.get_user_segments(built_in=built_in)
        assert (len(listed.segments), listed.shared_only) == (found, False)
        assert hook.get_user_segments(built_in=built_in, applicable=True) == listed
        assert counts(zendesk_sandbox) == {"list_segments": 1, "list_applicable_segments": 1}

    @pytest.mark.parametrize(("plan", "found"), [("team", {SIGNED_IN}), ("growth", {SIGNED_IN, STAFF})])
    def test_applicable_segments_are_those_of_the_plan(self, hook, zendesk_sandbox, plan, found):
        zendesk_sandbox.settings(plan=plan)
        listed = hook.get_user_segments(applicable=True)
        assert {one.user_segment_id for one in listed.segments} == found

    def test_the_lists_by_plan_and_by_user_cannot_be_combined(self, hook, zendesk_sandbox):
        with pytest.raises(InvalidInput, match="`applicable` and `user_id`"):
            hook.get_user_segments(applicable=True, user_id=FARAH)
        assert zendesk_sandbox.counts() == {}

    def test_a_manager_lists_all_segments_of_a_user(self, hook, zendesk_sandbox):
        mine = zendesk_sandbox.create_segment(NAME, added_user_ids=[FARAH])
        zendesk_sandbox.create_segment("Others", tags=["none has it"])
        listed = hook.get_user_segments(user_id=FARAH)
        assert {one.user_segment_id for one in listed.segments} == {SIGNED_IN, mine}
        assert not listed.shared_only
        assert counts(zendesk_sandbox) == {"list_user_segments": 1, "get_me": 1, "get_segment": 1}

    def test_an_agent_lists_only_the_shared_segments_of_another_user(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(client_user="bruno.lindqvist@example.com")
        zendesk_sandbox.create_segment(NAME, tags=["none has it"], added_user_ids=[FARAH])
        listed = hook.get_user_segments(user_id=FARAH)
        assert {one.user_segment_id for one in listed.segments} == {SIGNED_IN}
        assert listed.shared_only
        assert not hook.get_user_segments(user_id=BRUNO).shared_only
        assert hook.get_user_segments(user_id=FARAH, built_in=False).shared_only
        assert counts(zendesk_sandbox) == {"list_user_segments": 3, "get_me": 3, "get_segment": 1}

    def test_a_token_for_the_help_center_only_lists_the_segments_of_a_user(self, connect, zendesk_sandbox):
        listed = connect(scope="hc:read hc:write").get_user_segments(user_id=FARAH)
        assert len(listed.segments) == 1
        assert not listed.shared_only

    def test_the_error_for_an_unknown_user_does_not_contain_the_id(self, hook):
        with pytest.raises(NotFound) as caught:
            hook.get_user_segments(user_id=NOBODY)
        assert "{user}" in str(caught.value)
        assert str(NOBODY) not in str(caught.value)

    @pytest.mark.parametrize("agents_may_list", [True, False])
    def test_an_agent_who_may_not_list_segments_gets_an_error_that_names_the_role(
        self, hook, zendesk_sandbox, agents_may_list
    ):
        zendesk_sandbox.settings(client_user="bruno.lindqvist@example.com", agents_may_list=agents_may_list)
        if agents_may_list:
            assert len(hook.get_user_segments().segments) == 2
            return
        with pytest.raises(PermissionDenied, match="Help Center manager"):
            hook.get_user_segments()

    def test_topics_and_sections_of_a_segment_are_listed(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.restrict_topic("Ideas", [made])
        zendesk_sandbox.restrict_section("Announcements", [made])
        (topic,), (section,) = list(hook.get_topics(name=NAME)), list(hook.get_sections(user_segment_id=made))
        assert (topic.name, topic.user_segment_id, section.name) == ("Ideas", made, "Announcements")
        assert topic.model_dump()["follower_count"] == 0
        assert section.model_dump()["locale"] == "en-us"
        assert list(hook.get_sections(user_segment_id=SIGNED_IN)) == []
        with pytest.raises(NotFound):
            list(hook.get_topics(user_segment_id=5))

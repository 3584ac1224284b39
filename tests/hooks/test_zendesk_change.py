"""Zendesk user segments by the hook: changed, deleted, applied."""

from __future__ import annotations

import json

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    UnexpectedReply,
)
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.vendors.zendesk.api import ZendeskApi
from tests import connections
from tests.hooks.test_zendesk import FARAH, NAME, SIGNED_IN, STAFF, counts

connect = connections.zendesk


@pytest.fixture
def hook(connect):
    return connect()


class TestUpdate:
    def test_an_update_keeps_fields_that_are_not_set_and_an_empty_list_clears_one(self, hook, zendesk_sandbox):
        made = hook.create_user_segment(NAME, [FARAH], tags=["vip"], or_tags=["x"])
        change = hook.update_user_segment(user_segment=made, tags=[], organization_ids=[370_000_002])
        (segment,) = zendesk_sandbox.segments()
        assert (segment.name, segment.tags, segment.or_tags) == (NAME, [], ["x"])
        assert (segment.organization_ids, segment.added_user_ids) == ([370_000_002], [FARAH])
        assert (change.outcome, change.requests) == ("updated", 2)
        assert counts(zendesk_sandbox) == {
            "list_segments": 1, "create_segment": 1, "get_segment": 1, "update_segment": 1
        }  # fmt: skip

    @pytest.mark.parametrize("changeable", [True, False])
    def test_a_user_type_that_zendesk_does_not_change_is_an_error_with_its_message(
        self, hook, zendesk_sandbox, changeable
    ):
        zendesk_sandbox.settings(user_type_changeable=changeable)
        made = zendesk_sandbox.create_segment(NAME)
        if changeable:
            assert hook.update_user_segment(user_segment_id=made, user_type="staff").user_type == "staff"
            return
        with pytest.raises(RejectedRequest, match="cannot be changed"):
            hook.update_user_segment(user_segment_id=made, user_type="staff")

    def test_a_segment_is_renamed(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        assert hook.update_user_segment(name=NAME, new_name="Testers").name == "Testers"
        assert [one.name for one in zendesk_sandbox.segments()] == ["Testers"]
        assert counts(zendesk_sandbox) == {"list_segments": 1, "update_segment": 1}
        assert hook.update_user_segment(user_segment_id=made, new_name="Testers").user_segment_id == made

    def test_renaming_a_segment_again_after_a_lost_response_succeeds(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment("Testers")
        change = hook.update_user_segment(name=NAME, new_name="Testers", tags=["x"])
        assert change.user_segment_id == made
        assert zendesk_sandbox.segments()[0].tags == ["x"]

    def test_a_new_name_that_another_segment_has_is_refused(self, hook, zendesk_sandbox):
        zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.create_segment("Testers")
        with pytest.raises(Conflict, match="'Testers' already"):
            hook.update_user_segment(name=NAME, new_name="Testers")
        assert counts(zendesk_sandbox) == {"list_segments": 1}

    def test_an_update_of_a_segment_that_does_not_exist_is_an_error(self, hook):
        for key in ({"name": NAME}, {"user_segment_id": 5}):
            for change in ({"new_name": "Testers"}, {"tags": ["x"]}):
                with pytest.raises(NotFound):
                    hook.update_user_segment(**key, **change)

    def test_an_update_without_changes_is_refused(self, hook, zendesk_sandbox):
        with pytest.raises(InvalidInput, match="must be given"):
            hook.update_user_segment(name=NAME)
        with pytest.raises(InvalidInput, match="One of `user_segment`, `user_segment_id` and `name`"):
            hook.update_user_segment(tags=["x"])
        with pytest.raises(InvalidInput, match="`user_type`"):
            hook.update_user_segment(name=NAME, user_type="everybody")
        assert zendesk_sandbox.counts() == {}

    def test_an_unknown_field_of_an_update_is_refused(self, hook, zendesk_sandbox):
        with pytest.raises(InvalidInput, match="`groups_ids` is not known"):
            hook.update_user_segment(name=NAME, tags=["x"], groups_ids=[1])
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize("refusal", [400, 403, 404, 422])
    def test_a_change_of_a_built_in_segment_is_refused_after_one_read(self, hook, zendesk_sandbox, refusal):
        zendesk_sandbox.settings(built_in_refusal=refusal)
        for number, change in enumerate(
            (
                lambda: hook.update_user_segment(user_segment_id=SIGNED_IN, tags=["x"]),
                lambda: hook.add_users([FARAH], user_segment_id=SIGNED_IN),
                lambda: hook.remove_users([FARAH], user_segment_id=SIGNED_IN),
                lambda: hook.set_users([FARAH], user_segment_id=SIGNED_IN),
                lambda: hook.delete_user_segment(user_segment_id=SIGNED_IN),
            ),
            start=1,
        ):
            with pytest.raises(InvalidInput, match="built in"):
                change()
            assert counts(zendesk_sandbox) == {"get_segment": number}


class TestDelete:
    def test_a_repeated_deletion_succeeds_unless_if_missing_is_fail(self, hook, zendesk_sandbox):
        made = hook.create_user_segment(NAME)
        assert hook.delete_user_segment(user_segment=made).outcome == "deleted"
        assert zendesk_sandbox.segments() == []
        for key in ({"user_segment": made}, {"name": NAME}, {"user_segment_id": 5}):
            assert hook.delete_user_segment(**key).outcome == "missing"
            with pytest.raises(NotFound, match="if_missing"):
                hook.delete_user_segment(**key, if_missing="fail")
        assert counts(zendesk_sandbox)["delete_segment"] == 1

    @pytest.mark.parametrize("kind", ["lost", "reset_mid_body", "html"])
    def test_a_deletion_whose_response_was_lost_counts_as_deleted(self, hook, zendesk_sandbox, kind):
        made = hook.create_user_segment(NAME)
        effect = {"effect": True} if kind == "html" else {}
        zendesk_sandbox.fault("zendesk.delete_segment", kind, **effect)
        assert hook.delete_user_segment(user_segment=made, if_missing="fail").outcome == "deleted"

    def test_a_segment_that_another_client_deleted_is_reported_as_missing(self, hook, zendesk_sandbox, monkeypatch):
        made = hook.create_user_segment(NAME)
        read = ZendeskApi.segment

        def read_and_lose(self, user_segment_id):
            found = read(self, user_segment_id)
            zendesk_sandbox.delete_segment(user_segment_id)
            return found

        monkeypatch.setattr(ZendeskApi, "segment", read_and_lose)
        assert hook.delete_user_segment(user_segment=made).outcome == "missing"
        assert counts(zendesk_sandbox) == {
            "list_segments": 2, "create_segment": 1, "get_segment": 1, "delete_segment": 1
        }  # fmt: skip

    @pytest.mark.parametrize("struck", ["get_segment", "delete_segment"])
    @pytest.mark.parametrize("body", ["<h1>Not here</h1>", {"error": "RecordNotFound", "description": "Not found"}])
    def test_a_404_for_a_segment_that_is_listed_is_an_error(self, hook, zendesk_sandbox, struck, body):
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.fault(f"zendesk.{struck}", "status", status=404, body=body, times=None)
        with pytest.raises(NotFound) as caught:
            hook.delete_user_segment(user_segment_id=made)
        assert caught.value.status == 404
        assert [one.id for one in zendesk_sandbox.segments()] == [made]
        assert counts(zendesk_sandbox)["list_segments"] == 1

    def test_a_lost_response_and_then_a_404_for_a_segment_that_is_listed_is_an_error(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.fault("zendesk.delete_segment", "reset")
        zendesk_sandbox.fault("zendesk.delete_segment", "status", status=404)
        with pytest.raises(NotFound, match="was not deleted") as caught:
            hook.delete_user_segment(user_segment_id=made)
        assert caught.value.maybe_done
        assert len(zendesk_sandbox.segments()) == 1

    @pytest.mark.parametrize("key", [{"user_segment_id": 5}, {"name": NAME}])
    def test_a_404_of_a_wrong_host_is_not_taken_for_a_missing_segment(self, connect, zendesk_sandbox, monkeypatch, key):
        """A fixed token is sent to any path, so Zendesk's own 404 may come from any path."""
        token = connect().client.token().value
        connection = {**zendesk_sandbox.connection(auth="bearer", token=token), "login": None, "password": None}
        connection["host"] += "/sub"
        monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", json.dumps(connection))
        with pytest.raises(NotFound, match="host is not that of the account"):
            ZendeskHelpCenterHook().delete_user_segment(**key)

    @pytest.mark.parametrize("refusal", ["errors_base", "record_invalid", "forbidden"])
    def test_deleting_a_segment_in_use_is_a_conflict_that_names_the_places(self, hook, zendesk_sandbox, refusal):
        zendesk_sandbox.settings(in_use_refusal=refusal)
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.restrict_topic("Ideas", [made])
        zendesk_sandbox.restrict_section("Announcements", [made])
        zendesk_sandbox.restrict_article("Known problems", [SIGNED_IN, made])
        with pytest.raises(Conflict) as caught:
            hook.delete_user_segment(name=NAME)
        for part in ("section 7200001 'Announcements'", "topic 7400002 'Ideas'", "article 7300003 'Known problems'"):
            assert part in str(caught.value)
        assert [one.id for one in zendesk_sandbox.segments()] == [made]
        assert counts(zendesk_sandbox) == {
            "list_segments": 1, "delete_segment": 1, "list_segment_sections": 1, "list_segment_topics": 1,
            "list_articles": 1,
        }  # fmt: skip

    def test_a_segment_in_use_is_deleted_if_zendesk_allows_it(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(in_use_refusal="none")
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.restrict_topic("Ideas", [made])
        assert hook.delete_user_segment(name=NAME).outcome == "deleted"

    def test_a_403_for_a_deletion_that_is_not_about_its_use_names_the_role_that_is_needed(self, hook, zendesk_sandbox):
        zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.fault("zendesk.delete_segment", "status", status=403)
        with pytest.raises(PermissionDenied, match="Help Center manager"):
            hook.delete_user_segment(name=NAME)

    def test_a_conflict_for_a_segment_whose_use_was_not_found_says_so(self, hook, zendesk_sandbox):
        zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.fault("zendesk.delete_segment", "status", status=400, body={"errors": {"base": ["in use"]}})
        with pytest.raises(Conflict, match="permission groups were not looked at") as caught:
            hook.delete_user_segment(name=NAME)
        assert "in use" in str(caught.value)

    def test_a_conflict_for_a_segment_whose_use_cannot_be_read_says_so(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        zendesk_sandbox.restrict_topic("Ideas", [made])
        zendesk_sandbox.fault("zendesk.list_segment_sections", "status", status=403)
        with pytest.raises(Conflict, match="Where it is used could not be read"):
            hook.delete_user_segment(name=NAME)

    def test_articles_are_searched_for_a_segment_up_to_a_limit(self, hook, zendesk_sandbox, monkeypatch):
        monkeypatch.setattr("airflow_segments_provider.vendors.zendesk.content.MOST_PAGES", 1)
        made = zendesk_sandbox.create_segment(NAME)
        for number in range(98):
            zendesk_sandbox.create_article(f"Article {number}", [made] if number < 7 else [])
        with pytest.raises(Conflict) as caught:
            hook.delete_user_segment(name=NAME)
        assert "and 2 more" in str(caught.value)
        assert "Only the first 100 articles were looked through" in str(caught.value)
        zendesk_sandbox.restrict_article("How to begin", [])
        assert counts(zendesk_sandbox)["list_articles"] == 2


class TestApply:
    @pytest.mark.parametrize("kind", ["article", "topic"])
    def test_a_segment_is_applied_once_and_cleared_once(self, hook, zendesk_sandbox, kind):
        made = hook.create_user_segment(NAME)
        number = {"article": 7_300_002, "topic": 7_400_002}[kind]
        one = {f"{kind}_id": number}

        def truth():
            (found,) = [item for item in getattr(zendesk_sandbox, f"{kind}s")() if item.id == number]
            return found.user_segment_ids

        applied = hook.apply_user_segment(**one, user_segment=made)
        assert applied.model_dump(exclude_none=True) == {
            **one, "user_segment_id": made.user_segment_id, "changed": True
        }  # fmt: skip
        assert truth() == [made.user_segment_id]
        assert not hook.apply_user_segment(**one, name=NAME).changed
        assert counts(zendesk_sandbox)[f"update_{kind}"] == 1

        cleared = hook.apply_user_segment(**one, clear=True)
        assert (cleared.user_segment_id, cleared.changed, truth()) == (None, True, [])
        assert not hook.apply_user_segment(**one, clear=True).changed
        assert counts(zendesk_sandbox) == {
            "list_segments": 1, "create_segment": 1, "list_applicable_segments": 2, f"get_{kind}": 4,
            f"update_{kind}": 2,
        }  # fmt: skip

    @pytest.mark.parametrize("plan", ["growth", "enterprise"])
    def test_applying_a_segment_replaces_several_only_on_a_plan_with_several(self, hook, zendesk_sandbox, plan):
        zendesk_sandbox.settings(plan=plan)
        first, second = (zendesk_sandbox.create_segment(name) for name in ("One", "Two"))
        zendesk_sandbox.restrict_article(7_300_001, [first, second])
        applied = hook.apply_user_segment(article_id=7_300_001, user_segment_id=first)
        assert applied.changed == (plan == "enterprise")
        assert zendesk_sandbox.articles()[0].user_segment_ids == ([first] if applied.changed else [first, second])

    def test_a_built_in_segment_is_applied_by_its_id_and_not_by_its_name(self, hook, zendesk_sandbox):
        assert hook.apply_user_segment(topic_id=7_400_001, user_segment_id=SIGNED_IN).changed
        with pytest.raises(NotFound, match="Built-in"):
            hook.apply_user_segment(topic_id=7_400_001, name="Signed-in users")

    def test_applying_a_segment_that_the_plan_does_not_allow_is_refused_before_the_change(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(plan="team")
        zendesk_sandbox.create_segment(NAME, user_type="staff")
        for key in ({"user_segment_id": STAFF}, {"name": NAME}):
            with pytest.raises(InvalidInput, match="plan does not let it be applied"):
                hook.apply_user_segment(article_id=7_300_001, **key)
        assert counts(zendesk_sandbox) == {"list_applicable_segments": 2, "get_segment": 1, "list_segments": 1}

    def test_applying_a_segment_to_or_from_what_does_not_exist_is_an_error(self, hook, zendesk_sandbox):
        for given in (
            {"article_id": 5, "clear": True},
            {"topic_id": 5, "user_segment_id": SIGNED_IN},
            {"topic_id": 7_400_001, "user_segment_id": 5},
            {"topic_id": 7_400_001, "name": NAME},
        ):
            with pytest.raises(NotFound):
                hook.apply_user_segment(**given)
        assert not [name for name in counts(zendesk_sandbox) if name.startswith("update")]

    @pytest.mark.parametrize(
        "given",
        [
            {"user_segment_id": 1},
            {"article_id": 1, "topic_id": 1, "user_segment_id": 1},
            {"article_id": 1},
            {"article_id": 1, "user_segment_id": 1, "clear": True},
            {"article_id": 1, "name": NAME, "clear": "perhaps"},
        ],
    )
    def test_applying_needs_one_article_or_topic_and_one_segment(self, hook, zendesk_sandbox, given):
        with pytest.raises(InvalidInput):
            hook.apply_user_segment(**given)
        assert zendesk_sandbox.counts() == {}

    @pytest.mark.parametrize("wrong", [None, 5])
    def test_a_response_that_shows_another_segment_is_an_error(self, hook, zendesk_sandbox, wrong):
        body = {"article": {"id": 7_300_001, "title": "x", "user_segment_id": wrong}}
        zendesk_sandbox.fault("zendesk.update_article", "status", status=200, body=body)
        with pytest.raises(UnexpectedReply, match="where") as caught:
            hook.apply_user_segment(article_id=7_300_001, user_segment_id=SIGNED_IN)
        assert caught.value.maybe_done

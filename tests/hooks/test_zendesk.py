"""User segments of the Zendesk Help Center hook against the sandbox, over a socket."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import (
    Conflict,
    InvalidInput,
    PermissionDenied,
    RejectedRequest,
    SegmentsError,
    UnexpectedReply,
    VendorUnavailable,
)
from tests import connections

BRUNO, FARAH, HANA, ISAK = (360_000_000_000 + number for number in (2, 6, 8, 9))
SIGNED_IN, STAFF = 7_100_001, 7_100_002
NOBODY = 999_999_999_999
NAME = "Trial users"


def counts(sandbox) -> dict[str, int]:
    """Return the number of requests by endpoint, without those for tokens."""
    return {name.removeprefix("zendesk."): n for name, n in sandbox.counts().items() if name != "zendesk.create_token"}


def added(sandbox, segment: int | str = NAME) -> set[int]:
    """Return the users added to a segment, as the sandbox has them."""
    (found,) = [one for one in sandbox.segments(built_in=True) if segment in (one.id, one.name)]
    return set(found.added_user_ids)


connect = connections.zendesk


@pytest.fixture
def hook(connect):
    return connect()


class TestCreate:
    def test_a_create_takes_one_look_up_and_one_request(self, hook, zendesk_sandbox):
        change = hook.create_user_segment(
            NAME,
            [FARAH, str(HANA), f" {HANA} "],
            user_type="staff",
            tags=("vip", "vip"),
            or_tags=["a", "b"],
            organization_ids={370_000_001},
            group_ids=[380_000_001],
        )
        (segment,) = zendesk_sandbox.segments()
        assert (segment.name, segment.user_type, segment.tags, segment.or_tags) == (NAME, "staff", ["vip"], ["a", "b"])
        assert (segment.organization_ids, segment.group_ids) == ([370_000_001], [380_000_001])
        assert segment.added_user_ids == [FARAH, HANA]
        assert counts(zendesk_sandbox) == {"list_segments": 1, "create_segment": 1}
        result = change.model_dump(mode="json")
        assert result.pop("changed_at")
        assert result == {
            "user_segment_id": segment.id,
            "name": NAME,
            "user_type": "staff",
            "outcome": "created",
            "users_sent": 3,
            "users_added": 2,
            "users_removed": 0,
            "users_rejected": {},
            "users_unmatched": {},
            "unmatched_file": None,
            "requests": 2,
        }

    def test_a_repeated_create_reuses_the_segment_and_adds_only_missing_users(self, hook, zendesk_sandbox):
        first = hook.create_user_segment(NAME, [FARAH], tags=["vip"])
        second = hook.create_user_segment(NAME, [HANA], tags=["other"])
        third = hook.create_user_segment(NAME, [FARAH, HANA])
        assert {change.user_segment_id for change in (first, second, third)} == {first.user_segment_id}
        assert [change.outcome for change in (first, second, third)] == ["created", "reused", "reused"]
        assert [change.users_added for change in (first, second, third)] == [1, 1, 0]
        (segment,) = zendesk_sandbox.segments()
        assert (segment.tags, set(segment.added_user_ids)) == (["vip"], {FARAH, HANA})
        assert counts(zendesk_sandbox) == {"list_segments": 3, "create_segment": 1, "update_segment": 1}

    def test_a_create_with_if_exists_update_sets_rules_and_users(self, hook, zendesk_sandbox):
        hook.create_user_segment(NAME, [FARAH, HANA], tags=["vip"], organization_ids=[370_000_001])
        change = hook.create_user_segment(NAME, [HANA, ISAK], user_type="staff", or_tags=["x"], if_exists="update")
        (segment,) = zendesk_sandbox.segments()
        assert (segment.user_type, segment.tags, segment.or_tags) == ("staff", [], ["x"])
        assert (segment.organization_ids, set(segment.added_user_ids)) == ([], {HANA, ISAK})
        assert (change.outcome, change.users_added, change.users_removed) == ("updated", 1, 1)

    def test_a_create_with_if_exists_fail_refuses_an_existing_segment(self, hook, zendesk_sandbox):
        hook.create_user_segment(NAME)
        with pytest.raises(Conflict, match="exists"):
            hook.create_user_segment(NAME, [FARAH], if_exists="fail")
        assert added(zendesk_sandbox) == set()

    @pytest.mark.parametrize("kind", ["lost", "truncate", "reset_mid_body", "html", "empty_body", "wrong_content_type"])
    @pytest.mark.parametrize("if_exists", ["reuse", "fail"])
    def test_a_create_whose_response_is_lost_creates_one_segment(self, hook, zendesk_sandbox, kind, if_exists):
        effect = {"effect": True} if kind == "html" else {}
        zendesk_sandbox.fault("zendesk.create_segment", kind, **effect)
        change = hook.create_user_segment(NAME, [FARAH], if_exists=if_exists)
        assert change.outcome == "created"
        assert added(zendesk_sandbox) == {FARAH}
        assert counts(zendesk_sandbox) == {"list_segments": 2, "create_segment": 1}

    @pytest.mark.parametrize("body", [{}, [], {"user_segment": None}, {"user_segment": {"name": NAME}}])
    def test_a_create_whose_response_names_no_segment_looks_for_it(self, hook, zendesk_sandbox, body):
        zendesk_sandbox.fault("zendesk.create_segment", "status", status=201, body=body, effect=True)
        assert hook.create_user_segment(NAME, [FARAH]).outcome == "created"
        assert len(zendesk_sandbox.segments()) == 1

    @pytest.mark.parametrize("kind", ["reset", "html"])
    def test_a_create_whose_response_is_lost_without_a_segment_is_left_to_the_next_run(
        self, hook, zendesk_sandbox, kind
    ):
        """A create with an unknown outcome is not repeated: Zendesk accepts a second segment of the same name."""
        zendesk_sandbox.fault("zendesk.create_segment", kind)
        with pytest.raises(VendorUnavailable, match="Run the task again: it looks first") as caught:
            hook.create_user_segment(NAME, [FARAH])
        assert caught.value.maybe_done
        assert counts(zendesk_sandbox) == {"list_segments": 2, "create_segment": 1}
        assert hook.create_user_segment(NAME, [FARAH]).outcome == "created"

    def test_a_custom_segment_may_have_the_name_of_a_built_in_one(self, hook, zendesk_sandbox):
        change = hook.create_user_segment("Signed-in users", [FARAH])
        assert change.user_segment_id != SIGNED_IN
        assert added(zendesk_sandbox, change.user_segment_id) == {FARAH}

    @pytest.mark.parametrize("name", ["grüße 日本", "a/b", "..", "100%", "?x=1#y", '"quoted"', "\u202eodd", "💥"])
    def test_special_characters_of_a_segment_name_are_kept(self, hook, zendesk_sandbox, name):
        first, second = hook.create_user_segment(name), hook.create_user_segment(f" {name} ")
        assert second.user_segment_id == first.user_segment_id
        assert [segment.name for segment in zendesk_sandbox.segments()] == [name]
        assert hook.delete_user_segment(name=name).outcome == "deleted"

    def test_all_problems_are_named_in_one_message_before_the_first_request(self, hook, zendesk_sandbox):
        with pytest.raises(InvalidInput) as caught:
            hook.create_user_segment(
                "x" * 256,
                ["", "ada@example.com", "a secret person" * 30, None, 1.5, -4, 0, "0" * 19, True],
                user_type="customers",
                tags="vip",
                organization_ids=["x"],
                if_exists="perhaps",
            )
        for part in (
            "`name`",
            "`user_type`",
            "`tags`",
            "`organization_ids.0`",
            "`if_exists`",
            "2 user IDs are blank",
            "1 user ID is longer than",
            "1 user ID is a number with a fraction",
            "1 user ID is a boolean",
            "4 user IDs are not whole numbers",
        ):
            assert part in str(caught.value)
        assert "ada" not in str(caught.value)
        assert "secret" not in str(caught.value)
        assert zendesk_sandbox.counts() == {}

    def test_invalid_ids_are_skipped_and_counted_with_on_invalid_skip(self, hook, zendesk_sandbox):
        change = hook.create_user_segment(NAME, [FARAH, "ada@example.com", ""], on_invalid="skip")
        assert change.users_rejected == {"not a whole number": 1, "blank": 1}
        assert added(zendesk_sandbox) == {FARAH}

    @pytest.mark.parametrize("plan", ["team", "growth"])
    def test_a_plan_without_custom_segments_is_an_error_that_names_the_plan(self, hook, zendesk_sandbox, plan):
        zendesk_sandbox.settings(plan=plan)
        if plan == "growth":
            assert hook.create_user_segment(NAME).outcome == "created"
            return
        with pytest.raises(PermissionDenied, match="plan that has them"):
            hook.create_user_segment(NAME)

    def test_a_limit_of_zendesk_is_an_error_with_its_message(self, hook, zendesk_sandbox):
        zendesk_sandbox.settings(max_segments=2)
        with pytest.raises(RejectedRequest, match="There are 2 user segments already"):
            hook.create_user_segment(NAME)
        zendesk_sandbox.settings(max_segments=None, max_tags=None)
        hook.create_user_segment(NAME, tags=[f"tag{number}" for number in range(60)])
        assert len(zendesk_sandbox.segments()[0].tags) == 60

    @pytest.mark.parametrize("strict", [True, False])
    def test_unknown_users_are_accepted_or_rejected_by_zendesk(self, hook, zendesk_sandbox, strict):
        zendesk_sandbox.settings(strict_ids=strict)
        if not strict:
            assert hook.create_user_segment(NAME, [NOBODY]).users_added == 1
            return
        with pytest.raises(RejectedRequest, match="no record with one of these ids") as caught:
            hook.create_user_segment(NAME, [NOBODY])
        assert str(NOBODY) not in str(caught.value)

    def test_two_segments_of_one_name_are_refused_by_every_look_up_by_name(self, hook, zendesk_sandbox):
        ids = [zendesk_sandbox.create_segment(NAME) for _ in range(2)]
        for attempt in (
            lambda: hook.create_user_segment(NAME, [FARAH]),
            lambda: hook.find_user_segment(NAME),
            lambda: hook.get_user_segment(name=NAME),
            lambda: hook.update_user_segment(name=NAME, tags=["x"]),
            lambda: hook.add_users([FARAH], name=NAME),
            lambda: hook.delete_user_segment(name=NAME),
            lambda: hook.apply_user_segment(article_id=7_300_001, name=NAME),
            lambda: list(hook.get_topics(name=NAME)),
        ):
            with pytest.raises(Conflict, match="has 2 of the") as caught:
                attempt()
            assert all(str(number) in str(caught.value) for number in ids)
        assert set(counts(zendesk_sandbox)) == {"list_segments", "list_applicable_segments"}


class TestWarnings:
    HEADERS = {"x-zendesk-api-warn": '{"unpermitted_keys": ["user_segment.or_tags"]}'}

    def fault(self, sandbox, made):
        segment = {"id": made, "name": NAME, "user_type": "staff", "added_user_ids": []}
        sandbox.fault(
            "zendesk.update_segment", "status", status=200, body={"user_segment": segment}, headers=self.HEADERS
        )

    def test_a_field_that_an_update_dropped_is_an_error_with_warnings_are_errors(self, hook, zendesk_sandbox):
        made = zendesk_sandbox.create_segment(NAME)
        self.fault(zendesk_sandbox, made)
        with pytest.raises(UnexpectedReply, match=r"user_segment\.or_tags") as caught:
            hook.update_user_segment(user_segment_id=made, or_tags=["x"])
        assert caught.value.maybe_done
        assert "zendesk_help_center_default" in str(caught.value)

    def test_a_field_that_a_create_dropped_is_an_error_with_warnings_are_errors(self, hook, zendesk_sandbox):
        segment = {"id": 7, "name": NAME, "user_type": "staff", "added_user_ids": []}
        zendesk_sandbox.fault(
            "zendesk.create_segment", "status", status=201, body={"user_segment": segment}, headers=self.HEADERS,
            effect=True,
        )  # fmt: skip
        with pytest.raises(UnexpectedReply, match=r"user_segment\.or_tags"):
            hook.create_user_segment(NAME, or_tags=["x"])
        assert counts(zendesk_sandbox) == {"list_segments": 1, "create_segment": 1}

    def test_a_dropped_field_is_a_logged_warning_without_warnings_are_errors(self, connect, zendesk_sandbox, caplog):
        made = zendesk_sandbox.create_segment(NAME)
        self.fault(zendesk_sandbox, made)
        connect(warnings_are_errors=False).update_user_segment(user_segment_id=made, or_tags=["x"])
        (warning,) = [record for record in caplog.records if "unpermitted_keys" in record.getMessage()]
        assert warning.levelname == "WARNING"

    @pytest.mark.parametrize("half", ["both", "support", "none"])
    def test_zendesk_warns_of_none_of_the_fields_that_are_sent(self, hook, zendesk_sandbox, half):
        zendesk_sandbox.settings(warn_of_unknown_fields=half)
        made = hook.create_user_segment(NAME, [FARAH], tags=["a"], or_tags=["b"], organization_ids=[1], group_ids=[2])
        hook.update_user_segment(user_segment=made, new_name="Testers", user_type="staff", tags=[])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"user_segments": None},
        {"user_segments": {}},
        {"user_segments": [5]},
        {"user_segments": [{"name": "x"}]},
        {"user_segments": [{"id": 1, "tags": "x"}]},
    ],
)
def test_a_response_that_is_not_a_list_is_an_error_and_not_an_empty_list(hook, zendesk_sandbox, body):
    body = {**body, "meta": {"has_more": False}} if isinstance(body, dict) else body
    zendesk_sandbox.fault("zendesk.list_segments", "status", status=200, body=body, content_type="application/json")
    with pytest.raises(UnexpectedReply, match="zendesk_help_center_default"):
        hook.create_user_segment(NAME)
    assert counts(zendesk_sandbox) == {"list_segments": 1}


@pytest.mark.parametrize("kind", ["html", "truncate", "empty_body", "wrong_content_type", "redirect"])
@pytest.mark.parametrize("endpoint", ["get_segment", "update_segment"])
def test_a_damaged_response_to_an_addition_is_an_error(hook, zendesk_sandbox, kind, endpoint):
    made = zendesk_sandbox.create_segment(NAME)
    parameters = {"location": "https://elsewhere.example.com/"} if kind == "redirect" else {}
    zendesk_sandbox.fault(f"zendesk.{endpoint}", kind, times=None, **parameters)
    with pytest.raises(SegmentsError, match="zendesk_help_center_default"):
        hook.add_users([FARAH], user_segment_id=made)

"""Methods of the WalkMe hook against the sandbox, over a socket."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from airflow_segments_provider.errors import (
    ConfigurationError,
    Conflict,
    InvalidInput,
    NotFound,
    RejectedRequest,
    UnexpectedReply,
    VendorError,
)
from airflow_segments_provider.hooks.walkme import WalkMeHook

PEOPLE = [f"user{number}" for number in range(25)]


def writes(sandbox) -> dict[str, int]:
    """Return the requests that may have changed something."""
    return {name: count for name, count in sandbox.counts().items() if name not in ("walkme.token", "walkme.list")}


def test_a_create_sends_the_users_in_requests_of_the_limit(hook, walkme_sandbox):
    change = hook.create_segment("Trial users", iter(PEOPLE))

    assert walkme_sandbox.members("Trial users") == set(PEOPLE)
    assert (change.outcome, change.users_sent, change.requests) == ("created", 25, 4)
    assert writes(walkme_sandbox) == {"walkme.create": 1, "walkme.update": 2}
    assert [call.user_ids for call in walkme_sandbox.calls("walkme.update")] == [10, 5]


def test_the_external_id_is_always_sent_and_depends_on_the_name(hook, walkme_sandbox):
    change = hook.create_segment("Trial users")

    expected = str(uuid.uuid5(uuid.UUID(walkme_sandbox.system_guid), "Trial users"))
    assert change.external_id == expected
    assert [segment.external_id for segment in hook.get_segments()] == [expected]


def test_a_repeated_create_reuses_the_segment_and_removes_no_member(hook, walkme_sandbox):
    first = hook.create_segment("Trial users", PEOPLE)
    second = hook.create_segment("Trial users", ["somebody.else"])

    assert second.segment_guid == first.segment_guid
    assert second.outcome == "reused"
    assert walkme_sandbox.members("Trial users") == {*PEOPLE, "somebody.else"}
    assert len(hook.get_segments()) == 1


def test_a_create_with_if_exists_update_sets_the_members(hook, walkme_sandbox):
    hook.create_segment("Trial users", ["gone"])
    change = hook.create_segment("Trial users", ["a", "b"], if_exists="update")

    assert change.outcome == "updated"
    assert walkme_sandbox.members("Trial users") == {"a", "b"}


def test_an_update_without_users_is_refused_unless_allow_empty(hook, walkme_sandbox):
    hook.create_segment("Trial users", ["a"])

    with pytest.raises(InvalidInput, match="allow_empty"):
        hook.create_segment("Trial users", [], if_exists="update")
    assert walkme_sandbox.members("Trial users") == {"a"}

    hook.create_segment("Trial users", [], if_exists="update", allow_empty=True)
    assert walkme_sandbox.members("Trial users") == set()


def test_an_update_of_more_users_than_one_request_is_refused_before_any_request(hook, walkme_sandbox):
    with pytest.raises(InvalidInput, match="cannot be one request"):
        hook.create_segment("Trial users", PEOPLE, if_exists="update")
    assert walkme_sandbox.counts() == {}
    assert hook.create_segment("Nobody yet", [], if_exists="update").outcome == "created"


def test_a_create_with_if_exists_fail_refuses_an_existing_segment(hook, walkme_sandbox):
    hook.create_segment("Trial users", ["a"])
    before = writes(walkme_sandbox)

    with pytest.raises(Conflict, match=r"exists \("):
        hook.create_segment("Trial users", ["b"], if_exists="fail")
    assert writes(walkme_sandbox) == before


@pytest.mark.parametrize("made_with", [None, "theirs"])
def test_a_segment_that_was_created_by_hand_is_found_by_its_name(hook, walkme_sandbox, made_with):
    guid = walkme_sandbox.create_segment("Trial users", external_id=made_with)
    change = hook.create_segment("Trial users", ["a"])

    assert uuid.UUID(change.segment_guid) == uuid.UUID(guid)
    assert len(hook.get_segments()) == 1


def test_a_name_that_another_external_id_has_is_refused_unless_allow_duplicate_name(hook, walkme_sandbox):
    walkme_sandbox.create_segment("Trial users", external_id="theirs")

    with pytest.raises(Conflict, match="allow_duplicate_name"):
        hook.create_segment("Trial users", external_id="ours")
    assert writes(walkme_sandbox) == {}

    hook.create_segment("Trial users", external_id="ours", allow_duplicate_name=True)
    assert sorted(segment.external_id for segment in hook.get_segments()) == ["ours", "theirs"]


def test_two_segments_of_one_name_are_refused_by_every_look_up_by_name(hook, walkme_sandbox):
    walkme_sandbox.create_segment("Trial users", external_id="one")
    walkme_sandbox.create_segment("Trial users", external_id="two")

    for attempt in (
        lambda: hook.create_segment("Trial users"),
        lambda: hook.find_segment(name="Trial users"),
        lambda: hook.add_users(["a"], name="Trial users"),
        lambda: hook.delete_segment(name="Trial users"),
    ):
        with pytest.raises(Conflict, match="cannot tell them apart"):
            attempt()
    assert writes(walkme_sandbox) == {}


def test_an_external_id_that_belongs_to_another_name_is_refused(hook, walkme_sandbox):
    walkme_sandbox.create_segment("Old name", external_id="ours")

    with pytest.raises(Conflict, match="no way to rename"):
        hook.create_segment("New name", external_id="ours")
    assert writes(walkme_sandbox) == {}


def test_all_problems_are_named_in_one_message_before_the_first_request(hook, walkme_sandbox):
    with pytest.raises(InvalidInput) as caught:
        hook.create_segment(
            " ", ["", "a" * 101, "right", None, 1.5], external_id="x" * 101, if_exists="perhaps", system_guid="nope"
        )

    message = str(caught.value)
    for part in ("`name`", "`external_id`", "`if_exists`", "`system_guid`", "2 user IDs are blank", "longer than 100"):
        assert part in message
    assert "1 user ID is a number with a fraction" in message
    assert "a" * 101 not in message
    assert walkme_sandbox.counts() == {}


def test_an_unknown_action_is_refused_before_the_first_request(hook, walkme_sandbox):
    with pytest.raises(InvalidInput, match="'add', 'remove' or 'override'"):
        hook.update_segment("replace", ["a"], segment_guid=str(uuid.uuid4()))
    assert walkme_sandbox.counts() == {}


def test_invalid_ids_are_skipped_and_counted_by_reason_with_on_invalid_skip(hook, walkme_sandbox):
    change = hook.create_segment("Trial users", [" a ", "", None, "b" * 101, "c\x00d"], on_invalid="skip")

    assert walkme_sandbox.members("Trial users") == {"a"}
    assert change.users_rejected == {"blank": 2, "too long": 1, "control characters": 1}


def test_a_source_that_breaks_half_way_sends_no_request(hook, walkme_sandbox):
    def source():
        yield from PEOPLE
        raise OSError("the query was cancelled")

    with pytest.raises(OSError, match="cancelled"):
        hook.create_segment("Trial users", source())
    assert walkme_sandbox.counts() == {}


@pytest.mark.parametrize("on_invalid", ["fail", "skip"])
def test_a_source_that_is_refused_half_way_sends_no_request(hook, walkme_sandbox, on_invalid):
    def source():
        yield ""
        yield from PEOPLE
        raise InvalidInput("The source", ["the second half is missing."])

    with pytest.raises(InvalidInput, match="second half is missing"):
        hook.create_segment("Trial users", source(), on_invalid=on_invalid)
    assert walkme_sandbox.counts() == {}


def test_the_time_of_a_change_is_not_before_the_change(hook):
    before = datetime.now(UTC)
    change = hook.create_segment("Trial users", ["a"])
    assert before <= change.changed_at <= datetime.now(UTC)


def test_the_time_of_a_vendor_whose_clock_is_ahead_is_used(hook):
    from airflow_segments_provider.vendors.walkme.api import moment_of

    class Ahead:
        date = datetime.now(UTC) + timedelta(minutes=5)

    assert moment_of(Ahead()) == Ahead.date  # type: ignore[arg-type]


def test_an_override_of_more_users_than_the_api_accepts_is_refused_with_the_remedy(connect, walkme_sandbox):
    connect()
    with pytest.raises(InvalidInput, match=r"cannot be one request.*`remove`.*`add`"):
        WalkMeHook().override_users((str(number) for number in range(25_001)), segment_guid=str(uuid.uuid4()))
    assert walkme_sandbox.counts() == {}


def test_an_override_of_more_users_than_the_connection_allows_is_refused(hook, walkme_sandbox):
    with pytest.raises(InvalidInput, match="cannot be one request"):
        hook.override_users(PEOPLE, segment_guid=str(uuid.uuid4()))
    assert walkme_sandbox.counts() == {}


@pytest.mark.parametrize(
    ("action", "ids", "left"),
    [("add", ["b", "c"], {"a", "b", "c"}), ("remove", ["a", "z"], {"b"}), ("override", ["z"], {"z"})],
)
def test_the_actions_add_remove_and_override_change_the_members(hook, walkme_sandbox, action, ids, left):
    segment = hook.create_segment("Trial users", ["a", "b"])
    change = hook.update_segment(action, ids, segment=segment)

    assert walkme_sandbox.members("Trial users") == left
    assert (change.outcome, change.users_sent, change.requests) == ("updated", len(ids), 1)


@pytest.mark.parametrize("action", ["add", "remove"])
def test_adding_or_removing_an_empty_list_sends_no_request(hook, walkme_sandbox, action):
    change = hook.update_segment(action, [], segment_guid=str(uuid.uuid4()))

    assert change.requests == 0
    assert walkme_sandbox.counts() == {}


def test_a_segment_is_found_by_guid_external_id_and_name(hook):
    made = hook.create_segment("Trial users", external_id="ours")
    compact = made.segment_guid.replace("-", "").upper()

    for key in ({"segment_guid": compact}, {"external_id": "ours"}, {"name": "Trial users"}, {"segment": made}):
        found = hook.find_segment(**key)
        assert (found.segment_guid, found.external_id, found.name) == (made.segment_guid, "ours", "Trial users")
    assert hook.find_segment(name="No such") is None


def test_an_update_of_a_segment_that_does_not_exist_is_an_error(hook):
    with pytest.raises(NotFound, match="lists no segment 'No such'"):
        hook.add_users(["a"], name="No such")
    with pytest.raises(NotFound, match="does not know system"):
        hook.add_users(["a"], segment_guid=str(uuid.uuid4()))


def test_the_system_of_a_result_is_used_for_further_changes(hook, walkme_sandbox):
    other = str(uuid.uuid4())
    walkme_sandbox.settings(systems=[walkme_sandbox.system_guid, other])
    made = hook.create_segment("Elsewhere", ["a"], system_guid=other.replace("-", "").upper())

    hook.add_users(["b"], segment=made.model_dump(mode="json"))
    assert made.system_guid == other
    assert walkme_sandbox.members(made.segment_guid) == {"a", "b"}


class TestDelete:
    def test_a_segment_is_deleted(self, hook):
        made = hook.create_segment("Trial users", ["a"])
        assert hook.delete_segment(segment=made).outcome == "deleted"
        assert hook.get_segments() == []

    def test_a_repeated_deletion_succeeds_by_default(self, hook):
        made = hook.create_segment("Trial users", ["a"])
        hook.delete_segment(segment=made)
        assert hook.delete_segment(segment=made).outcome == "missing"
        assert hook.delete_segment(name="Trial users").outcome == "missing"

    def test_a_deletion_of_a_missing_segment_fails_with_if_missing_fail(self, hook):
        for key in ({"name": "No such"}, {"segment_guid": str(uuid.uuid4())}):
            with pytest.raises(NotFound, match="if_missing"):
                hook.delete_segment(**key, if_missing="fail")

    @pytest.mark.parametrize("answer", ["route_404", "route_405"])
    def test_a_segment_is_emptied_if_the_api_has_no_deletion(self, hook, walkme_sandbox, answer):
        walkme_sandbox.settings(delete_supported=answer)
        made = hook.create_segment("Trial users", ["a"])

        assert hook.delete_segment(segment=made).outcome == "emptied"
        assert walkme_sandbox.members("Trial users") == set()

    @pytest.mark.parametrize("answer", ["route_404", "route_405"])
    def test_a_segment_is_kept_with_if_unsupported_fail_if_the_api_has_no_deletion(self, hook, walkme_sandbox, answer):
        walkme_sandbox.settings(delete_supported=answer)
        made = hook.create_segment("Trial users", ["a"])

        with pytest.raises((NotFound, RejectedRequest), match="no delete endpoint"):
            hook.delete_segment(segment=made, if_unsupported="fail")
        assert walkme_sandbox.members("Trial users") == {"a"}

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (403, {"message": "Missing Authentication Token"}),
            (403, {"message": "'abc' not a valid key=value pair (missing equal-sign) in Authorization header"}),
            (403, {"message": "Authorization header requires 'Credential' parameter."}),
            (400, "<h1>Bad Request</h1>"),
            (400, {"error": "unknown operation"}),
            (404, {"message": "no Route matched with those values"}),
            (405, {"message": "Method Not Allowed"}),
            (501, ""),
        ],
    )
    def test_a_segment_is_emptied_if_the_gateway_does_not_know_the_deletion(
        self, hook, walkme_sandbox, caplog, status, body
    ):
        made = hook.create_segment("Trial users", ["a"])
        walkme_sandbox.fault("walkme.delete", "status", status=status, body=body, times=None)

        assert hook.delete_segment(segment=made).outcome == "emptied"
        assert walkme_sandbox.members("Trial users") == set()
        assert f"no delete endpoint (status {status}); segment {made.segment_guid} is emptied" in caplog.text

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (403, {"message": "Forbidden"}),
            (403, {"message": "The key lacks segments:write"}),
            (400, {"message": "The segment is in use by 2 smart walk-thrus"}),
            (400, {"message": "The segment is locked"}),
            (401, {"message": "Missing Authentication Token"}),
            (409, {"message": "in use"}),
            (500, {}),
        ],
    )
    def test_a_refused_deletion_does_not_empty_the_segment(self, hook, walkme_sandbox, status, body):
        made = hook.create_segment("Trial users", ["a"])
        walkme_sandbox.fault("walkme.delete", "status", status=status, body=body, times=None)

        with pytest.raises(VendorError) as caught:
            hook.delete_segment(segment=made)
        assert caught.value.status == status
        assert walkme_sandbox.members("Trial users") == {"a"}

    def test_a_segment_that_can_neither_be_deleted_nor_emptied_is_an_error(self, hook, walkme_sandbox):
        walkme_sandbox.settings(delete_supported="route_405", empty_override_allowed=False)
        made = hook.create_segment("Trial users", ["a"])

        with pytest.raises(RejectedRequest, match=r"no delete endpoint \(status 405\), so the segment was to be"):
            hook.delete_segment(segment=made)
        assert walkme_sandbox.members("Trial users") == {"a"}

    def test_a_missing_segment_is_reported_as_missing_if_the_api_has_no_deletion(self, hook, walkme_sandbox):
        walkme_sandbox.settings(delete_supported="route_405")
        gone = str(uuid.uuid4())

        assert hook.delete_segment(segment_guid=gone).outcome == "missing"
        with pytest.raises(NotFound, match="if_missing"):
            hook.delete_segment(segment_guid=gone, if_missing="fail")

    def test_a_deletion_whose_response_was_lost_counts_as_deleted(self, hook, walkme_sandbox):
        made = hook.create_segment("Trial users", ["a"])
        walkme_sandbox.fault("walkme.delete", "lost")

        assert hook.delete_segment(segment=made, if_missing="fail").outcome == "deleted"


class TestUndocumentedResponses:
    @pytest.mark.parametrize("list_reply", ["array", "segments", "data"])
    @pytest.mark.parametrize("create_reply", ["guid", "segment_guid", "id", "location", "none", "external_id_only"])
    def test_every_likely_form_of_a_create_and_a_list_response_is_read(
        self, hook, walkme_sandbox, create_reply, list_reply
    ):
        walkme_sandbox.settings(create_reply=create_reply, list_reply=list_reply)
        change = hook.create_segment("Trial users", PEOPLE)

        assert walkme_sandbox.members(change.segment_guid) == set(PEOPLE)

    @pytest.mark.parametrize("update_reply", ["200", "200_empty", "202", "204"])
    @pytest.mark.parametrize("guid_form", ["hex32", "hyphenated", "upper"])
    def test_every_likely_form_of_an_update_response_is_read(self, hook, walkme_sandbox, update_reply, guid_form):
        walkme_sandbox.settings(update_reply=update_reply, guid_form=guid_form)
        change = hook.create_segment("Trial users", PEOPLE)
        hook.remove_users(PEOPLE[:1], segment=change)

        assert walkme_sandbox.members("Trial users") == set(PEOPLE[1:])

    def test_a_create_waits_for_a_list_that_lags(self, hook, walkme_sandbox, monkeypatch):
        walkme_sandbox.settings(create_reply="none", list_lag=60)
        slept: list[float] = []

        def pause(seconds: float) -> None:
            slept.append(seconds)
            walkme_sandbox.advance(60)

        monkeypatch.setattr(hook.client, "sleep", pause)
        hook.create_segment("Trial users", PEOPLE)
        assert walkme_sandbox.members("Trial users") == set(PEOPLE)
        assert len(slept) == 1

    def test_a_list_that_lags_for_long_is_an_error_and_a_later_run_succeeds(self, hook, walkme_sandbox):
        walkme_sandbox.settings(list_lag=600)
        hook.create_segment("Trial users", ["a"])
        with pytest.raises(UnexpectedReply, match=r"409.*run the task again"):
            hook.create_segment("Trial users", ["b"])

        walkme_sandbox.advance(601)
        hook.create_segment("Trial users", ["b"])
        assert walkme_sandbox.members("Trial users") == {"a", "b"}
        assert len(hook.get_segments()) == 1


class TestConnection:
    def test_a_method_without_any_system_guid_is_refused(self, connect, walkme_sandbox):
        connect(system_guid=None)
        with pytest.raises(InvalidInput, match="neither here nor in connection 'walkme_default'"):
            WalkMeHook().get_segments()
        assert WalkMeHook().get_segments(walkme_sandbox.system_guid) == []

    def test_a_connection_as_uri_works_and_its_texts_are_converted(self, walkme_sandbox, monkeypatch):
        uri = walkme_sandbox.connection_uri(read_only="true", timeout="30", verify="false", rate_limit="600")
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", uri)
        hook = WalkMeHook()

        assert hook.get_segments() == []
        assert (hook.fields.read_only, hook.fields.timeout, hook.fields.verify) == (True, 30.0, False)

    @pytest.mark.parametrize(
        ("host", "region", "base", "admin"),
        [
            (None, None, "https://api.walkme.com", "https://admin.walkme.com/systems"),
            (None, "eu", "https://eu-api.walkme.com", "https://eu-admin.walkme.com/systems"),
            ("gov", None, "https://api.walkmegov.com", ""),
            ("CA", "us", "https://api-ca1.walkmedap.com", "https://admin-ca1.walkmedap.com/systems"),
            ("https://eu-api.walkme.com/", None, "https://eu-api.walkme.com", "https://eu-admin.walkme.com/systems"),
            ("gateway.example.com/walkme/", "eu", "https://gateway.example.com/walkme", ""),
        ],
    )
    def test_the_base_url_and_the_link_follow_the_region_or_the_host(self, monkeypatch, host, region, base, admin):
        import json

        fields = {"conn_type": "walkme", "host": host, "login": "id", "password": "secret", "extra": {"region": region}}
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps(fields))
        hook = WalkMeHook()
        assert (hook.client.base_url, hook.ui_url) == (base, admin)

    def test_every_invalid_field_is_named_with_the_connection_and_without_its_value(self, monkeypatch):
        import json

        extra = {"read_onyl": True, "timeout": "soon", "system_guid": "x-secret-x", "retry": '{"max_attempts": 0}'}
        fields = {"conn_type": "walkme", "login": "id", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_WALKME_DEFAULT", json.dumps(fields))

        with pytest.raises(ConfigurationError) as caught:
            WalkMeHook().get_segments()
        message = str(caught.value)
        for part in ("'walkme_default'", "`password`", "`read_onyl`", "`timeout`", "`system_guid`", "`retry.max_att"):
            assert part in message
        assert "x-secret-x" not in message

    def test_an_extra_that_is_not_json_is_an_error(self, monkeypatch):
        from airflow_segments_provider.vendors.base.connection import read_fields
        from airflow_segments_provider.vendors.walkme.connection import WalkMeConnectionFields

        class Broken:
            conn_id, conn_type, login, password = "walkme_default", "walkme", "id", "secret"
            extra = '{"read_only": true'

        with pytest.raises(ConfigurationError, match="`extra` is not JSON"):
            read_fields(Broken(), WalkMeConnectionFields, needs=("login",))  # type: ignore[arg-type]


@pytest.mark.parametrize(("distinct", "sent"), [(False, 4), (True, 2)])
def test_an_id_is_sent_once_with_distinct_users(connect, walkme_sandbox, distinct, sent):
    connect(distinct_users=distinct)
    assert WalkMeHook().create_segment("Trial users", ["a", "b", " a", "b"]).users_sent == sent
    assert walkme_sandbox.members("Trial users") == {"a", "b"}

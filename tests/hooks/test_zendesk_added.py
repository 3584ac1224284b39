"""The users added to a Zendesk user segment: read, changed, written as a whole list, and checked."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_segments_provider.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RateLimited,
    UnexpectedReply,
    VendorUnavailable,
)
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.http import HttpClient
from airflow_segments_provider.http.transport import Transport
from tests import connections
from tests.conftest import RETRY
from tests.hooks.test_zendesk import FARAH, HANA, ISAK, NAME, NOBODY, added, counts

connect = connections.zendesk


@pytest.fixture
def hook(connect):
    return connect()


@pytest.fixture
def made(zendesk_sandbox) -> int:
    """Create a segment with one added user, and return its ID."""
    return int(zendesk_sandbox.create_segment(NAME, tags=["vip"], added_user_ids=[ISAK]))


def test_users_are_added_removed_and_set_with_a_read_and_a_write(hook, zendesk_sandbox, made):
    change = hook.add_users([FARAH, HANA, ISAK], user_segment_id=made)
    assert (change.outcome, change.users_sent, change.users_added, change.requests) == ("updated", 3, 2, 2)
    assert added(zendesk_sandbox) == {FARAH, HANA, ISAK}
    change = hook.remove_users([FARAH, NOBODY], user_segment=change)
    assert (change.users_sent, change.users_removed) == (2, 1)
    assert added(zendesk_sandbox) == {HANA, ISAK}
    change = hook.set_users([FARAH, HANA], name=NAME)
    assert (change.users_added, change.users_removed) == (1, 1)
    assert added(zendesk_sandbox) == {FARAH, HANA}
    assert counts(zendesk_sandbox) == {"get_segment": 2, "list_segments": 1, "update_segment": 3}
    assert zendesk_sandbox.segments()[0].tags == ["vip"]


def test_a_change_without_effect_writes_nothing(hook, zendesk_sandbox, made):
    for change in (
        hook.add_users([ISAK], user_segment_id=made),
        hook.remove_users([FARAH], user_segment_id=made),
        hook.set_users([ISAK], user_segment_id=made),
        hook.set_users([ISAK], name=NAME),
    ):
        assert (change.outcome, change.users_added, change.users_removed) == ("updated", 0, 0)
    assert counts(zendesk_sandbox) == {"get_segment": 3, "list_segments": 1}


def test_an_empty_list_sends_no_request_and_empties_only_with_allow_empty(hook, zendesk_sandbox, made):
    for change in (hook.add_users([], user_segment_id=made), hook.remove_users([], name=NAME)):
        assert change.requests == 0
    with pytest.raises(InvalidInput, match="allow_empty"):
        hook.set_users([], user_segment_id=made)
    with pytest.raises(InvalidInput, match="none is valid"):
        hook.set_users(["x"], user_segment_id=made, on_invalid="skip", allow_empty=True)
    assert zendesk_sandbox.counts() == {}
    assert hook.set_users([], user_segment_id=made, allow_empty=True).users_removed == 1
    assert added(zendesk_sandbox) == set()


def test_a_change_of_a_segment_that_does_not_exist_is_an_error(hook):
    for change in (hook.add_users, hook.remove_users, hook.set_users):
        for key in ({"user_segment_id": 5}, {"name": "No such"}):
            with pytest.raises(NotFound):
                change([FARAH], **key)


@pytest.mark.parametrize("ids", ["360000000006", None, 5, b"x", {"a": 1}.get("b")])
def test_user_ids_that_are_not_a_list_are_refused(hook, zendesk_sandbox, made, ids):
    with pytest.raises(InvalidInput, match="must be a list"):
        hook.add_users(ids, user_segment_id=made)
    assert zendesk_sandbox.counts() == {}


def test_a_source_that_fails_half_way_sends_no_request(hook, zendesk_sandbox, made):
    def source():
        yield FARAH
        raise RuntimeError("the warehouse is gone")

    with pytest.raises(RuntimeError, match="warehouse"):
        hook.add_users(source(), user_segment_id=made)
    assert zendesk_sandbox.counts() == {}


def test_many_users_are_added_with_one_request(hook, zendesk_sandbox, made):
    people = zendesk_sandbox.seed_users(20_000)
    assert hook.add_users(people, user_segment_id=made).users_added == 20_000
    assert added(zendesk_sandbox) == {ISAK, *people}
    assert counts(zendesk_sandbox) == {"get_segment": 1, "update_segment": 1}


@pytest.mark.parametrize(("kind", "writes"), [("lost", 1), ("reset_mid_body", 1), ("html", 2), ("reset", 2)])
def test_the_users_are_read_again_after_a_lost_response(hook, zendesk_sandbox, made, kind, writes):
    zendesk_sandbox.fault("zendesk.update_segment", kind)
    change = hook.add_users([FARAH], user_segment_id=made)
    assert (change.users_added, change.requests) == (1, 2 + writes)
    assert added(zendesk_sandbox) == {FARAH, ISAK}
    assert counts(zendesk_sandbox) == {"get_segment": 2, "update_segment": writes}


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_responses_that_are_always_lost_are_an_error_without_users(connect, zendesk_sandbox, made, kind):
    parameters = {"seconds": 1} if kind == "hang" else {}
    zendesk_sandbox.fault("zendesk.update_segment", kind, times=None, **parameters)
    with pytest.raises(VendorUnavailable) as caught:
        connect(timeout=0.3).add_users([FARAH], user_segment_id=made)
    assert caught.value.maybe_done
    assert str(FARAH) not in str(caught.value)


class TestRepeats:
    """A change is computed anew before each repeat: repeating the same body would undo changes made during the wait."""

    @pytest.fixture
    def meanwhile(self, monkeypatch, zendesk_sandbox, made):
        """Return a function that changes the added users during each wait."""

        def set_up(*people):
            def rest(client, seconds):
                zendesk_sandbox.change_segment(made, added_user_ids=list(people))

            monkeypatch.setattr(HttpClient, "sleep", rest)

        return set_up

    @pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
    @pytest.mark.parametrize("effect", [True, False])
    def test_users_added_by_another_client_before_a_repeat_stay(
        self, hook, zendesk_sandbox, made, meanwhile, status, effect
    ):
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=status, effect=effect)
        meanwhile(ISAK, HANA)
        change = hook.add_users([FARAH], user_segment_id=made)
        assert (change.users_added, change.users_removed) == (1, 0)
        assert added(zendesk_sandbox) == {FARAH, HANA, ISAK}
        assert counts(zendesk_sandbox) == {"get_segment": 2, "update_segment": 2}

    def test_users_removed_by_another_client_before_a_repeat_stay_removed(self, hook, zendesk_sandbox, made, meanwhile):
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=503)
        meanwhile()
        hook.create_user_segment(NAME, [FARAH])
        assert added(zendesk_sandbox) == {FARAH}
        assert counts(zendesk_sandbox) == {"list_segments": 1, "get_segment": 1, "update_segment": 2}

    def test_a_change_that_another_client_made_is_not_repeated(self, hook, zendesk_sandbox, made, meanwhile):
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=503)
        meanwhile(HANA)
        hook.set_users([HANA], user_segment_id=made)
        assert counts(zendesk_sandbox) == {"get_segment": 2, "update_segment": 1}

    def test_users_are_read_again_after_a_refused_connection(self, hook, zendesk_sandbox, made, meanwhile, monkeypatch):
        send, places = Transport.send, ["http://127.0.0.1:9/"]

        def refuse_first(self, call, url, **request):
            return send(self, call, places.pop() if call.method == "PUT" and places else url, **request)

        monkeypatch.setattr(Transport, "send", refuse_first)
        meanwhile(ISAK, HANA)
        hook.remove_users([ISAK], user_segment_id=made)
        assert added(zendesk_sandbox) == {HANA}
        assert counts(zendesk_sandbox) == {"get_segment": 2, "update_segment": 1}

    def test_a_change_is_repeated_as_often_as_the_connection_allows(self, hook, zendesk_sandbox, made):
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=429, times=None)
        with pytest.raises(RateLimited, match=f"Tried {RETRY['max_attempts']} times") as caught:
            hook.add_users([FARAH], user_segment_id=made)
        assert not caught.value.maybe_done
        tries = RETRY["max_attempts"]
        assert counts(zendesk_sandbox) == {"get_segment": tries, "update_segment": tries}

    def test_a_change_of_unknown_outcome_stays_so_when_its_repeat_is_refused(self, hook, zendesk_sandbox, made):
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=503)
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=403)
        with pytest.raises(PermissionDenied) as caught:
            hook.add_users([FARAH], user_segment_id=made)
        assert caught.value.maybe_done

    @pytest.mark.parametrize("shown", [404, 200])
    def test_a_change_is_not_repeated_if_the_users_cannot_be_read(self, hook, zendesk_sandbox, made, shown):
        segment = {"user_segment": {"id": made, "name": NAME, "user_type": "staff"}}
        zendesk_sandbox.fault("zendesk.get_segment", "status", status=shown, body=segment, skip=1, times=None)
        zendesk_sandbox.fault("zendesk.update_segment", "status", status=503)
        with pytest.raises(VendorUnavailable, match="could not be read again") as caught:
            hook.add_users([FARAH], user_segment_id=made)
        assert (caught.value.maybe_done, caught.value.status) == (True, 503)
        assert counts(zendesk_sandbox)["update_segment"] == 1


class TestCheck:
    def answer(self, sandbox, made, people, **more):
        segment = {"id": made, "name": NAME, "user_type": "signed_in_users", **more}
        if people is not None:
            segment["added_user_ids"] = people
        sandbox.fault("zendesk.update_segment", "status", status=200, body={"user_segment": segment})

    @pytest.mark.parametrize(("people", "found"), [([ISAK], "lacks 1 "), ([], "lacks 2 "), ([NOBODY], "lacks 2 ")])
    def test_a_response_that_lacks_added_users_is_an_error(self, hook, zendesk_sandbox, made, people, found):
        self.answer(zendesk_sandbox, made, people)
        with pytest.raises(UnexpectedReply, match=found) as caught:
            hook.add_users([FARAH], user_segment_id=made)
        assert caught.value.maybe_done
        assert str(FARAH) not in str(caught.value)
        assert str(NOBODY) not in str(caught.value)

    def test_a_response_that_still_has_removed_users_is_an_error(self, hook, zendesk_sandbox, made):
        self.answer(zendesk_sandbox, made, [ISAK])
        with pytest.raises(UnexpectedReply, match="still has 1 "):
            hook.remove_users([ISAK], user_segment_id=made)

    def test_a_response_with_further_users_is_accepted(self, hook, zendesk_sandbox, made):
        self.answer(zendesk_sandbox, made, [FARAH, ISAK, NOBODY])
        assert hook.add_users([FARAH], user_segment_id=made).users_added == 1

    @pytest.mark.parametrize("people", ["x", [True, "x"], {"a": 1}, [1.5]])
    def test_a_response_with_invalid_user_ids_is_an_error(self, hook, zendesk_sandbox, made, people):
        self.answer(zendesk_sandbox, made, people)
        with pytest.raises(UnexpectedReply, match="`added_user_ids` cannot be read"):
            hook.add_users([FARAH], user_segment_id=made)

    def test_a_response_without_the_list_of_users_is_followed_by_a_read(self, hook, zendesk_sandbox, made):
        self.answer(zendesk_sandbox, made, None)
        with pytest.raises(UnexpectedReply, match="lacks 1 "):
            hook.add_users([FARAH], user_segment_id=made)
        assert counts(zendesk_sandbox) == {"get_segment": 2, "update_segment": 1}

    def test_a_response_to_a_create_that_lacks_users_is_an_error(self, hook, zendesk_sandbox):
        body = {"user_segment": {"id": 7, "name": "New", "added_user_ids": []}}
        zendesk_sandbox.fault("zendesk.create_segment", "status", status=201, body=body)
        with pytest.raises(UnexpectedReply, match="lacks 1 "):
            hook.create_user_segment("New", [FARAH])


class TestAddedUsersNotReturned:
    """The added users must not be lost if Zendesk does not return them."""

    @pytest.fixture(autouse=True)
    def _absent(self, zendesk_sandbox):
        zendesk_sandbox.settings(absent_fields=["added_user_ids", "or_tags"])

    def test_adding_and_removing_are_refused_if_zendesk_does_not_show_the_users(self, hook, zendesk_sandbox, made):
        for change in (hook.add_users, hook.remove_users):
            for key in ({"user_segment_id": made}, {"name": NAME}):
                with pytest.raises(UnexpectedReply, match="The action `set`"):
                    change([FARAH], **key)
        with pytest.raises(UnexpectedReply, match="The action `set`"):
            hook.create_user_segment(NAME, [FARAH])
        assert "update_segment" not in counts(zendesk_sandbox)
        assert added(zendesk_sandbox) == {ISAK}

    def test_setting_and_creating_warn_that_the_users_were_not_checked(self, hook, zendesk_sandbox, made, caplog):
        hook.set_users([FARAH], user_segment_id=made)
        assert added(zendesk_sandbox) == {FARAH}
        hook.create_user_segment("New", [HANA])
        assert added(zendesk_sandbox, "New") == {HANA}
        assert hook.create_user_segment("New").outcome == "reused"
        assert [record.levelname for record in caplog.records if "not checked" in record.getMessage()] == [
            "WARNING", "WARNING"
        ]  # fmt: skip
        assert hook.get_user_segment(name="New").model_dump()["added_users"] is None


class TestIdentify:
    def test_users_are_identified_by_e_mail_address_in_any_case(self, hook, zendesk_sandbox, made):
        change = hook.add_users(
            ["Farah.Haddad@example.com", " hana.kimura@example.com "], identify_by="email", user_segment_id=made
        )
        assert added(zendesk_sandbox) == {FARAH, HANA, ISAK}
        assert (change.users_sent, change.users_added) == (2, 2)
        assert counts(zendesk_sandbox) == {"search_users": 2, "get_segment": 1, "update_segment": 1}

    def test_users_are_identified_by_external_id_a_hundred_a_request(self, hook, zendesk_sandbox, made):
        people = zendesk_sandbox.seed_users(150)
        hook.set_users([f"EXT-{number}" for number in people], identify_by="external_id", user_segment_id=made)
        assert added(zendesk_sandbox) == set(people)
        assert counts(zendesk_sandbox) == {"show_users": 2, "get_segment": 1, "update_segment": 1}

    @pytest.mark.parametrize("by", ["email", "external_id"])
    def test_an_unmatched_user_refuses_a_write_before_any_change(self, hook, zendesk_sandbox, by):
        known = {"email": "hana.kimura@example.com", "external_id": f"ext-{HANA}"}[by]
        unknown = "nobody.at.all@example.com"
        with pytest.raises(InvalidInput, match=r"1 of 2 .* belong to no such user") as caught:
            hook.create_user_segment(NAME, [known, unknown], identify_by=by)
        assert "nobody" not in str(caught.value)
        assert zendesk_sandbox.segments() == []
        change = hook.create_user_segment(NAME, [known, unknown], identify_by=by, on_unmatched="skip")
        assert added(zendesk_sandbox) == {HANA}
        assert (change.users_sent, change.users_unmatched) == (1, {"no such user": 1})

    def test_a_write_without_matched_users_is_refused(self, hook, zendesk_sandbox, made):
        given = {"identify_by": "email", "on_unmatched": "skip", "user_segment_id": made}
        for change in (hook.add_users, hook.remove_users, hook.set_users):
            with pytest.raises(InvalidInput, match="None was found"):
                change(["x@example.com"], **given)
        assert counts(zendesk_sandbox) == {"search_users": 3}

    def test_an_unknown_identify_by_is_refused(self, hook, zendesk_sandbox, made):
        with pytest.raises(InvalidInput, match="`identify_by`"):
            hook.add_users(["x"], identify_by="name", user_segment_id=made)
        assert zendesk_sandbox.counts() == {}


def test_changes_by_threads_of_one_process_do_not_undo_each_other(connect, zendesk_sandbox, made):
    connect()
    people = zendesk_sandbox.seed_users(8)
    zendesk_sandbox.fault("zendesk.update_segment", "latency", seconds=0.05, times=None)
    with ThreadPoolExecutor(8) as pool:
        done = [pool.submit(ZendeskHelpCenterHook().add_users, [one], user_segment_id=made) for one in people]
    assert [future.result().users_added for future in done] == [1] * 8
    assert added(zendesk_sandbox) == {ISAK, *people}


def test_no_log_at_info_or_above_contains_users(hook, zendesk_sandbox, made, caplog):
    caplog.set_level("INFO")
    zendesk_sandbox.fault("zendesk.update_segment", "status", status=503, body={"error": f"no {FARAH}"})
    hook.add_users([FARAH], user_segment_id=made)
    hook.create_user_segment("New", ["hana.kimura@example.com"], identify_by="email")
    hook.get_user_segments(user_id=HANA)
    assert any("Next try" in record.getMessage() for record in caplog.records)
    for record in caplog.records:
        shown = record.getMessage()
        assert not any(secret in shown for secret in (str(FARAH), str(HANA), "hana", zendesk_sandbox.client_secret))

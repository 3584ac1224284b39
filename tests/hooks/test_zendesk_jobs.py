"""Zendesk's background jobs by the hook: started, limited, polled, and not taken for a success too early."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import InvalidInput, NotFound, RateLimited, RejectedRequest, UnexpectedReply
from tests import connections
from tests.hooks.test_zendesk import FARAH, HANA, ISAK, NOBODY, counts

TAGS = {"tags": ["x"]}


connect = connections.zendesk


@pytest.fixture
def hook(connect):
    return connect()


def let_time_pass(hook, sandbox, monkeypatch):
    """Advance the sandbox's clock in place of each sleep of the client."""
    rests = []

    def rest(seconds):
        rests.append(seconds)
        sandbox.advance(seconds)

    monkeypatch.setattr(hook.client, "sleep", rest)
    return rests


def test_the_same_change_of_many_users_takes_a_job_for_each_hundred(hook, zendesk_sandbox):
    people = zendesk_sandbox.seed_users(250)
    update = hook.update_users(people, TAGS)
    assert [job.status for job in update.jobs] == ["queued"] * 3
    assert (update.users_sent, update.requests) == (250, 3)
    assert [call.user_ids for call in zendesk_sandbox.calls("zendesk.update_users")] == [100, 100, 50]
    zendesk_sandbox.advance(60)
    jobs = hook.get_job_statuses(update.job_ids)
    assert [(job.job_id, job.success, job.succeeded) for job in jobs] == [
        (job_id, True, users) for job_id, users in zip(update.job_ids, (100, 100, 50), strict=True)
    ]
    assert all(zendesk_sandbox.user(number).tags == ["x"] for number in (people[0], people[-1]))
    assert counts(zendesk_sandbox) == {"update_users": 3, "show_jobs": 1}


def test_a_change_for_each_user_takes_one_job(hook, zendesk_sandbox):
    changes = [{"id": FARAH, "tags": ["a"]}, {"external_id": f"ext-{HANA}", "tags": ["grüße\u2028"]},
               {"id": str(ISAK), "organization_id": 370_000_001, "external_id": "new"}]  # fmt: skip
    update = hook.update_each_user(iter(changes))
    assert (len(update.jobs), update.users_sent) == (1, 3)
    zendesk_sandbox.advance(60)
    assert hook.get_job_status(update.job_ids[0]).success
    assert zendesk_sandbox.user(FARAH).tags == ["a"]
    assert zendesk_sandbox.user(HANA).tags == ["grüße\u2028"]
    assert zendesk_sandbox.user(ISAK).external_id == "new"


def test_changes_for_each_of_many_users_take_a_job_for_each_hundred(hook, zendesk_sandbox):
    people = zendesk_sandbox.seed_users(101)
    update = hook.update_each_user({"id": number, "tags": [str(number)]} for number in people)
    assert (len(update.jobs), update.users_sent) == (2, 101)
    zendesk_sandbox.advance(60)
    assert zendesk_sandbox.user(people[100]).tags == [str(people[100])]


def test_an_empty_list_of_users_starts_no_job(hook, zendesk_sandbox):
    assert hook.update_users([], TAGS).jobs == []
    assert hook.update_each_user([]).job_ids == []
    assert hook.get_job_statuses([]) == []
    assert zendesk_sandbox.counts() == {}


@pytest.mark.parametrize("by", ["email", "external_id"])
def test_users_of_a_job_are_identified_before_it_is_started(hook, zendesk_sandbox, by):
    known = {"email": "hana.kimura@example.com", "external_id": f"ext-{HANA}"}[by]
    with pytest.raises(InvalidInput, match="no such user"):
        hook.update_users([known, "nobody@example.com"], TAGS, identify_by=by)
    update = hook.update_users([known, "nobody@example.com", ""], TAGS, identify_by=by,
                               on_unmatched="skip", on_invalid="skip")  # fmt: skip
    assert (update.users_sent, update.users_unmatched, update.users_rejected) == (1, {"no such user": 1}, {"blank": 1})
    zendesk_sandbox.advance(60)
    assert zendesk_sandbox.user(HANA).tags == ["x"]


def test_invalid_changes_are_refused_before_the_first_request(hook, zendesk_sandbox):
    for attempt, part in (
        (lambda: hook.update_users([FARAH, "x"], {}), r"2 problems.*`change`.*1 user ID is not a whole number"),
        (lambda: hook.update_users([FARAH], "tags"), "`change`"),
        (lambda: hook.get_job_status("../users/me"), "`job_ids.0`"),
        (lambda: hook.get_job_status(""), "`job_ids.0`"),
        (
            lambda: hook.update_each_user(
                [
                    {"id": FARAH},
                    {"tags": []},
                    {"id": "x", "tags": []},
                    {"external_id": "", "tags": []},
                    5,
                    None,
                    {"id": FARAH, "tags": {1}},
                    {"id": FARAH, "x": float("nan")},
                    {"id": HANA, "tags": []},
                ]
            ),
            "8 changes are not an object",
        ),
        (lambda: hook.update_each_user("id"), "2 changes are not"),
        (lambda: hook.update_each_user(5), "1 change is not"),
    ):
        with pytest.raises(InvalidInput, match=part):
            attempt()
    assert zendesk_sandbox.counts() == {}


@pytest.mark.parametrize("ways", ["setting", "stranger"])
def test_a_completed_job_with_failed_rows_is_not_a_success(hook, zendesk_sandbox, ways):
    if ways == "setting":
        zendesk_sandbox.settings(failing_user_ids=[HANA])
    update = hook.update_users([FARAH, HANA if ways == "setting" else NOBODY], TAGS)
    zendesk_sandbox.advance(60)
    job = hook.get_job_status(update.job_ids[0])
    assert (job.status, job.finished, job.success) == ("completed", True, False)
    assert (job.succeeded, job.failed) == (1, {"UserUpdateFailed": 1})
    assert str(HANA) not in job.model_dump_json()


def test_a_failed_job_is_finished_and_not_a_success(hook, zendesk_sandbox):
    zendesk_sandbox.settings(job_outcome="failed")
    update = hook.update_users([FARAH], TAGS)
    zendesk_sandbox.advance(60)
    job = hook.get_job_status(update.job_ids[0])
    assert (job.status, job.finished, job.success, job.succeeded) == ("failed", True, False, None)


def test_a_job_under_way_shows_its_progress(hook, zendesk_sandbox):
    zendesk_sandbox.settings(job_queue_seconds=100, job_seconds_per_row=100)
    update = hook.update_users([FARAH, HANA], TAGS)
    zendesk_sandbox.advance(210)
    job = hook.get_job_status(update.job_ids[0])
    assert (job.status, job.finished, job.success, job.progress, job.total) == ("working", False, False, 1, 2)
    assert job.message == "Updating user #1"


def test_jobs_are_returned_in_the_requested_order_and_an_unknown_one_is_an_error(hook, zendesk_sandbox):
    ids = hook.update_users(zendesk_sandbox.seed_users(300), TAGS).job_ids
    assert [job.job_id for job in hook.get_job_statuses([ids[2], ids[0], ids[2]])] == [ids[2], ids[0], ids[2]]
    with pytest.raises(NotFound, match="V3-0000") as caught:
        hook.get_job_statuses([*ids, "V3-0000"])
    assert "zendesk_help_center_default" in str(caught.value)


def test_the_status_of_many_jobs_is_requested_a_hundred_at_a_time(hook, zendesk_sandbox):
    ids = hook.update_users([FARAH], TAGS).job_ids
    with pytest.raises(NotFound, match="200 in all"):
        hook.get_job_statuses([*ids, *(f"V3-{number}" for number in range(200))])
    assert counts(zendesk_sandbox)["show_jobs"] == 3


def test_no_more_jobs_run_at_once_than_zendesk_accepts(hook, zendesk_sandbox, monkeypatch):
    zendesk_sandbox.settings(job_queue_seconds=60, job_seconds_per_row=0)
    rests = let_time_pass(hook, zendesk_sandbox, monkeypatch)
    people = zendesk_sandbox.seed_users(3_201)
    update = hook.update_users(people, TAGS)
    assert len(update.jobs) == 33
    assert [job.success for job in update.jobs] == [True] * 30 + [False] * 3
    calls = zendesk_sandbox.calls("zendesk.update_users")
    assert [call.status for call in calls] == [200] * 33
    assert rests
    assert counts(zendesk_sandbox) == {"update_users": 33, "show_jobs": len(rests)}


@pytest.mark.parametrize("whose", ["ours", "others"])
def test_a_job_waits_for_a_free_place(connect, zendesk_sandbox, monkeypatch, whose):
    hook = connect()
    zendesk_sandbox.settings(max_jobs=2, job_queue_seconds=30, job_seconds_per_row=0)
    if whose == "others":
        hook.update_users(zendesk_sandbox.seed_users(200), TAGS)
    let_time_pass(hook, zendesk_sandbox, monkeypatch)
    people = zendesk_sandbox.seed_users(300)
    update = hook.update_users(people, {"tags": ["y"]})
    assert len(update.jobs) == 3
    zendesk_sandbox.advance(60)
    assert zendesk_sandbox.user(people[-1]).tags == ["y"]
    assert {call.status for call in zendesk_sandbox.calls("zendesk.update_users")} == {200, 429}


def test_a_job_that_finds_no_free_place_in_time_is_an_error(connect, zendesk_sandbox):
    retry = {"max_attempts": 2, "base_delay": 0, "max_delay": 0, "max_total": 0, "retry_after_cap": 1}
    zendesk_sandbox.settings(max_jobs=1, job_queue_seconds=3600)
    hook = connect(retry=retry)
    hook.update_users([ISAK], TAGS)
    with pytest.raises(RateLimited, match="0 jobs were begun, for 0 of 1 users") as caught:
        hook.update_users([FARAH], TAGS)
    assert "TooManyJobs" in str(caught.value)
    assert str(FARAH) not in str(caught.value)


def test_the_error_of_an_update_says_how_many_jobs_were_started(hook, zendesk_sandbox):
    people = zendesk_sandbox.seed_users(250)
    zendesk_sandbox.fault("zendesk.update_users", "status", status=403, skip=2)
    with pytest.raises(Exception, match="2 jobs were begun, for 200 of 250 users") as caught:
        hook.update_users(people, TAGS)
    assert not any(str(number) in str(caught.value) for number in people)


def test_a_change_that_zendesk_rejects_is_an_error_with_its_message(hook, zendesk_sandbox):
    with pytest.raises(RejectedRequest, match="Invalid attribute"):
        hook.update_users([FARAH], {"tags": "x"})
    with pytest.raises(UnexpectedReply, match=r"user\.tag"):
        hook.update_users([FARAH], {"tag": ["x"]})


@pytest.mark.parametrize("kind", ["lost", "truncate", "html", "empty_body"])
def test_a_lost_response_to_an_update_may_start_a_second_job_with_the_same_effect(hook, zendesk_sandbox, kind):
    effect = {"effect": True} if kind == "html" else {}
    zendesk_sandbox.fault("zendesk.update_users", kind, **effect)
    if kind in ("truncate", "empty_body"):
        with pytest.raises(UnexpectedReply) as caught:
            hook.update_users([FARAH], TAGS)
        assert caught.value.maybe_done
    else:
        assert len(hook.update_users([FARAH], TAGS).jobs) == 1
    zendesk_sandbox.advance(60)
    assert zendesk_sandbox.user(FARAH).tags == ["x"]


@pytest.mark.parametrize("body", [{}, {"job_status": None}, {"job_status": {"id": 5, "status": "queued"}},
                                  {"job_status": {"id": "V3-1"}}])  # fmt: skip
def test_a_response_that_names_no_job_is_an_error(hook, zendesk_sandbox, body):
    zendesk_sandbox.fault("zendesk.update_users", "status", status=200, body=body, effect=True)
    with pytest.raises(UnexpectedReply) as caught:
        hook.update_users([FARAH], TAGS)
    assert caught.value.maybe_done

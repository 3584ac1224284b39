"""The trigger for Zendesk's jobs: when it fires, its waits, errors that it survives, and restarts."""

from __future__ import annotations

import asyncio
import importlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_segments_provider.errors import Stopped
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.triggers import zendesk
from airflow_segments_provider.triggers.zendesk import ZendeskJobStatusTrigger

pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture(autouse=True)
def slept(zendesk_sandbox, monkeypatch):
    """Advance the sandbox's clock in place of the trigger's sleeps, and return the seconds slept."""
    zendesk_sandbox.settings(rate_limit="none", job_queue_seconds=100, job_seconds_per_row=0)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))
        zendesk_sandbox.advance(seconds)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(zendesk_sandbox.now(), tz)

    monkeypatch.setattr(zendesk, "sleep", sleep)
    monkeypatch.setattr(zendesk, "datetime", Clock)
    return slept


@pytest.fixture
def people(zendesk_sandbox):
    return zendesk_sandbox.seed_users(150)


@pytest.fixture
def jobs(people) -> list[str]:
    """Return two jobs, for 100 users and for 50, which begin and end after 100 seconds."""
    return ZendeskHelpCenterHook().update_users(people, {"tags": ["trial"]}).job_ids


def trigger(jobs: list[str], **options: Any) -> ZendeskJobStatusTrigger:
    options.setdefault("deadline", (datetime.now(UTC) + timedelta(hours=2)).isoformat())
    return ZendeskJobStatusTrigger(zendesk_conn_id="zendesk_help_center_default", job_ids=jobs, **options)


def run(watched: ZendeskJobStatusTrigger) -> dict[str, Any]:
    """Return the only event of a trigger, as read from Airflow's database."""

    async def events() -> list[Any]:
        return [event async for event in watched.run()]

    (event,) = asyncio.run(events())
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def polls(sandbox) -> int:
    return int(sandbox.counts().get("zendesk.show_jobs", 0))


def test_the_trigger_is_serialized_with_all_its_arguments():
    given: dict[str, Any] = {
        "zendesk_conn_id": "zendesk_other",
        "job_ids": ["V3-1", "V3-2"],
        "deadline": "2026-01-01T00:00:00+00:00",
        "poke_interval": 20.0,
        "max_wait": 100.0,
        "max_failures": 4,
    }
    path, arguments = ZendeskJobStatusTrigger(**given).serialize()
    assert arguments == given

    module, name = path.rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)


def test_the_trigger_polls_more_and_more_slowly_until_the_jobs_are_done(zendesk_sandbox, jobs, slept):
    assert run(trigger(jobs)) == {
        "status": "finished",
        "jobs": 2,
        "users_updated": 150,
        "users_failed": {},
        "jobs_failed": 0,
        "failed_job_ids": [],
    }
    assert slept == [10, 20, 40, 60]
    assert polls(zendesk_sandbox) == 4


@pytest.mark.parametrize(
    ("options", "waits"),
    [
        ({"poke_interval": 30.0, "max_wait": 30.0}, [30, 30, 30, 30]),
        # The longest wait is shorter than the first: then all are as long as the first.
        ({"poke_interval": 45.0, "max_wait": 1.0}, [45, 45, 45]),
        # A trigger must not fire at once.
        ({"poke_interval": 1.0, "max_wait": 50.0}, [10, 20, 40, 50]),
    ],
)
def test_the_waits_follow_poke_interval_and_max_wait(jobs, slept, options, waits):
    assert run(trigger(jobs, **options))["status"] == "finished"
    assert slept == waits


def test_the_last_job_is_waited_for(zendesk_sandbox, jobs, slept):
    zendesk_sandbox.advance(99)
    late = ZendeskHelpCenterHook().update_users([zendesk_sandbox.users()[3].id], {"tags": []}).job_ids
    event = run(trigger([*jobs, *late]))
    assert (event["jobs"], event["users_updated"]) == (3, 151)
    assert slept == [10, 20, 40, 60]


def test_more_than_a_hundred_jobs_take_two_requests_a_poll(zendesk_sandbox, people, slept):
    zendesk_sandbox.settings(max_jobs=None, job_queue_seconds=0)
    hook = ZendeskHelpCenterHook()
    jobs = [job for _ in range(101) for job in hook.update_users([people[0]], {"tags": []}).job_ids]
    assert run(trigger(jobs))["users_updated"] == 101
    assert polls(zendesk_sandbox) == 2


def test_the_event_has_the_number_and_reasons_of_failed_users_and_not_their_ids(zendesk_sandbox, jobs, people):
    zendesk_sandbox.settings(failing_user_ids=[people[3], people[120]])
    event = run(trigger(jobs))
    assert event["users_updated"] == 148
    assert sum(event["users_failed"].values()) == 2
    assert not any(str(person) in json.dumps(event) for person in people)


def test_the_event_names_the_jobs_that_failed_as_a_whole(zendesk_sandbox, people):
    zendesk_sandbox.settings(job_outcome="failed")
    jobs = ZendeskHelpCenterHook().update_users(people, {"tags": []}).job_ids
    event = run(trigger(jobs))
    assert (event["jobs_failed"], event["users_updated"], event["failed_job_ids"]) == (2, 0, jobs)


class TestTimeout:
    def test_the_deadline_is_an_absolute_time_that_a_restart_does_not_extend(self, zendesk_sandbox, jobs, slept):
        deadline = datetime.fromtimestamp(zendesk_sandbox.now(), UTC) + timedelta(seconds=50)
        watched = trigger(jobs, deadline=deadline.isoformat())
        assert run(watched) == {"status": "timeout", "jobs": 2, "unfinished": 2}
        # One more poll directly before the deadline.
        assert slept[:2] == [10, 20]
        assert slept[2] in (19, 20)

        # Another triggerer takes over after the deadline: it polls once.
        before = polls(zendesk_sandbox)
        assert run(ZendeskJobStatusTrigger(**watched.serialize()[1]))["status"] == "timeout"
        assert polls(zendesk_sandbox) == before + 1
        assert slept[3:] == [0]

    def test_a_trigger_that_starts_after_the_deadline_polls_once(self, zendesk_sandbox, jobs, slept):
        deadline = datetime.fromtimestamp(zendesk_sandbox.now(), UTC) + timedelta(seconds=50)
        zendesk_sandbox.advance(3600)
        assert run(trigger(jobs, deadline=deadline.isoformat()))["status"] == "finished"
        assert slept == [0]

    def test_a_timeout_without_any_successful_poll_has_no_number_of_unfinished_jobs(self, zendesk_sandbox, jobs):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=None)
        deadline = datetime.fromtimestamp(zendesk_sandbox.now(), UTC) + timedelta(seconds=50)
        event = run(trigger(jobs, deadline=deadline.isoformat()))
        assert event == {"status": "timeout", "jobs": 2, "unfinished": None}


class TestFailures:
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 503},
            {"kind": "status", "status": 500},
            {"kind": "reset"},
            {"kind": "html"},
            {"kind": "truncate"},
            {"kind": "empty_body"},
            {"kind": "status", "status": 429, "body": "Number of allowed API requests", "content_type": "text/plain"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("endpoint", ["zendesk.show_jobs", "zendesk.create_token"])
    def test_up_to_max_failures_polls_in_a_row_may_fail(self, zendesk_sandbox, jobs, slept, fault, endpoint):
        zendesk_sandbox.expire_tokens()
        zendesk_sandbox.fault(endpoint, times=3, **fault)
        assert run(trigger(jobs))["status"] == "finished"
        assert slept == [10, 20, 40, 60]

    def test_more_than_max_failures_failed_polls_end_the_trigger(self, zendesk_sandbox, jobs, slept):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=None)
        event = run(trigger(jobs, max_failures=2))
        assert (event["status"], event["error"]) == ("failed", "VendorUnavailable")
        assert "503" in event["message"]
        # One request each: the next poll is the repeat.
        assert polls(zendesk_sandbox) == 3

    def test_a_successful_poll_resets_the_count_of_failed_ones(self, zendesk_sandbox, jobs, slept):
        for skip in (0, 1):
            zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=1, skip=skip)
        assert run(trigger(jobs, max_failures=1))["status"] == "finished"
        assert slept == [10, 20, 40, 60]

    def test_a_retry_after_of_zendesk_delays_the_next_poll(self, zendesk_sandbox, jobs, slept):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=429, headers={"retry-after": "1234"})
        assert run(trigger(jobs))["status"] == "finished"
        assert slept == [10, 1234]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"endpoint": "zendesk.show_jobs", "status": 403}, "PermissionDenied"),
            ({"endpoint": "zendesk.show_jobs", "status": 401}, "AuthenticationError"),
            ({"endpoint": "zendesk.show_jobs", "status": 400}, "RejectedRequest"),
            ({"endpoint": "zendesk.create_token", "status": 401}, "AuthenticationError"),
        ],
    )
    def test_a_permanent_error_of_a_poll_ends_the_trigger_at_once(self, zendesk_sandbox, jobs, slept, fault, error):
        zendesk_sandbox.expire_tokens()
        zendesk_sandbox.fault(fault["endpoint"], "status", status=fault["status"], times=None)
        event = run(trigger(jobs))
        assert (event["status"], event["error"]) == ("failed", error)
        assert slept == [10]

    def test_a_job_that_zendesk_does_not_know_ends_the_trigger(self, jobs, slept):
        event = run(trigger([*jobs, "V3-0000"]))
        assert (event["status"], event["error"]) == ("failed", "NotFound")
        assert "V3-0000" in event["message"]
        assert slept == [10]

    def test_a_connection_that_only_the_worker_has_ends_the_trigger_with_an_error(
        self, zendesk_sandbox, jobs, monkeypatch
    ):
        monkeypatch.delenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT")
        event = run(trigger(jobs))
        assert (event["status"], event["error"]) == ("failed", "ConfigurationError")
        assert "'zendesk_help_center_default'" in event["message"]
        assert polls(zendesk_sandbox) == 0

    def test_an_unexpected_exception_is_raised_to_airflow(self, jobs, monkeypatch):
        monkeypatch.setattr(ZendeskHelpCenterHook, "get_job_statuses", lambda hook, job_ids: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(trigger(jobs))


def test_a_connection_of_the_official_type_works_in_the_trigger(zendesk_sandbox, jobs, monkeypatch):
    ours = zendesk_sandbox.connection()
    theirs = {
        "conn_type": "zendesk",
        "host": ours["host"],
        "login": "ada.okafor@example.com",
        "password": zendesk_sandbox.api_token,
        "extra": {"use_token": True},
    }
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", json.dumps(theirs))
    assert run(trigger(jobs))["users_updated"] == 150


def test_the_event_loop_runs_during_a_poll(zendesk_sandbox, jobs):
    zendesk_sandbox.settings(job_queue_seconds=0)
    zendesk_sandbox.fault("zendesk.show_jobs", "latency", seconds=1)
    order = []

    async def watch() -> None:
        await anext(trigger(jobs, poke_interval=200.0).run())
        order.append("trigger")

    async def other() -> None:
        while not zendesk_sandbox.calls("zendesk.show_jobs"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        order.append("other")

    async def both() -> None:
        await asyncio.gather(watch(), other())

    asyncio.run(both())
    assert order == ["other", "trigger"]


def test_a_trigger_that_has_ended_sends_no_request(zendesk_sandbox, jobs):
    watched = trigger(jobs)
    zendesk_sandbox.fault("zendesk.show_jobs", "hang", seconds=1)

    async def cancelled() -> None:
        task = asyncio.ensure_future(anext(watched.run()))
        while not zendesk_sandbox.calls("zendesk.show_jobs"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await watched.cleanup()

    asyncio.run(cancelled())
    assert watched._hook is not None
    with pytest.raises(Stopped):
        watched._hook.get_job_statuses(jobs)
    assert polls(zendesk_sandbox) == 1

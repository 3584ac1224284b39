"""The sensor for Zendesk's jobs: when jobs count as successful, in place and deferred; no user ID is shown."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    BaseSensorOperator,
    TaskDeferred,
)

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:
    from airflow.exceptions import AirflowRescheduleException

from airflow_segments_provider.errors import (
    InvalidInput,
    NotFound,
    PermissionDenied,
    RejectedRequest,
    SegmentsError,
    Stopped,
    VendorUnavailable,
)
from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook
from airflow_segments_provider.sensors.zendesk import ZendeskJobStatusSensor
from tests.conftest import RETRY

# On Airflow 2, the reschedule mode queries the metadata database.
pytestmark = pytest.mark.usefixtures("airflow_db")

MODES = [{"deferrable": False}, {"deferrable": False, "mode": "reschedule"}, {"deferrable": True}]
FINISHED = {
    "status": "finished",
    "jobs": 2,
    "users_updated": 120,
    "users_failed": {},
    "jobs_failed": 0,
    "failed_job_ids": [],
}


class TaskInstance:
    """The attributes of a task instance that the sensor needs."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_first_reschedule_date(self, context: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return 1 if name == "try_number" else None


@pytest.fixture(autouse=True)
def naps(zendesk_sandbox, monkeypatch):
    """Let jobs begin and end after 100 seconds; the sandbox's clock advances in place of the sensor's sleeps."""
    zendesk_sandbox.settings(rate_limit="none", job_queue_seconds=100, job_seconds_per_row=0)
    connection = zendesk_sandbox.connection_json(retry=RETRY)
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", connection)
    real = BaseSensorOperator._get_next_poke_interval
    naps: list[float] = []

    def interval(sensor: BaseSensorOperator, *counts: Any) -> float:
        naps.append(real(sensor, *counts))
        zendesk_sandbox.advance(naps[-1])
        return 0

    monkeypatch.setattr(BaseSensorOperator, "_get_next_poke_interval", interval)
    return naps


@pytest.fixture
def people(zendesk_sandbox):
    return zendesk_sandbox.seed_users(120)


def begun(people: Any) -> list[str]:
    return ZendeskHelpCenterHook().update_users(people, {"tags": ["trial"]}).job_ids


@pytest.fixture
def jobs(people) -> list[str]:
    """Return the IDs of two jobs, for 100 users and for 20."""
    return begun(people)


# Seconds of the longest timeout that Airflow takes.
LONGEST = 86_399_999_999_999


def polls(sandbox) -> int:
    return int(sandbox.counts().get("zendesk.show_jobs", 0))


def wait(job_ids: Any, **options: Any) -> ZendeskJobStatusSensor:
    return ZendeskJobStatusSensor(task_id="wait", job_ids=job_ids, **options)


def context() -> Any:
    return {"ti": TaskInstance()}


@pytest.mark.parametrize("options", MODES)
class TestFinishedJobs:
    """One request is sent, without a wait."""

    @pytest.fixture(autouse=True)
    def _done(self, zendesk_sandbox):
        zendesk_sandbox.settings(job_queue_seconds=0)

    def test_completed_jobs_are_a_success_after_one_poll(self, zendesk_sandbox, jobs, options):
        assert wait(jobs, **options).execute(context()) == {"jobs": 2, "users_updated": 120, "users_failed": {}}
        assert polls(zendesk_sandbox) == 1

    def test_a_completed_job_with_failed_users_is_an_error_with_the_reasons_and_without_the_users(
        self, zendesk_sandbox, people, options, caplog
    ):
        zendesk_sandbox.settings(failing_user_ids=[people[0], people[110]])
        jobs = begun(people)
        with pytest.raises(RejectedRequest) as caught:
            wait(jobs, **options).execute(context())
        message = str(caught.value)
        (reason,) = {row["error"] for job in zendesk_sandbox.jobs() for row in job.results if "error" in row}
        for part in (
            "2 background jobs",
            "118 users updated",
            "2 not",
            f"{reason}: 2",
            "'zendesk_help_center_default'",
        ):
            assert part in message
        assert not any(str(person) in message + caplog.text for person in people)

    def test_failed_users_are_returned_with_on_failed_skip(self, zendesk_sandbox, people, options):
        zendesk_sandbox.settings(failing_user_ids=[people[0], people[110]])
        jobs = begun(people)
        result = wait(jobs, on_failed="skip", **options).execute(context())
        assert (result["users_updated"], sum(result["users_failed"].values())) == (118, 2)

    @pytest.mark.parametrize("on_failed", ["fail", "skip"])
    def test_a_job_that_failed_as_a_whole_is_an_error_whatever_on_failed(
        self, zendesk_sandbox, people, options, on_failed
    ):
        zendesk_sandbox.settings(job_outcome="failed")
        jobs = begun(people)
        with pytest.raises(RejectedRequest, match=f"2 of the jobs failed as a whole, such as {jobs[0]}, {jobs[1]}"):
            wait(jobs, on_failed=on_failed, **options).execute(context())

    def test_a_job_that_zendesk_does_not_know_is_an_error(self, jobs, options):
        with pytest.raises(NotFound, match="V3-0000"):
            wait([*jobs, "V3-0000"], **options).execute(context())

    def test_failed_users_and_unknown_jobs_are_skipped_with_soft_fail(self, zendesk_sandbox, people, options):
        zendesk_sandbox.settings(failing_user_ids=[people[0]])
        for job_ids in (begun(people), "V3-0000"):
            with pytest.raises(AirflowSkipException):
                wait(job_ids, soft_fail=True, **options).execute(context())

    def test_an_empty_list_of_jobs_is_a_success_without_a_request(self, zendesk_sandbox, options):
        synced = {"outcome": "changed", "user_segment_id": 1, "job_ids": [], "counts": {"applied": 3}}
        results: list[Any] = [[], synced]
        for job_ids in results:
            assert wait(job_ids, **options).execute(context()) == {"jobs": 0, "users_updated": 0, "users_failed": {}}
        assert zendesk_sandbox.counts() == {}

    def test_users_that_the_update_reported_as_done_are_counted(self, zendesk_sandbox, jobs, options):
        update = {"job_ids": jobs, "jobs": 32, "users_updated": 3000, "users_sent": 3120}
        expected = {"jobs": 32, "users_updated": 3120, "users_failed": {}}
        assert wait(update, **options).execute(context()) == expected
        assert wait({**update, "job_ids": []}, **options).execute(context())["users_updated"] == 3000
        by_hand = [{"job_ids": jobs, "jobs": "32", "users_updated": "3000"}, {"job_ids": [], "users_updated": None}]
        assert wait(by_hand, **options).execute(context()) == expected


def test_a_timeout_of_thousands_of_years_ends_in_the_last_one(jobs):
    with pytest.raises(TaskDeferred) as deferred:
        wait(jobs, deferrable=True, timeout=LONGEST).execute(context())
    assert deferred.value.trigger.serialize()[1]["deadline"] == "9999-12-31T00:00:00+00:00"


class TestJobIds:
    @pytest.fixture(autouse=True)
    def _done(self, zendesk_sandbox):
        zendesk_sandbox.settings(job_queue_seconds=0)

    def test_job_ids_are_read_from_every_form_of_ids_and_results(self, zendesk_sandbox, jobs):
        result = {"job_ids": jobs, "jobs": 2, "users_updated": 0}
        for given in (
            jobs,
            tuple(jobs),
            [*jobs, *jobs],
            json.dumps(jobs),
            str(jobs),
            result,
            str(result),
            json.dumps(result),
            [result],
            [{**result, "job_ids": jobs[:1], "jobs": 1}, {**result, "job_ids": jobs[1:], "jobs": 1}],
            iter(jobs),
        ):
            assert wait(given).execute(context()) == {"jobs": 2, "users_updated": 120, "users_failed": {}}
        assert wait(jobs[0]).execute(context())["users_updated"] == 100

    @pytest.mark.parametrize("given", [None, "", "None", 1.5, {}, {"user_segment_id": 5}, [None], ["a b"], [{}], "{}"])
    def test_job_ids_that_name_no_job_are_refused(self, zendesk_sandbox, given):
        with pytest.raises(InvalidInput, match="`job_ids"):
            wait(given).execute(context())
        assert zendesk_sandbox.counts() == {}

    def test_a_result_whose_numbers_are_not_whole_is_refused(self, zendesk_sandbox):
        for wrong in ({"jobs": "few"}, {"users_updated": [1]}):
            with pytest.raises(InvalidInput, match=f"`{next(iter(wrong))}`"):
                wait({"job_ids": [], **wrong}).execute(context())
        assert zendesk_sandbox.counts() == {}

    def test_all_invalid_parameters_are_named_in_one_message(self, zendesk_sandbox):
        with pytest.raises(InvalidInput) as caught:
            wait(["a/b"], on_failed="ignore", max_failures="few").execute(context())
        for part in ("3 problems", "`job_ids.0`", "`on_failed`", "`max_failures`"):
            assert part in str(caught.value)
        assert zendesk_sandbox.counts() == {}


class TestInPlace:
    def test_a_wait_in_place_polls_more_and_more_slowly_until_the_jobs_are_done(self, zendesk_sandbox, jobs, naps):
        assert wait(jobs).execute(context())["users_updated"] == 120
        assert sum(naps) >= 100
        assert sum(naps[:-1]) < 100
        assert naps == sorted(naps)
        assert naps[0] < 20
        assert naps[-1] <= 60
        assert polls(zendesk_sandbox) == 1 + len(naps)

    def test_a_wait_without_exponential_backoff_polls_at_an_even_interval(self, zendesk_sandbox, jobs, naps):
        wait(jobs, exponential_backoff=False, poke_interval=30).execute(context())
        assert naps == [30, 30, 30, 30]

    def test_reschedule_mode_releases_the_slot_after_one_poll(self, zendesk_sandbox, jobs):
        with pytest.raises(AirflowRescheduleException):
            wait(jobs, mode="reschedule").execute(context())
        assert polls(zendesk_sandbox) == 1

    def test_a_wait_in_place_ends_with_a_sensor_timeout_or_is_skipped(self, jobs):
        with pytest.raises(AirflowSensorTimeout):
            wait(jobs, timeout=0).execute(context())
        with pytest.raises(AirflowSkipException):
            wait(jobs, timeout=0, soft_fail=True).execute(context())

    def test_up_to_max_failures_polls_in_a_row_may_fail(self, zendesk_sandbox, jobs):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=2 * RETRY["max_attempts"])
        assert wait(jobs, max_failures="2").execute(context())["users_updated"] == 120

    def test_more_than_max_failures_failed_polls_end_the_wait(self, zendesk_sandbox, jobs, naps):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=None)
        with pytest.raises(VendorUnavailable):
            wait(jobs, max_failures=2).execute(context())
        assert len(naps) == 2
        assert polls(zendesk_sandbox) == 3 * RETRY["max_attempts"]

    def test_a_successful_poll_resets_the_count_of_failed_ones(self, zendesk_sandbox, jobs):
        for skip in (0, 1):
            zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=RETRY["max_attempts"], skip=skip)
        assert wait(jobs, max_failures=1).execute(context())["users_updated"] == 120

    def test_reschedule_mode_survives_failed_polls_until_the_timeout(self, zendesk_sandbox, jobs):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=None)
        for _ in range(3):
            with pytest.raises(AirflowRescheduleException):
                wait(jobs, mode="reschedule", max_failures=1).execute(context())

    def test_a_permanent_error_of_a_poll_ends_the_wait_at_once(self, zendesk_sandbox, jobs, naps):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=403)
        with pytest.raises(PermissionDenied):
            wait(jobs).execute(context())
        assert naps == []

    def test_a_killed_sensor_sends_no_request(self, zendesk_sandbox, jobs):
        sensor = wait(jobs)
        _ = sensor.hook.client
        sensor.on_kill()
        with pytest.raises(Stopped):
            sensor.execute(context())
        assert polls(zendesk_sandbox) == 0


class TestDeferred:
    def test_a_deferrable_sensor_polls_once_and_passes_its_parameters_to_the_trigger(self, zendesk_sandbox, jobs):
        before = datetime.now(UTC)
        with pytest.raises(TaskDeferred) as deferred:
            wait(jobs, deferrable=True, timeout=600, max_failures="4").execute(context())
        after = datetime.now(UTC)
        assert polls(zendesk_sandbox) == 1

        classpath, arguments = deferred.value.trigger.serialize()
        assert classpath == "airflow_segments_provider.triggers.zendesk.ZendeskJobStatusTrigger"
        deadline = datetime.fromisoformat(arguments.pop("deadline"))
        assert before + timedelta(seconds=600) <= deadline <= after + timedelta(seconds=600)
        assert arguments == {
            "zendesk_conn_id": "zendesk_help_center_default",
            "job_ids": jobs,
            "poke_interval": 10.0,
            "max_wait": 60.0,
            "max_failures": 4,
        }
        assert deferred.value.timeout is None
        assert deferred.value.method_name == "execute_complete"

    def test_the_trigger_gets_the_poke_interval_and_the_max_wait_of_the_sensor(self, jobs):
        with pytest.raises(TaskDeferred) as deferred:
            wait(jobs, deferrable=True, poke_interval=30, exponential_backoff=False).execute(context())
        arguments = deferred.value.trigger.serialize()[1]
        assert (arguments["poke_interval"], arguments["max_wait"]) == (30, 30)

    def test_a_temporary_failure_of_the_first_poll_does_not_prevent_the_deferral(self, zendesk_sandbox, jobs):
        zendesk_sandbox.fault("zendesk.show_jobs", "status", status=503, times=None)
        with pytest.raises(TaskDeferred):
            wait(jobs, deferrable=True).execute(context())

    def test_the_end_of_a_deferral_sends_no_request(self, zendesk_sandbox, jobs):
        result = wait(jobs).execute_complete(context(), event=FINISHED)
        assert result == {"jobs": 2, "users_updated": 120, "users_failed": {}}
        assert polls(zendesk_sandbox) == 0

    @pytest.mark.parametrize(
        ("told", "error", "text"),
        [
            ({**FINISHED, "users_failed": {"UserUpdateFailed": 3}}, RejectedRequest, "UserUpdateFailed: 3"),
            ({**FINISHED, "jobs_failed": 1, "failed_job_ids": ["V3-1"]}, RejectedRequest, "such as V3-1"),
            ({"status": "timeout", "jobs": 2, "unfinished": 1}, AirflowSensorTimeout, "not end 1 of 2 background"),
            ({"status": "timeout", "jobs": 2, "unfinished": None}, AirflowSensorTimeout, "not end all of 2"),
            ({"status": "failed", "error": "PermissionDenied", "message": "No."}, PermissionDenied, "No."),
            ({"status": "failed", "error": "NotFound", "message": "Gone."}, NotFound, "Gone."),
            ({"status": "failed", "error": "InvalidInput", "message": "Bad."}, InvalidInput, "Bad."),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_a_timeout_or_failure_of_the_trigger_is_an_error_of_the_sensor(self, jobs, told, error, text):
        with pytest.raises(error, match=text):
            wait(jobs).resume_execution("execute_complete", {"event": told}, context())
        with pytest.raises(AirflowSkipException):
            wait(jobs, soft_fail=True).resume_execution("execute_complete", {"event": told}, context())

    def test_a_completed_job_without_a_number_of_users_returns_none(self, jobs):
        result = wait(jobs).execute_complete(context(), event={**FINISHED, "users_updated": None})
        assert result["users_updated"] is None

    @pytest.mark.parametrize(
        "told",
        [
            None,
            {},
            "finished",
            {"status": "finished"},
            {"status": "failed", "error": "Exception", "message": "x"},
            {"status": "failed", "error": "__doc__", "message": "x"},
            {**FINISHED, "jobs_failed": None},
        ],
    )
    def test_an_unknown_event_is_an_error(self, jobs, told):
        with pytest.raises(SegmentsError, match="an unknown event"):
            wait(jobs).execute_complete(context(), event=told)


def test_the_link_is_pushed_before_the_deferral(zendesk_sandbox, jobs):
    running = context()
    with pytest.raises(TaskDeferred):
        wait(jobs, deferrable=True).execute(running)
    assert running["ti"].pushed == {"_link_ZendeskHelpCenterLink": ZendeskHelpCenterHook().ui_url}


def test_the_default_of_deferrable_follows_the_configuration(monkeypatch):
    import importlib

    from airflow_segments_provider.sensors import zendesk

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    try:
        assert importlib.reload(zendesk).ZendeskJobStatusSensor(task_id="wait", job_ids=[]).deferrable is True
    finally:
        monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE")
        importlib.reload(zendesk)
    assert zendesk.ZendeskJobStatusSensor(task_id="wait", job_ids=[]).deferrable is False


class TestAsATask:
    """Real runs with a real deferral and resume."""

    @pytest.fixture(autouse=True)
    def slept(self, zendesk_sandbox, monkeypatch):
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(round(seconds))
            zendesk_sandbox.advance(seconds)

        monkeypatch.setattr("airflow_segments_provider.triggers.zendesk.sleep", sleep)
        return slept

    def run(self, dag_file: Any, options: str) -> tuple[dict[str, str], Any]:
        """Return the end states and the sensor's result; the DAG file itself contains no user."""
        dag = dag_file(
            f"""
            import os
            from airflow_segments_provider.operators.zendesk import *
            from airflow_segments_provider.sensors.zendesk import *

            update = ZendeskUpdateUsersOperator(
                task_id="update", user_ids=os.environ["PEOPLE"].split(), change={{"tags": ["trial"]}}
            )
            ZendeskJobStatusSensor(task_id="wait", job_ids=update.output, {options})
            """
        )
        tasks = {ti.task_id: ti for ti in dag.test().get_task_instances()}
        return {name: str(ti.state) for name, ti in tasks.items()}, tasks["wait"].xcom_pull(task_ids="wait")

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_no_user_is_in_the_metadata_database_or_the_log_after_a_wait(
        self, dag_file, people, zendesk_sandbox, stored, slept, naps, deferrable, monkeypatch, capfd, caplog
    ):
        monkeypatch.setenv("PEOPLE", " ".join(map(str, people)))
        zendesk_sandbox.settings(failing_user_ids=[people[7]])
        states, result = self.run(
            dag_file, f"deferrable={deferrable}, on_failed='skip', exponential_backoff=False, poke_interval=30"
        )
        assert states == {"update": "success", "wait": "success"}
        assert (slept, naps) == (([30, 30, 30, 30], []) if deferrable else ([], [30, 30, 30, 30]))
        assert (result["jobs"], result["users_updated"]) == (2, 119)
        assert zendesk_sandbox.counts() == {
            "zendesk.create_token": 1,
            "zendesk.update_users": 2,
            "zendesk.show_jobs": 5,
        }
        assert zendesk_sandbox.user(people[0]).tags == ["trial"]
        assert stored("119")
        logged = capfd.readouterr().out + caplog.text
        assert "119 users updated" in logged
        assert not [person for person in people if str(person) in logged]
        assert not stored(*map(str, people))

    @pytest.mark.parametrize("deferrable", [True, False])
    @pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
    def test_a_task_with_failed_users_fails_or_is_skipped_with_soft_fail(
        self, dag_file, people, zendesk_sandbox, deferrable, soft_fail, state, monkeypatch
    ):
        monkeypatch.setenv("PEOPLE", str(people[7]))
        zendesk_sandbox.settings(failing_user_ids=[people[7]])
        states, result = self.run(dag_file, f"deferrable={deferrable}, soft_fail={soft_fail}")
        assert states == {"update": "success", "wait": state}
        assert result is None

"""The propagation sensor: what it waits for, and that a retry does not restart the wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowSensorTimeout,
    AirflowSkipException,
    TaskDeferred,
)

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:
    from airflow.exceptions import AirflowRescheduleException

from airflow_segments_provider.errors import InvalidInput, NotFound, Stopped, VendorUnavailable
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor


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


# On Airflow 2, the reschedule mode queries the metadata database.
pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture
def segment(hook) -> Any:
    return hook.create_segment("Trial users", ["a"]).model_dump(mode="json")


@pytest.fixture
def quiet(walkme_sandbox, segment):
    """Return a function that counts the requests since the segment was created."""
    before = sum(walkme_sandbox.counts().values())
    return lambda: sum(walkme_sandbox.counts().values()) - before


def ago(segment: dict[str, Any], **delta: float) -> dict[str, Any]:
    return {**segment, "changed_at": (datetime.now(UTC) - timedelta(**delta)).isoformat()}


def wait(segment: Any = None, **options: Any) -> WalkMeSegmentPropagationSensor:
    return WalkMeSegmentPropagationSensor(task_id="wait", segment=segment, **options)


def context() -> Any:
    return {"ti": TaskInstance()}


@pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
def test_a_time_that_has_passed_needs_one_request(segment, quiet, options):
    result = wait(ago(segment, minutes=11), **options).execute(context())

    assert quiet() == 1
    assert {key: result[key] for key in ("segment_guid", "external_id", "name")} == {
        key: segment[key] for key in ("segment_guid", "external_id", "name")
    }
    assert sorted(result) == ["external_id", "name", "segment_guid", "visible_at"]


def test_a_deferrable_sensor_defers_until_the_absolute_time_without_a_request(segment, quiet):
    changed = datetime.fromisoformat(segment["changed_at"])
    for _ in range(2):  # A second try or a cleared task waits for the same moment.
        with pytest.raises(TaskDeferred) as deferred:
            wait(segment, deferrable=True).execute(context())
        classpath, arguments = deferred.value.trigger.serialize()
        assert classpath == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
        assert arguments["moment"] == changed + timedelta(minutes=10)
        assert set(arguments) <= {"moment", "end_from_trigger"}
        assert deferred.value.timeout is None
    assert quiet() == 0


def test_the_link_is_pushed_before_the_wait(segment):
    running = context()
    with pytest.raises(TaskDeferred):
        wait(segment, deferrable=True).execute(running)
    # The sandbox has no Admin Center. After the wait, the XCom has to exist.
    assert running["ti"].pushed == {"_link_WalkMeSystemLink": ""}


def test_the_link_of_the_admin_center_is_pushed(connect, segment):
    connect(admin_url="https://admin.walkme.com/systems")
    running = context()
    with pytest.raises(TaskDeferred):
        wait(segment, deferrable=True).execute(running)
    assert running["ti"].pushed == {"_link_WalkMeSystemLink": "https://admin.walkme.com/systems"}


def test_the_end_of_a_deferral_is_one_request(segment, quiet):
    segment = ago(segment, minutes=10)
    moment = datetime.fromisoformat(segment["changed_at"]) + timedelta(minutes=10)
    assert wait(segment).execute_complete(context(), event=moment)["name"] == "Trial users"
    assert quiet() == 1


def test_a_worker_whose_clock_is_behind_that_of_the_triggerer_does_not_wait_again(segment, quiet):
    moment = datetime.fromisoformat(segment["changed_at"]) + timedelta(minutes=10)
    wait(segment).execute_complete(context(), event=moment)
    assert quiet() == 1


def test_a_short_wait_is_waited_in_place(segment, quiet, monkeypatch):
    sensor = wait(ago(segment, minutes=9, seconds=55), deferrable=True)
    slept: list[float] = []

    def rest(seconds: float) -> None:
        slept.append(seconds)
        sensor.propagation_delay = 0

    monkeypatch.setattr(sensor.hook.client, "sleep", rest)
    sensor.execute(context())
    assert len(slept) == 1
    assert 0 < slept[0] <= 5
    assert quiet() == 1


def test_a_kill_ends_a_wait_in_place(segment, quiet):
    sensor = wait(ago(segment, minutes=9, seconds=52), deferrable=True)
    _ = sensor.hook.client  # The wait has begun.
    sensor.on_kill()
    with pytest.raises(Stopped):
        sensor.execute(context())
    assert quiet() == 0


def test_reschedule_mode_releases_the_slot_without_a_request(segment, quiet):
    with pytest.raises(AirflowRescheduleException):
        wait(segment, mode="reschedule", poke_interval=30).execute(context())
    assert quiet() == 0


def test_poke_mode_sends_no_request_before_the_time(segment, quiet):
    assert wait(segment, mode="poke").poke(context()) is False
    assert quiet() == 0


@pytest.mark.parametrize("delay", [600, "600", "PT10M", "00:10:00", timedelta(minutes=10), 600.0])
def test_the_delay_is_read_in_every_form_that_a_template_may_render_to(segment, delay):
    changed = datetime.fromisoformat(segment["changed_at"])
    assert wait(segment, propagation_delay=delay).visible_at() == changed + timedelta(minutes=10)


def test_a_segment_without_a_result_needs_changed_at(segment):
    guid, moment = segment["segment_guid"], "2026-01-01T12:00:00+01:00"
    assert wait(segment_guid=guid, changed_at=moment).visible_at() == datetime(2026, 1, 1, 11, 10, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="`changed_at` is missing"):
        wait(segment_guid=guid).visible_at()


@pytest.mark.parametrize("form", [json.dumps, str])
def test_the_result_of_a_task_may_be_the_text_of_a_template(segment, form):
    assert wait(form(segment)).visible_at() == wait(segment).visible_at()


@pytest.mark.parametrize("form", [dict, json.dumps])
@pytest.mark.parametrize("outcome", ["planned", "unchanged"])
def test_a_sync_that_has_changed_nothing_is_not_waited_for(segment, quiet, form, outcome):
    result = form({**segment, "outcome": outcome, "changed_at": None})
    with pytest.raises(AirflowSkipException, match="nothing to wait for"):
        wait(result).execute(context())
    assert quiet() == 0


def test_a_moment_beyond_the_calendar(segment, quiet):
    for parameters in ({"propagation_delay": timedelta.max}, {"changed_at": "9999-12-31T23:59:00+00:00"}):
        with pytest.raises(InvalidInput, match="beyond the year 9999"):
            wait(segment=segment, **parameters).execute(context())
    assert quiet() == 0


def test_all_invalid_parameters_are_named_in_one_message(segment, quiet):
    with pytest.raises(InvalidInput) as caught:
        wait(segment_guid="nope", changed_at="2026-01-01T12:00:00", propagation_delay="soon").execute(context())
    for part in ("`segment_guid`", "`changed_at`", "`propagation_delay`"):
        assert part in str(caught.value)
    assert quiet() == 0


class TestMissingSegment:
    @pytest.fixture(autouse=True)
    def _delete(self, hook, segment):
        hook.delete_segment(segment=segment)

    @pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
    def test_a_segment_that_is_missing_at_the_end_of_the_wait_is_an_error(self, segment, options):
        with pytest.raises(NotFound, match="does not list"):
            wait(ago(segment, minutes=11), **options).execute(context())

    @pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
    def test_a_segment_that_is_missing_at_the_end_of_the_wait_is_skipped_with_soft_fail(self, segment, options):
        with pytest.raises(AirflowSkipException):
            wait(ago(segment, minutes=11), soft_fail=True, **options).execute(context())

    def test_a_segment_that_is_missing_after_a_deferral_is_skipped_with_soft_fail(self, segment):
        event = {"event": datetime.fromisoformat(segment["changed_at"]) + timedelta(minutes=10)}
        with pytest.raises(AirflowSkipException):
            wait(segment, soft_fail=True).resume_execution("execute_complete", event, context())
        with pytest.raises(NotFound):
            wait(segment).resume_execution("execute_complete", event, context())


class TestTimeout:
    def test_a_deferral_ends_at_the_timeout_if_that_comes_first(self, segment):
        before = datetime.now(UTC)
        with pytest.raises(TaskDeferred) as deferred:
            wait(segment, deferrable=True, timeout=60).execute(context())
        moment = deferred.value.trigger.serialize()[1]["moment"]
        assert before + timedelta(seconds=60) <= moment <= datetime.now(UTC) + timedelta(seconds=60)

    def test_a_timeout_of_thousands_of_years_does_not_end_the_wait(self, segment, quiet):
        with pytest.raises(TaskDeferred) as deferred:
            wait(segment, deferrable=True, timeout=86_399_999_999_999).execute(context())
        moment = deferred.value.trigger.serialize()[1]["moment"]
        assert moment == datetime.fromisoformat(segment["changed_at"]) + timedelta(minutes=10)
        assert wait(segment, propagation_delay=0.5, timeout=86_399_999_999_999).execute(context())

    def test_a_deferral_that_ends_at_the_timeout_is_a_sensor_timeout_or_skipped(self, segment, quiet):
        event = {"event": datetime.now(UTC) + timedelta(seconds=60)}
        with pytest.raises(AirflowSensorTimeout, match="timeout of 60 s"):
            wait(segment, timeout=60).resume_execution("execute_complete", event, context())
        with pytest.raises(AirflowSkipException):
            wait(segment, timeout=60, soft_fail=True).resume_execution("execute_complete", event, context())
        assert quiet() == 0

    def test_poke_mode_ends_with_a_sensor_timeout(self, segment):
        with pytest.raises(AirflowSensorTimeout):
            wait(segment, timeout=0, poke_interval=0).execute(context())


def test_a_vendor_that_fails_at_the_end_of_the_wait_is_an_error_and_a_retry_succeeds(segment, walkme_sandbox, connect):
    walkme_sandbox.fault("walkme.list", "status", status=503, times=3)
    sensor = wait(ago(segment, minutes=11))
    with pytest.raises(VendorUnavailable):
        sensor.execute(context())
    assert sensor.execute(context())["name"] == "Trial users"


def test_the_default_of_deferrable_follows_the_configuration(monkeypatch):
    import importlib

    from airflow_segments_provider.sensors import walkme

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    try:
        assert importlib.reload(walkme).WalkMeSegmentPropagationSensor(task_id="wait").deferrable is True
    finally:
        monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE")
        importlib.reload(walkme)
    assert walkme.WalkMeSegmentPropagationSensor(task_id="wait").deferrable is False


def test_a_task_is_deferred_and_resumed_by_airflow(connect, walkme_sandbox, dag_file, monkeypatch, capfd, caplog):
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    connect()
    # However late the second task begins, the rest of the twelve seconds is deferred.
    monkeypatch.setattr("airflow_segments_provider.sensors.walkme.SHORTEST_DEFERRAL", timedelta(0))
    deferred = []
    real = DateTimeTrigger.run

    def watched(trigger):
        deferred.append(trigger.moment)
        return real(trigger)

    monkeypatch.setattr(DateTimeTrigger, "run", watched)
    dag = dag_file(
        """
        create = WalkMeCreateSegmentOperator(task_id="create", name="Trial users", user_ids=["a"])
        WalkMeSegmentPropagationSensor(
            task_id="wait", segment=create.output, propagation_delay="{{ 6 * 2 }}", deferrable=True
        )
        """
    )

    dag_run = dag.test()
    assert {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()} == {
        "create": "success",
        "wait": "success",
    }
    assert walkme_sandbox.counts()["walkme.list"] == 2
    logged = capfd.readouterr().out + caplog.text
    assert "Waiting until" in logged
    assert len(deferred) == 1

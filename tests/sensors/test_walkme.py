"""The propagation sensor: what it waits for, and that it never starts over."""

from __future__ import annotations

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
    """What the sensor asks of a task instance."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value

    def get_first_reschedule_date(self, context: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return 1 if name == "try_number" else None


# Reschedule mode asks the metadata database on Airflow 2.
pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture
def segment(hook) -> Any:
    return hook.create_segment("Trial users", ["a"]).model_dump(mode="json")


@pytest.fixture
def quiet(walkme_sandbox, segment):
    """The calls made since the segment was created."""
    before = sum(walkme_sandbox.counts().values())
    return lambda: sum(walkme_sandbox.counts().values()) - before


def ago(segment: dict[str, Any], **delta: float) -> dict[str, Any]:
    return {**segment, "changed_at": (datetime.now(UTC) - timedelta(**delta)).isoformat()}


def wait(segment: Any = None, **options: Any) -> WalkMeSegmentPropagationSensor:
    return WalkMeSegmentPropagationSensor(task_id="wait", segment=segment, **options)


def context() -> Any:
    return {"ti": TaskInstance()}


@pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
def test_a_moment_that_has_passed_needs_one_call(segment, quiet, options):
    result = wait(ago(segment, minutes=11), **options).execute(context())

    assert quiet() == 1
    assert {key: result[key] for key in ("segment_guid", "external_id", "name")} == {
        key: segment[key] for key in ("segment_guid", "external_id", "name")
    }
    assert sorted(result) == ["external_id", "name", "segment_guid", "visible_at"]


def test_it_defers_until_the_absolute_moment_and_calls_nothing(segment, quiet):
    changed = datetime.fromisoformat(segment["changed_at"])
    for _ in range(2):  # a second try, a clear: the same moment
        with pytest.raises(TaskDeferred) as deferred:
            wait(segment, deferrable=True).execute(context())
        classpath, arguments = deferred.value.trigger.serialize()
        assert classpath == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
        assert arguments["moment"] == changed + timedelta(minutes=10)
        assert set(arguments) <= {"moment", "end_from_trigger"}
        assert deferred.value.timeout is None
    assert quiet() == 0


def test_the_link_is_there_before_the_wait(segment):
    running = context()
    with pytest.raises(TaskDeferred):
        wait(segment, deferrable=True).execute(running)
    # The sandbox has no Admin Center. After the wait, the XCom has to exist.
    assert running["ti"].pushed == {"_link_WalkMeSystemLink": ""}


def test_a_link_is_pushed_where_the_admin_center_is_known(connect, segment):
    connect(admin_url="https://admin.walkme.com/systems")
    running = context()
    with pytest.raises(TaskDeferred):
        wait(segment, deferrable=True).execute(running)
    assert running["ti"].pushed == {"_link_WalkMeSystemLink": "https://admin.walkme.com/systems"}


def test_the_end_of_a_deferral_is_one_call(segment, quiet):
    segment = ago(segment, minutes=10)
    moment = datetime.fromisoformat(segment["changed_at"]) + timedelta(minutes=10)
    assert wait(segment).execute_complete(context(), event=moment)["name"] == "Trial users"
    assert quiet() == 1


def test_a_worker_whose_clock_is_behind_the_triggerers_does_not_wait_again(segment, quiet):
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
    _ = sensor.hook.client  # a wait has begun
    sensor.on_kill()
    with pytest.raises(Stopped):
        sensor.execute(context())
    assert quiet() == 0


def test_reschedule_mode_gives_the_slot_back(segment, quiet):
    with pytest.raises(AirflowRescheduleException):
        wait(segment, mode="reschedule", poke_interval=30).execute(context())
    assert quiet() == 0


def test_poke_mode_calls_nothing_before_the_moment(segment, quiet):
    assert wait(segment, mode="poke").poke(context()) is False
    assert quiet() == 0


@pytest.mark.parametrize("delay", [600, "600", "PT10M", "00:10:00", timedelta(minutes=10), 600.0])
def test_the_delay_in_every_form_that_a_template_may_render_to(segment, delay):
    changed = datetime.fromisoformat(segment["changed_at"])
    assert wait(segment, propagation_delay=delay).visible_at() == changed + timedelta(minutes=10)


def test_a_segment_without_a_result_needs_the_moment(segment):
    guid, moment = segment["segment_guid"], "2026-01-01T12:00:00+01:00"
    assert wait(segment_guid=guid, changed_at=moment).visible_at() == datetime(2026, 1, 1, 11, 10, tzinfo=UTC)
    with pytest.raises(InvalidInput, match="`changed_at` is missing"):
        wait(segment_guid=guid).visible_at()


def test_a_moment_beyond_the_calendar(segment, quiet):
    for parameters in ({"propagation_delay": timedelta.max}, {"changed_at": "9999-12-31T23:59:00+00:00"}):
        with pytest.raises(InvalidInput, match="beyond the year 9999"):
            wait(segment=segment, **parameters).execute(context())
    assert quiet() == 0


def test_all_problems_come_in_one_message(segment, quiet):
    with pytest.raises(InvalidInput) as caught:
        wait(segment_guid="nope", changed_at="2026-01-01T12:00:00", propagation_delay="soon").execute(context())
    for part in ("`segment_guid`", "`changed_at`", "`propagation_delay`"):
        assert part in str(caught.value)
    assert quiet() == 0


class TestTheSegmentIsGone:
    @pytest.fixture(autouse=True)
    def _delete(self, hook, segment):
        hook.delete_segment(segment=segment)

    @pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
    def test_at_the_end_of_the_wait(self, segment, options):
        with pytest.raises(NotFound, match="does not list"):
            wait(ago(segment, minutes=11), **options).execute(context())

    @pytest.mark.parametrize("options", [{"deferrable": True}, {"deferrable": False}, {"mode": "reschedule"}])
    def test_soft_fail_skips(self, segment, options):
        with pytest.raises(AirflowSkipException):
            wait(ago(segment, minutes=11), soft_fail=True, **options).execute(context())

    def test_soft_fail_skips_after_a_deferral(self, segment):
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

    def test_and_then_fails_as_a_sensor_does(self, segment, quiet):
        event = {"event": datetime.now(UTC) + timedelta(seconds=60)}
        with pytest.raises(AirflowSensorTimeout, match="timeout of 60 s"):
            wait(segment, timeout=60).resume_execution("execute_complete", event, context())
        with pytest.raises(AirflowSkipException):
            wait(segment, timeout=60, soft_fail=True).resume_execution("execute_complete", event, context())
        assert quiet() == 0

    def test_poke_mode_fails_after_it(self, segment):
        with pytest.raises(AirflowSensorTimeout):
            wait(segment, timeout=0, poke_interval=0).execute(context())


def test_a_vendor_that_fails_at_the_end_is_an_error_that_a_retry_mends(segment, walkme_sandbox, connect):
    walkme_sandbox.fault("walkme.list", "status", status=503, times=3)
    sensor = wait(ago(segment, minutes=11))
    with pytest.raises(VendorUnavailable):
        sensor.execute(context())
    assert sensor.execute(context())["name"] == "Trial users"


def test_deferrable_follows_the_configuration(monkeypatch):
    import importlib

    from airflow_segments_provider.sensors import walkme

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    try:
        assert importlib.reload(walkme).WalkMeSegmentPropagationSensor(task_id="wait").deferrable is True
    finally:
        monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE")
        importlib.reload(walkme)
    assert walkme.WalkMeSegmentPropagationSensor(task_id="wait").deferrable is False


def test_a_real_defer_and_resume(connect, walkme_sandbox, dag_file, monkeypatch, capfd, caplog):
    from airflow.providers.standard.triggers.temporal import DateTimeTrigger

    connect()
    # However late the second task begins, what is left of the twelve seconds is deferred.
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

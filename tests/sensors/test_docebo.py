"""The sensor for Docebo groups: when a group counts as populated, in place and deferred; no user ID is stored."""

from __future__ import annotations

import json
import re
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
    SegmentsError,
    Stopped,
    VendorUnavailable,
)
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.http import HttpClient
from airflow_segments_provider.sensors.docebo import DoceboGroupPopulatedSensor
from tests.conftest import RETRY

# On Airflow 2, the reschedule mode queries the metadata database.
pytestmark = pytest.mark.usefixtures("airflow_db")

MODES = [{"deferrable": False}, {"deferrable": False, "mode": "reschedule"}, {"deferrable": True}]


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
def rested(docebo_sandbox, monkeypatch):
    """Advance the sandbox's clock in place of each sleep, and return the seconds slept."""
    docebo_sandbox.settings(rate_limit=None, background_threshold=3)
    monkeypatch.setenv("AIRFLOW_CONN_DOCEBO_DEFAULT", docebo_sandbox.connection_json(retry=RETRY))
    rested: list[float] = []

    def rest(client: HttpClient, seconds: float) -> None:
        if seconds >= 1:
            rested.append(seconds)
            docebo_sandbox.advance(seconds)
        client._check_stopped()

    monkeypatch.setattr(HttpClient, "sleep", rest)
    return rested


@pytest.fixture(autouse=True)
def naps(docebo_sandbox, monkeypatch):
    """Return the seconds between the pokes of a sensor in place; the sandbox's clock advances instead."""
    real = BaseSensorOperator._get_next_poke_interval
    naps: list[float] = []

    def interval(sensor: BaseSensorOperator, *counts: Any) -> float:
        naps.append(real(sensor, *counts))
        docebo_sandbox.advance(naps[-1])
        return 0

    monkeypatch.setattr(BaseSensorOperator, "_get_next_poke_interval", interval)
    return naps


@pytest.fixture
def people(docebo_sandbox) -> list[int]:
    found: list[int] = docebo_sandbox.seed_users(5)
    return found


@pytest.fixture
def calls(docebo_sandbox):
    """Return the requests since the previous call, by endpoint."""
    before: dict[str, int] = {}

    def since() -> dict[str, int]:
        counts = docebo_sandbox.counts()
        found = {name.removeprefix("docebo."): n - before.get(name, 0) for name, n in counts.items()}
        before.update(counts)
        return {name: n for name, n in found.items() if n and name != "get_token"}

    return since


def wait(**options: Any) -> DoceboGroupPopulatedSensor:
    return DoceboGroupPopulatedSensor(task_id="wait", **options)


def context() -> Any:
    return {"ti": TaskInstance()}


def result_of(change: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(change.model_dump_json())
    return found


def created(people: Any = (), name: str = "Analysts") -> dict[str, Any]:
    return result_of(DoceboHook().create_group(name, people))


def deferral(sensor: DoceboGroupPopulatedSensor) -> dict[str, Any]:
    """Return the arguments of the trigger to which a sensor defers."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute(context())
    return arguments(deferred.value)


def arguments(deferred: TaskDeferred) -> dict[str, Any]:
    assert deferred.timeout is None
    assert deferred.method_name == "execute_complete"
    path, found = deferred.trigger.serialize()
    assert path == "airflow_segments_provider.triggers.docebo.DoceboGroupPopulatedTrigger"
    assert json.loads(json.dumps(found)) == found
    return dict(found)


def event(group: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Return an event of the trigger."""
    deadline = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    return {"status": "populated", "group_id": group["group_id"], "deadline": deadline, "members": 2, **fields}


def resumed(sensor: DoceboGroupPopulatedSensor, told: Any) -> Any:
    return sensor.resume_execution("execute_complete", {"event": told}, context())


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("change", ["created", "added"])
def test_a_manual_group_that_was_changed_without_a_background_job_needs_one_poll(
    people, calls, rested, options, change
):
    group = created(people[:2])
    if change == "added":
        group = result_of(DoceboHook().add_users(people[1:2], group=group))
    calls()
    result = wait(group=group, **options).execute(context())

    assert {**result, "populated_at": None} == {
        "group_id": group["group_id"],
        "members": 2,
        "users_missing": 0,
        "populated_at": None,
    }
    assert datetime.fromisoformat(result["populated_at"]).tzinfo is not None
    assert calls() == {"get_group": 2, "list_members": 1}
    assert rested == []


@pytest.mark.parametrize("key", ["group_id", "legacy", "name"])
def test_a_group_without_a_result_is_populated_when_its_number_of_members_is_stable(docebo_sandbox, calls, rested, key):
    group = docebo_sandbox.create_group("Analysts", user_ids=docebo_sandbox.seed_users(2))
    (legacy,) = DoceboHook().convert_group_ids([group])
    named = {"group_id": {"group_id": group}, "legacy": {"group_id": legacy.legacy_id}, "name": {"name": "Analysts"}}
    calls()
    assert wait(**named[key]).execute(context())["group_id"] == group
    assert rested == [15, 15]
    look_up = {"group_id": {}, "legacy": {"get_new_id": 1}, "name": {"list_groups": 1}}[key]
    assert calls() == {"get_group": 4, "list_members": 3, **look_up}


class TestInPlace:
    def test_a_background_job_is_waited_for_in_place(self, people, calls, rested, naps):
        sensor = wait(group=created(people), expected_user_ids=people)
        calls()
        result = sensor.execute(context())
        assert (result["members"], result["users_missing"]) == (5, 0)
        polls = len(naps) + 1 + len(rested)
        assert rested == [15, 15]
        assert calls() == {"get_group": 1 + polls, "get_user": 1, "list_members": polls + 1}

    def test_the_interval_between_pokes_grows_up_to_a_limit(self, docebo_sandbox, people, naps):
        docebo_sandbox.settings(background_delay=3600)
        wait(group=created(people), min_count=5).execute(context())
        assert 7 <= naps[0] < 15
        assert set(naps[6:]) == {300}
        assert naps == sorted(naps)
        assert sum(naps) >= 3600 > sum(naps[:-1])

    def test_a_poke_that_comes_too_early_is_one_poll(self, people, calls, rested):
        sensor = wait(group=created(people), min_count=5, mode="reschedule")
        calls()
        with pytest.raises(AirflowRescheduleException):
            sensor.execute(context())
        assert calls() == {"get_group": 2, "list_members": 1}
        assert rested == []

    def test_a_number_of_members_that_changes_during_the_polls_is_not_populated(self, docebo_sandbox, people, rested):
        group = docebo_sandbox.create_group("Analysts", user_ids=people[:1])
        real = HttpClient.sleep

        def rest(client: HttpClient, seconds: float) -> None:
            real(client, seconds)
            docebo_sandbox.add_members(group, people[: len(rested) + 1])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HttpClient, "sleep", rest)
            with pytest.raises(AirflowRescheduleException):
                wait(group_id=group, mode="reschedule").execute(context())
        assert rested == [15]

    def test_a_wait_in_place_ends_with_a_sensor_timeout_or_is_skipped(self, people):
        group = created(people)
        with pytest.raises(AirflowSensorTimeout):
            wait(group=group, min_count=5, timeout=0, poke_interval=0).execute(context())
        with pytest.raises(AirflowSkipException):
            wait(group=group, min_count=5, timeout=0, poke_interval=0, soft_fail=True).execute(context())

    def test_up_to_max_failures_polls_in_a_row_may_fail(self, docebo_sandbox, people):
        sensor = wait(group=created(people[:2]), max_failures=2)
        docebo_sandbox.fault("docebo.list_members", "status", status=503, times=2 * RETRY["max_attempts"])
        assert sensor.execute(context())["members"] == 2

    def test_more_than_max_failures_failed_polls_end_the_wait(self, docebo_sandbox, people, calls):
        sensor = wait(group=created(people[:2]), max_failures=1)
        docebo_sandbox.fault("docebo.list_members", "status", status=503, times=None)
        calls()
        with pytest.raises(VendorUnavailable):
            sensor.execute(context())
        assert calls()["list_members"] == 2 * RETRY["max_attempts"]

    def test_a_killed_sensor_sends_no_request(self, people, calls):
        sensor = wait(group=created(people[:2]))
        _ = sensor.hook.client  # The wait has begun.
        calls()
        sensor.on_kill()
        with pytest.raises(Stopped):
            sensor.execute(context())
        assert calls() == {}


class TestDeferred:
    def test_the_trigger_gets_the_group_the_deadline_and_numbers_but_no_user(self, docebo_sandbox, people, calls):
        group = created(people)
        before = datetime.now(UTC)
        found = deferral(wait(group=group, expected_user_ids=[*people, people[0]], deferrable=True))

        deadline = datetime.fromisoformat(found.pop("deadline"))
        assert before + timedelta(minutes=75) <= deadline <= datetime.now(UTC) + timedelta(minutes=75)
        assert found == {
            "docebo_conn_id": "docebo_default",
            "group_id": group["group_id"],
            "poke_interval": 15.0,
            "max_wait": 300.0,
            "still_polls": 3,
            "expected_count": None,
            "min_count": 5,  # The number of users, not their IDs.
            "checked_count": None,
            "max_failures": 10,
        }

    def test_the_trigger_gets_the_poke_interval_and_the_max_wait_of_the_sensor(self, people):
        group = created(people)
        steady = deferral(wait(group=group, deferrable=True, poke_interval=20, exponential_backoff=False))
        assert (steady["poke_interval"], steady["max_wait"]) == (20, 20)
        slow = deferral(wait(group=group, deferrable=True, max_wait=timedelta(minutes=1)))
        assert (slow["poke_interval"], slow["max_wait"]) == (15, 60)

    def test_a_deferrable_sensor_polls_once_before_it_defers(self, people, calls):
        group = created(people)
        calls()
        deferral(wait(group=group, deferrable=True))
        assert calls() == {"get_group": 2, "list_members": 1}

    def test_a_temporary_failure_of_the_first_poll_does_not_prevent_the_deferral(self, docebo_sandbox, people):
        group = created(people)
        docebo_sandbox.fault("docebo.list_members", "status", status=503, times=None)
        assert deferral(wait(group=group, deferrable=True))["group_id"] == group["group_id"]

    def test_a_failed_look_up_of_the_group_prevents_the_deferral(self, docebo_sandbox):
        docebo_sandbox.fault("docebo.list_groups", "status", status=503, times=None)
        with pytest.raises(VendorUnavailable):
            wait(name="Analysts", deferrable=True).execute(context())

    def test_the_end_of_a_deferral_without_expected_users_sends_no_request(self, people, calls):
        group = created(people[:2])
        calls()
        assert resumed(wait(group=group), event(group))["members"] == 2
        assert calls() == {}

    def test_the_end_of_a_deferral_looks_for_the_expected_users(self, people, calls):
        group = created(people[:2])
        calls()
        assert resumed(wait(group=group, expected_user_ids=people[:2]), event(group))["users_missing"] == 0
        assert calls() == {"list_members": 1}

    @pytest.mark.parametrize("fails", [False, True])
    def test_a_deferral_that_ends_with_missing_users_is_continued(self, docebo_sandbox, people, fails):
        group = created(people[:2])
        if fails:
            docebo_sandbox.fault("docebo.list_members", "status", status=503, times=None)
        told = event(group)
        with pytest.raises(TaskDeferred) as deferred:
            resumed(wait(group=group, expected_user_ids=people[1:3], still_polls=4), told)
        found = arguments(deferred.value)
        assert found["deadline"] == told["deadline"]
        assert (found["checked_count"], found["min_count"]) == (2, 2)

    def test_a_timeout_of_thousands_of_years_ends_in_the_last_one(self, people):
        found = deferral(wait(group=created(people), deferrable=True, min_count=100, timeout=86_399_999_999_999))
        assert found["deadline"] == "9999-12-31T00:00:00+00:00"

    def test_a_deferral_that_ends_with_missing_users_after_its_deadline_is_a_timeout(self, docebo_sandbox, people):
        group = created(people[:2])
        told = event(group, deadline="2026-01-01T00:00:00+00:00")
        with pytest.raises(AirflowSensorTimeout, match="1 of the 2 expected users"):
            resumed(wait(group=group, expected_user_ids=people[1:3]), told)
        docebo_sandbox.fault("docebo.list_members", "status", status=503, times=None)
        with pytest.raises(VendorUnavailable):
            resumed(wait(group=group, expected_user_ids=people[1:3]), told)

    @pytest.mark.parametrize(
        ("told", "error", "text"),
        [
            ({"status": "timeout", "lacking": "it has 2 members, not 3"}, AirflowSensorTimeout, "2 members, not 3"),
            ({"status": "failed", "error": "NotFound", "message": "Gone."}, NotFound, "Gone."),
            ({"status": "failed", "error": "PermissionDenied", "message": "No."}, PermissionDenied, "No."),
            ({"status": "failed", "error": "InvalidInput", "message": "Bad."}, InvalidInput, "Bad."),
            ({"status": "failed", "error": "SystemExit", "message": "Boo."}, SegmentsError, "an unknown event"),
            ({"status": "done"}, SegmentsError, "an unknown event"),
            ({"members": None}, SegmentsError, "an unknown event"),
        ],
    )
    def test_a_timeout_or_failure_of_the_trigger_is_an_error_of_the_sensor(self, people, told, error, text):
        group = created(people[:2])
        with pytest.raises(error, match=text) as caught:
            resumed(wait(group=group), event(group, **told))
        assert type(caught.value) is error
        with pytest.raises(AirflowSkipException):
            resumed(wait(group=group, soft_fail=True), event(group, **told))

    @pytest.mark.parametrize("told", [None, "populated", [], {}])
    def test_an_unknown_event_is_an_error(self, people, told):
        with pytest.raises(SegmentsError, match="an unknown event"):
            resumed(wait(group=created(people[:2])), told)


@pytest.fixture
def group(docebo_sandbox) -> dict[str, Any]:
    """Return the result of a task that made a group of two users."""
    users = {user.userid: user.idst for user in docebo_sandbox.users()}
    return created([users["ada.sandford@example.com"], users["bela.okoro@example.com"]])


class TestExpectedUsers:
    @pytest.mark.parametrize("by", ["email", "username"])
    def test_expected_users_by_address_or_username_take_one_export(self, group, calls, by):
        calls()
        people = [" ADA.Sandford@example.com", "bela.okoro@example.com"]
        assert wait(group=group, expected_user_ids=people, identify_by=by).execute(context())["users_missing"] == 0
        assert calls() == {"get_group": 2, "list_users": 1, "list_members": 1, "export_members": 1}

    def test_up_to_max_missing_expected_users_may_be_missing(self, group, calls):
        people = ["ada.sandford@example.com", "nobody@example.com", "noone@example.com"]
        options = {"group": group, "expected_user_ids": people, "identify_by": "email"}
        assert wait(**options, max_missing=2).execute(context())["users_missing"] == 2
        assert deferral(wait(**options, max_missing=1, deferrable=True))["min_count"] == 2

    def test_expected_users_unknown_to_docebo_are_not_waited_for(self, group, calls):
        people = ["ada.sandford@example.com", "nobody@example.com"]
        change = DoceboHook().add_users(people, identify_by="email", on_unmatched="skip", group_id=group["group_id"])
        options = {"expected_user_ids": people, "identify_by": "email"}
        result = wait(group=result_of(change), **options).execute(context())
        assert result["users_missing"] == 1
        assert deferral(wait(group=group, **options, deferrable=True))["min_count"] == 2

    def test_a_missing_expected_user_is_looked_for_at_each_poke(self, docebo_sandbox, group, calls, naps, monkeypatch):
        (late,) = docebo_sandbox.seed_users(1)
        real = BaseSensorOperator._get_next_poke_interval

        def interval(sensor: BaseSensorOperator, *counts: Any) -> float:
            docebo_sandbox.add_members("Analysts", [late])
            return real(sensor, *counts)

        monkeypatch.setattr(BaseSensorOperator, "_get_next_poke_interval", interval)
        # An iterator of users is read only once.
        sensor = wait(group=group, expected_user_ids=(user for user in [late]), min_count=1)
        calls()
        assert sensor.execute(context())["members"] == 3
        assert len(naps) == 1
        assert calls() == {"get_group": 3, "get_user": 1, "list_members": 2 + 2}

    @pytest.mark.parametrize("by", ["id", "email"])
    def test_invalid_expected_users_are_refused_or_skipped(self, docebo_sandbox, group, calls, by):
        known = {"id": docebo_sandbox.add_user("known"), "email": "ada.sandford@example.com"}[by]
        calls()
        people = ["", None, "x" * 300, 4.5, "ada", known]
        with pytest.raises(InvalidInput) as caught:
            wait(group=group, expected_user_ids=people, identify_by=by).execute(context())
        for part in (
            "blank",
            "longer than",
            "a number with a fraction",
            *(["not a whole number"] if by == "id" else []),
        ):
            assert part in str(caught.value)
        assert not re.search(r"\bada\b", str(caught.value))
        assert calls() == {}
        left = deferral(wait(group=group, expected_user_ids=people, identify_by=by, on_invalid="skip", deferrable=True))
        assert left["min_count"] == (1 if by == "id" else 2)


class TestExpectedUsersThatDoNotExist:
    """A wait for users of whom none exists would never end, or would end at once."""

    @pytest.mark.parametrize("deferrable", [True, False])
    @pytest.mark.parametrize("count", [1, 30, 1_500])
    @pytest.mark.parametrize("by", ["id", "email", "username"])
    def test_a_wait_for_expected_users_that_do_not_exist_fails_at_once(
        self, docebo_sandbox, group, deferrable, count, by
    ):
        docebo_sandbox.settings(rate_limit=None)
        strangers = [
            str(7_000_000 + number) if by == "id" else f"nobody{number}@example.com" for number in range(count)
        ]
        options = {"group": group, "expected_user_ids": strangers, "identify_by": by, "max_missing": count}
        with pytest.raises(InvalidInput, match=f"any of the {count:,} `expected_user_ids`") as caught:
            wait(**options, deferrable=deferrable).execute(context())
        assert not any(stranger in str(caught.value) for stranger in strangers)

    @pytest.mark.parametrize("by", ["id", "email", "username"])
    def test_one_existing_expected_user_is_enough_for_the_wait(self, docebo_sandbox, group, by):
        strangers = [str(7_000_000 + number) if by == "id" else f"nobody{number}@example.com" for number in range(60)]
        # The existing user is sorted after the others.
        known = docebo_sandbox.add_user("zoe@example.com")
        people = [*strangers, str(known) if by == "id" else "ZOE@example.com"]
        options = {"group": group, "expected_user_ids": people, "identify_by": by, "max_missing": 61}
        assert wait(**options).execute(context())["users_missing"] == 61

    @pytest.mark.parametrize(
        ("people", "options", "problem"),
        [
            (["", None, "x"], {}, "none is valid"),
            (["", None, "x"], {"max_invalid_fraction": "1"}, "none is valid"),
            ([*range(1, 80), *[""] * 21], {}, "`max_invalid_fraction`"),
            ([*range(1, 81), *[""] * 20], {}, ""),
            ([*range(1, 80), *[""] * 21], {"max_invalid_fraction": "0.21"}, ""),
            ([*range(1, 78), *[""] * 22], {}, ""),
        ],
    )
    def test_too_few_valid_expected_users_are_refused(self, docebo_sandbox, group, calls, people, options, problem):
        docebo_sandbox.fault("docebo.get_user", "status", status=200, body={"data": {"user_id": "1"}}, times=None)
        calls()
        sensor = wait(group=group, expected_user_ids=people, on_invalid="skip", deferrable=True, **options)
        if problem:
            with pytest.raises(InvalidInput, match=problem):
                sensor.execute(context())
            assert calls() == {}
        else:
            assert deferral(sensor)["min_count"] == sum(1 for person in people if person)

    def test_an_empty_list_of_expected_users_waits_for_the_group_alone(self, group, calls):
        calls()
        assert wait(group=group, expected_user_ids=[]).execute(context())["members"] == 2
        assert calls() == {"get_group": 2, "list_members": 1}


class TestBackgroundJobs:
    def test_the_result_of_a_create_in_the_background_needs_no_expectation(self, people):
        assert deferral(wait(group=created(people), deferrable=True))["min_count"] == 1

    def test_the_result_of_an_addition_in_the_background_needs_an_expectation(self, people, calls):
        group = created()
        change = result_of(DoceboHook().add_users(people, group_id=group["group_id"]))
        assert (change["background_job"], change["outcome"]) == (True, "updated")
        calls()
        with pytest.raises(InvalidInput, match="`expected_user_ids`, `expected_count` or `min_count`"):
            wait(group=change).execute(context())
        assert calls() == {}
        for given in ({"expected_user_ids": people}, {"expected_count": 5}, {"min_count": "5"}):
            assert deferral(wait(group=change, **given, deferrable=True))["group_id"] == group["group_id"]

    def test_a_removal_in_the_background_is_waited_for_by_the_expected_number(self, docebo_sandbox, people):
        group = docebo_sandbox.create_group("Analysts", user_ids=people)
        change = result_of(DoceboHook().remove_users(people[:4], group_id=group))
        sensor = wait(group=change, expected_count=1)
        assert sensor.execute(context())["members"] == 1


def test_all_invalid_parameters_are_named_in_one_message(calls):
    with pytest.raises(InvalidInput) as caught:
        wait(
            name="Analysts",
            expected_user_ids="no list",
            identify_by="shoe size",
            expected_count="many",
            min_count=-1,
            still_polls=0,
            max_missing="-3",
        ).execute(context())
    for part in (
        "`identify_by`",
        "`expected_count`",
        "`min_count`",
        "`still_polls`",
        "`max_missing`",
        "`expected_user_ids`: a template rendered to text that is not a list",
    ):
        assert part in str(caught.value), part
    assert calls() == {}


@pytest.mark.parametrize("given", [{}, {"group": "Analysts"}, {"group": None, "name": ""}])
def test_a_sensor_without_a_group_is_refused(calls, given):
    with pytest.raises(InvalidInput, match="`group`"):
        wait(**given).execute(context())
    assert calls() == {}


@pytest.mark.parametrize("options", MODES)
def test_a_group_that_is_deleted_during_the_wait_is_an_error_or_skipped(docebo_sandbox, people, options):
    group = created(people[:2])
    docebo_sandbox.delete_group("Analysts")
    with pytest.raises(NotFound):
        wait(group=group, **options).execute(context())
    with pytest.raises(AirflowSkipException):
        wait(group=group, soft_fail=True, **options).execute(context())


def test_the_link_is_pushed_before_the_deferral(docebo_sandbox, people):
    running = context()
    with pytest.raises(TaskDeferred):
        wait(group=created(people), deferrable=True).execute(running)
    assert running["ti"].pushed == {"_link_DoceboLink": docebo_sandbox.docebo_url}


def test_the_default_of_deferrable_follows_the_configuration(monkeypatch):
    import importlib

    from airflow_segments_provider.sensors import docebo

    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", "True")
    try:
        assert importlib.reload(docebo).DoceboGroupPopulatedSensor(task_id="wait").deferrable is True
    finally:
        monkeypatch.delenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE")
        importlib.reload(docebo)
    assert docebo.DoceboGroupPopulatedSensor(task_id="wait").deferrable is False


class TestAsATask:
    """Real runs with a real deferral and resume."""

    @pytest.fixture(autouse=True)
    def slept(self, docebo_sandbox, monkeypatch):
        slept = []

        async def sleep(seconds: float) -> None:
            slept.append(round(seconds))
            docebo_sandbox.advance(seconds)

        monkeypatch.setattr("airflow_segments_provider.triggers.docebo.sleep", sleep)
        return slept

    def run(self, dag_file: Any, people: list[int], options: str) -> Any:
        dag = dag_file(
            f"""
            from airflow_segments_provider.operators.docebo import *
            from airflow_segments_provider.sensors.docebo import *

            create = DoceboCreateGroupOperator(
                task_id="create", name="Analysts", user_ids="{{{{ {people} | tojson }}}}"
            )
            DoceboGroupPopulatedSensor(
                task_id="wait", group=create.output, expected_user_ids="{{{{ {people} | tojson }}}}", {options}
            )
            """
        )
        dag_run = dag.test()
        return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}

    @pytest.mark.parametrize("deferrable", [True, False])
    def test_no_user_is_in_the_metadata_database_after_a_wait(
        self, dag_file, people, docebo_sandbox, stored, slept, rested, naps, deferrable
    ):
        states = self.run(dag_file, people, f"deferrable={deferrable}, exponential_backoff=False, poke_interval=30")
        assert states == {"create": "success", "wait": "success"}
        assert (slept, rested, naps) == (([30, 30, 30, 30], [], []) if deferrable else ([], [30, 30], [30, 30]))
        assert docebo_sandbox.members("Analysts") == set(people)
        # Each poll, and the users at the end; the first poll of a deferred wait comes before the deferral.
        assert docebo_sandbox.counts()["docebo.list_members"] == (1 + 4 + 1 if deferrable else 2 + 3 + 1)
        assert stored('"users_missing": 0')
        # Airflow's database has users only in the source of the DAG file, which Airflow 3 stores.
        pairs = [f"{people[0]}{between}{people[1]}" for between in (", ", ",", '", "', "', '", '\\", \\"')]
        places = set(stored(*pairs))
        assert places <= {"dag_code.source_code", "serialized_dag.data", "serialized_dag.data_compressed"}

    def test_a_deferral_that_ends_with_other_users_is_continued_until_the_expected_ones_are_members(
        self, dag_file, people, docebo_sandbox, slept, calls
    ):
        docebo_sandbox.settings(background_delay=200)
        docebo_sandbox.create_group("Analysts", user_ids=docebo_sandbox.seed_users(5))
        calls()

        assert self.run(dag_file, people, "deferrable=True") == {"create": "success", "wait": "success"}
        assert {*people} < docebo_sandbox.members("Analysts")
        # The group has five members at once, but other ones; then the sensor waits for another number of members.
        assert slept == [15, 15, 15, *(15, 30, 60, 120, 15, 15)]
        assert calls()["list_members"] == 1 + 3 + 1 + 6 + 1


@pytest.mark.parametrize("options", MODES)
@pytest.mark.parametrize("form", [dict, json.dumps])
def test_a_sync_that_was_only_planned_is_not_waited_for(calls, options, form):
    calls()
    with pytest.raises(AirflowSkipException, match="only planned"):
        wait(group=form({"outcome": "planned", "name": "Partners", "group_id": None}), **options).execute(context())
    assert calls() == {}

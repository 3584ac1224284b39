"""The trigger for Docebo groups: when it fires, its waits, errors that it survives, and restarts."""

from __future__ import annotations

import asyncio
import importlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from airflow_segments_provider.errors import Stopped
from airflow_segments_provider.hooks.docebo import DoceboHook
from airflow_segments_provider.triggers import docebo
from airflow_segments_provider.triggers.docebo import DoceboGroupPopulatedTrigger

pytestmark = pytest.mark.usefixtures("airflow_db")


@pytest.fixture(autouse=True)
def slept(docebo_sandbox, monkeypatch):
    """Advance the sandbox's clock in place of the trigger's sleeps, and return the seconds slept."""
    docebo_sandbox.settings(rate_limit=None, background_threshold=2)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))
        docebo_sandbox.advance(seconds)

    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(docebo_sandbox.now(), tz)

    monkeypatch.setattr(docebo, "sleep", sleep)
    monkeypatch.setattr(docebo, "datetime", Clock)
    return slept


@pytest.fixture
def group(docebo_sandbox):
    return docebo_sandbox.create_group("Analysts")


def trigger(group: str, **options: Any) -> DoceboGroupPopulatedTrigger:
    deadline = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
    return DoceboGroupPopulatedTrigger(
        **{"docebo_conn_id": "docebo_default", "group_id": group, "deadline": deadline, **options}
    )


def run(watched: DoceboGroupPopulatedTrigger) -> dict[str, Any]:
    """Return the only event of a trigger, as read from Airflow's database."""

    async def events() -> list[Any]:
        return [event async for event in watched.run()]

    (event,) = asyncio.run(events())
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def polls(sandbox) -> int:
    return int(sandbox.counts().get("docebo.get_group", 0))


def test_the_trigger_is_serialized_with_all_its_arguments(group):
    given = {
        "docebo_conn_id": "docebo_other",
        "group_id": group,
        "deadline": "2026-01-01T00:00:00+00:00",
        "poke_interval": 20.0,
        "max_wait": 100.0,
        "still_polls": 2,
        "expected_count": 7,
        "min_count": 5,
        "checked_count": 6,
        "max_failures": 4,
    }
    path, arguments = DoceboGroupPopulatedTrigger(**given).serialize()
    assert arguments == given

    module, name = path.rsplit(".", 1)
    again = getattr(importlib.import_module(module), name)(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)


def test_a_background_job_is_noticed_by_the_number_of_members(docebo_sandbox, group, slept):
    people = docebo_sandbox.seed_users(5)
    assert DoceboHook().add_users(people, group_id=group).background_job
    before = polls(docebo_sandbox)

    event = run(trigger(group, min_count=5))
    assert {**event, "deadline": None} == {
        "status": "populated",
        "group_id": group,
        "deadline": None,
        "members": 5,
    }
    # The waits grow until the number is as expected; then they are short, to see whether it stays so.
    assert slept == [15, 30, 60, 15, 15]
    assert polls(docebo_sandbox) - before == 5


def test_rules_are_waited_for_until_they_are_ready(docebo_sandbox, slept):
    sales = next(branch.idst for branch in docebo_sandbox.branches() if branch.name == "Sales")
    support = next(branch.idst for branch in docebo_sandbox.branches() if branch.name == "Support")
    group = docebo_sandbox.create_group("Everyone", ruleset=ruleset(sales))
    assert docebo_sandbox.member_count(group) == 2
    DoceboHook().update_group(group_id=group, ruleset=ruleset(support))
    assert docebo_sandbox.member_count(group) == 0

    event = run(trigger(group))
    assert (event["status"], event["members"]) == ("populated", 3)
    waits = [15, 30, 60, 120, 240]
    assert slept[: len(waits)] == waits
    assert set(slept[len(waits) : -2]) == {300}
    assert slept[-2:] == [15, 15]
    assert sum(slept[:-2]) >= 3600 > sum(slept[:-3])


def ruleset(branch: int) -> dict[str, Any]:
    rule = {"type": "BranchMembership", "payload": {"branch_ids": [branch]}}
    return {"operator": "AND", "sets": [{"rules_operator": "AND", "rules": [rule]}]}


def test_a_number_of_members_that_keeps_changing_is_not_taken_for_the_end(docebo_sandbox, group, slept, monkeypatch):
    people = docebo_sandbox.seed_users(4)

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds))
        docebo_sandbox.add_members(group, people[: len(slept)])

    monkeypatch.setattr(docebo, "sleep", sleep)
    event = run(trigger(group))
    assert event["members"] == 4
    assert slept == [15, 15, 30, 60, 120, 15]


@pytest.mark.parametrize(
    ("wanted", "status"),
    [
        ({"expected_count": 3}, "populated"),
        ({"min_count": 3}, "populated"),
        ({"min_count": 2}, "populated"),
        ({"expected_count": 2}, "timeout"),
        ({"min_count": 4}, "timeout"),
    ],
)
def test_an_expected_number_of_members_is_waited_for(docebo_sandbox, group, slept, wanted, status):
    docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
    event = run(trigger(group, **wanted))
    assert event["status"] == status
    assert event["members"] == 3


def test_a_deferral_is_never_shorter_than_ten_seconds(docebo_sandbox, group, slept):
    docebo_sandbox.add_members(group, docebo_sandbox.seed_users(1))
    assert run(trigger(group, poke_interval=1.0))["members"] == 1
    assert slept == [10, 1, 1]


@pytest.mark.parametrize("asked", [1, 2, 5])
def test_the_number_of_members_must_be_stable_for_still_polls(docebo_sandbox, group, slept, asked):
    assert run(trigger(group, still_polls=asked))["status"] == "populated"
    assert slept == [15] * asked
    assert polls(docebo_sandbox) == asked


class TestCheckedCount:
    def test_a_number_of_members_equal_to_checked_count_is_reported_at_the_longest_interval(
        self, docebo_sandbox, group, slept
    ):
        docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
        event = run(trigger(group, checked_count=3, max_wait=60))
        assert (event["status"], event["members"]) == ("populated", 3)
        assert slept == [15, 30, 60]

    def test_a_number_of_members_other_than_checked_count_is_reported_when_it_is_stable(
        self, docebo_sandbox, group, slept
    ):
        docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
        assert run(trigger(group, checked_count=2))["members"] == 3
        assert slept == [15, 15, 15]


class TestTimeout:
    @pytest.mark.parametrize(
        ("options", "said"), [({}, "did not hold still"), ({"checked_count": 0}, "expected users are missing")]
    )
    def test_a_timeout_with_a_right_number_says_what_was_missing(self, docebo_sandbox, group, slept, options, said):
        deadline = datetime.fromtimestamp(docebo_sandbox.now(), UTC) + timedelta(seconds=20)
        event = run(trigger(group, deadline=deadline.isoformat(), **options))
        assert event["status"] == "timeout"
        assert said in event["lacking"]

    def test_the_deadline_is_an_absolute_time_that_a_restart_does_not_extend(self, docebo_sandbox, group, slept):
        deadline = datetime.fromtimestamp(docebo_sandbox.now(), UTC) + timedelta(seconds=100)
        watched = trigger(group, min_count=1, deadline=deadline.isoformat())
        event = run(watched)
        assert event == {
            "status": "timeout",
            "group_id": group,
            "deadline": deadline.isoformat(),
            "members": 0,
            "lacking": "it has 0 members, not yet 1",
        }
        # One more poll directly before the deadline.
        assert slept[:2] == [15, 30]
        assert slept[2] in (54, 55)

        # Another triggerer takes over after the deadline: it polls once.
        again = DoceboGroupPopulatedTrigger(**watched.serialize()[1])
        before = polls(docebo_sandbox)
        assert run(again)["lacking"] == "it has 0 members, not yet 1"
        assert polls(docebo_sandbox) == before + 1

    def test_a_timeout_during_the_evaluation_of_rules_names_their_status(self, docebo_sandbox, slept):
        docebo_sandbox.settings(pending_status="RUNNING")
        branch = docebo_sandbox.branches()[0].idst
        change = DoceboHook().create_group("Everyone", type="automatic", ruleset=ruleset(branch))
        deadline = datetime.fromtimestamp(docebo_sandbox.now(), UTC) + timedelta(seconds=60)
        event = run(trigger(str(change.group_id), deadline=deadline.isoformat()))
        assert event["lacking"] == "its rules are being evaluated (status RUNNING)"


class TestFailures:
    @pytest.fixture(autouse=True)
    def _few_members(self, docebo_sandbox, group):
        docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "status", "status": 503},
            {"kind": "status", "status": 500},
            {"kind": "reset"},
            {"kind": "html"},
            {"kind": "truncate"},
            {"kind": "empty_body"},
            {"kind": "status", "status": 429, "body": "Too many", "content_type": "text/plain"},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("endpoint", ["docebo.get_group", "docebo.list_members", "docebo.get_token"])
    def test_up_to_max_failures_polls_may_fail_and_slow_the_polls_down(
        self, docebo_sandbox, group, slept, fault, endpoint
    ):
        docebo_sandbox.fault(endpoint, times=3, **fault)
        assert run(trigger(group))["status"] == "populated"
        assert slept == [15, 30, 60, 120, 15, 15]

    def test_more_than_max_failures_failed_polls_end_the_trigger(self, docebo_sandbox, group, slept):
        docebo_sandbox.fault("docebo.get_group", "status", status=503, times=None)
        event = run(trigger(group, max_failures=2))
        assert (event["status"], event["error"]) == ("failed", "VendorUnavailable")
        assert "503" in event["message"]
        # One request each: the next poll is the repeat.
        assert polls(docebo_sandbox) == 3

    def test_a_successful_poll_resets_the_count_of_failed_ones(self, docebo_sandbox, group, slept):
        for skip in (0, 3):
            docebo_sandbox.fault("docebo.get_group", "status", status=503, times=2, skip=skip)
        assert run(trigger(group, max_failures=2, still_polls=2))["status"] == "populated"

    def test_a_retry_after_of_docebo_delays_the_next_poll(self, docebo_sandbox, group, slept):
        docebo_sandbox.fault("docebo.get_group", "status", status=429, headers={"retry-after": "1234"})
        assert run(trigger(group))["status"] == "populated"
        assert slept[:2] == [15, 1234]

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"endpoint": "docebo.get_group", "status": 403}, "PermissionDenied"),
            ({"endpoint": "docebo.get_group", "status": 401}, "AuthenticationError"),
            ({"endpoint": "docebo.get_group", "status": 400}, "RejectedRequest"),
            ({"endpoint": "docebo.get_token", "status": 401}, "AuthenticationError"),
        ],
    )
    def test_a_permanent_error_of_a_poll_ends_the_trigger_at_once(self, docebo_sandbox, group, slept, fault, error):
        docebo_sandbox.fault(fault["endpoint"], "status", status=fault["status"], times=None)
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", error)
        assert slept == [15]

    def test_a_group_that_is_deleted_during_the_wait_ends_the_trigger(self, docebo_sandbox, group, slept):
        docebo_sandbox.delete_group(group)
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", "NotFound")
        assert slept == [15]

    def test_a_connection_that_only_the_worker_has_ends_the_trigger_with_an_error(
        self, docebo_sandbox, group, slept, monkeypatch
    ):
        monkeypatch.delenv("AIRFLOW_CONN_DOCEBO_DEFAULT")
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", "ConfigurationError")
        assert "'docebo_default'" in event["message"]
        assert docebo_sandbox.counts() == {}

    def test_an_unexpected_exception_is_raised_to_airflow(self, docebo_sandbox, group, monkeypatch):
        monkeypatch.setattr(DoceboHook, "get_population", lambda hook, **group: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(trigger(group))


async def called(sandbox) -> None:
    """Wait until a poll has begun."""
    while not sandbox.calls("docebo.get_group"):  # noqa: ASYNC110  # nothing of this process tells
        await asyncio.sleep(0.01)


def test_the_event_loop_runs_during_a_poll(docebo_sandbox, group):
    docebo_sandbox.fault("docebo.get_group", "latency", seconds=1)
    order = []

    async def watch() -> None:
        await anext(trigger(group, still_polls=1).run())
        order.append("trigger")

    async def other() -> None:
        await called(docebo_sandbox)
        order.append("other")

    async def both() -> None:
        await asyncio.gather(watch(), other())

    asyncio.run(both())
    assert order == ["other", "trigger"]


def test_airflow_calls_of_a_poll_run_in_the_event_loop_of_the_trigger(docebo_sandbox, group, monkeypatch):
    """Airflow 3.1 masks tokens by such a call; from a thread without the loop it would stop the whole triggerer."""
    real, loops = DoceboHook.get_population, []

    async def running() -> object:
        return asyncio.get_running_loop()

    def get_population(hook: DoceboHook, **given: Any) -> Any:
        loops.append(async_to_sync(running)())
        return real(hook, **given)

    async def watch() -> object:
        await anext(trigger(group, still_polls=2).run())
        return await running()

    monkeypatch.setattr(DoceboHook, "get_population", get_population)
    loop = asyncio.run(watch())
    assert loops == [loop, loop]


def test_a_trigger_that_has_ended_sends_no_request(docebo_sandbox, group):
    watched = trigger(group)
    docebo_sandbox.fault("docebo.get_group", "hang", seconds=1)

    async def cancelled() -> None:
        task = asyncio.ensure_future(anext(watched.run()))
        await called(docebo_sandbox)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await watched.cleanup()

    asyncio.run(cancelled())
    assert watched._hook is not None
    with pytest.raises(Stopped):
        watched._hook.get_population(group_id=group)
    assert "docebo.list_members" not in docebo_sandbox.counts()

"""The trigger for Docebo groups: when it fires, how it slows down, what it survives, what it does not start over."""

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
    """The trigger lives by the sandbox's clock: its sleeps move that, and are over at once."""
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
    """The one event of a trigger, as it comes out of Airflow's database."""

    async def events() -> list[Any]:
        return [event async for event in watched.run()]

    (event,) = asyncio.run(events())
    payload: dict[str, Any] = json.loads(json.dumps(event.payload))
    return payload


def polls(sandbox) -> int:
    return int(sandbox.counts().get("docebo.get_group", 0))


def test_it_survives_a_restart_with_all_that_it_was_given(group):
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


def test_a_background_job_is_seen_by_the_number_of_members(docebo_sandbox, group, slept):
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
    # Slower and slower, until it is as expected; then soon whether it stays so.
    assert slept == [15, 30, 60, 15, 15]
    assert polls(docebo_sandbox) - before == 5


def test_rules_are_waited_for_to_the_end(docebo_sandbox, slept):
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


def test_a_number_that_keeps_changing_is_not_taken_for_the_end(docebo_sandbox, group, slept, monkeypatch):
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
def test_numbers_that_are_expected(docebo_sandbox, group, slept, wanted, status):
    docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
    event = run(trigger(group, **wanted))
    assert event["status"] == status
    assert event["members"] == 3


def test_a_deferral_is_never_so_short_that_it_races_with_the_end_of_its_task(docebo_sandbox, group, slept):
    docebo_sandbox.add_members(group, docebo_sandbox.seed_users(1))
    assert run(trigger(group, poke_interval=1.0))["members"] == 1
    assert slept == [10, 1, 1]


@pytest.mark.parametrize("asked", [1, 2, 5])
def test_it_holds_still_for_as_many_polls_as_asked(docebo_sandbox, group, slept, asked):
    assert run(trigger(group, still_polls=asked))["status"] == "populated"
    assert slept == [15] * asked
    assert polls(docebo_sandbox) == asked


class TestPeopleWereMissingAtThisNumber:
    def test_the_same_number_is_told_again_only_at_the_slowest(self, docebo_sandbox, group, slept):
        docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
        event = run(trigger(group, checked_count=3, max_wait=60))
        assert (event["status"], event["members"]) == ("populated", 3)
        assert slept == [15, 30, 60]

    def test_another_number_is_told_as_soon_as_it_holds_still(self, docebo_sandbox, group, slept):
        docebo_sandbox.add_members(group, docebo_sandbox.seed_users(3))
        assert run(trigger(group, checked_count=2))["members"] == 3
        assert slept == [15, 15, 15]


class TestTimeout:
    @pytest.mark.parametrize(
        ("options", "said"), [({}, "did not hold still"), ({"checked_count": 0}, "expected users are missing")]
    )
    def test_it_tells_what_was_lacking_where_the_number_was_not(self, docebo_sandbox, group, slept, options, said):
        deadline = datetime.fromtimestamp(docebo_sandbox.now(), UTC) + timedelta(seconds=20)
        event = run(trigger(group, deadline=deadline.isoformat(), **options))
        assert event["status"] == "timeout"
        assert said in event["lacking"]

    def test_it_is_an_absolute_moment(self, docebo_sandbox, group, slept):
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
        # Once more at the very end.
        assert slept[:2] == [15, 30]
        assert slept[2] in (54, 55)

        # Another triggerer takes it over, too late: it looks once.
        again = DoceboGroupPopulatedTrigger(**watched.serialize()[1])
        before = polls(docebo_sandbox)
        assert run(again)["lacking"] == "it has 0 members, not yet 1"
        assert polls(docebo_sandbox) == before + 1

    def test_it_tells_how_far_the_rules_are(self, docebo_sandbox, slept):
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
    def test_some_in_a_row_are_survived_and_slow_it_down(self, docebo_sandbox, group, slept, fault, endpoint):
        docebo_sandbox.fault(endpoint, times=3, **fault)
        assert run(trigger(group))["status"] == "populated"
        assert slept == [15, 30, 60, 120, 15, 15]

    def test_they_end_it_when_they_are_too_many(self, docebo_sandbox, group, slept):
        docebo_sandbox.fault("docebo.get_group", "status", status=503, times=None)
        event = run(trigger(group, max_failures=2))
        assert (event["status"], event["error"]) == ("failed", "VendorUnavailable")
        assert "503" in event["message"]
        # One call each: the next poll is the repeat.
        assert polls(docebo_sandbox) == 3

    def test_a_success_forgives_those_before(self, docebo_sandbox, group, slept):
        for skip in (0, 3):
            docebo_sandbox.fault("docebo.get_group", "status", status=503, times=2, skip=skip)
        assert run(trigger(group, max_failures=2, still_polls=2))["status"] == "populated"

    def test_docebo_may_say_when_to_come_again(self, docebo_sandbox, group, slept):
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
    def test_what_no_later_poll_can_mend_ends_it_at_once(self, docebo_sandbox, group, slept, fault, error):
        docebo_sandbox.fault(fault["endpoint"], "status", status=fault["status"], times=None)
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", error)
        assert slept == [15]

    def test_a_group_that_is_deleted_meanwhile(self, docebo_sandbox, group, slept):
        docebo_sandbox.delete_group(group)
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", "NotFound")
        assert slept == [15]

    def test_a_connection_that_only_the_worker_has(self, docebo_sandbox, group, slept, monkeypatch):
        monkeypatch.delenv("AIRFLOW_CONN_DOCEBO_DEFAULT")
        event = run(trigger(group))
        assert (event["status"], event["error"]) == ("failed", "ConfigurationError")
        assert "'docebo_default'" in event["message"]
        assert docebo_sandbox.counts() == {}

    def test_what_nobody_foresaw_is_left_to_airflow(self, docebo_sandbox, group, monkeypatch):
        monkeypatch.setattr(DoceboHook, "get_population", lambda hook, **group: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(trigger(group))


async def called(sandbox) -> None:
    """A poll has begun."""
    while not sandbox.calls("docebo.get_group"):  # noqa: ASYNC110  # nothing of this process tells
        await asyncio.sleep(0.01)


def test_the_loop_goes_on_during_a_poll(docebo_sandbox, group):
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


def test_what_a_poll_asks_of_airflow_is_answered_by_the_triggers_own_loop(docebo_sandbox, group, monkeypatch):
    """Airflow 3.1 masks tokens so; from a thread that does not know the loop it would stop the whole triggerer."""
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


def test_no_call_is_begun_once_the_trigger_has_ended(docebo_sandbox, group):
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

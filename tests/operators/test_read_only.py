"""Operators and syncs on a read-only connection: writes are refused, reads work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_segments_provider.errors import ConfigurationError
from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.targets.walkme import WalkMeSegment
from tests.conftest import RETRY
from tests.secrets.cases import OPERATORS, as_env, dag_of
from tests.test_public_names import PUBLIC

READING = {
    "AlteryxServerGetUserGroupOperator",
    "AlteryxServerListUserGroupsOperator",
    "DoceboConvertGroupIdOperator",
    "DoceboExportGroupUsersOperator",
    "DoceboGetConditionsHistoryOperator",
    "DoceboGetGroupOperator",
    "DoceboGroupPopulatedSensor",
    "DoceboListGroupUsersOperator",
    "DoceboListGroupsOperator",
    "WalkMeListSegmentsOperator",
    "WalkMeSegmentPropagationSensor",
    "ZendeskGetUserSegmentOperator",
    "ZendeskGetUserTagsOperator",
    "ZendeskJobStatusSensor",
    "ZendeskListUserSegmentSectionsOperator",
    "ZendeskListUserSegmentTopicsOperator",
    "ZendeskListUserSegmentsOperator",
}


class Events:
    def __getitem__(self, outlet: object) -> Any:
        return SimpleNamespace(add=lambda *given, **named: None)


def context(try_number: int = 1) -> Any:
    """Return the part of a task's context that is used."""
    ti = SimpleNamespace(
        dag_id="dag",
        task_id="sync",
        run_id="run",
        map_index=-1,
        try_number=try_number,
        xcom_push=lambda **given: None,
        xcom_pull=lambda **given: None,
    )
    return {"ti": ti, "task_instance": ti, "outlet_events": Events()}


def walkme(sandbox: Any, people: Any) -> dict[str, dict[str, Any]]:
    sandbox.create_segment("Trial users", user_ids=people)
    return {"wait": {"segment": None, "name": "Trial users", "changed_at": datetime.now(UTC)}}


def alteryx(sandbox: Any, people: Any) -> dict[str, dict[str, Any]]:
    sandbox.create_group("Analysts", user_ids=people)
    return {}


def docebo(sandbox: Any, people: Any) -> dict[str, dict[str, Any]]:
    group = sandbox.create_group("Analysts", user_ids=people)
    return {"convert": {"ids": [group]}, "wait": {"deferrable": False}}


def zendesk(sandbox: Any, people: Any) -> dict[str, dict[str, Any]]:
    from airflow_segments_provider.hooks.zendesk import ZendeskHelpCenterHook

    sandbox.create_segment("Trial users", added_user_ids=people)
    jobs = ZendeskHelpCenterHook("writing").update_users(people, {"notes": "x"}).jobs
    return {"wait": {"deferrable": False, "job_ids": [job.job_id for job in jobs]}}


SEEDS: dict[str, Callable[[Any, Any], dict[str, dict[str, Any]]]] = {
    "WalkMe": walkme,
    "Alteryx Server": alteryx,
    "Docebo": docebo,
    "Zendesk": zendesk,
}


def test_every_operator_is_in_a_dag_of_this_test():
    tasks = "".join(case.tasks for case in OPERATORS.values())
    public = {name for names in PUBLIC.values() for name in names if name.endswith(("Operator", "Sensor"))}
    assert {name for name in public if f"{name}(" not in tasks} == {"SyncMembersOperator"}
    assert public >= READING


@pytest.mark.parametrize("vendor", OPERATORS)
def test_operators_on_a_read_only_connection_read_and_are_refused_to_write(
    vendor, request, dag_file, monkeypatch, tmp_path
):
    case = OPERATORS[vendor]
    sandbox = request.getfixturevalue(case.fixture)
    people, emails, made = case.seed(sandbox)
    for name, value in as_env(people, emails, {**made, "folder": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    for conn_id, read_only in ((case.conn_id, True), ("writing", False)):
        connection = sandbox.connection_json(retry=RETRY, read_only=read_only)
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", connection)
    changes = SEEDS[vendor](sandbox, people)
    begun = len(sandbox.calls())

    for task in dag_file(dag_of(case)).tasks:
        for name, value in changes.get(task.task_id, {}).items():
            setattr(task, name, value)
        before = sandbox.counts()
        if type(task).__name__ in READING:
            task.execute(context())
            assert sandbox.counts() != before
        else:
            with pytest.raises(ConfigurationError, match=f"'{case.conn_id}' is read-only"):
                task.execute(context())
            assert sandbox.counts() == before
    assert {call.method for call in sandbox.calls()[begun:] if call.endpoint != case.token} == {"GET"}


@pytest.fixture
def sync(connect, tmp_path):
    """Execute a sync of a segment, each time as the next try of the same task."""
    tries = iter(range(1, 10))

    def run(source: list[str], *, read_only: bool, create: bool = False, **options: Any) -> dict[str, Any]:
        connect(read_only=read_only)
        target = WalkMeSegment("Trial users", create=create)
        operator = SyncMembersOperator(
            task_id="sync", target=target, source=source, ledger_path=str(tmp_path / "ledger"), **options
        )
        return operator.execute(context(next(tries)))

    return run


@pytest.fixture
def refused(sync, walkme_sandbox, tmp_path):
    """Check that a sync is refused before its first request and leaves no trace."""

    def run(source: list[str], **options: Any) -> None:
        before, ledger = walkme_sandbox.counts(), sorted(tmp_path.rglob("*"))
        with pytest.raises(ConfigurationError, match=r"^The sync of WalkMeSegment\(.*'walkme_default' is read-only"):
            sync(source, read_only=True, **options)
        assert (walkme_sandbox.counts(), sorted(tmp_path.rglob("*"))) == (before, ledger)

    return run


@pytest.mark.parametrize(("first_sync", "members"), [("add", {"ada", "former"}), ("replace", {"ada"})])
def test_a_first_sync_on_a_read_only_connection_is_refused_and_leaves_no_trace(
    sync, refused, walkme_sandbox, first_sync, members
):
    walkme_sandbox.create_segment("Trial users", user_ids=["former"])
    refused(["ada"], first_sync=first_sync)
    assert walkme_sandbox.members("Trial users") == {"former"}
    sync(["ada"], read_only=False, first_sync=first_sync)
    assert walkme_sandbox.members("Trial users") == members


def test_a_sync_that_creates_its_segment_is_refused_on_a_read_only_connection(sync, refused, walkme_sandbox):
    refused(["ada"], create=True)
    assert walkme_sandbox.segments() == []
    sync(["ada"], read_only=False, create=True)
    assert walkme_sandbox.members("Trial users") == {"ada"}


def test_a_mirror_on_a_read_only_connection_can_only_be_planned(sync, refused, walkme_sandbox):
    sync(["ada", "grace"], read_only=False, create=True)
    refused(["ada", "edsger"])
    refused(["ada", "grace"])
    assert sync(["ada", "edsger"], read_only=True, plan_only=True)["outcome"] == "planned"
    assert walkme_sandbox.members("Trial users") == {"ada", "grace"}
    sync(["ada", "edsger"], read_only=False)
    assert walkme_sandbox.members("Trial users") == {"ada", "edsger"}


def test_a_target_on_a_read_only_connection_refuses_each_write_without_the_operator(connect, walkme_sandbox):
    walkme_sandbox.create_segment("Trial users", user_ids=["ada"])
    connect(read_only=True)
    target = WalkMeSegment("Trial users").open()
    assert target.key().segment
    for write in (lambda: target.add(["grace"]), lambda: target.remove(["ada"]), target.make):
        with pytest.raises(ConfigurationError, match="'walkme_default' is read-only"):
            write()
    assert walkme_sandbox.members("Trial users") == {"ada"}
    assert set(walkme_sandbox.counts()) == {"walkme.token", "walkme.list"}

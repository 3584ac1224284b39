"""An event for each change without users, and none where nobody is added or removed."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_segments_provider.operators import base
from airflow_segments_provider.operators.alteryx import (
    AlteryxServerAddUserGroupUsersOperator,
    AlteryxServerCreateUserGroupOperator,
    AlteryxServerRemoveUserGroupUsersOperator,
)
from airflow_segments_provider.operators.docebo import (
    DoceboAddGroupUsersOperator,
    DoceboCreateGroupOperator,
    DoceboRemoveGroupUsersOperator,
)
from airflow_segments_provider.operators.zendesk import ZendeskUpdateUserSegmentOperator
from tests.operators.task import context

NAME = "Trial users"


def execute(operator: Any) -> None:
    operator.execute(context())


@pytest.fixture
def outcomes(monkeypatch):
    """The outcomes of the events."""
    found: list[str] = []
    monkeypatch.setattr(base, "record_change", lambda *given, outcome, **more: found.append(outcome))
    return found


def test_docebo(docebo_sandbox, outcomes):
    people = docebo_sandbox.seed_users(2)
    group = docebo_sandbox.create_group(NAME, user_ids=people)
    for key in ({"group_id": group}, {"name": NAME}):
        execute(DoceboAddGroupUsersOperator(task_id="add", user_ids=[], **key))
        execute(DoceboRemoveGroupUsersOperator(task_id="remove", user_ids=[], **key))
    assert outcomes == []
    # An earlier try may have made the members these.
    execute(DoceboCreateGroupOperator(task_id="same", name=NAME, user_ids=people, if_exists="update"))
    assert outcomes == ["updated"]
    execute(DoceboRemoveGroupUsersOperator(task_id="all", group_id=group, user_all=True))
    assert outcomes == ["updated"] * 2
    branch = docebo_sandbox.branches()[0].idst
    execute(DoceboCreateGroupOperator(task_id="branch", name=NAME, branch_ids=[branch]))
    assert outcomes == ["updated", "updated", "reused"]


def test_alteryx(alteryx_sandbox, outcomes):
    people = alteryx_sandbox.seed_users(2)
    group = alteryx_sandbox.create_group(NAME, user_ids=people)
    for key in ({"user_group_id": group}, {"name": NAME}):
        execute(AlteryxServerAddUserGroupUsersOperator(task_id="add", user_ids=[], **key))
        execute(AlteryxServerRemoveUserGroupUsersOperator(task_id="remove", user_ids=[], **key))
    assert outcomes == []
    same = {"name": NAME, "user_ids": people, "if_exists": "update"}
    execute(AlteryxServerCreateUserGroupOperator(task_id="same", **same))
    assert outcomes == ["updated"]


def test_zendesk(zendesk_sandbox, outcomes):
    people = zendesk_sandbox.seed_users(2)
    segment = zendesk_sandbox.create_segment(NAME, added_user_ids=people)
    for action in ("add", "remove"):
        execute(ZendeskUpdateUserSegmentOperator(task_id=action, user_segment_id=segment, user_ids=[], action=action))
    assert outcomes == []
    execute(ZendeskUpdateUserSegmentOperator(task_id="rules", user_segment_id=segment, user_ids=[], tags=["x"]))
    empty = {"user_segment_id": segment, "user_ids": [], "action": "set", "allow_empty": True}
    for _ in range(2):
        execute(ZendeskUpdateUserSegmentOperator(task_id="none", **empty))
    assert outcomes == ["updated"] * 3

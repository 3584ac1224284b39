"""Alteryx Server's operators as real tasks: users by e-mail address, partial failures, and connections."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.cli.contract.relay import Relay
from tests.cli.contract.tls import self_signed
from tests.conftest import RETRY

OPERATORS = "from airflow_segments_provider.operators.alteryx import *\n"
UNKNOWN = "0123456789abcdef01234567"


def run(dag) -> tuple[dict[str, str], dict[str, Any]]:
    """Return a function that runs tasks as a DAG and returns their states and results."""
    tasks = dag.test().get_task_instances()
    return {ti.task_id: str(ti.state) for ti in tasks}, {ti.task_id: ti.xcom_pull(task_ids=ti.task_id) for ti in tasks}


@pytest.fixture
def people(alteryx_sandbox, tmp_path, monkeypatch):
    """Return IDs of users by e-mail address; the addresses are also in the database ``people_db``."""
    ids = set(alteryx_sandbox.seed_users(12))
    found = {user.email: user.id for user in alteryx_sandbox.users() if user.id in ids}
    database = tmp_path / "people.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE people (email, place INTEGER)")
        rows = [(email.title(), place) for place, email in enumerate([*found, "nobody@example.com"])]
        connection.executemany("INSERT INTO people VALUES (?, ?)", rows)
    monkeypatch.setenv("AIRFLOW_CONN_PEOPLE_DB", json.dumps({"conn_type": "sqlite", "host": str(database)}))
    return found


def test_users_of_a_query_are_identified_by_their_addresses(alteryx_sandbox, people, dag_file, stored):
    states, results = run(
        dag_file(
            OPERATORS
            + """
def query(condition):
    return SqlMembers("SELECT email FROM people WHERE " + condition, conn_id="people_db")

create = AlteryxServerCreateUserGroupOperator(
    task_id="create", name="Analysts", user_ids=query("place < 8"), identify_by="{{ 'email' }}"
)
add = AlteryxServerAddUserGroupUsersOperator(
    task_id="add", user_group=create.output, user_ids=query("place >= 8"), identify_by="email",
    on_unmatched="{{ 'skip' }}",
)
remove = AlteryxServerRemoveUserGroupUsersOperator(
    task_id="remove", name="Analysts", user_ids=query("place < 5 OR place > 11"), identify_by="email",
    on_unmatched="skip",
)
add >> remove
"""
        )
    )
    assert set(states.values()) == {"success"}, states
    assert alteryx_sandbox.members("Analysts") == set(list(people.values())[5:])
    assert [results[task]["users_sent"] for task in ("create", "add", "remove")] == [8, 4, 5]
    assert [results[task]["users_unmatched"] for task in ("create", "add", "remove")] == [
        {},
        {"no such user": 1},
        {"no such user": 1},
    ]
    assert alteryx_sandbox.counts()["alteryx.list_users"] == 8 + 5 + 6
    for email, user_id in people.items():
        assert stored(email.title()) == stored(user_id) == []


def test_an_unmatched_user_fails_the_task_before_any_change(alteryx_sandbox, people, dag_file):
    states, _ = run(
        dag_file(
            OPERATORS
            + """
AlteryxServerCreateUserGroupOperator(
    task_id="create", name="Analysts", user_ids=SqlMembers("SELECT email FROM people", conn_id="people_db"),
    identify_by="email", retries=2,
)
"""
        )
    )
    assert states == {"create": "failed"}
    assert alteryx_sandbox.groups() == []
    assert alteryx_sandbox.counts()["alteryx.list_users"] == 13


def test_a_partial_failure_fails_the_task_unless_on_refused_is_skip(alteryx_sandbox, people, dag_file, stored):
    alteryx_sandbox.create_group("Analysts")
    ids = [*people.values(), UNKNOWN]
    states, results = run(
        dag_file(
            OPERATORS
            + f"""
strict = AlteryxServerAddUserGroupUsersOperator(task_id="strict", name="Analysts", user_ids={ids})
lenient = AlteryxServerAddUserGroupUsersOperator(
    task_id="lenient", name="Analysts", user_ids={ids}, on_refused="skip", trigger_rule="all_done"
)
strict >> lenient
"""
        )
    )
    assert states == {"strict": "failed", "lenient": "success"}
    assert alteryx_sandbox.members("Analysts") == set(people.values())
    assert results["lenient"]["users_refused"] == {"There is no such user.": 1}


def test_a_group_with_members_is_deleted_only_with_force_delete(alteryx_sandbox, people, dag_file):
    alteryx_sandbox.create_group("Analysts", user_ids=people.values())
    states, results = run(
        dag_file(
            OPERATORS
            + """
plain = AlteryxServerDeleteUserGroupOperator(task_id="plain", name="Analysts")
force = AlteryxServerDeleteUserGroupOperator(
    task_id="force", name="Analysts", force_delete=True, trigger_rule="all_done"
)
plain >> force
"""
        )
    )
    assert states == {"plain": "failed", "force": "success"}
    assert results["force"]["outcome"] == "deleted"
    assert alteryx_sandbox.groups() == []


def test_a_server_with_a_private_certificate_and_the_key_in_the_body_is_called(
    alteryx_sandbox, people, dag_file, tmp_path, monkeypatch
):
    alteryx_sandbox.settings(client_auth="body", xml_for="all")
    certificate = self_signed(tmp_path)
    with Relay(alteryx_sandbox.url, certificate).running() as relay:
        for conn_id, verify in (("trusting", str(certificate)), ("doubting", True)):
            fields = alteryx_sandbox.connection(retry=RETRY, client_auth="body", verify=verify)
            fields["host"] = fields["host"].replace(alteryx_sandbox.url, relay.url) + "/"
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(fields))
        states, _ = run(
            dag_file(
                OPERATORS
                + f"""
for conn_id in ("trusting", "doubting"):
    AlteryxServerCreateUserGroupOperator(
        task_id=conn_id, alteryx_conn_id=conn_id, name=conn_id, user_ids={list(people.values())}
    )
"""
            )
        )
    assert states == {"trusting": "success", "doubting": "failed"}
    assert [group.name for group in alteryx_sandbox.groups()] == ["trusting"]
    assert alteryx_sandbox.members("trusting") == set(people.values())
    assert {request.path for request in relay.seen if request.method == "POST"} >= {
        "/alteryx/webapi/oauth2/token",
        "/alteryx/webapi/v3/usergroups",
    }


def test_users_are_looked_up_by_a_hook_in_a_task(alteryx_sandbox, people, dag_file):
    wanted = alteryx_sandbox.create_user("ada@example.com", first_name="Ada", last_name="Lamb", role="Member")
    states, results = run(
        dag_file(
            f"""
@task
def look_up():
    from airflow_segments_provider.hooks.alteryx import AlteryxServerHook

    hook = AlteryxServerHook()
    by_email, by_name = hook.find_user("ADA@example.com"), hook.find_users("ada", "lamb")
    return [by_email.user_id == "{wanted}", [user.user_id for user in by_name] == ["{wanted}"], by_email.role]

look_up()
"""
        )
    )
    assert states == {"look_up": "success"}
    assert results["look_up"] == [True, True, "Member"]

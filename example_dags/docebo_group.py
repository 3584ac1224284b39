"""Keep a Docebo group of the users in onboarding: create it, wait until it is populated, list, remove, delete.

To use it, set two Airflow connections, `docebo_default` (type Docebo) and `people_db` (any SQL database), and
put your own queries below. They return Docebo's user IDs, or with `identify_by="email"` e-mail addresses. Later runs
find the group that the first run created. Nothing is deleted, unless you start a run with `delete_at_end`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.docebo import (
    DoceboCreateGroupOperator,
    DoceboDeleteGroupOperator,
    DoceboListGroupUsersOperator,
    DoceboRemoveGroupUsersOperator,
)
from airflow_segments_provider.sensors.docebo import DoceboGroupPopulatedSensor
from airflow_segments_provider.sources.sql import SqlMembers


def users(query: str) -> SqlMembers:
    """Return a source of the IDs of a query. It is read while the task runs, so no XCom has the IDs."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="docebo_group",
    description="Keep a Docebo group of the users in onboarding",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # Docebo does not support parallel changes of members
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "group_name": Param("People in onboarding", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "list_path": Param(
            None, type=["null", "string"], description="File for the members, e.g. s3://…; empty: count only"
        ),
        "delete_at_end": Param(False, type="boolean", description="Delete the group after the run"),
    },
    tags=["docebo"],
    doc_md=__doc__,
) as dag:
    # If the group exists, the users are added to it. Invalid IDs are left out, and counted by reason in the result.
    create = DoceboCreateGroupOperator(
        task_id="create",
        name="{{ params.group_name }}",
        user_ids=users("SELECT user_id FROM people WHERE stage = 'onboarding'"),
        on_invalid="skip",
    )

    # Docebo adds many users in the background. The sensor holds no worker slot while it waits.
    wait = DoceboGroupPopulatedSensor(
        task_id="wait",
        group=create.output,
        expected_user_ids=users("SELECT user_id FROM people WHERE stage = 'onboarding'"),
        on_invalid="skip",
        deferrable=True,
    )

    list_members = DoceboListGroupUsersOperator(
        task_id="list_members", group=create.output, path="{{ params.list_path }}"
    )

    # Removing a user who is not a member changes nothing, so a retry is safe.
    remove_done = DoceboRemoveGroupUsersOperator(
        task_id="remove_done",
        group=create.output,
        user_ids=users("SELECT user_id FROM people WHERE stage = 'done'"),
        on_invalid="skip",
    )

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    delete = DoceboDeleteGroupOperator(task_id="delete", group=create.output)

    create >> wait >> list_members >> remove_done >> delete_wanted() >> delete

"""Keep a Docebo group of the people in onboarding: create it, wait until it is populated, list, remove, delete.

To make it yours, set two Airflow connections, `docebo_default` (type Docebo) and `people_db` (any SQL database), and
put your own queries below; they return the numbers of Docebo users, or with `identify_by="email"` their addresses. A
run on a schedule finds the group that the first run made. Nothing is deleted unless a run is started with
`delete_at_end`.
"""

from __future__ import annotations

from datetime import UTC, datetime
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


def people(query: str) -> SqlMembers:
    """Return the ids that a query returns: read and sent while the task runs, so that no XCom holds them."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


with DAG(
    dag_id="docebo_group",
    description="Keep a Docebo group of the people in onboarding",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # Docebo forbids changes of members side by side
    default_args={"retries": 2},
    params={
        "group_name": Param("People in onboarding", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "list_path": Param(
            None, type=["null", "string"], description="Where the members go, e.g. s3://…; empty: just counted"
        ),
        "delete_at_end": Param(False, type="boolean", description="Delete the group after the run"),
    },
    tags=["docebo"],
    doc_md=__doc__,
) as dag:
    # Adds the people if the group exists. Unusable ids are left out, and counted by reason in the task's result.
    create = DoceboCreateGroupOperator(
        task_id="create",
        name="{{ params.group_name }}",
        user_ids=people("SELECT user_id FROM people WHERE stage = 'onboarding'"),
        on_invalid="skip",
    )

    # Docebo adds many people in the background. Holds no worker slot while it waits.
    wait = DoceboGroupPopulatedSensor(
        task_id="wait",
        group=create.output,
        expected_user_ids=people("SELECT user_id FROM people WHERE stage = 'onboarding'"),
        on_invalid="skip",
        deferrable=True,
    )

    list_members = DoceboListGroupUsersOperator(
        task_id="list_members", group=create.output, path="{{ params.list_path }}"
    )

    # Removing somebody who is no member changes nothing: it can be repeated at will.
    remove_done = DoceboRemoveGroupUsersOperator(
        task_id="remove_done",
        group=create.output,
        user_ids=people("SELECT user_id FROM people WHERE stage = 'done'"),
        on_invalid="skip",
    )

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    delete = DoceboDeleteGroupOperator(task_id="delete", group=create.output)

    create >> wait >> list_members >> remove_done >> delete_wanted() >> delete

"""Keep an Alteryx Server user group of the analysts: create it, share a collection with it, remove leavers, delete.

See it run without an account: `make demo-all`.

To make it yours, set two Airflow connections, `alteryx_server_default` (type Alteryx Server) and `people_db` (any SQL
database), put your own queries below, and your collection's id in `collection_id`. People are found by their e-mail
addresses. A run on a schedule finds the group that the first run made. Nothing is deleted unless a run is started with
`delete_at_end`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.alteryx import (
    AlteryxServerCreateUserGroupOperator,
    AlteryxServerDeleteUserGroupOperator,
    AlteryxServerGetUserGroupOperator,
    AlteryxServerRemoveUserGroupUsersOperator,
    AlteryxServerShareWithUserGroupOperator,
)
from airflow_segments_provider.sources.sql import SqlMembers


def people(query: str) -> SqlMembers:
    """Return the addresses that a query returns: read while the task runs, so that no XCom holds them."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


with DAG(
    dag_id="alteryx_user_group",
    description="Keep an Alteryx Server user group of the analysts",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "user_group_name": Param("Analysts", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "collection_id": Param("0123456789abcdef01234567", type="string", description="The collection to be shared"),
        "delete_at_end": Param(False, type="boolean", description="Delete the user group after the run"),
    },
    tags=["alteryx"],
    doc_md=__doc__,
) as dag:
    # Adds the people if the group exists. Addresses that the server does not know are left out, and counted.
    create = AlteryxServerCreateUserGroupOperator(
        task_id="create",
        name="{{ params.user_group_name }}",
        role="Viewer",
        user_ids=people("SELECT email FROM people WHERE team = 'analysts'"),
        identify_by="email",
        on_invalid="skip",
        on_unmatched="skip",
    )

    # Sharing again changes nothing, so a run on a schedule may do so.
    share = AlteryxServerShareWithUserGroupOperator(
        task_id="share",
        user_group=create.output,
        resource_type="collection",
        resource_id="{{ params.collection_id }}",
        permissions={"can_add_assets": True, "can_update_assets": True},
    )

    # One call for each person, several at once. Removing somebody who is no member changes nothing.
    remove_leavers = AlteryxServerRemoveUserGroupUsersOperator(
        task_id="remove_leavers",
        user_group=create.output,
        user_ids=people("SELECT email FROM people WHERE team = 'left'"),
        identify_by="email",
        on_invalid="skip",
        on_unmatched="skip",
    )

    # The result holds the number of members, not who they are.
    get = AlteryxServerGetUserGroupOperator(task_id="get", user_group=create.output)

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    # What was shared with the group is no longer, then.
    delete = AlteryxServerDeleteUserGroupOperator(task_id="delete", user_group=create.output, force_delete=True)

    create >> share >> remove_leavers >> get >> delete_wanted() >> delete

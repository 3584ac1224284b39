"""Keep an Alteryx Server user group of the analysts: create it, share a collection with it, remove leavers, delete.

Run it without an account: `make demo-all`.

To use it, set two Airflow connections, `alteryx_server_default` (type Alteryx Server) and `people_db` (any SQL
database), put your own queries below, and your collection's ID in `collection_id`. Users are found by their e-mail
addresses. Later runs find the group that the first run created. Nothing is deleted, unless you start a run with
`delete_at_end`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
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


def users(query: str) -> SqlMembers:
    """Return a source of the addresses of a query. It is read while the task runs, so no XCom has the addresses."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="alteryx_user_group",
    description="Keep an Alteryx Server user group of the analysts",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "user_group_name": Param("Analysts", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "collection_id": Param("0123456789abcdef01234567", type="string", description="The collection to be shared"),
        "delete_at_end": Param(False, type="boolean", description="Delete the user group after the run"),
    },
    tags=["alteryx"],
    doc_md=__doc__,
) as dag:
    # If the group exists, the users are added to it. Addresses without a user are left out, and counted.
    create = AlteryxServerCreateUserGroupOperator(
        task_id="create",
        name="{{ params.user_group_name }}",
        role="Viewer",
        user_ids=users("SELECT email FROM people WHERE team = 'analysts'"),
        identify_by="email",
        on_invalid="skip",
        on_unmatched="skip",
    )

    # Sharing again changes nothing, so a retry is safe.
    share = AlteryxServerShareWithUserGroupOperator(
        task_id="share",
        user_group=create.output,
        resource_type="collection",
        resource_id="{{ params.collection_id }}",
        permissions={"can_add_assets": True, "can_update_assets": True},
    )

    # One request for each user, several at once. Removing a user who is not a member changes nothing.
    remove_leavers = AlteryxServerRemoveUserGroupUsersOperator(
        task_id="remove_leavers",
        user_group=create.output,
        user_ids=users("SELECT email FROM people WHERE team = 'left'"),
        identify_by="email",
        on_invalid="skip",
        on_unmatched="skip",
    )

    # The result has the number of members, and no IDs.
    get = AlteryxServerGetUserGroupOperator(task_id="get", user_group=create.output)

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    # This also ends what was shared with the group.
    delete = AlteryxServerDeleteUserGroupOperator(task_id="delete", user_group=create.output, force_delete=True)

    create >> share >> remove_leavers >> get >> delete_wanted() >> delete

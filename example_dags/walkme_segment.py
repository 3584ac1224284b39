"""Keep a WalkMe segment of the users on trial: create it, wait for the Editor, update it, list, delete.

Run it without an account: `make demo-all`. To keep a segment equal to a query, see `walkme_sync`.

To use it, set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), and
put your own queries below. Later runs find the segment that the first run created. Nothing is deleted, unless you start
a run with `delete_at_end`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.walkme import (
    WalkMeCreateSegmentOperator,
    WalkMeDeleteSegmentOperator,
    WalkMeListSegmentsOperator,
    WalkMeUpdateSegmentOperator,
)
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sources.sql import SqlMembers


def users(query: str) -> SqlMembers:
    """Return a source of the IDs of a query. It is read while the task runs, so no XCom has the IDs."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="walkme_segment",
    description="Keep a WalkMe segment of the users on trial",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
        "delete_at_end": Param(False, type="boolean", description="Delete the segment after the run"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:
    # If the segment exists, the users are added to it. Invalid IDs are left out, and counted by reason in the result.
    create = WalkMeCreateSegmentOperator(
        task_id="create",
        name="{{ params.segment_name }}",
        user_ids=users("SELECT user_id FROM people WHERE plan = 'trial'"),
        on_invalid="skip",
    )

    # The sensor holds no worker slot while it waits.
    wait = WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=create.output,
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

    # Removing a user who is not a member, or adding a member, changes nothing, so retries are safe.
    remove_converted = WalkMeUpdateSegmentOperator(
        task_id="remove_converted",
        segment=create.output,
        action="remove",
        user_ids=users("SELECT user_id FROM people WHERE plan = 'paid'"),
        on_invalid="skip",
    )
    add_extended = WalkMeUpdateSegmentOperator(
        task_id="add_extended",
        segment=create.output,
        action="add",
        user_ids=users("SELECT user_id FROM people WHERE plan = 'extended'"),
        on_invalid="skip",
    )

    list_segments = WalkMeListSegmentsOperator(task_id="list_segments")

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    delete = WalkMeDeleteSegmentOperator(task_id="delete", segment=create.output)

    create >> wait >> remove_converted >> add_extended >> list_segments >> delete_wanted() >> delete

"""Keep a WalkMe segment of the people on trial: create it, wait for the Editor, update it, list, delete.

See it run without an account: `make demo-all`. To keep a segment equal to a query, see `walkme_sync`.

To make it yours, set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), and
put your own queries below. A run on a schedule finds the segment that the first run made. Nothing is deleted unless a
run is started with `delete_at_end`.
"""

from __future__ import annotations

from datetime import UTC, datetime
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


def people(query: str) -> SqlMembers:
    """Return the ids that a query returns: read and sent while the task runs, so that no XCom holds them."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


with DAG(
    dag_id="walkme_segment",
    description="Keep a WalkMe segment of the people on trial",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
        "delete_at_end": Param(False, type="boolean", description="Delete the segment after the run"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:
    # Adds the people if the segment exists. Unusable ids are left out, and counted by reason in the task's result.
    create = WalkMeCreateSegmentOperator(
        task_id="create",
        name="{{ params.segment_name }}",
        user_ids=people("SELECT user_id FROM people WHERE plan = 'trial'"),
        on_invalid="skip",
    )

    # Holds no worker slot while it waits.
    wait = WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=create.output,
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

    # Removing somebody who is no member, or adding one who is, changes nothing: both can be repeated at will.
    remove_converted = WalkMeUpdateSegmentOperator(
        task_id="remove_converted",
        segment=create.output,
        action="remove",
        user_ids=people("SELECT user_id FROM people WHERE plan = 'paid'"),
        on_invalid="skip",
    )
    add_extended = WalkMeUpdateSegmentOperator(
        task_id="add_extended",
        segment=create.output,
        action="add",
        user_ids=people("SELECT user_id FROM people WHERE plan = 'extended'"),
        on_invalid="skip",
    )

    list_segments = WalkMeListSegmentsOperator(task_id="list_segments")

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    delete = WalkMeDeleteSegmentOperator(task_id="delete", segment=create.output)

    create >> wait >> remove_converted >> add_extended >> list_segments >> delete_wanted() >> delete

"""Keep a WalkMe segment equal to a query: users who left the query leave the segment, and only changes are sent.

Run it without an account: `make demo`.

To use it:

1. Set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), and put your own
   query below. It has one column, the user ID.
2. Set `[segments] ledger_path` in `airflow.cfg`, e.g. `s3://aws_default@bucket/segments`. The *ledger* records the
   members, because WalkMe does not list them. The default is a folder in `AIRFLOW_HOME`, for executors that run on one
   machine. The ledger has user IDs, so protect it like the source.
3. Start a run with `plan_only`. The task `sync` logs its plan, and sends nothing.
4. Start a run without `plan_only`, then set `schedule` below.

Where the plan of `sync` is refused, nothing was sent: the query has far fewer or far more users than before. Check it.
If the plan is right, trigger the DAG with the digest `sha256:…` of the message as `approve`. That run applies exactly
this plan. Later runs need no approval.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.targets.walkme import WalkMeSegment


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="walkme_sync",
    description="Keep a WalkMe segment equal to a query",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "plan_only": Param(False, type="boolean", description="Send nothing, return the plan"),
        "approve": Param(
            None, type=["null", "string"], pattern="^(sha256:[0-9a-f]{64})?$", description="A refused plan's digest"
        ),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:
    # The source is read while the task runs, so no XCom has the IDs. Invalid IDs are left out, and counted.
    sync = SyncMembersOperator(
        task_id="sync",
        target=WalkMeSegment("{{ params.segment_name }}", create=True),
        source=SqlMembers("SELECT user_id FROM people WHERE plan = 'trial'", conn_id="{{ params.people_conn_id }}"),
        plan_only="{{ params.plan_only }}",
        approve="{{ params.approve }}",
    )

    # The sensor holds no worker slot while it waits. It ends at once if nothing has changed since the last wait.
    WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=sync.output,
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

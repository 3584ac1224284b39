"""Keep a WalkMe segment equal to a query, day after day: whoever no longer belongs leaves, and only changes are sent.

See it run without an account: `make demo`.

To make it yours:

1. Set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), and put your own
   query below; it has one column, the user's id.
2. Say where the *ledger* lies, which remembers who was put into the segment, because WalkMe cannot list members:
   `[segments] ledger_path` in `airflow.cfg`, e.g. `s3://aws_default@bucket/segments`. Without it, it is a folder in
   `AIRFLOW_HOME`, which will do where all tasks run on one machine. It holds people's ids, so treat it like the source.
3. Start a run with `plan_only`. Task `sync` logs what it would send, and sends nothing.
4. Start one without, then set `schedule` below.

When `sync` fails with "The plan … was refused", nothing was sent: the query suddenly has so few people, or so many,
that an outage upstream is likely. Look at the query. If the plan is right after all, copy `sha256:…` from the message
and use *Trigger DAG with config* with it as `approve`: that run applies exactly this plan. The next one needs no word.
"""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.targets.walkme import WalkMeSegment

with DAG(
    dag_id="walkme_sync",
    description="Keep a WalkMe segment equal to a query",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "plan_only": Param(False, type="boolean", description="Only say what would be sent"),
        "approve": Param(
            None, type=["null", "string"], pattern="^(sha256:[0-9a-f]{64})?$", description="A refused plan's digest"
        ),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:
    # The people are read while the task runs, so that no XCom holds them. Unusable ids are left out, and counted.
    sync = SyncMembersOperator(
        task_id="sync",
        target=WalkMeSegment("{{ params.segment_name }}", create=True),
        source=SqlMembers("SELECT user_id FROM people WHERE plan = 'trial'", conn_id="{{ params.people_conn_id }}"),
        plan_only="{{ params.plan_only }}",
        approve="{{ params.approve }}",
    )

    # Holds no worker slot while it waits, and ends at once where nothing has changed since the last wait.
    WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=sync.output,
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

"""Keep many WalkMe segments equal to one table that says who belongs to which.

See it run without an account: `make demo-all`.

One task lists the segments' names, then one task for each of them, side by side, reads its own people and sends what
has changed. A segment that is refused or fails holds no other up. A new name in the table makes a new segment. A name
that is gone from the table is left as it is: nobody is removed from its segment. Keep the names in a table of their own
if segments are to be emptied, and set `allow_empty=True`.

To make it yours, set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), put
your own two queries below (how a parameter is written, here `:segment`, is the database driver's affair: psycopg wants
`%(segment)s`), and say with `[segments] ledger_path` where the ledger lies; the DAG `walkme_sync` has more on that.
Start with `plan_only`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseHook, Param, task

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sources.sql import SqlMembers

with DAG(
    dag_id="walkme_sync_many",
    description="Keep many WalkMe segments equal to a table",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "plan_only": Param(False, type="boolean", description="Only say what would be sent"),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:

    @task
    def segments(**context: Any) -> list[dict[str, Any]]:
        """Return the segments that there are to be: names only, no people."""
        rows = BaseHook.get_hook(context["params"]["people_conn_id"]).get_records(
            "SELECT DISTINCT segment FROM people WHERE segment IS NOT NULL ORDER BY segment"
        )
        return [{"vendor": "walkme", "name": name, "create": True} for (name,) in rows]

    sync = SyncMembersOperator.partial(
        task_id="sync",
        source=SqlMembers(
            "SELECT user_id FROM people WHERE segment = :segment",
            conn_id="{{ params.people_conn_id }}",
            parameters={"segment": "{{ task.target.name }}"},
        ),
        plan_only="{{ params.plan_only }}",
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.target.name }}",
    ).expand(target=segments())

    @task
    def changed_last(synced: Any) -> Any:
        """Return the segment that was changed last: once the Editor shows it, it shows the others, too."""
        last = max(synced, key=lambda one: one["changed_at"] or "")
        return {name: last[name] for name in ("outcome", "system_guid", "segment_guid", "changed_at")}

    # Holds no worker slot while it waits.
    WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=changed_last(sync.output),
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

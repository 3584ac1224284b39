"""Keep many WalkMe segments equal to one table of users and segments.

Run it without an account: `make demo-all`.

The first task lists the names of the segments. Then one mapped task for each segment reads its users and sends the
changes. A segment that fails does not delay the others. A new name in the table creates a segment. A name that is no
longer in the table leaves its segment unchanged. To empty segments, keep their names in a table of their own, and set
`allow_empty=True`.

To use it, set two Airflow connections, `walkme_default` (type WalkMe) and `people_db` (any SQL database), put
your own two queries below, and set `[segments] ledger_path`; see the DAG `walkme_sync`. The database driver defines the
form of a parameter, here `:segment`; for psycopg, it is `%(segment)s`. Begin with a run with `plan_only`.

If plans are refused, trigger the DAG with their digests as `approve`, separated by spaces. Each digest applies to the
segment whose plan it is; the other segments are synced as usual.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, BaseHook, Param, task

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sensors.walkme import WalkMeSegmentPropagationSensor
from airflow_segments_provider.sources.sql import SqlMembers


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="walkme_sync_many",
    description="Keep many WalkMe segments equal to a table",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "plan_only": Param(False, type="boolean", description="Send nothing, return the plans"),
        "approve": Param(
            None,
            type=["null", "string"],
            pattern="^(sha256:[0-9a-f]{64}\\s*)*$",
            description="The digests of refused plans, separated by spaces",
        ),
        "propagation_seconds": Param(600, type="number", minimum=0, description="How long WalkMe's Editor may lag"),
    },
    tags=["walkme"],
    doc_md=__doc__,
) as dag:

    @task
    def segments(**context: Any) -> list[dict[str, Any]]:
        """Return the segments; their names only, no users."""
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
        approve="{{ params.approve }}",
        max_active_tis_per_dagrun=4,
        map_index_template="{{ task.target.name }}",
    ).expand(target=segments())

    @task
    def changed_last(synced: Any) -> Any:
        """Return the segment that was changed last. When the Editor shows this change, it also shows the others."""
        # As a slice: at the end of an iteration over results of mapped tasks, Airflow 3 logs an error.
        last = max(synced[:], key=lambda one: one["changed_at"] or "")
        return {name: last[name] for name in ("outcome", "system_guid", "segment_guid", "changed_at")}

    # The sensor holds no worker slot while it waits.
    WalkMeSegmentPropagationSensor(
        task_id="wait",
        segment=changed_last(sync.output),
        propagation_delay="{{ params.propagation_seconds }}",
        deferrable=True,
    )

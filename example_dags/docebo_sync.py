"""Keep a Docebo group equal to a CSV file of e-mail addresses, and wait until Docebo has populated it.

Run it without an account: `make demo-all`.

To use it, set an Airflow connection `docebo_default` (type Docebo) and `[segments] ledger_path`, and the path of
the file below. New users are looked up by their address; users who are not in the file any more are removed, unless
they were added by hand. Users that Docebo does not have are left out, counted, and listed beside the ledger.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sensors.docebo import DoceboGroupPopulatedSensor
from airflow_segments_provider.sources.files import FileMembers
from airflow_segments_provider.targets.docebo import DoceboGroup


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="docebo_sync",
    description="Keep a Docebo group equal to a CSV file of e-mail addresses",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "group_name": Param("Partners", type="string", minLength=1, maxLength=255),
        "path": Param("/data/partners.csv", type="string", description="A local path, or e.g. s3://…"),
        "plan_only": Param(False, type="boolean", description="Send nothing, return the plan"),
        "approve": Param(
            None, type=["null", "string"], pattern="^(sha256:[0-9a-f]{64})?$", description="A refused plan's digest"
        ),
    },
    tags=["docebo"],
    doc_md=__doc__,
) as dag:
    sync = SyncMembersOperator(
        task_id="sync",
        target=DoceboGroup("{{ params.group_name }}", create=True, identity="email"),
        source=FileMembers("{{ params.path }}", column="email"),
        plan_only="{{ params.plan_only }}",
        approve="{{ params.approve }}",
    )

    # Docebo adds many users in the background. The sensor holds no worker slot while it waits.
    DoceboGroupPopulatedSensor(task_id="wait", group=sync.output, deferrable=True)

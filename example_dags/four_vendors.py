"""Keep a WalkMe segment, a Docebo group, an Alteryx user group and a Zendesk user segment equal to one table.

Run it without an account: `make demo-all`.

WalkMe takes your own user IDs. The other vendors have IDs of their own, which are looked up by e-mail address once, and
kept in the ledger. A user that a vendor does not have is left out there, counted, and listed beside the ledger.

To use it:

1. Set five Airflow connections, `walkme_default`, `docebo_default`, `alteryx_server_default`,
   `zendesk_help_center_default` and `people_db` (any SQL database), and put your own queries below.
2. Set `[segments] ledger_path` in `airflow.cfg`, e.g. `s3://aws_default@bucket/segments`. It holds IDs and addresses of
   users, so protect it like the source.
3. Start a run with `plan_only`: each task logs what it would send, and sends nothing but look-ups.
4. Start one without, then set `schedule` below.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.sync import SyncMembersOperator
from airflow_segments_provider.sources.sql import SqlMembers
from airflow_segments_provider.targets.alteryx import AlteryxUserGroup
from airflow_segments_provider.targets.base import Segment
from airflow_segments_provider.targets.docebo import DoceboGroup
from airflow_segments_provider.targets.walkme import WalkMeSegment
from airflow_segments_provider.targets.zendesk import ZendeskUserSegment

USERS = "FROM people WHERE plan = 'trial'"


def sync(task_id: str, target: Segment, query: str) -> SyncMembersOperator:
    """Return a task that makes the members of a target those of a query."""
    return SyncMembersOperator(
        task_id=task_id,
        target=target,
        source=SqlMembers(query, conn_id="{{ params.people_conn_id }}"),
        plan_only="{{ params.plan_only }}",
    )


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="four_vendors",
    description="The same users at WalkMe, Docebo, Alteryx Server and Zendesk Help Center",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "plan_only": Param(False, type="boolean", description="Send nothing, return the plans"),
    },
    tags=["walkme", "docebo", "alteryx", "zendesk"],
    doc_md=__doc__,
) as dag:
    # Four parallel tasks: a failure at one vendor does not delay another.
    name = "{{ params.name }}"
    walkme = sync("walkme", WalkMeSegment(name, create=True), f"SELECT user_id {USERS}")
    docebo = sync("docebo", DoceboGroup(name, create=True, identity="email"), f"SELECT email {USERS}")
    alteryx = sync("alteryx", AlteryxUserGroup(name, create=True, identity="email"), f"SELECT email {USERS}")
    zendesk = sync("zendesk", ZendeskUserSegment(name, create=True, identity="email"), f"SELECT email {USERS}")

    @task
    def summary(**results: Any) -> dict[str, dict[str, int]]:
        """Return how many users each vendor has in it, and how many it does not have at all."""
        return {
            vendor: {"members": results[vendor]["members"], "unmatched": results[vendor]["counts"]["unmatched"]}
            for vendor in ("walkme", "docebo", "alteryx", "zendesk")
        }

    summary(walkme=walkme.output, docebo=docebo.output, alteryx=alteryx.output, zendesk=zendesk.output)

"""Show an article of a Zendesk Help Center to users on trial only: a user segment, tags, and a sensor for the jobs.

To use it, set two Airflow connections, `zendesk_help_center_default` (type Zendesk Help Center) and `people_db`
(any SQL database), and put your own queries below. They return the external IDs of Zendesk's users. Later runs find the
segment that the first run created. Nothing is opened or deleted, unless you start a run with `delete_at_end`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.zendesk import (
    ZendeskApplyUserSegmentOperator,
    ZendeskCreateUserSegmentOperator,
    ZendeskDeleteUserSegmentOperator,
    ZendeskUpdateUserSegmentOperator,
    ZendeskUpdateUsersOperator,
)
from airflow_segments_provider.sensors.zendesk import ZendeskJobStatusSensor
from airflow_segments_provider.sources.sql import SqlMembers


def users(query: str) -> SqlMembers:
    """Return a source of the IDs of a query. It is read while the task runs, so no XCom has the IDs."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


# The IDs are external IDs. Invalid IDs, and users that Zendesk does not have, are left out and counted by reason in the
# task's result.
USERS = {"identify_by": "external_id", "on_invalid": "skip", "on_unmatched": "skip"}


def alert(context: Any) -> None:
    """Report a task that failed for good. Replace the log line with a message to your team's channel."""
    logging.getLogger(__name__).error("%s failed: %s", context["task_instance"], context.get("exception"))


with DAG(
    dag_id="zendesk_user_segment",
    description="Show an article to users on trial only",
    schedule=None,  # such as "@daily"; then give article_id the number of your article
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # of two parallel changes of a segment's members, one would be lost
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "on_failure_callback": alert},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "article_id": Param(
            360012345678, type="integer", minimum=1, description="The article that only these users may see"
        ),
        "tag": Param("trial", type="string", minLength=1, description="Replaces all tags of these users"),
        "people_conn_id": Param("people_db", type="string", description="The database with the users"),
        "delete_at_end": Param(False, type="boolean", description="Open the article and delete the segment after it"),
    },
    tags=["zendesk"],
    doc_md=__doc__,
) as dag:
    # If the segment exists, the users are added to it.
    create = ZendeskCreateUserSegmentOperator(
        task_id="create",
        name="{{ params.segment_name }}",
        user_ids=users("SELECT person FROM people WHERE plan = 'trial'"),
        **USERS,
    )

    apply = ZendeskApplyUserSegmentOperator(
        task_id="apply", user_segment=create.output, article_id="{{ params.article_id }}"
    )

    # Starts background jobs of 100 users each. The sensor holds no worker slot while it waits.
    tag_users = ZendeskUpdateUsersOperator(
        task_id="tag_users",
        user_ids=users("SELECT person FROM people WHERE plan = 'trial'"),
        change={"tags": ["{{ params.tag }}"]},
        **USERS,
    )
    wait = ZendeskJobStatusSensor(task_id="wait", job_ids=tag_users.output, deferrable=True)

    # Removing a user who was not added changes nothing, so a retry is safe.
    remove_converted = ZendeskUpdateUserSegmentOperator(
        task_id="remove_converted",
        user_segment=create.output,
        action="remove",
        user_ids=users("SELECT person FROM people WHERE plan = 'paid'"),
        **USERS,
    )

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    # Zendesk does not delete a segment that is applied to an article.
    clear = ZendeskApplyUserSegmentOperator(task_id="clear", article_id="{{ params.article_id }}", clear=True)
    delete = ZendeskDeleteUserSegmentOperator(task_id="delete", user_segment=create.output)

    create >> apply >> tag_users >> wait >> remove_converted >> delete_wanted() >> clear >> delete

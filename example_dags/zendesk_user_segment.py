"""Let only the people on trial see an article of a Zendesk Help Center: a user segment, tags, and what waits for them.

To make it yours, set two Airflow connections, `zendesk_help_center_default` (type Zendesk Help Center) and `people_db`
(any SQL database), and put your own queries below; they return what Zendesk calls the external ids of its users. A run
on a schedule finds the segment that the first run made. Nothing is opened or deleted unless a run is started with
`delete_at_end`.
"""

from __future__ import annotations

from datetime import UTC, datetime
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


def people(query: str) -> SqlMembers:
    """Return the ids that a query returns: read and sent while the task runs, so that no XCom holds them."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


# What the ids of these people are, and what becomes of those who cannot be used or whom Zendesk does not know: they are
# left out, and counted by reason in the task's result.
PEOPLE = {"identify_by": "external_id", "on_invalid": "skip", "on_unmatched": "skip"}

with DAG(
    dag_id="zendesk_user_segment",
    description="Let only the people on trial see an article",
    schedule=None,  # such as "@daily"; then give article_id the number of your article
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,  # of two changes of a segment's people at the same time, one would be lost
    default_args={"retries": 2},
    params={
        "segment_name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "article_id": Param(360012345678, type="integer", minimum=1, description="The article that only they may see"),
        "tag": Param("trial", type="string", minLength=1, description="Takes the place of all tags that they have"),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
        "delete_at_end": Param(False, type="boolean", description="Open the article and delete the segment after it"),
    },
    tags=["zendesk"],
    doc_md=__doc__,
) as dag:
    # Adds the people if the segment exists.
    create = ZendeskCreateUserSegmentOperator(
        task_id="create",
        name="{{ params.segment_name }}",
        user_ids=people("SELECT person FROM people WHERE plan = 'trial'"),
        **PEOPLE,
    )

    apply = ZendeskApplyUserSegmentOperator(
        task_id="apply", user_segment=create.output, article_id="{{ params.article_id }}"
    )

    # In background jobs of 100 users: begun here, and waited for without holding a worker slot.
    tag_users = ZendeskUpdateUsersOperator(
        task_id="tag_users",
        user_ids=people("SELECT person FROM people WHERE plan = 'trial'"),
        change={"tags": ["{{ params.tag }}"]},
        **PEOPLE,
    )
    wait = ZendeskJobStatusSensor(task_id="wait", job_ids=tag_users.output, deferrable=True)

    # Removing somebody who was not added changes nothing: it can be repeated at will.
    remove_converted = ZendeskUpdateUserSegmentOperator(
        task_id="remove_converted",
        user_segment=create.output,
        action="remove",
        user_ids=people("SELECT person FROM people WHERE plan = 'paid'"),
        **PEOPLE,
    )

    @task.short_circuit
    def delete_wanted(**context: Any) -> bool:
        return bool(context["params"]["delete_at_end"])

    # Zendesk does not delete a segment that is applied to something.
    clear = ZendeskApplyUserSegmentOperator(task_id="clear", article_id="{{ params.article_id }}", clear=True)
    delete = ZendeskDeleteUserSegmentOperator(task_id="delete", user_segment=create.output)

    create >> apply >> tag_users >> wait >> remove_converted >> delete_wanted() >> clear >> delete

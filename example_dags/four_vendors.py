"""Put the people of one table into a WalkMe segment, a Docebo group, an Alteryx user group and a Zendesk user segment.

See it run without an account: `make demo-all`.

WalkMe takes your own user ids as they are. The others know people by ids of their own, which are found by e-mail
address before anything is changed; whom a vendor does not know is left out there, and counted.

To make it yours, set five Airflow connections, `walkme_default`, `docebo_default`, `alteryx_server_default`,
`zendesk_help_center_default` and `people_db` (any SQL database), and put your own queries below. A run on a schedule
adds whom it finds to what the first run made, and removes nobody.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_segments_provider.operators.alteryx import AlteryxServerCreateUserGroupOperator
from airflow_segments_provider.operators.docebo import DoceboCreateGroupOperator
from airflow_segments_provider.operators.walkme import WalkMeCreateSegmentOperator
from airflow_segments_provider.operators.zendesk import ZendeskCreateUserSegmentOperator
from airflow_segments_provider.sources.sql import SqlMembers


def people(query: str) -> SqlMembers:
    """Return the ids or addresses that a query returns: read while the task runs, so that no XCom holds them."""
    return SqlMembers(query, conn_id="{{ params.people_conn_id }}")


def told(result: dict[str, Any]) -> dict[str, int]:
    """Of a vendor's result, how many were sent, and how many it did not know."""
    return {"sent": result["users_sent"], "unknown": sum(result.get("users_unmatched", {}).values())}


with DAG(
    dag_id="four_vendors",
    description="The same people at WalkMe, Docebo, Alteryx Server and Zendesk Help Center",
    schedule=None,  # such as "@daily"
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2},
    params={
        "name": Param("People on trial", type="string", minLength=1, maxLength=255),
        "people_conn_id": Param("people_db", type="string", description="The database with the people"),
    },
    tags=["walkme", "docebo", "alteryx", "zendesk"],
    doc_md=__doc__,
) as dag:
    # Four tasks side by side: what fails at one vendor holds up no other.
    walkme = WalkMeCreateSegmentOperator(
        task_id="walkme",
        name="{{ params.name }}",
        user_ids=people("SELECT user_id FROM people WHERE plan = 'trial'"),
        on_invalid="skip",
    )
    by_email: dict[str, Any] = {
        "name": "{{ params.name }}",
        "user_ids": people("SELECT email FROM people WHERE plan = 'trial'"),
        "identify_by": "email",
        "on_invalid": "skip",
        "on_unmatched": "skip",
    }
    docebo = DoceboCreateGroupOperator(task_id="docebo", **by_email)
    alteryx = AlteryxServerCreateUserGroupOperator(task_id="alteryx", **by_email)
    zendesk = ZendeskCreateUserSegmentOperator(task_id="zendesk", **by_email)

    @task
    def summary(**results: Any) -> dict[str, Any]:
        """How many were sent to each vendor, and how many it did not know."""
        return {vendor: told(results[vendor]) for vendor in ("walkme", "docebo", "alteryx", "zendesk")}

    summary(walkme=walkme.output, docebo=docebo.output, alteryx=alteryx.output, zendesk=zendesk.output)

"""Each of Zendesk's operators as a real task, and no user of theirs in Airflow's database or logs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conftest import RETRY

# The DAG file contains no user, so any user in the database was stored by a task.
HEAD = """
import json, os
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.operators.zendesk import *
from airflow_segments_provider.sensors.zendesk import *

people = json.loads(os.environ["PEOPLE"])
"""
MACROS = "user_defined_macros={'people': lambda: __import__('json').loads(__import__('os').environ['PEOPLE'])}"


@pytest.fixture(autouse=True)
def _connection(zendesk_sandbox, monkeypatch):
    """Set the connection; a field that Zendesk ignores is an error."""
    connection = zendesk_sandbox.connection_json(retry=RETRY, warnings_are_errors=True)
    monkeypatch.setenv("AIRFLOW_CONN_ZENDESK_HELP_CENTER_DEFAULT", connection)


@pytest.fixture
def people(zendesk_sandbox, monkeypatch):
    people = zendesk_sandbox.seed_users(7)
    monkeypatch.setenv("PEOPLE", json.dumps(list(people)))
    return people


@pytest.fixture
def hidden(people, stored, capfd, caplog):
    """Return a function that finds users in Airflow's database and in the log."""

    def found() -> list[str]:
        logged = capfd.readouterr().out + caplog.text
        assert "DAG TEST" in logged
        return [
            *stored(*map(str, people)),
            *[f"log: {person}" for person in people if str(person) in logged],
        ]

    return found


def run(dag: Any) -> dict[str, Any]:
    """Run tasks that all succeed, and return their results."""
    tasks = dag.test().get_task_instances()
    states = {ti.task_id: str(ti.state) for ti in tasks}
    assert set(states.values()) == {"success"}, states
    return {ti.task_id: ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index) for ti in tasks}


def test_zendesk_operators_create_change_list_and_delete_a_segment_and_store_no_user(
    zendesk_sandbox, dag_file, people, hidden, stored
):
    dag = dag_file(
        HEAD
        + """
create = ZendeskCreateUserSegmentOperator(
    task_id="create", name="Trial users", user_ids=people[:1], tags="{{ ['trial'] | tojson }}"
)
add = ZendeskUpdateUserSegmentOperator(
    task_id="add", user_segment=create.output, user_ids="{{ people()[1:] | tojson }}"
)
remove = ZendeskUpdateUserSegmentOperator(
    task_id="remove", user_segment_id="{{ ti.xcom_pull('create')['user_segment_id'] }}", action="{{ 'remove' }}",
    user_ids=[f"ext-{person}" for person in people[:2]], identify_by="external_id",
)
update = ZendeskUpdateUserSegmentOperator(
    task_id="update", name="Trial users", or_tags="['vip']", tags="[]", new_name="People on trial"
)
get = ZendeskGetUserSegmentOperator(task_id="get", user_segment="{{ ti.xcom_pull('create') }}")
every = ZendeskListUserSegmentsOperator(task_id="every", zendesk_conn_id="zendesk_help_center_{{ 'default' }}")
custom = ZendeskListUserSegmentsOperator(task_id="custom", built_in="False")
applicable = ZendeskListUserSegmentsOperator(task_id="applicable", applicable="True")
of_user = ZendeskListUserSegmentsOperator(task_id="of_user", user_id=people[0])
delete = ZendeskDeleteUserSegmentOperator(task_id="delete", user_segment=create.output)
again = ZendeskDeleteUserSegmentOperator(task_id="again", name="People on trial", if_missing="skip")
add >> remove >> update >> get >> every >> custom >> applicable >> of_user >> delete >> again
""",
        options=MACROS,
    )
    found = run(dag)

    assert zendesk_sandbox.counts() == {
        "zendesk.create_token": 1,
        "zendesk.create_segment": 1,
        "zendesk.update_segment": 3,
        "zendesk.get_segment": 5,
        "zendesk.show_users": 1,
        # The look-up of the name before the create; both names of the update; every, custom; the last deletion.
        "zendesk.list_segments": 5,
        "zendesk.list_applicable_segments": 1,
        "zendesk.list_user_segments": 1,
        # Checks that the list of the user's segments is complete.
        "zendesk.get_me": 1,
        "zendesk.delete_segment": 1,
    }
    number = found["create"]["user_segment_id"]
    assert {name: found[name]["outcome"] for name in ("create", "add", "remove", "update", "delete", "again")} == {
        "create": "created",
        "add": "updated",
        "remove": "updated",
        "update": "updated",
        "delete": "deleted",
        "again": "missing",
    }
    sent = {name: [found[name][f"users_{what}"] for what in ("sent", "added", "removed")] for name in ("add", "remove")}
    assert sent == {"add": [6, 6, 0], "remove": [2, 0, 2]}
    segment = found["get"]
    assert [segment["name"], segment["tags"], segment["or_tags"]] == ["People on trial", [], ["vip"]]
    assert (segment["user_segment_id"], segment["added_users"]) == (number, 5)
    assert found["custom"] == {"user_segments": [segment], "shared_only": False}
    assert [len(found[name]["user_segments"]) for name in ("every", "applicable", "of_user")] == [3, 3, 1]
    assert zendesk_sandbox.segments() == []
    assert hidden() == []
    assert stored("1 user id")
    assert stored("6 user ids")


def test_the_result_of_an_agents_list_says_that_it_may_be_incomplete(zendesk_sandbox, dag_file, people, hidden):
    zendesk_sandbox.settings(client_user="bruno.lindqvist@example.com")
    zendesk_sandbox.create_segment("Trial users", tags=["trial"], added_user_ids=[people[0]])
    dag = dag_file(
        HEAD
        + """
of_user = ZendeskListUserSegmentsOperator(task_id="of_user", user_id="{{ people()[0] }}", built_in=False)
""",
        options=MACROS,
    )
    assert run(dag)["of_user"] == {"user_segments": [], "shared_only": True}
    assert hidden() == []


def test_a_segment_is_applied_to_articles_and_topics_and_removed_from_them(zendesk_sandbox, dag_file):
    number = zendesk_sandbox.create_segment("Trial users")
    article, topic = zendesk_sandbox.articles()[0].id, zendesk_sandbox.topics()[0].id
    zendesk_sandbox.restrict_section("Announcements", [number])
    dag = dag_file(
        f"""
        from airflow_segments_provider.operators.zendesk import *

        article = ZendeskApplyUserSegmentOperator(task_id="article", user_segment_id="{number}", article_id="{article}")
        same = ZendeskApplyUserSegmentOperator(task_id="same", user_segment_id={number}, article_id={article})
        topic = ZendeskApplyUserSegmentOperator(task_id="topic", name="Trial users", topic_id="{{{{ {topic} }}}}")
        topics = ZendeskListUserSegmentTopicsOperator(task_id="topics", name="Trial users")
        sections = ZendeskListUserSegmentSectionsOperator(task_id="sections", user_segment_id={number})
        off_article = ZendeskApplyUserSegmentOperator(task_id="off_article", article_id={article}, clear="True")
        off_topic = ZendeskApplyUserSegmentOperator(task_id="off_topic", topic_id={topic}, clear=True)
        article >> same >> topic >> topics >> sections >> off_article >> off_topic
        """
    )
    found = run(dag)

    on_article, on_topic = {"article_id": article, "topic_id": None}, {"article_id": None, "topic_id": topic}
    assert found["article"] == {**on_article, "user_segment_id": number, "changed": True}
    assert found["same"] == {**on_article, "user_segment_id": number, "changed": False}
    assert found["topic"] == {**on_topic, "user_segment_id": number, "changed": True}
    assert found["off_article"] == {**on_article, "user_segment_id": None, "changed": True}
    assert found["off_topic"] == {**on_topic, "user_segment_id": None, "changed": True}
    assert [(one["id"], one["name"], sorted(one)) for one in found["topics"]] == [
        (topic, "General discussion", ["html_url", "id", "name"])
    ]
    assert [one["name"] for one in found["sections"]] == ["Announcements"]
    counts = zendesk_sandbox.counts()
    assert {name: counts[f"zendesk.{name}"] for name in ("update_article", "update_topic")} == {
        "update_article": 2,
        "update_topic": 2,
    }
    assert (counts["zendesk.list_segment_topics"], counts["zendesk.list_segment_sections"]) == (1, 1)
    assert not any(one.user_segment_ids for one in (*zendesk_sandbox.articles(), *zendesk_sandbox.topics()))


def test_one_user_of_a_mapped_task(dag_file, people, hidden):
    dag = dag_file(
        HEAD
        + """
Tags, one = ZendeskGetUserTagsOperator, str(people[0])
Tags.partial(task_id="numbers").expand(user_id=people)
Tags.partial(task_id="texts").expand(user_id=[str(person) for person in people])
some = [{"user_id": one}, {"user_id": people[1]}, {"user_id": "{{ people()[2] }}"}]
Tags.partial(task_id="groups").expand_kwargs(some)
Tags.partial(task_id="same", user_id=one).expand(zendesk_conn_id=["zendesk_help_center_default"])
ZendeskListUserSegmentsOperator.partial(task_id="segments", user_id=None).expand(applicable=[False])
""",
        options=MACROS,
    )
    assert set(run(dag)) == {"numbers", "texts", "groups", "same", "segments"}
    assert hidden() == []


def test_zendesk_operators_tag_and_update_users_and_store_no_user(zendesk_sandbox, dag_file, people, hidden, stored):
    zendesk_sandbox.settings(job_queue_seconds=0, job_seconds_per_row=0)
    dag = dag_file(
        HEAD
        + """
tag = ZendeskUpdateUserTagsOperator(task_id="tag", user_id=people[3], tags="['a', 'b']")
untag = ZendeskUpdateUserTagsOperator(
    task_id="untag", user_id="{{ people()[3] }}", tags=["a"], action="{{ 'remove' }}"
)
tags = ZendeskGetUserTagsOperator(task_id="tags", user_id="{{ people()[3] }}")
only = ZendeskUpdateUserTagsOperator(task_id="only", user_id=str(people[3]), tags='["c"]', action="set")
update = ZendeskUpdateUsersOperator(
    task_id="update", user_ids="{{ people() }}", change='{"tags": ["trial"]}', on_invalid="{{ 'fail' }}"
)
wait = ZendeskJobStatusSensor(task_id="wait", job_ids="{{ ti.xcom_pull('update') }}", on_failed="{{ 'fail' }}")
tag >> untag >> tags >> only >> update >> wait
""",
        options=MACROS,
    )
    found = run(dag)

    tags = {name: found[name] for name in ("tag", "untag", "tags", "only")}
    assert tags == {
        "tag": {"tags": ["a", "b"]},
        "untag": {"tags": ["b"]},
        "tags": {"tags": ["b"]},
        "only": {"tags": ["c"]},
    }
    (job,) = found["update"].pop("job_ids")
    assert job.startswith("V3-")
    assert found["update"] == {
        "jobs": 1,
        "users_sent": 7,
        "users_updated": 0,
        "users_rejected": {},
        "users_unmatched": {},
        "unmatched_file": None,
        "requests": 1,
    }
    assert found["wait"] == {"jobs": 1, "users_updated": 7, "users_failed": {}}
    assert {tuple(zendesk_sandbox.user(person).tags) for person in people} == {("trial",)}
    assert zendesk_sandbox.counts() == {
        "zendesk.create_token": 1,
        "zendesk.add_user_tags": 1,
        "zendesk.remove_user_tags": 1,
        "zendesk.set_user_tags": 1,
        "zendesk.get_user_tags": 2,
        "zendesk.update_users": 1,
        "zendesk.show_jobs": 1,
    }
    assert hidden() == []
    assert stored("1 user id")
    assert stored("7 user ids")


def test_an_update_of_very_many_users_returns_a_short_list_of_jobs(zendesk_sandbox, dag_file, monkeypatch):
    zendesk_sandbox.settings(job_queue_seconds=0, job_seconds_per_row=0, rate_limit="none")
    monkeypatch.setattr("airflow_segments_provider.vendors.zendesk.jobs.INTERVAL", 0.01)
    people = zendesk_sandbox.seed_users(4000)
    monkeypatch.setenv("PEOPLE", json.dumps(list(people)))
    dag = dag_file(
        HEAD
        + """
update = ZendeskUpdateUsersOperator(task_id="update", user_ids=people, change={"tags": ["trial"]})
wait = ZendeskJobStatusSensor(task_id="wait", job_ids=update.output)
"""
    )
    found = run(dag)
    assert found["update"]["jobs"] == 40
    assert len(found["update"]["job_ids"]) == 10
    assert found["update"]["users_updated"] == 3000
    assert found["wait"] == {"jobs": 40, "users_updated": 4000, "users_failed": {}}


def test_a_tag_operator_that_is_mapped_over_users_shows_no_user(zendesk_sandbox, dag_file, people, hidden):
    dag = dag_file(
        HEAD
        + """
tags = ZendeskUpdateUserTagsOperator.partial(task_id="tags", tags=["a"]).expand(
    user_id=["{{ people()[%d] }}" % number for number in range(3)]
)
""",
        options=MACROS,
    )
    run(dag)
    assert [zendesk_sandbox.user(person).tags for person in people] == [["a"]] * 3 + [[]] * 4
    assert hidden() == []


def test_a_zendesk_task_that_fails_shows_no_user(zendesk_sandbox, dag_file, people, hidden):
    zendesk_sandbox.delete_user(people[0])
    zendesk_sandbox.fault("zendesk.update_segment", "status", status=422, body=json.dumps({"error": str(people[1])}))
    zendesk_sandbox.create_segment("Trial users")
    dag = dag_file(
        HEAD
        + """
ZendeskGetUserTagsOperator(task_id="tags", user_id=people[0])
ZendeskUpdateUserSegmentOperator(task_id="add", name="Trial users", user_ids=people)
ZendeskUpdateUsersOperator(task_id="refused", user_ids=[*people, "somebody"], change={"tags": []})
"""
    )
    states = {ti.task_id: str(ti.state) for ti in dag.test().get_task_instances()}
    assert states == {"tags": "failed", "add": "failed", "refused": "failed"}
    counts = zendesk_sandbox.counts()
    assert (counts["zendesk.get_user_tags"], counts["zendesk.update_segment"]) == (1, 1)
    assert "zendesk.update_users" not in counts
    assert hidden() == []

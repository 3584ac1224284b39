"""An event after each change of a segment, and a DAG that runs for it."""

from __future__ import annotations

import textwrap

import pytest
from airflow.providers.common.compat.sdk import DAG, AssetAlias

from airflow_segments_provider.operators.walkme import WalkMeDeleteSegmentOperator, WalkMeListSegmentsOperator
from tests.assets.conftest import AIRFLOW_2, RUNS_FOR_EACH_EVENT

# The DAG that follows is written into the same file.
FOLLOWS = """

from airflow.providers.common.compat.sdk import Asset, AssetAlias
from airflow_segments_provider.assets import walkme_asset

with DAG(
    dag.dag_id + "_follows", schedule=[{schedule}], start_date=dag.start_date, is_paused_upon_creation=False
) as dag.follows:
    task(lambda: None).override(task_id="look")()
"""
ADD = "WalkMeUpdateSegmentOperator(task_id='add', action='add', name='Trial users', user_ids={user_ids}, {options})"


@pytest.fixture
def segment(connect, hook):
    connect()
    return hook.create_segment("Trial users", ["p001"])


@pytest.fixture
def uri(walkme_sandbox, segment):
    return f"walkme://{walkme_sandbox.url.removeprefix('http://')}/{segment.system_guid}/{segment.segment_guid}"


@pytest.fixture
def dags(dag_file, deployment, uri):
    """Return a DAG that changes the segment; its attribute ``follows`` is a DAG that runs after it."""

    def write(tasks, *, schedule="Asset({uri!r})"):
        dag = dag_file(textwrap.dedent(tasks) + FOLLOWS.format(schedule=schedule.format(uri=uri)))
        deployment.parse()
        return dag

    return write


def states(dag_run):
    return {str(ti.state) for ti in dag_run.get_task_instances()}


def test_a_dag_runs_after_a_change_of_the_segment_and_not_without_one(dags, deployment, walkme_sandbox, uri, segment):
    schedule = f"walkme_asset({walkme_sandbox.walkme_url!r}, {segment.system_guid!r}, {segment.segment_guid!r})"
    dag = dags(ADD.format(user_ids=["p002", "p003"], options=""), schedule=schedule)
    nothing = dags(ADD.format(user_ids=[], options=""), schedule=schedule)

    assert states(nothing.test()) == {"success"}
    deployment.schedule()
    assert deployment.events(uri) == deployment.runs(dag.follows) == deployment.runs(nothing.follows) == []

    change = dag.test().get_task_instances()[0].xcom_pull(task_ids="add")
    deployment.schedule()
    (event,) = deployment.runs(dag.follows)
    assert deployment.events(uri) == [event]
    assert event == {
        "outcome": "updated",
        "name": "Trial users",
        "connection": "walkme_default",
        "counts": {"users_sent": 2, "users_rejected": 0},
        "digest": None,
        "changed_at": change["changed_at"],
    }


def test_each_operator_emits_an_event_with_its_outcome(dags, deployment, uri, walkme_sandbox):
    dag = dags(
        """
        create = WalkMeCreateSegmentOperator(task_id="create", name="Trial users")
        more = WalkMeCreateSegmentOperator(
            task_id="more", name="Trial users", user_ids=["p002", ""], on_invalid="skip"
        )
        fewer = WalkMeUpdateSegmentOperator(
            task_id="fewer", action="override", name="Trial users", user_ids=[], allow_empty=True
        )
        delete = WalkMeDeleteSegmentOperator(task_id="delete", segment=create.output)
        again = WalkMeDeleteSegmentOperator(task_id="again", segment=create.output)
        create >> more >> fewer >> delete >> again
        """
    )
    assert states(dag.test()) == {"success"}
    told = [(event["outcome"], *event["counts"].values()) for event in deployment.events(uri)]
    assert sorted(told) == [("deleted", 0, 0), ("reused", 1, 1), ("updated", 0, 0)]


def test_a_sync_emits_an_event_only_for_a_change(dags, deployment, uri, segment, tmp_path):
    target = {"vendor": "walkme", "segment_guid": segment.segment_guid}
    dag = dags(
        f"""
        from airflow_segments_provider.operators.sync import SyncMembersOperator

        SyncMembersOperator(
            task_id="sync", target={target!r}, source=["p001", "p002"], first_sync="add", ledger_path={str(tmp_path)!r}
        )
        """
    )
    (first,) = dag.test().get_task_instances()
    result = first.xcom_pull(task_ids="sync")
    assert states(dag.test()) == {"success"}
    deployment.schedule()
    (event,) = deployment.events(uri)
    assert deployment.runs(dag.follows) == [event]
    assert event == {name: result[name] for name in ("outcome", "name", "connection", "counts", "digest", "changed_at")}
    assert (event["outcome"], event["counts"]["add"]) == ("changed", 2)


def test_a_change_by_a_run_that_failed_emits_its_event_with_the_next_run(
    dags, deployment, uri, segment, tmp_path, walkme_sandbox
):
    walkme_sandbox.settings(refused_user_ids=["p003"])
    target = {"vendor": "walkme", "segment_guid": segment.segment_guid}
    dag = dags(
        f"""
        from airflow_segments_provider.operators.sync import SyncMembersOperator

        SyncMembersOperator(
            task_id="sync",
            target={target!r},
            source="{{{{ dag_run.conf['people'] | tojson }}}}",
            first_sync="add",
            ledger_path={str(tmp_path)!r},
        )
        """
    )
    assert states(dag.test(run_conf={"people": ["p001", "p003"]})) == {"failed"}
    deployment.schedule()
    assert deployment.events(uri) == []
    for told in (["unchanged"], ["unchanged"]):  # the same event
        assert states(dag.test(run_conf={"people": ["p001"]})) == {"success"}
        deployment.schedule()
        assert [event["outcome"] for event in deployment.events(uri)] == told


def test_the_creation_of_a_segment_emits_an_event(dag_file, deployment, connect, walkme_sandbox):
    connect()
    dag = dag_file("WalkMeCreateSegmentOperator(task_id='create', name='Just made', user_ids=['p001'])")
    deployment.parse()
    (ti,) = dag.test().get_task_instances()
    assert str(ti.state) == "success"
    made = ti.xcom_pull(task_ids="create")
    host = walkme_sandbox.url.removeprefix("http://")
    told = deployment.events(f"walkme://{host}/{made['system_guid']}/{made['segment_guid']}")
    # Airflow 2 does not know an asset that no DAG names.
    assert [event["outcome"] for event in told] == ([] if AIRFLOW_2 else ["created"])


def test_each_mapped_task_emits_an_event(dags, deployment, uri):
    dag = dags(
        "WalkMeUpdateSegmentOperator.partial(task_id='change', name='Trial users', user_ids=['p002'])"
        ".expand(action=['add', 'remove'])"
    )
    assert states(dag.test()) == {"success"}
    deployment.schedule()
    assert len(deployment.events(uri)) == 2
    assert deployment.count_runs(dag.follows) == (2 if RUNS_FOR_EACH_EVENT else 1)


def test_a_dag_may_follow_any_spelling_of_the_address(dags, deployment, walkme_sandbox, segment):
    guids = (segment.system_guid.upper(), segment.segment_guid.upper().replace("-", ""))
    sloppy = f"walkme_asset({walkme_sandbox.walkme_url + '/'!r}, *{guids!r})"
    dag = dags(ADD.format(user_ids=["p002"], options=""), schedule=sloppy)
    dag.test()
    deployment.schedule()
    assert len(deployment.runs(dag.follows)) == 1


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no names for assets")
def test_a_dag_may_follow_an_asset_with_a_name(dags, deployment, uri):
    options = f"inlets=[Asset(name='trial users', uri={uri!r})]"
    head = "from airflow.providers.common.compat.sdk import Asset\n"
    dag = dags(head + ADD.format(user_ids=["p002"], options=options), schedule="Asset(name='trial users', uri={uri!r})")
    dag.test()
    deployment.schedule()
    assert len(deployment.runs(dag.follows)) == 1


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 fails tasks whose alias it has not stored, so there is none")
def test_a_dag_may_follow_the_alias_of_the_task(dags, deployment, uri):
    dag = dags(ADD.format(user_ids=["p002"], options=""), schedule="AssetAlias(dag.dag_id + '.add')")
    dag.test()
    deployment.schedule()
    assert deployment.runs(dag.follows) == deployment.events(uri) != []


def test_an_outlet_of_the_dag_gets_the_event_and_there_is_no_second_one(dags, deployment, uri):
    head = "from airflow.providers.common.compat.sdk import Asset\n"
    dag = dags(head + ADD.format(user_ids=["p002"], options=f"outlets=[Asset({uri!r})]"))
    dag.test()
    (event,) = deployment.events(uri)
    assert event["counts"]["users_sent"] == 1


def test_a_task_of_a_dag_that_airflow_has_not_parsed_succeeds_without_an_event(dag_file, segment, walkme_sandbox):
    assert states(dag_file(ADD.format(user_ids=["p002"], options="")).test()) == {"success"}
    assert walkme_sandbox.members("Trial users") == {"p001", "p002"}


def test_the_alias_of_a_task_is_not_added_to_the_outlets_of_others():
    outlets = ["something else"]
    with DAG("changes", schedule=None, default_args={"outlets": outlets}) as dag:
        WalkMeDeleteSegmentOperator(task_id="delete", name="Trial users")
        WalkMeListSegmentsOperator(task_id="list")
    late = WalkMeDeleteSegmentOperator(task_id="late", name="Trial users")
    assert outlets == dag.get_task("list").outlets == ["something else"]
    aliases = [] if AIRFLOW_2 else [AssetAlias("changes.delete")]
    assert dag.get_task("delete").outlets == ["something else", *aliases]
    assert late.outlets == []

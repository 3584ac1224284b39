"""The WalkMe operators as real tasks: rendered, run and stored by Airflow."""

from __future__ import annotations

import json

import pytest


def states(dag_run) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def test_walkme_operators_create_update_list_and_delete_a_segment(connect, walkme_sandbox, dag_file):
    connect(users_per_request=10)
    dag = dag_file(
        """
        @task
        def people() -> list[str]:
            return [f"user{number}" for number in range(25)]

        create = WalkMeCreateSegmentOperator(task_id="create", name="Trial users", user_ids=people())
        more = WalkMeUpdateSegmentOperator(
            task_id="more", action="add", segment=create.output, user_ids="{{ ['a', 'b'] | tojson }}"
        )
        fewer = WalkMeUpdateSegmentOperator(task_id="fewer", action="remove", name="Trial users", user_ids=["user1"])
        listed = WalkMeListSegmentsOperator(task_id="listed")
        delete = WalkMeDeleteSegmentOperator(task_id="delete", segment=create.output)
        more >> fewer >> listed >> delete
        """
    )

    dag_run = dag.test()
    assert set(states(dag_run).values()) == {"success"}, states(dag_run)
    assert [call.user_ids for call in walkme_sandbox.calls("walkme.update")] == [10, 5, 2, 1]
    assert walkme_sandbox.counts()["walkme.delete"] == 1


PERSON = "grace.hopper.4711"


@pytest.mark.parametrize(
    "user_ids",
    [
        f"['{PERSON}', 'b']",
        f"('{PERSON}', 'b')",
        f"{{'{PERSON}', 'b'}}",
        f'''"{{{{ ['{PERSON[:5]}' ~ '{PERSON[5:]}', 'b'] | tojson }}}}"''',
        f'''"{{{{ ['{PERSON[:5]}' ~ '{PERSON[5:]}', 'b'] }}}}"''',
        f"""["{{{{ '{PERSON[:5]}' ~ '{PERSON[5:]}' }}}}", "b"]""",
        f'''["{PERSON}", "{{{{ 'b' }}}}"]''',
        f"""SqlMembers("SELECT '{PERSON[:5]}' || '{PERSON[5:]}' UNION SELECT {{{{ 2 - 1 }}}} || 5", "people_db")""",
    ],
    ids=["list", "tuple", "set", "json template", "text template", "list of templates", "mixed", "query"],
)
def test_user_ids_are_never_stored_in_the_database(
    connect, walkme_sandbox, dag_file, stored, user_ids, monkeypatch, tmp_path
):
    connect()
    monkeypatch.setenv(
        "AIRFLOW_CONN_PEOPLE_DB", json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "people.db")})
    )
    # Written in two halves, because Airflow 3 stores the text of a DAG file.
    for quote in "'\"":
        user_ids = user_ids.replace(quote + PERSON, f"{quote}{PERSON[:5]}{quote} {quote}{PERSON[5:]}")
    dag = dag_file(f"create = WalkMeCreateSegmentOperator(task_id='create', name='Trial users', user_ids={user_ids})")

    for _ in range(2):
        assert states(dag.test()) == {"create": "success"}
    assert PERSON in walkme_sandbox.members("Trial users")
    assert stored("walkme_default")
    assert stored(PERSON) == []


@pytest.mark.parametrize("native", [True, False])
def test_user_ids_of_another_task_are_stored_as_their_number(connect, walkme_sandbox, dag_file, stored, native):
    connect()
    dag = dag_file(
        f"""
        @task
        def people():
            return ["{PERSON}", "b"]

        given = people()
        by_result = WalkMeCreateSegmentOperator(task_id="by_result", name="One", user_ids=given)
        by_template = WalkMeCreateSegmentOperator(
            task_id="by_template", name="Two", user_ids="{{{{ ti.xcom_pull('people') }}}}"
        )
        several = WalkMeCreateSegmentOperator(task_id="several", name="Three", user_ids=[given, ["c"]])
        given >> by_template
        """,
        options=f"render_template_as_native_obj={native}",
    )

    assert set(states(dag.test()).values()) == {"success"}
    assert walkme_sandbox.members("One") == walkme_sandbox.members("Two") == {PERSON, "b"}
    assert walkme_sandbox.members("Three") == {PERSON, "b", "c"}
    # The upstream task's own XCom is its author's choice; the package adds nothing to it.
    assert [
        place
        for place in stored(PERSON)
        if "xcom" not in place and "serialized" not in place and "dag_code" not in place
    ] == []
    assert "rendered_task_instance_fields.rendered_fields" in stored("2 user ids")


def test_a_walkme_operator_is_mapped_over_segments(connect, walkme_sandbox, dag_file, stored):
    connect()
    dag = dag_file(
        """
        @task
        def segments():
            return [{"name": "One", "user_ids": ["a", "b"]}, {"name": "Two", "user_ids": ["c"]}]

        WalkMeCreateSegmentOperator.partial(task_id="create").expand_kwargs(segments())
        """
    )

    assert set(states(dag.test()).values()) == {"success"}
    assert walkme_sandbox.members("One") == {"a", "b"}
    assert walkme_sandbox.members("Two") == {"c"}
    assert stored("1 user id")


def test_the_result_of_a_create_is_small_json_and_the_log_says_how_to_use_the_segment(connect, dag_file, capfd, caplog):
    connect()
    dag = dag_file(
        """
        create = WalkMeCreateSegmentOperator(
            task_id="create", name="Trial users", user_ids=["a", "", "b"], on_invalid="skip"
        )
        """
    )
    dag_run = dag.test()
    ti = dag_run.get_task_instance("create")
    from airflow.providers.common.compat.sdk import XCom

    result = ti.xcom_pull("create") if hasattr(ti, "xcom_pull") else XCom.get_one(ti_id=ti.id)
    assert sorted(result) == [
        "changed_at",
        "external_id",
        "name",
        "outcome",
        "requests",
        "segment_guid",
        "system_guid",
        "users_rejected",
        "users_sent",
    ]
    assert (result["name"], result["users_sent"], result["users_rejected"]) == ("Trial users", 2, {"blank": 1})
    logged = capfd.readouterr().out + caplog.text
    assert "User Attributes > External-segment > Trial users > Is (or Is not) > true" in logged


def test_invalid_parameters_fail_the_task_at_once_with_every_problem(connect, walkme_sandbox, dag_file, capfd, caplog):
    connect()
    dag = dag_file(
        """
        create = WalkMeCreateSegmentOperator(
            task_id="create", name="{{ '' }}", user_ids="{{ 'no list' }}", if_exists="perhaps", retries=3
        )
        """
    )
    dag_run = dag.test()
    assert states(dag_run) == {"create": "failed"}
    logged = capfd.readouterr().out + caplog.text
    for part in ("`name`", "`if_exists`", "a template rendered to text that is not a list"):
        assert part in logged
    assert walkme_sandbox.counts() == {}


def test_the_link_of_a_walkme_task_is_stored_where_the_ui_reads_it(connect, dag_file, stored):
    connect(admin_url="https://admin.walkme.com/systems/#here")
    dag = dag_file("create = WalkMeCreateSegmentOperator(task_id='create', name='Trial users')")
    dag.test()
    assert "xcom.value" in stored("https://admin.walkme.com/systems/#here")
    assert "xcom.key" in stored("_link_WalkMeSystemLink")


def test_a_task_that_fails_before_it_knows_its_system_has_an_empty_link():
    from airflow_segments_provider.links import WalkMeSystemLink
    from airflow_segments_provider.operators.walkme import WalkMeListSegmentsOperator

    operator = WalkMeListSegmentsOperator(task_id="list")
    operator.vendor_url = ""
    assert WalkMeSystemLink().get_link(operator, ti_key=None) == ""  # type: ignore[arg-type]

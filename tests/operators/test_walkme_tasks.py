"""The operators as real tasks: rendered, run and stored by Airflow."""

from __future__ import annotations


def states(dag_run) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def test_create_update_list_and_delete(connect, walkme_sandbox, dag_file):
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

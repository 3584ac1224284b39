"""Each of Alteryx Server's operators as a real task."""

from __future__ import annotations

import pytest

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.hooks.alteryx import AlteryxServerHook


def states(dag_run) -> dict[str, str]:
    return {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}


def test_every_alteryx_operator_runs_in_one_dag_and_stores_no_user(alteryx_sandbox, dag_file, stored):
    people = alteryx_sandbox.seed_users(7)
    collection = alteryx_sandbox.create_collection("Sales")
    dag = dag_file(
        f"""
        from airflow_segments_provider.operators.alteryx import *
        from airflow_segments_provider.operators.alteryx import *

        create = AlteryxServerCreateUserGroupOperator(task_id="create", name="Analysts", user_ids=["{people[0]}"])
        add = AlteryxServerAddUserGroupUsersOperator(
            task_id="add", user_group=create.output, user_ids="{{{{ {people[1:]} | tojson }}}}"
        )
        remove = AlteryxServerRemoveUserGroupUsersOperator(
            task_id="remove", user_group_id="{{{{ ti.xcom_pull('create')['user_group_id'] }}}}", user_ids={people[:2]}
        )
        update = AlteryxServerUpdateUserGroupOperator(task_id="update", name="Analysts", role="{{{{ 'Viewer' }}}}")
        get = AlteryxServerGetUserGroupOperator(task_id="get", name="Analysts")
        listed = AlteryxServerListUserGroupsOperator(task_id="listed")
        share = AlteryxServerShareWithUserGroupOperator(
            task_id="share", name="Analysts", resource_type="collection", resource_id="{collection}",
            permissions={{"can_add_assets": True}},
        )
        permit = AlteryxServerUpdateUserGroupPermissionsOperator(
            task_id="permit", name="Analysts", collection_id="{collection}", permissions={{"is_admin": True}}
        )
        unshare = AlteryxServerUnshareFromUserGroupOperator(
            task_id="unshare", name="Analysts", resource_type="collection", resource_id="{collection}"
        )
        delete = AlteryxServerDeleteUserGroupOperator(task_id="delete", user_group=create.output, force_delete="True")
        add >> remove >> update >> get >> listed >> share >> permit >> unshare >> delete
        """
    )

    dag_run = dag.test()
    assert set(states(dag_run).values()) == {"success"}, states(dag_run)
    counts = alteryx_sandbox.counts()
    once = ("create_group", "update_group", "get_group", "delete_group", "share", "update_share", "unshare")
    assert {name: counts.get(f"alteryx.{name}") for name in once} == dict.fromkeys(once, 1) | {"get_group": 2}
    assert counts["alteryx.add_users"] == 2
    assert counts["alteryx.remove_user"] == 2
    assert stored('"members": 5')
    # Airflow's database has users only in the source of the DAG file, which Airflow 3 stores.
    places = set(stored(*people))
    assert places <= {"dag_code.source_code", "serialized_dag.data", "serialized_dag.data_compressed"}
    with pytest.raises(NotFound):
        AlteryxServerHook().get_user_group(name="Analysts")


def test_active_directory_groups_are_added_and_removed_by_their_sid(alteryx_sandbox, dag_file):
    alteryx_sandbox.settings(windows_authentication=True)
    alteryx_sandbox.create_group("Analysts")
    dag = dag_file(
        """
        from airflow_segments_provider.operators.alteryx import *

        add = AlteryxServerAddActiveDirectoryGroupOperator(task_id="add", name="Analysts", sid="S-1-5-21-{{ 1004 }}")
        remove = AlteryxServerRemoveActiveDirectoryGroupOperator(task_id="remove", name="Analysts", sid="S-1-5-21-7")
        add >> remove
        """
    )
    assert set(states(dag.test()).values()) == {"success"}
    assert alteryx_sandbox.ad_groups("Analysts") == {"S-1-5-21-1004"}
    assert alteryx_sandbox.counts()["alteryx.remove_ad_group"] == 1

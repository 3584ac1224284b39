"""Each of Docebo's operators as a real task: the requests are counted, and Airflow's database holds no user."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from airflow_segments_provider.errors import NotFound
from airflow_segments_provider.hooks.docebo import DoceboHook

IMPORTS = """
from airflow_segments_provider.vendors.docebo.rules import BranchRule, Ruleset, RuleSet
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.operators.docebo import *
from airflow_segments_provider.operators.docebo import *
"""


@pytest.fixture
def run(docebo_sandbox, dag_file):
    """Run tasks as a DAG that must succeed; return their results and the requests by endpoint."""

    def run(tasks: str) -> tuple[dict[str, Any], dict[str, int]]:
        before = docebo_sandbox.counts()
        head, tail = IMPORTS.strip().replace("\n", "\n        "), tasks.strip("\n")
        dag_run = dag_file(f"\n        {head}\n\n{tail}").test()
        instances = dag_run.get_task_instances()
        states = {ti.task_id: str(ti.state) for ti in instances}
        assert set(states.values()) == {"success"}, states
        after = docebo_sandbox.counts()
        calls = {name.removeprefix("docebo."): n - before.get(name, 0) for name, n in after.items()}
        calls.pop("get_token", None)
        results = {ti.task_id: ti.xcom_pull(ti.task_id, map_indexes=ti.map_index) for ti in instances}
        return results, {name: n for name, n in calls.items() if n}

    return run


@pytest.fixture
def no_user_stored(stored):
    """Check that Airflow's database holds none of these users, except in the DAG file, which Airflow 3 stores."""

    def check(people: list[int]) -> None:
        texts = [f"learner{person}" for person in people]
        texts += [f"{people[0]}{between}{people[1]}" for between in (", ", ",", '", "', "', '", '\\", \\"')]
        places = set(stored(*texts))
        assert places <= {"dag_code.source_code", "serialized_dag.data", "serialized_dag.data_compressed"}

    return check


def branch(sandbox: Any, name: str) -> int:
    return next(int(branch.idst) for branch in sandbox.branches() if branch.name == name)


def test_docebo_operators_create_fill_change_and_delete_a_manual_group(
    docebo_sandbox, run, no_user_stored, stored, tmp_path
):
    people = docebo_sandbox.seed_users(7)
    names = [f"learner{person}@example.com" for person in people]
    results, calls = run(
        f"""
        create = DoceboCreateGroupOperator(task_id="create", name="Analysts", user_ids={people[:2]})
        again = DoceboCreateGroupOperator(
            task_id="again", name="{{{{ 'Analysts' }}}}", user_ids={names[:3]}, identify_by="email"
        )
        add = DoceboAddGroupUsersOperator(
            task_id="add", group=create.output, user_ids="{{{{ {people[3:]} | tojson }}}}"
        )
        remove = DoceboRemoveGroupUsersOperator(
            task_id="remove", group_id="{{{{ ti.xcom_pull('create')['group_id'] }}}}", user_ids={names[:2]},
            identify_by="{{{{ 'username' }}}}",
        )
        update = DoceboUpdateGroupOperator(
            task_id="update", name="Analysts", new_name="Data analysts", description="{{{{ 'By hand' }}}}"
        )
        get = DoceboGetGroupOperator(task_id="get", group=create.output)
        groups = DoceboListGroupsOperator(task_id="groups", search_text="By {{{{ 'hand' }}}}", sort_attr="name")
        members = DoceboListGroupUsersOperator(
            task_id="members", group=create.output, path="{tmp_path}/{{{{ task.task_id }}}}.jsonl"
        )
        export = DoceboExportGroupUsersOperator(
            task_id="export", group=create.output, path="file://{tmp_path}/members.csv", columns=["userid"],
            delimiter=";",
        )
        delete = DoceboDeleteGroupOperator(task_id="delete", group=create.output)
        create >> again >> add >> remove >> update >> get >> groups >> members >> export >> delete
        """
    )

    left = people[2:]
    group = results["create"]["group_id"]
    assert {task: (found["outcome"], found["users_sent"]) for task, found in results.items() if "outcome" in found} == {
        "create": ("created", 2),
        "again": ("reused", 3),
        "add": ("updated", 4),
        "remove": ("updated", 2),
        "update": ("updated", 0),
        "delete": ("deleted", 0),
    }
    assert {found["group_id"] for found in results.values() if "outcome" in found} == {group}
    assert (results["get"]["name"], results["get"]["members"]) == ("Data analysts", 5)
    assert {"group_id": group, "name": "Data analysts", "type": "manual"} in results["groups"]
    assert results["members"] == {"members": 5, "path": f"{tmp_path}/members.jsonl"}
    assert results["export"]["users"] == 5

    lines = [json.loads(line) for line in (tmp_path / "members.jsonl").read_text().splitlines()]
    assert [line["user_id"] for line in lines] == [str(person) for person in left]
    assert lines[0]["email"] == f"learner{left[0]}@example.com"
    with Path(tmp_path, "members.csv").open(newline="") as file:
        assert list(csv.reader(file, delimiter=";")) == [["userid"], *([f"learner{n}@example.com"] for n in left)]

    assert calls == {
        "list_groups": 5,  # Before each create, for both names of the update, and the list.
        "create_group": 1,
        "add_members": 3,
        "list_users": 5,  # One for each user passed by e-mail address or name.
        "remove_members": 1,
        "get_group": 3,  # For the update, for the get, and for its number of members.
        "update_group": 1,
        "list_members": 2,
        "export_members": 1,
        "delete_group": 1,
    }
    no_user_stored(people)
    assert stored('"members": 5')
    with pytest.raises(NotFound):
        DoceboHook().get_group(group)


def test_docebo_operators_create_an_automatic_group_and_list_the_history_of_its_rules(
    docebo_sandbox, run, stored, caplog, capfd
):
    sales, support = branch(docebo_sandbox, "Sales"), branch(docebo_sandbox, "Support")
    docebo_sandbox.settings(recalculation_delay=0)
    results, calls = run(
        f"""
        create = DoceboCreateGroupOperator(
            task_id="create", name="Everyone", type="automatic", exclude_deactivated_users="{{{{ true }}}}",
            ruleset=Ruleset(sets=[RuleSet(rules=[BranchRule(branch_ids=[{sales}])])]),
        )
        update = DoceboUpdateGroupOperator(
            task_id="update", group=create.output,
            ruleset={{"operator": "AND", "sets": [{{"rules_operator": "AND", "rules": [
                {{"type": "BranchMembership", "payload": {{"branch_ids": [{support}]}}}}
            ]}}]}},
        )
        get = DoceboGetGroupOperator(task_id="get", name="Everyone")
        history = DoceboGetConditionsHistoryOperator(task_id="history", group=create.output)
        latest = DoceboGetConditionsHistoryOperator(task_id="latest", group=create.output, limit="{{{{ 1 }}}}")
        create >> update >> get >> history >> latest
        """
    )

    assert (results["create"]["type"], results["create"]["outcome"]) == ("automatic", "created")
    assert (results["get"]["type"], results["get"]["members"]) == ("automatic", 3)
    assert results["get"]["ruleset"]["sets"][0]["rules"][0]["payload"] == {"branch_ids": [support]}
    assert [entry["ruleset"]["sets"][0]["rules"][0]["payload"]["branch_ids"] for entry in results["history"]] == [
        [support],
        [sales],
    ]
    # The author of a change is a user, too.
    assert [sorted(entry) for entry in results["history"]] == [["date", "ruleset"]] * 2
    assert results["latest"] == results["history"][:1]
    assert calls == {
        "list_groups": 2,
        "create_group": 1,
        "get_group": 3,
        "update_group": 1,
        "list_members": 1,
        "list_conditions": 2,
    }
    logged = caplog.text + "".join(capfd.readouterr())
    assert logged.count("Enrollment Rules app is on") >= 2
    assert stored("ruleset (BranchMembership)")


def test_an_update_without_rules_logs_nothing_about_the_enrollment_rules_app(docebo_sandbox, run, caplog, capfd):
    _, calls = run(
        """
        DoceboUpdateGroupOperator(task_id="update", name="Everyone in sales", description="All of them")
        """
    )
    assert calls == {"list_groups": 1, "get_group": 1, "update_group": 1}
    assert "Enrollment Rules" not in caplog.text + "".join(capfd.readouterr())


def test_users_of_branches_and_groups_are_added_to_a_docebo_group(docebo_sandbox, run):
    (legacy,) = [group.idst for group in docebo_sandbox.groups() if group.name == "Support team"]
    results, calls = run(
        f"""
        create = DoceboCreateGroupOperator(
            task_id="create", name="All", branch_ids=["{{{{ {branch(docebo_sandbox, "Sales")} }}}}"]
        )
        add = DoceboAddGroupUsersOperator(task_id="add", group=create.output, group_ids=[{legacy}])
        """
    )
    assert docebo_sandbox.member_count("All") == 2 + 3
    assert results["add"]["users_sent"] == 0
    assert calls["add_members"] == 2


def test_users_found_by_a_search_are_removed_and_the_search_is_not_stored(docebo_sandbox, run, stored, tmp_path):
    results, calls = run(
        f"""
        listed = DoceboListGroupUsersOperator(
            task_id="listed", name="Support team", path="{tmp_path}/found.jsonl",
            search_text="{{{{ 'emre.no' + 'vak@example' }}}}",
        )
        remove = DoceboRemoveGroupUsersOperator(
            task_id="remove", name="Support team", user_filters={{"search": "{{{{ 'emre.no' + 'vak@example' }}}}"}}
        )
        count = DoceboListGroupUsersOperator(task_id="count", name="Support team")
        rest = DoceboRemoveGroupUsersOperator(task_id="rest", name="Support team", user_all="True")
        listed >> remove >> count >> rest
        """
    )
    assert results["listed"]["members"] == 1
    assert results["count"] == {"members": 2, "path": None}
    assert docebo_sandbox.member_count("Support team") == 0
    assert calls == {"list_groups": 4, "list_members": 2, "remove_members": 2}
    assert stored("emre.novak") == []


def test_docebo_group_ids_are_converted_in_both_directions(docebo_sandbox, run):
    known = {group.uuid: group.idst for group in docebo_sandbox.groups()}
    (first, first_number), (second, second_number) = known.items()
    results, calls = run(
        f"""
        ids = DoceboConvertGroupIdOperator(task_id="ids", ids=[{first_number}, "{second}", "{{{{ {second_number} }}}}"])
        native = DoceboConvertGroupIdOperator(task_id="native", ids="{{{{ ['{first}'] | tojson }}}}")
        DoceboGetGroupOperator.partial(task_id="get").expand(group=ids.output)
        """
    )
    one, two = (
        {"group_id": first, "legacy_id": first_number},
        {"group_id": second, "legacy_id": second_number},
    )
    assert results["ids"] == [one, two, two]
    assert results["native"] == [one]
    assert calls == {"get_new_id": 2, "get_old_id": 2, "get_group": 6, "list_members": 3}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ('DoceboCreateGroupOperator(task_id="bad", name="", type="both", if_exists="maybe", user_ids="nobody")', 4),
        ('DoceboUpdateGroupOperator(task_id="bad", new_name="x", exclude_deactivated_users="perhaps")', 1),
        ('DoceboAddGroupUsersOperator(task_id="bad", name="Support team", user_ids=["x y"], branch_ids=["north"])', 2),
        ('DoceboListGroupUsersOperator(task_id="bad", name="Support team", path="nowhere://x/y")', 1),
        ('DoceboListGroupUsersOperator(task_id="bad", name="Support team", path=5)', 1),
        ('DoceboGetConditionsHistoryOperator(task_id="bad", name="Everyone in sales", limit="few")', 1),
        ('DoceboGetConditionsHistoryOperator(task_id="bad", name="Everyone in sales", limit=10**30)', 1),
        ('DoceboListGroupsOperator(task_id="bad", sort_attr="size", sort_dir="up")', 2),
    ],
)
def test_invalid_parameters_of_docebo_operators_are_refused_before_the_first_request(
    docebo_sandbox, dag_file, task, said, caplog, capfd
):
    dag_run = dag_file(f"{IMPORTS}\n{task}").test()
    assert [str(ti.state) for ti in dag_run.get_task_instances()] == ["failed"]
    assert docebo_sandbox.counts() == {}
    problems = "1 problem" if said == 1 else f"{said} problems"
    assert problems in caplog.text + "".join(capfd.readouterr())


def test_deleting_a_docebo_group_that_does_not_exist_succeeds(docebo_sandbox, run):
    results, calls = run(
        """
        DoceboDeleteGroupOperator(task_id="delete", name="Nobody's")
        """
    )
    assert results["delete"]["outcome"] == "missing"
    assert calls == {"list_groups": 1}


def test_no_docebo_operator_sends_a_request_when_it_is_created(docebo_sandbox):
    from airflow_segments_provider.operators import docebo
    from airflow_segments_provider.operators import docebo as docebo_ids
    from airflow_segments_provider.operators import docebo as docebo_members

    made = {name: getattr(module, name) for module in (docebo, docebo_ids, docebo_members) for name in module.__all__}
    assert len(made) == 11
    needed: dict[str, dict[str, Any]] = {
        "DoceboCreateGroupOperator": {"name": "Analysts"},
        "DoceboExportGroupUsersOperator": {"path": "members.csv"},
        "DoceboConvertGroupIdOperator": {"ids": [1]},
    }
    for name, operator in made.items():
        task = operator(task_id="task", **needed.get(name, {}))
        assert "docebo_conn_id" in task.template_fields
        assert all(hasattr(task, field) for field in task.template_fields)
    assert docebo_sandbox.counts() == {}

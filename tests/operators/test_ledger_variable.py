"""The Airflow variable with the newest generation of a ledger."""

from __future__ import annotations

import json

import airflow
import pytest

from airflow_segments_provider.errors import LedgerError
from airflow_segments_provider.operators.witness_variable import LedgerVariable
from airflow_segments_provider.sync.ledger.ownership import Seen

FOLDER = "walkme/eu-api.walkme.com/system/segment"


def seen(generation, as_of=1_000):
    return Seen(generation, f"digest {generation}", as_of)


@pytest.fixture
def variable(variables):
    return LedgerVariable(FOLDER)


def test_without_a_variable_no_generation_is_known(variable):
    assert variable.read() is None
    assert variable.is_reported(7)


def test_the_variable_returns_the_last_generation_to_every_later_run(variable, variables):
    variable.write(seen(1))
    variable.write(seen(2, as_of=None))
    assert LedgerVariable(FOLDER).read() == seen(2, as_of=None)
    ((name, value),) = variables.values.items()
    assert name == variable.name
    assert len(name) == len("segments_ledger_") + 40
    assert json.loads(value) == {
        "segment": FOLDER,
        "generation": 2,
        "digest": "digest 2",
        "as_of": None,
        "reported": 0,
    }
    assert FOLDER in (variables.descriptions[name] or "")


def test_each_segment_has_its_own_variable(variables):
    LedgerVariable("one").write(seen(5))
    assert LedgerVariable("two").read() is None


def test_the_variable_is_never_set_to_an_older_generation(variable):
    variable.write(seen(5))
    variable.write(seen(4))
    assert variable.read() == seen(5)
    LedgerVariable(FOLDER).write(seen(3))
    assert LedgerVariable(FOLDER).read() == seen(5)


def test_a_value_that_temporarily_cannot_be_read_is_remembered(variable, variables):
    variable.write(seen(5))
    variable.report(4)
    kept = variables.values.copy()
    variables.values.clear()  # Airflow also returns no value where its API does not respond.
    assert variable.read() == seen(5)
    variable.write(seen(6))
    assert json.loads(variables.values[variable.name]) == json.loads(kept[variable.name]) | {
        "generation": 6,
        "digest": "digest 6",
    }


@pytest.mark.parametrize(
    "value",
    [
        "",
        "no JSON",
        "7",
        "{}",
        json.dumps({"segment": FOLDER, "generation": 0, "digest": "", "as_of": None}),
        json.dumps({"segment": FOLDER, "generation": "many", "digest": "", "as_of": None}),
        json.dumps({"segment": "another", "generation": 1, "digest": "", "as_of": None}),
    ],
)
def test_a_damaged_value_is_an_error_that_says_how_to_delete_the_variable(variable, variables, value):
    variables.values[variable.name] = value
    for look in (variable.read, lambda: variable.write(seen(9)), lambda: variable.report(1)):
        with pytest.raises(LedgerError, match="delete the variable") as caught:
            look()
        assert variable.name in str(caught.value)
    assert variables.values[variable.name] == value


def test_a_value_with_fields_of_a_later_version_is_read(variable, variables):
    variable.write(seen(1))
    variables.values[variable.name] = json.dumps(json.loads(variables.values[variable.name]) | {"more": 1})
    assert variable.read() == seen(1)


class TestReportedChanges:
    def test_a_change_is_reported_once(self, variable, variables):
        variable.write(seen(1))
        variable.write(seen(2))
        assert not variable.is_reported(2)
        variable.report(2)
        variable.write(seen(3))
        writes = variables.writes
        assert variable.is_reported(2)
        variable.report(2)
        variable.report(1)
        assert variables.writes == writes
        assert LedgerVariable(FOLDER).is_reported(2)
        assert not LedgerVariable(FOLDER).is_reported(3)

    def test_a_first_run_without_changes_has_nothing_to_report(self, variable):
        variable.write(seen(1))
        assert variable.is_reported(0)

    def test_changes_from_before_the_variable_existed_count_as_reported(self, variable):
        variable.write(seen(8))
        assert variable.is_reported(7)
        assert not variable.is_reported(8)


TASKS = """
@task
def run(**context):
    from airflow_segments_provider.sync.ledger.ownership import Seen
    from airflow_segments_provider.operators.witness_variable import LedgerVariable

    variable = LedgerVariable("FOLDER")
    before = variable.read()
    number = before.generation + 1 if before else 1
    variable.write(Seen(number, "digest", 7))
    variable.report(number)
    return [before and before.generation, LedgerVariable("FOLDER").read().generation, variable.name]

run()
"""


def test_a_task_reads_and_writes_the_variable_without_logging_an_error(dag_file, stored, capfd):
    dag = dag_file(TASKS.replace("FOLDER", "a/folder/of/this/test"))
    results = []
    for _ in range(2):
        (ti,) = dag.test().get_task_instances()
        results.append(ti.xcom_pull(task_ids="run"))
    printed = "".join(capfd.readouterr())
    (first, second) = results
    assert (first[:2], second[:2]) == ([None, 1], [1, 2]), printed[-3000:]
    # Airflow 3.1 and 3.2 log an error for a variable that does not exist, outside of the task's own log.
    assert "error" not in printed.lower() or airflow.__version__.startswith(("3.1.", "3.2."))
    assert stored(first[2]) == ["variable.key", "xcom.value"]


def test_writing_the_variable_outside_of_a_task_only_logs_a_warning(variable, monkeypatch, caplog):
    def fail(*given):
        raise ImportError("SUPERVISOR_COMMS")

    monkeypatch.setattr("airflow_segments_provider.operators.witness_variable.Variable.set", fail)
    variable.write(seen(1))
    assert variable.read() == seen(1)
    assert "is not an Airflow task" in caplog.text

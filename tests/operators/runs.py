"""Runs of one DAG with a sync, in any order of their dates, and what Airflow records of them."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.assets.conftest import AIRFLOW_2, Airflow

FIRST = datetime(2026, 1, 10, tzinfo=UTC)

DAG_FILE = """
from airflow.providers.common.compat.sdk import Asset
from airflow_segments_provider.operators.sync import SyncMembersOperator

PEOPLE = "{{{{ dag_run.conf['people'] | tojson }}}}"
ARGUMENTS = {{"task_id": "sync", "ledger_path": {ledger!r}, "first_sync": "add"}}
TARGET = {{"vendor": "walkme", "segment_guid": {guid!r}}}

{task}

# Airflow 2 records events of those datasets only that a DAG names.
with DAG(dag.dag_id + "_follows", schedule=[Asset({uri!r})], start_date=dag.start_date) as dag.follows:
    task(lambda: None).override(task_id="look")()
"""
OPERATOR = """
DEFAULTS = {"plan_only": "", "replace": "", "approve": "", "on_older": "skip"}
GIVEN = {name: f"{{{{ dag_run.conf.get('{name}', '{default}') }}}}" for name, default in DEFAULTS.items()}
SyncMembersOperator(target=TARGET, source=PEOPLE, **GIVEN, **ARGUMENTS, OPTIONS)
"""


@dataclass
class Ran:
    """One run: states and results of its syncs by map index, the output, and the states of other tasks."""

    states: dict[int, str]
    results: dict[int, Any]
    printed: str
    others: list[str]

    @property
    def state(self) -> str:
        """Return the state of the only sync."""
        (state,) = self.states.values()
        return state

    @property
    def result(self) -> Any:
        """Return the result of the only sync."""
        (result,) = self.results.values()
        return result


class Runs:
    """A DAG that syncs a segment, its ledger, and the segment's asset events.

    :param task: The code of the DAG's tasks; see the names in :data:`DAG_FILE`.
    """

    def __init__(self, dag_file: Any, airflow_db: Path, sandbox: Any, ledger: Path, capfd: Any, task: str) -> None:
        self.sandbox = sandbox
        self.ledger = ledger
        self._capfd = capfd
        self._airflow = Airflow(airflow_db)
        self.guid = sandbox.create_segment("Trial users")
        (segment,) = sandbox.segments()
        guids = "/".join(str(uuid.UUID(guid)) for guid in (segment.system, segment.guid))
        self.uri = f"walkme://{sandbox.url.removeprefix('http://')}/{guids}"
        self.dag = dag_file(DAG_FILE.format(ledger=str(ledger), guid=self.guid, uri=self.uri, task=task))
        self._airflow.parse()

    def run(self, people: Any, *, day: float | datetime, dated: bool = True, **conf: Any) -> Ran:
        """Run the DAG.

        :param day: The day of the run's logical date; without a logical date, of its ``run_after``.
        """
        moment = day if isinstance(day, datetime) else FIRST + timedelta(days=day)
        when: dict[str, Any] = {"logical_date": moment, "run_after": moment}
        if AIRFLOW_2:
            assert dated
            when = {"execution_date": moment}
        elif not dated:
            when["logical_date"] = None
        self._capfd.readouterr()
        dag_run = self.dag.test(run_conf={"people": people, **conf}, **when)
        printed = "".join(self._capfd.readouterr())
        syncs = {ti.map_index: ti for ti in dag_run.get_task_instances() if ti.task_id == "sync"}
        results = {
            index: ti.xcom_pull(task_ids="sync", key="return_value", map_indexes=index) for index, ti in syncs.items()
        }
        others = [str(ti.state) for ti in dag_run.get_task_instances() if ti.task_id != "sync"]
        return Ran({index: str(ti.state) for index, ti in syncs.items()}, results, printed, others)

    @property
    def events(self) -> int:
        """Return the number of asset events of the segment."""
        return len(self._airflow.events(self.uri))

    @property
    def sent(self) -> int:
        """Return the number of requests that have changed members."""
        return int(self.sandbox.counts().get("walkme.update", 0))

    @property
    def members(self) -> set[str]:
        """Return the members of the segment."""
        found: set[str] = self.sandbox.members("Trial users")
        return found

    def lose(self) -> None:
        """Delete the ledger."""
        shutil.rmtree(self.ledger)

    def back_up(self) -> None:
        """Copy the ledger."""
        shutil.copytree(self.ledger, self.ledger.with_name("backup"))

    def restore(self) -> None:
        """Replace the ledger by the copy."""
        shutil.rmtree(self.ledger, ignore_errors=True)
        self.ledger.with_name("backup").rename(self.ledger)

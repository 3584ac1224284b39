"""Events and runs, as Airflow's database and scheduler have them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import airflow
import pytest
from packaging.version import Version

AIRFLOW_2 = Version(airflow.__version__) < Version("3")
RUNS_FOR_EACH_EVENT = Version(airflow.__version__) >= Version("3.4.0b1")


class Airflow:
    """The Airflow of this test run, and its assets.

    :param database: the path of its database.
    """

    def __init__(self, database) -> None:
        self._database = database

    def parse(self):
        """Read the DAGs folder, as a DAG processor does."""
        from airflow.cli.cli_parser import get_parser

        arguments = get_parser().parse_args(["dags", "reserialize"])
        arguments.func(arguments)

    def schedule(self):
        """Let the scheduler start the runs that are due."""
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit

        runner = SchedulerJobRunner(job=Job())
        with create_session() as session, prohibit_commit(session) as guard:
            runner._create_dagruns_for_dags(guard, session)

    def events(self, uri):
        """Return the content of each event of an asset, the oldest first."""
        return self._read(
            "SELECT asset_event.extra FROM asset_event JOIN asset ON asset.id = asset_event.asset_id "
            "WHERE asset.uri = ? ORDER BY asset_event.id",
            uri,
        )

    def runs(self, dag):
        """Return the content of each event for which a DAG was run."""
        return self._read(
            "SELECT asset_event.extra FROM asset_event JOIN dagrun_asset_event consumed ON asset_event.id = event_id "
            "JOIN dag_run ON dag_run.id = dag_run_id WHERE dag_run.dag_id = ? ORDER BY dag_run.id",
            dag.dag_id,
        )

    def count_runs(self, dag):
        """Return how many runs a DAG has."""
        with closing(sqlite3.connect(self._database)) as database:
            ((count,),) = database.execute("SELECT count(*) FROM dag_run WHERE dag_id = ?", [dag.dag_id])
            return count

    def _read(self, query, value):
        with closing(sqlite3.connect(self._database)) as database:
            rows = database.execute(query.replace("asset", "dataset") if AIRFLOW_2 else query, [value])
            return [json.loads(extra) for (extra,) in rows]


@pytest.fixture
def deployment(airflow_db):
    """Return the Airflow to whose database the tasks of this test write."""
    return Airflow(airflow_db)

"""`make demo-all` as a user starts it, and that its report shows each problem."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_segments_provider.testing.sandbox.alteryx.constants import API_SECRET
from airflow_segments_provider.testing.sandbox.calls import CallRecord
from airflow_segments_provider.testing.sandbox.docebo.constants import CLIENT_SECRET as DOCEBO_SECRET
from airflow_segments_provider.testing.sandbox.tokens import TOKEN_PREFIX
from airflow_segments_provider.testing.sandbox.walkme.constants import CLIENT_SECRET as WALKME_SECRET
from airflow_segments_provider.testing.sandbox.zendesk.constants import CLIENT_SECRET as ZENDESK_SECRET
from example_dags.demo.all import SCENES, example_dags, run
from example_dags.demo.scene import Scene
from example_dags.demo.verdict import COLUMNS, Ran, table
from example_dags.demo.watch import Step
from tests.demo.conftest import EXAMPLES

# Each example has tests of its own; this runs all of them.
pytestmark = pytest.mark.slow

SOURCES = ("people.db", "before.db", "partners.csv")
SECRETS = (WALKME_SECRET, DOCEBO_SECRET, API_SECRET, ZENDESK_SECRET, TOKEN_PREFIX)
# Invented users: by address, and by the IDs that the scenes give them.
PERSON = re.compile(rb"\d@(mail\.)?example\.(com|org)|\buser-\d{3}\b|\bext-\d|\bstranger\d|\bnobody-\d")


@dataclass
class Printed:
    """The output of a run, its status, and its files without the sources of users and the ledger."""

    output: str
    status: int
    files: dict[str, bytes]

    @property
    def rows(self) -> dict[str, list[str]]:
        lines = [line.split("  ") for line in self.output.splitlines()]
        cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
        return {row[0]: row[1:] for row in cells if len(row) == len(COLUMNS)}


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Printed:
    directory = tmp_path_factory.mktemp("demo-all")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo" / "all.py", "--directory", directory],
        cwd=directory,
        env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "AIRFLOW_CONN_WALKME_DEFAULT": "walkme://production@/"},
        capture_output=True,
        text=True,
        check=False,
    )
    # Without the sources of users and the ledger, which contain users.
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    files = {
        name: path.read_bytes()
        for name, path in found.items()
        if path.name not in SOURCES and not name.startswith("airflow/segments_ledger/")
    }
    return Printed(done.stdout + done.stderr, done.returncode, files)


def test_every_example_dag_has_the_expected_result(printed: Printed):
    assert printed.status == 0, printed.output
    rows = printed.rows
    assert rows.pop("DAG") == list(COLUMNS[1:])
    assert sorted(rows) == sorted(path.stem for path in EXAMPLES.glob("*.py"))
    assert {row[-1] for row in rows.values()} == {"yes"}
    assert rows["alteryx_user_group"][0] == "6"
    assert rows["alteryx_user_group"][4] == "200"
    assert rows["four_vendors"][4] == "69 + 58 + 57 + 59"
    assert rows["walkme_sync_many"][:2] == ["6", "190"]
    assert "all as they had to be" in printed.output


def test_the_files_and_the_output_of_the_demo_contain_no_secret_and_no_user(printed: Printed):
    assert {"demo-all.log", "airflow/airflow.db"} <= printed.files.keys()
    written = printed.files | {"output": printed.output.encode()}
    for secret in SECRETS:
        assert [name for name, content in written.items() if secret.encode() in content] == []
    assert [name for name, content in written.items() if PERSON.search(content)] == []


def test_every_example_dag_has_a_scene():
    assert sorted(SCENES) == example_dags()


def test_a_dag_without_a_scene_is_reported_as_wrong(tmp_path: Path):
    found = run("no_such", tmp_path, lambda who, what: None)  # type: ignore[arg-type]
    assert [str(fact) for fact in found.wrong] == ["a scene in example_dags/demo/all.py: None, not 'no_such'"]
    assert list(table([found]))[1].split()[-1] == "NO"


def step(requests: int, members: set[int], **result: object) -> Step:
    calls = [CallRecord(0, "vendor.call", "", "", 0.0, status=200) for _ in range(requests)]
    token = CallRecord(0, "vendor.get_token", "", "", 0.0, status=200)
    held = {"Group": members} if members else {}
    return Step(
        time.monotonic(), "success", 1.0, result={"requests": requests, **result}, calls=[token, *calls], held=held
    )


@pytest.fixture
def right() -> Ran:
    """Return a correct run."""
    scene = Scene(
        "example",
        {},
        dict,
        {"create": {"Group": {1, 2}}, "remove": {"Group": {1}}, "delete": {}},
        results={"create": {"users_rejected": {"blank": 1}}, "delete": {"outcome": "deleted"}},
    )
    steps = {
        "create": step(2, {1, 2}, users_sent=2, users_rejected={"blank": 1}),
        "remove": step(1, {1}, users_sent=1),
        "delete": step(1, set(), outcome="deleted"),
    }
    calls = [call for one in steps.values() for call in one.calls]
    return Ran("example", scene, list(steps), "success", 3.0, steps, calls, {}, [("shares", 1, 1)])


def test_a_correct_run_is_reported_without_problems(right: Ran):
    assert [str(fact) for fact in right.wrong] == []
    assert list(table([right]))[1].split() == ["example", "3", "3", "7", "3.0", "1", "yes"]


WRONG: dict[str, tuple[Callable[[Ran], object], str]] = {
    "failed": (lambda ran: setattr(ran, "state", "failed"), "the DAG run: 'failed', not 'success'"),
    "skipped": (lambda ran: setattr(ran.steps["remove"], "state", "skipped"), "the tasks"),
    "never run": (lambda ran: ran.steps.pop("remove"), "the tasks"),
    "missing": (lambda ran: ran.steps["create"].held["Group"].discard(2), "create: people missing from 'Group': 1"),
    "stranger": (
        lambda ran: ran.steps["remove"].held["Group"].add(7),
        "remove: people in 'Group' who do not belong: 1, not 0",
    ),
    "not there": (lambda ran: setattr(ran.steps["create"], "held", {}), "create: what there is: [], not ['Group']"),
    "another": (lambda ran: ran.steps["remove"].held.update(Other=set()), "remove: what there is"),
    "kept": (lambda ran: ran.members.update(Group={1}), "at the end: what there is: ['Group'], not []"),
    "result": (lambda ran: ran.steps["delete"].result.update(outcome="missing"), "delete: outcome: 'missing'"),
    "requests": (lambda ran: ran.steps["remove"].result.update(requests=4), "remove: requests, said and received: 4"),
    "refused": (lambda ran: setattr(ran.calls[1], "status", 429), "requests refused or lost: 1, not 0"),
    "lost": (lambda ran: setattr(ran.calls[1], "lost", True), "requests refused or lost: 1, not 0"),
    "unwatched": (lambda ran: ran.calls.append(ran.calls[0]), "requests outside the tasks: 1, not 0"),
    "nobody sent": (
        lambda ran: [one.result.pop("users_sent", None) for one in ran.steps.values()],
        "people sent, by anybody: False, not True",
    ),
    "besides": (lambda ran: ran.also.append(("tags", 0, 1)), "tags: 0, not 1"),
}


@pytest.mark.parametrize("spoil", WRONG)
def test_each_problem_of_a_run_is_reported(right: Ran, spoil: str):
    change, line = WRONG[spoil]
    change(right)
    told = [str(fact) for fact in right.wrong]
    assert line in {text[: len(line)] for text in told}, told
    assert list(table([right]))[1].split()[-1] == "NO"

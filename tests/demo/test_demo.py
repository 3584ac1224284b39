"""`make demo` as a user starts it: twice, and with an eye on what it leaves behind."""

from __future__ import annotations

import base64
import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import airflow
import pytest

from airflow_segments_provider.sandbox.tokens import TOKEN_PREFIX
from airflow_segments_provider.sandbox.walkme.constants import CLIENT_ID, CLIENT_SECRET
from tests.demo.conftest import EXAMPLES

pytestmark = pytest.mark.skipif(not airflow.__version__.startswith("3.3."), reason="the demo is for the newest Airflow")

SECRETS = (
    CLIENT_SECRET,
    TOKEN_PREFIX,
    base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode().rstrip("="),
)
# An invented person; Airflow's own settings have an address in that domain, without a number.
PERSON = re.compile(rb"\d@(mail\.)?example\.(com|org)")


@dataclass
class Ran:
    """A run of the demo by a user who has an Airflow of their own."""

    output: str
    status: int
    directory: Path
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's home, with an Airflow in it and a directory to work in."""
    user = tmp_path_factory.mktemp("user")
    for name in ("airflow", "tmp", "work"):
        (user / name).mkdir()
    (user / "airflow" / "airflow.cfg").write_text("[core]\nexecutor = NoSuchExecutor\n")
    return user


def run(user: Path, *arguments: str) -> Ran:
    directory = user.parent / "demo"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")} | {
        "HOME": str(user),
        "TMPDIR": str(user / "tmp"),
        "AIRFLOW_HOME": str(user / "airflow"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{user / 'airflow' / 'airflow.db'}",
        "AIRFLOW_CONN_WALKME_DEFAULT": "walkme://production:secret@/",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, EXAMPLES / "demo" / "run.py", "--directory", directory, *arguments],
        cwd=user / "work",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    # All but the source of people; read now, for the next run writes some anew.
    files = {path.name: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    assert PERSON.search(files.pop("people.db"))
    return Ran(done.stdout + done.stderr, done.returncode, directory, files)


@pytest.fixture(scope="module")
def first(user: Path) -> Ran:
    return run(user)


@pytest.fixture(scope="module")
def again(first: Ran, user: Path) -> Ran:
    """A second run where the first left its files, with all that Airflow can be made to log."""
    return run(user, "--log-level", "DEBUG")


@pytest.fixture(params=["first", "again"])
def ran(request: pytest.FixtureRequest) -> Ran:
    ran: Ran = request.getfixturevalue(request.param)
    return ran


def test_it_succeeds(ran: Ran):
    assert ran.status == 0, ran.output
    assert "all as they had to be" in ran.output


def test_the_table_says_what_was_done(ran: Ran):
    rows = {line[:32].strip(): line[32:].split() for line in ran.output.splitlines() if not line[:1].isdigit()}
    assert rows["people"] == ["62,000", "11,480", "1,400"]
    assert rows["in the segment afterwards"] == ["62,000", "59,520", "60,920"]
    assert rows["requests, look-ups included"] == ["4", "1", "1"]
    assert {name for name in rows if name.startswith("rejected")} == {
        "rejected: blank",
        "rejected: control characters",
        "rejected: not text",
        "rejected: too long",
    }
    assert "shortened from 600 s to 15 s by the sandbox's setting" in ran.output
    assert "the Editor before the wait      does not show the segment" in ran.output
    assert "the Editor after the wait       shows People on trial" in ran.output
    assert "10: 1 create, 1 delete, 3 list, 1 token, 4 update" in ran.output


def test_it_shows_what_goes_on_while_it_works(ran: Ran):
    for task in ("create", "wait", "remove_converted", "add_extended", "list_segments", "delete"):
        assert f"s  {task:<17} started" in ran.output
    assert "waiting in the triggerer until" in ran.output
    assert str(ran.directory / "demo.log") in ran.output


def test_nothing_is_written_elsewhere(again: Ran, user: Path):
    assert again.status == 0
    left = [path.relative_to(user).as_posix() for path in user.rglob("*") if path.is_file()]
    assert left == ["airflow/airflow.cfg"]


def test_no_secret_and_nobody_is_anywhere_in_what_it_wrote(ran: Ran):
    assert {"demo.log", "airflow.db"} <= ran.files.keys()
    # At DEBUG, the supervisor within ``dag.test()`` prints what it is asked to mask, the connection's password first.
    log = b"\n".join(line for line in ran.files["demo.log"].splitlines() if b"msg=MaskSecret(" not in line)
    written = ran.files | {"demo.log": log, "output": ran.output.encode()}
    for secret in SECRETS:
        assert [name for name, content in written.items() if secret.encode() in content] == []
    assert [name for name, content in written.items() if PERSON.search(content)] == []


def test_the_first_log_needs_no_exception(first: Ran):
    assert b"MaskSecret" not in first.files["demo.log"]


def test_the_trigger_is_given_a_moment_and_nothing_else(again: Ran):
    with closing(sqlite3.connect(again.directory / "airflow" / "airflow.db")) as database:
        given = [json.loads(kwargs) for (kwargs,) in database.execute("SELECT kwargs FROM trigger")]
    assert {tuple(sorted(kwargs)) for kwargs in given} == {("end_from_trigger", "moment")}


def test_a_lag_too_short_to_be_waited_for_is_refused(user: Path):
    wrong = subprocess.run(
        [sys.executable, EXAMPLES / "demo" / "run.py", "--directory", user.parent / "demo", "--lag", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert "at least" in wrong.stderr

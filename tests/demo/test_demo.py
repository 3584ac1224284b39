"""`make demo` as a user starts it, twice, and the files that it leaves."""

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

from airflow_segments_provider.testing.sandbox.tokens import TOKEN_PREFIX
from airflow_segments_provider.testing.sandbox.walkme.constants import CLIENT_ID, CLIENT_SECRET
from tests.demo.conftest import EXAMPLES

pytestmark = pytest.mark.skipif(not airflow.__version__.startswith("3.3."), reason="the demo is for the newest Airflow")

SECRETS = (
    CLIENT_SECRET,
    TOKEN_PREFIX,
    base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode().rstrip("="),
)
# An address of an invented user; Airflow's own settings have an address in that domain, without a number.
PERSON = re.compile(rb"\d@(mail\.)?example\.(com|org)")


@dataclass
class Ran:
    """A run of the demo by a user who has an Airflow of their own."""

    output: str
    status: int
    directory: Path
    files: dict[str, bytes]
    ledger: dict[str, bytes]


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a user's home, with an Airflow in it and a working directory."""
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
    # Read now, because the next run overwrites them.
    found = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    files = {name: path.read_bytes() for name, path in found.items()}
    assert PERSON.search(files.pop("people.db"))
    assert PERSON.search(files.pop("docebo_sync/partners.csv"))
    ledger = {name: files.pop(name) for name in found if name.startswith("airflow/segments_ledger/")}
    return Ran(done.stdout + done.stderr, done.returncode, directory, files, ledger)


@pytest.fixture(scope="module")
def first(user: Path) -> Ran:
    return run(user)


@pytest.fixture(scope="module")
def again(first: Ran, user: Path) -> Ran:
    """Run a second time where the first run left its files, with few users and all log levels."""
    return run(user, "--log-level", "DEBUG", "--share", "0.02")


# A run takes most of a minute, so `make test` has one.
@pytest.fixture(params=["first", pytest.param("again", marks=pytest.mark.slow)])
def ran(request: pytest.FixtureRequest) -> Ran:
    ran: Ran = request.getfixturevalue(request.param)
    return ran


def test_the_demo_succeeds(ran: Ran):
    assert ran.status == 0, ran.output
    assert "all as they had to be" in ran.output


def test_the_table_of_the_demo_shows_what_was_done(first: Ran):
    lines = [line for line in first.output.splitlines() if re.match(r"\d \w", line)]
    assert [line.split()[-7:] for line in lines] == [
        ["0", "62,000", "0", "planned", "0", "no", "segment"],
        ["62,000", "0", "62,000", "0", "changed", "3", "62,000"],
        ["62,000", "62,000", "0", "0", "unchanged", "0", "62,000"],
        ["9,300", "62,000", "0", "52,700", "refused", "0", "62,000"],
        ["9,300", "62,000", "0", "52,700", "changed", "3", "9,300"],
        ["9,228", "9,300", "300", "372", "changed", "2", "9,228"],
    ]
    assert "1,550 unusable (1,240 blank, 31 bytes, 62 control characters, 31 fraction, 186 too long)" in first.output
    assert "shortened from 600 s to 15 s by the sandbox's editor_lag" in first.output


def test_the_demo_shows_its_progress(ran: Ran):
    for task in ("sync", "wait"):
        assert f"s  {task:<21}started" in ran.output
    assert "waiting in the triggerer until" in ran.output
    # The plan that was refused, the reason, and that nothing was sent.
    assert re.search(r">   \+0 -[\d,]+ =[\d,]+ members, 8\d\.\d% of [\d,]+ leave \(mirror\)", ran.output)
    assert "would be removed, the limit is 20.0%" in " ".join(ran.output.split())
    assert str(ran.directory / "demo.log") in ran.output


def test_the_demo_writes_to_its_directory_only(ran: Ran, user: Path):
    assert ran.status == 0
    left = [path.relative_to(user).as_posix() for path in user.rglob("*") if path.is_file()]
    assert left == ["airflow/airflow.cfg"]


def test_the_files_and_the_output_of_the_demo_contain_no_secret_and_no_user(ran: Ran):
    assert {"demo.log", "airflow/airflow.db"} <= ran.files.keys()
    # At DEBUG, the supervisor within ``dag.test()`` prints each request to mask a secret, the connection's password
    # first.
    log = b"\n".join(line for line in ran.files["demo.log"].splitlines() if b"msg=MaskSecret(" not in line)
    written = ran.files | {"demo.log": log, "output": ran.output.encode()}
    for secret in SECRETS:
        assert [name for name, content in ran.ledger.items() if secret.encode() in content] == []
        assert [name for name, content in written.items() if secret.encode() in content] == []
    assert [name for name, content in written.items() if PERSON.search(content)] == []


def test_the_ledger_of_the_demo_contains_the_users_of_this_run_only(ran: Ran):
    walkme = {name: content for name, content in ran.ledger.items() if "/segments_ledger/walkme/" in name}
    sent = [content for name, content in walkme.items() if "/batches/" in name]
    assert sent
    assert all(PERSON.search(content) for content in sent)
    assert len({name.split("/")[3] for name in walkme}) == 1


def test_the_log_of_the_demo_prints_no_request_to_mask_secrets(first: Ran):
    assert b"MaskSecret" not in first.files["demo.log"]


def test_the_trigger_gets_a_time_and_nothing_else(first: Ran):
    with closing(sqlite3.connect(first.directory / "airflow" / "airflow.db")) as database:
        given = [json.loads(kwargs) for (kwargs,) in database.execute("SELECT kwargs FROM trigger")]
    assert {tuple(sorted(kwargs)) for kwargs in given} == {("end_from_trigger", "moment")}


def test_a_lag_that_is_too_short_to_wait_for_is_refused(user: Path):
    wrong = subprocess.run(
        [sys.executable, EXAMPLES / "demo" / "run.py", "--directory", user.parent / "demo", "--lag", "5"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert wrong.returncode == 2
    assert "at least" in wrong.stderr

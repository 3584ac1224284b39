"""The pytest fixtures in a pytest run of a user's own tests."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

USERS_TESTS = """
import json, os, requests

SEEN = []

def check(sandbox, tmp_path):
    from airflow_segments_provider.sync.ledger.location import ledger_path

    assert ledger_path() == str(tmp_path / "segments_ledger")
    connection = json.loads(os.environ["AIRFLOW_CONN_WALKME_DEFAULT"])
    assert connection["host"] == sandbox.walkme_url
    assert connection["extra"] == {"system_guid": sandbox.system_guid}
    reply = requests.post(
        connection["host"] + "/accounts/connect/token",
        auth=(connection["login"], connection["password"]),
        data={"grant_type": "client_credentials"},
        timeout=20,
    )
    assert reply.status_code == 200
    assert sandbox.counts() == {"walkme.token": 1}
    assert sandbox.segments() == []
    sandbox.create_segment("a")
    sandbox.settings(editor_lag=1)
    SEEN.append((sandbox.url, connection["login"]))

def test_first(walkme_sandbox, tmp_path):
    check(walkme_sandbox, tmp_path)

def test_second_finds_nothing_of_the_first(walkme_sandbox, tmp_path):
    check(walkme_sandbox, tmp_path)
    assert walkme_sandbox.settings()["editor_lag"] == 1

def test_the_connection_is_gone_without_the_fixture(segments_sandbox):
    assert "AIRFLOW_CONN_WALKME_DEFAULT" not in os.environ
    assert "AIRFLOW__SEGMENTS__LEDGER_PATH" not in os.environ
    urls, logins = zip(*SEEN)
    assert set(urls) == {segments_sandbox.url} and len(set(logins)) == 2
"""
WITHOUT_FASTAPI = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "fastapi" else find_spec(name, *rest)
"""


def run_pytest(folder: Path, tests: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_users.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW_CONN_")}
    environment |= {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")])),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "airflow_segments_provider.testing.sandbox.pytest_plugin"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_each_test_has_an_empty_walkme_and_a_connection_to_it(tmp_path):
    done = run_pytest(tmp_path, USERS_TESTS)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_seeding_of_each_vendor_works_as_its_docstring_shows(
    walkme_sandbox, docebo_sandbox, alteryx_sandbox, zendesk_sandbox
):
    sandboxes = {name: value for name, value in locals().items() if name.endswith("_sandbox")}
    for sandbox in [*sandboxes.values()]:
        code = str(inspect.getdoc(type(sandbox))).partition("::\n\n")[2].partition("\n\n")[0]
        exec(textwrap.dedent(code), sandboxes)
    assert walkme_sandbox.members("Trial users") == {"ada", "grace", "alan"}
    assert len(docebo_sandbox.members("Partners")) == 101
    assert len(alteryx_sandbox.members("Analysts")) == 101
    (segment,) = (one for one in zendesk_sandbox.segments() if one.name == "Trial users")
    assert len(segment.added_user_ids) == 101


def test_a_zendesk_of_a_later_test_has_other_segment_ids(zendesk_sandbox):
    """An Airflow variable records the newest generation of each ledger."""
    first = zendesk_sandbox.create_segment("Trial users")
    zendesk_sandbox.reset()
    assert zendesk_sandbox.create_segment("Trial users") > first


def test_the_fixtures_name_missing_dependencies_with_the_extra(tmp_path):
    done = run_pytest(tmp_path, WITHOUT_FASTAPI + "\ndef test_it(walkme_sandbox):\n    pass\n")
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "pip install 'airflow-provider-segments[sandbox]'" in done.stdout

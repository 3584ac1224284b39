"""``python -m airflow_segments_provider``, as it is started at a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_segments_provider.__main__ import main

COMMAND = [sys.executable, "-m", "airflow_segments_provider"]
CHECK = ["check-contract", "--conn-id"]


def test_the_help_of_the_command_imports_no_heavy_module():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "airflow_segments_provider", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "check-contract" in done.stdout
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "argparse" in imported
    assert imported.isdisjoint({"airflow", "requests", "pydantic", "fastapi"})


def test_the_command_prints_its_comparison_and_returns_its_status(alteryx):
    done = subprocess.run(
        [*COMMAND, *CHECK, "alteryx_server_default"], capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "Alteryx Server, connection 'alteryx_server_default'"
    assert alteryx.api_secret not in done.stdout + done.stderr
    assert alteryx.counts() == {"alteryx.token": 1, "alteryx.describe": 1}


@pytest.mark.slow
def test_a_connection_in_the_database_of_airflow_is_found(airflow_db, alteryx, monkeypatch):
    connection = os.environ["AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT"]
    monkeypatch.delenv("AIRFLOW_CONN_ALTERYX_SERVER_DEFAULT")
    airflow = [sys.executable, "-m", "airflow", "connections"]
    subprocess.run([*airflow, "add", "stored", "--conn-json", connection], check=True, capture_output=True)
    try:
        done = subprocess.run([*COMMAND, *CHECK, "stored"], capture_output=True, text=True, check=False)
    finally:
        subprocess.run([*airflow, "delete", "stored"], check=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "as the vendor describes them" in done.stdout


@pytest.mark.parametrize("vendor", ["WalkMe", "Zendesk Help Center"])
def test_a_vendor_without_a_published_description_is_reported(vendor, walkme_sandbox, zendesk_sandbox, capsys):
    conn_id = {"WalkMe": "walkme_default", "Zendesk Help Center": "zendesk_help_center_default"}[vendor]
    assert main([*CHECK, conn_id]) == 2
    assert capsys.readouterr().out == f"{vendor} publishes no description of its API to compare with.\n"
    assert walkme_sandbox.counts() == {}


def test_a_connection_of_another_type_is_an_error(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_WEB", '{"conn_type": "http", "host": "example.com"}')
    assert main([*CHECK, "web"]) == 2
    assert "of type 'http'" in capsys.readouterr().out


def test_a_connection_that_does_not_exist_is_an_error(capsys):
    assert main([*CHECK, "no_such"]) == 2
    assert "no_such" in capsys.readouterr().err


def test_a_connection_without_a_required_field_is_an_error_that_names_it(monkeypatch, capsys):
    monkeypatch.setenv("AIRFLOW_CONN_HALF", '{"conn_type": "alteryx_server", "host": "https://example.com"}')
    assert main([*CHECK, "half"]) == 2
    assert "`login`" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["no-such"], ["check-contract"]])
def test_an_invalid_command_line_is_an_error_with_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: python -m airflow_segments_provider" in capsys.readouterr().err


def test_a_crash_does_not_return_the_status_of_a_difference(alteryx, tmp_path: Path):
    broken = tmp_path / "airflow" / "__init__.py"
    broken.parent.mkdir()
    broken.write_text("raise RuntimeError('this installation is broken')\n")
    done = subprocess.run(
        [*COMMAND, *CHECK, "alteryx_server_default"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 2
    assert "this installation is broken" in done.stderr

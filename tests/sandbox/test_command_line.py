"""``python -m airflow_segments_provider.testing.sandbox``."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys

import pytest
import requests

from airflow_segments_provider.testing.sandbox import SandboxClient, extra
from airflow_segments_provider.testing.sandbox.__main__ import main
from tests.sandbox.caller import Caller

MODULE = "airflow_segments_provider.testing.sandbox"


def test_the_command_serves_prints_how_to_connect_and_ends_on_interrupt(tmp_path):
    command = [
        sys.executable, "-m", MODULE, "--port", "0", "--database", str(tmp_path / "sandbox.db"),
        "--editor-lag", "30", "--token-lifetime", "60", "--set", "walkme.create_reply=location",
        "--set", "walkme.scopes=segments:write segments:read", "--set", "walkme.create_status=200",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = ""
            while "Ctrl-C" not in text:
                line = process.stdout.readline()
                assert line, process.communicate()
                text += line
            found = re.search(r"on (http://127\.0\.0\.1:\d+)", text)
            assert found
            with SandboxClient(found[1]) as client:
                (export,) = [line for line in text.splitlines() if line.startswith("export AIRFLOW_CONN_WALKME_")]
                name, _, value = shlex.split(export)[1].partition("=")
                assert name == "AIRFLOW_CONN_WALKME_DEFAULT"
                assert json.loads(value) == json.loads(client.connection_json())
                settings = client.settings()
                assert (settings["editor_lag"], settings["token_lifetime"]) == (30, 60)
                reply = Caller(client).log_in().create("a")
                assert (reply.status_code, "location" in reply.headers) == (200, True)
                # The printed commands that add users and a segment are run unchanged.
                commands = [shlex.split(line) for line in text.splitlines() if line.startswith("curl ")]
                added = [requests.post(url, data=body, timeout=20) for _, url, _, body in commands]
                assert [reply.text for reply in added if reply.status_code != 200] == []
                assert len(added) == text.count("export ")
                assert client.members("Trial users") == {"ada", "grace"}
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", "editor_lag=1"],
        ["--set", "walkme.editor_lag"],
        ["--set", "walkme.colour=red"],
        ["--set", "nobody.colour=red"],
        ["--editor-lag", "-1"],
        ["--host", "192.0.2.1"],
    ],
)
def test_an_invalid_argument_of_the_command_is_an_error(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--port", "0", *arguments])
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_the_command_names_missing_dependencies_with_the_extra(monkeypatch, capsys):
    monkeypatch.setattr(extra, "find_spec", lambda name: None)
    assert main(["--port", "0"]) == 2
    assert capsys.readouterr().err == (
        "The sandbox needs fastapi and uvicorn: pip install 'airflow-provider-segments[sandbox]'\n"
    )

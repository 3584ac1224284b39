"""Start, stop and restart of the sandbox on one file, and its imports."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

from airflow_segments_provider.testing.sandbox import SandboxServer
from airflow_segments_provider.testing.sandbox.database import Database
from tests.sandbox.caller import Caller


def test_two_servers_have_separate_data():
    with SandboxServer() as one, SandboxServer() as other:
        assert one.url != other.url
        one.client.create_segment("a")
        assert (len(one.client.segments()), other.client.segments()) == (1, [])


def test_a_stopped_server_leaves_no_port_and_no_thread():
    with SandboxServer() as server:
        port = int(server.url.rsplit(":", 1)[1])
        assert server.client.counts() == {}
    assert "segments-sandbox" not in {thread.name for thread in threading.enumerate() if thread is server._thread}
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_server_stops_while_a_request_hangs():
    with SandboxServer() as server:
        walkme = Caller(server.client).log_in()
        server.client.fault("walkme.list", "hang", seconds=600)
        walkme.timeout = 60
        errors: list[str] = []

        def hang() -> None:
            try:
                errors.append(str(walkme.list().status_code))
            except requests.ConnectionError as error:
                errors.append(type(error).__name__)

        thread = threading.Thread(target=hang)
        thread.start()
        while "walkme.list" not in server.client.counts():
            pass
    thread.join(30)
    assert not thread.is_alive()
    assert errors


def test_a_port_in_use_is_an_error():
    with SandboxServer() as server, pytest.raises(OSError, match="in use"):
        SandboxServer(port=int(server.url.rsplit(":", 1)[1]))


def test_a_reset_restores_the_settings_of_the_start():
    with SandboxServer(walkme={"editor_lag": 5}) as server:
        server.client.settings(editor_lag=6)
        server.client.reset()
        assert server.client.settings()["editor_lag"] == 5
    with pytest.raises(ValueError, match="colour"):
        SandboxServer(walkme={"colour": "red"})
    with pytest.raises(ValueError, match="nobody"):
        SandboxServer(nobody={})


def test_a_sandbox_continues_after_a_restart_on_the_same_file(tmp_path):
    path = str(tmp_path / "sandbox.db")
    with SandboxServer(database=path) as server:
        walkme = Caller(server.client).log_in()
        authorization = walkme.session.headers["authorization"]
        guid = walkme.new_segment("a", ["ada", "grace"], id="x")
        server.client.advance(50_000)
        walkme.new_segment("b")
        before = server.client.segments()
        now = server.client.now()
    with SandboxServer(database=path) as server:
        assert server.client.segments() == before
        assert server.client.members(guid) == {"ada", "grace"}
        assert server.client.now() >= now
        assert server.client.editor() == ["a"]
        walkme = Caller(server.client)
        walkme.session.headers["authorization"] = authorization
        assert walkme.update(guid, "remove", ["ada"]).status_code == 200
        assert walkme.create("c", id="x").status_code == 409
        server.client.reset()
    with SandboxServer(database=path) as server:
        assert server.client.segments(deleted=True) == []
        assert server.client.now() < now


def test_a_transaction_that_fails_changes_nothing_nor_does_one_within_it():
    database = Database()

    def fail() -> None:
        with database.transaction():
            with database.transaction():
                database.set_meta("key", "value")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.meta("key") is None
    with database.transaction():
        database.set_meta("key", "value")
    assert database.meta("key") == "value"
    database.close()


def test_the_connection_of_walkme_leads_to_the_sandbox(server, sandbox):
    connection = json.loads(sandbox.connection_json(timeout=5))
    assert connection == {
        "conn_type": "walkme",
        "host": f"{server.url}/walkme",
        "login": sandbox.client_id,
        "password": sandbox.client_secret,
        "extra": {"system_guid": sandbox.system_guid, "timeout": 5},
    }
    uri = urlsplit(sandbox.connection_uri())
    assert uri.scheme == "walkme"
    assert unquote(uri.hostname or "") == f"{server.url}/walkme"
    assert (uri.username, unquote(uri.password or "")) == (sandbox.client_id, sandbox.client_secret)
    assert parse_qs(uri.query) == {"system_guid": [sandbox.system_guid]}


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


SANDBOX = "airflow_segments_provider.testing.sandbox"


def test_the_sandbox_imports_nothing_of_the_package_and_no_airflow():
    loaded = _loaded_by(f"import {SANDBOX}.server, {SANDBOX}.__main__")
    ours = {name for name in loaded if name.startswith("airflow_segments_provider.")}
    assert {name for name in ours if not name.startswith(SANDBOX)} == {"airflow_segments_provider.testing"}
    assert "airflow" not in loaded


def test_importing_the_package_and_the_plugin_imports_no_heavy_module():
    heavy = {"fastapi", "starlette", "uvicorn", "requests", "pydantic", "sqlite3", "asyncio"}
    assert _loaded_by(f"import {SANDBOX}") & heavy == set()
    extra = _loaded_by(f"import {SANDBOX}.pytest_plugin") - _loaded_by("import pytest, uuid")
    assert {name for name in extra if not name.startswith("airflow_segments_provider")} == set()


def test_the_page_of_the_control_api_needs_nothing_from_the_internet(server):
    page = requests.get(f"{server.url}/_sandbox/docs", timeout=20).text
    assert "://" not in page
    assert set(re.findall(r"<(?:script|link|img|iframe)[^>]*>", page)) == {"<script>"}
    document = requests.get(f"{server.url}/_sandbox/openapi.json", timeout=20).json()
    operations = [f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods]
    assert [one for one in operations if f"<summary>{one}</summary>" not in page] == []
    (action,) = re.findall(r'<form action="(/_sandbox/now)">', page)
    assert requests.post(server.url + action, data="{}", timeout=20).json() > 0

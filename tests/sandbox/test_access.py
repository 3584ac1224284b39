"""Access to the sandbox: hosts, origins, and the password of a public address."""

from __future__ import annotations

import socket

import pytest
import requests

from airflow_segments_provider.testing.sandbox import SandboxClient, SandboxServer
from airflow_segments_provider.testing.sandbox.__main__ import main
from airflow_segments_provider.testing.sandbox.control_client import SandboxError
from tests.sandbox.caller import Caller

COUNTS = "/_sandbox/counts"


def status(url, method="POST", **headers):
    return requests.request(method, url, headers=headers, timeout=20).status_code


@pytest.fixture(scope="module")
def url():
    with SandboxServer() as server:
        yield server.url


@pytest.mark.parametrize("path", [COUNTS, "/_sandbox/walkme/configure", "/walkme/accounts", "/"])
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8780", "127.0.0.1.evil.example", "[::1", "", "0"])
def test_a_request_for_another_host_name_is_refused(url, path, host):
    assert status(url + path, Host=host) == 421


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:8780"])
def test_a_request_for_a_name_of_this_machine_is_accepted(url, host):
    assert status(url + COUNTS, Host=host) == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "x"])
def test_a_page_of_another_site_cannot_use_the_control_api(url, origin):
    assert status(f"{url}/_sandbox/reset", Origin=origin) == 403
    assert status(url + COUNTS, Origin=origin) == 403


def test_the_page_of_the_sandbox_can_use_the_control_api(url):
    assert status(f"{url}/_sandbox/reset", Origin=url) == 200


def test_a_public_address_needs_a_control_password():
    with pytest.raises(ValueError, match=r"^other machines can reach 0\.0\.0\.0: .* control password"):
        SandboxServer("0.0.0.0")
    with pytest.raises(ValueError, match="control password"):
        SandboxServer("0.0.0.0", control_password="")


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_the_control_password_protects_only_the_control_api(host):
    with SandboxServer(host, control_password="pässword") as server:
        url = server.url.replace("0.0.0.0", "127.0.0.1")
        for path in (COUNTS, "/_sandbox/docs", "/_sandbox/openapi.json", "/_sandbox/walkme/configure"):
            assert status(url + path) == 401
        assert status(f"{url}/_sandbox/reset", Authorization="Basic c2FuZGJveDo=") == 401
        with SandboxClient(url, "another") as client, pytest.raises(SandboxError, match="401"):
            client.reset()
        with SandboxClient(url, "pässword") as client:
            client.reset()
            assert Caller(client).log_in().create("a").status_code == 201
            assert len(client.segments()) == 1
        expected = 421 if host == "127.0.0.1" else 401
        assert status(url + COUNTS, Host="sandbox.example") == expected


def test_the_command_line_requires_the_password_and_warns_of_a_public_address(monkeypatch, capsys):
    monkeypatch.setattr(SandboxServer, "serve", lambda server, on_ready: server.stop())
    monkeypatch.delenv("SEGMENTS_SANDBOX_PASSWORD", raising=False)
    with pytest.raises(SystemExit):
        main(["--host", "0.0.0.0", "--port", "0"])
    assert "control password" in capsys.readouterr().err
    monkeypatch.setenv("SEGMENTS_SANDBOX_PASSWORD", "secret-of-the-control")
    assert main(["--host", "0.0.0.0", "--port", "0"]) == 0
    said = capsys.readouterr()
    assert said.err.startswith("warning: other machines can reach 0.0.0.0")
    assert "secret-of-the-control" not in said.out + said.err
    assert main(["--port", "0"]) == 0
    assert capsys.readouterr().err == ""


def test_a_request_without_a_host_header_is_refused(url):
    port = int(url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(f"POST {COUNTS} HTTP/1.0\r\n\r\n".encode())
        assert connection.recv(100).split()[1] == b"421"

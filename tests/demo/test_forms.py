"""The form by which Airflow's UI starts an example DAG: it can be submitted as it opens."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.assets.conftest import AIRFLOW_2, Airflow
from tests.demo.conftest import EXAMPLES

ALL = sorted(path.stem for path in EXAMPLES.glob("*.py"))
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OPEN = "document.querySelector('[data-testid=trigger-dag-button], [aria-label^=Trigger]')"
SUBMIT = "document.querySelector('[data-testid=trigger-dag-submit]')"


def is_required(schema: dict[str, Any]) -> bool:
    """Return whether the form wants a value: every typed field does, unless null is one of several types."""
    kind = schema.get("type")
    return bool(kind) and not (isinstance(kind, list) and "null" in kind)


@pytest.mark.parametrize("name", ALL)
def test_no_required_field_is_empty(example: Callable[[str], Any], name: str) -> None:
    """The rule of Airflow 3's UI: it disables the button while such a field is empty."""
    params = example(name).params
    empty = [
        key for key in params if is_required(params.get_param(key).schema) and params.get_param(key).value in (None, "")
    ]
    assert empty == []
    params.validate()


@pytest.mark.slow
@pytest.mark.skipif(AIRFLOW_2, reason="the rule is that of Airflow 3's UI")
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
def test_the_button_starts_a_run_of_each_example(example: Callable[[str], Any], airflow_db: Path) -> None:
    for name in ALL:
        example(name)
    Airflow(airflow_db).parse()
    with server() as url, browser() as page:
        for name in ALL:
            page.open(f"{url}/dags/{name}")
            page.wait_for(f"{OPEN} !== null")
            page.evaluate(f"{OPEN}.click()")
            page.wait_for(f"{SUBMIT} !== null && !{SUBMIT}.disabled")
            page.evaluate(f"{SUBMIT}.click()")
            page.wait_for(f"{SUBMIT} === null")
            assert runs(airflow_db, name) == ["queued"], name


def runs(database: Path, dag_id: str) -> list[str]:
    """Return the states of a DAG's runs."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM dag_run WHERE dag_id = ?", [dag_id])]


class Page:
    """A page of a browser, by its DevTools protocol."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0

    def open(self, url: str) -> None:
        """Begin to load a page."""
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression}\n{self.evaluate('document.body.innerText')}")
            time.sleep(0.1)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                found: dict[str, Any] = answer["result"]
                return found


@contextmanager
def server() -> Iterator[str]:
    """Run Airflow's API server, which needs no login, until the end of the block."""
    port = free_port()
    env = {**os.environ, "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True"}
    command = [sys.executable, "-m", "airflow", "api-server", "--port", str(port), "--workers", "1"]
    with ended(subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
        wait_until_it_answers(f"http://127.0.0.1:{port}/api/v2/version")
        yield f"http://127.0.0.1:{port}"


@contextmanager
def browser() -> Iterator[Page]:
    """Run a browser without a window until the end of the block."""
    from websockets.sync.client import connect

    assert BROWSER is not None
    port = free_port()
    folder = Path(os.environ["AIRFLOW_HOME"], "browser")
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}"]
    command += [f"--remote-debugging-port={port}", "about:blank"]
    with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
        pages = wait_until_it_answers(f"http://127.0.0.1:{port}/json/list")
        address = next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Page(socket)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process with the block."""
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def wait_until_it_answers(url: str, seconds: float = 120) -> Any:
    """Return the JSON at this address, once there is something."""
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                found = json.load(answer)
            if found:
                return found
        except OSError:
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

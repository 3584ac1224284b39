"""A headless browser, by its DevTools protocol, and what else a test of a web page needs."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MISSING = "No Chromium on PATH: install it (Debian, Ubuntu: apt install chromium)."
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip


class Page:
    """A page of a browser."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._number = 0

    def open(self, url: str) -> None:
        """Start to load a page."""
        self._call("Page.navigate", url=url)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression; None if it throws."""
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.evaluate(f"Boolean({expression})"):
            if time.monotonic() > end:
                raise TimeoutError(f"{expression}\n{self.evaluate('document.body.innerText')}")
            time.sleep(0.1)

    def click(self, element: str) -> None:
        """Click an element once it exists."""
        self.wait_for(element)
        self.evaluate(f"{element}.click()")

    def fill(self, field: str, value: str) -> None:
        """Replace the text of a field once it exists."""
        self.wait_for(field)
        self.evaluate(f"({field}.focus(), {field}.select())")
        self._call("Input.insertText", text=value)
        self.evaluate(f"{field}.blur()")

    def choose(self, field: str, option: str) -> None:
        """Choose an option of a field that suggests some during typing."""
        self.wait_for(field)
        self.evaluate(f"{field}.focus()")
        self._call("Input.insertText", text=option)
        self.click(
            f"[...document.querySelectorAll('[role=option]')].find(one => one.innerText === {json.dumps(option)})"
        )

    def resize(self, width: int, height: int) -> None:
        """Set the size of the window, in pixels."""
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def screenshot(self, path: Path, height: int, width: int = 0, top: int = 0, left: int = 0) -> None:
        """Write a part of the window as PNG."""
        size = {"width": width or self.evaluate("innerWidth"), "height": height}
        shot = self._call("Page.captureScreenshot", format="png", clip={"x": left, "y": top, "scale": 1, **size})
        path.write_bytes(base64.b64decode(shot["data"]))

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            answer = json.loads(self._socket.recv(timeout=60))
            if answer.get("id") == self._number:
                found: dict[str, Any] = answer["result"]
                return found


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """Run a browser until the end of the block.

    :param folder: its profile.
    """
    from websockets.sync.client import connect

    assert BROWSER is not None, MISSING
    port = free_port()
    command = [BROWSER, *_QUIET, f"--user-data-dir={folder}", f"--remote-debugging-port={port}", "about:blank"]
    with ended(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)):
        pages = wait_until_it_answers(f"http://127.0.0.1:{port}/json/list")
        address = next(one["webSocketDebuggerUrl"] for one in pages if one["type"] == "page")
        with connect(address, max_size=None) as socket:
            yield Page(socket)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process at the end of the block."""
    try:
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def wait_until_it_answers(url: str, seconds: float = 120) -> Any:
    """Return the JSON at this address once it is there."""
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

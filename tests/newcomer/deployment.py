"""Airflow as started by the tutorial's `airflow standalone`: its API, its pages in a browser, its logs."""

from __future__ import annotations

import json
import os
import pwd
import re
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.browser import Page

DIALOG = "[...document.querySelectorAll('[role=dialog]')].at(-1)"
TRIGGER = "document.querySelector('[data-testid=trigger-dag-button]')"
SUBMIT = "document.querySelector('[data-testid=trigger-dag-submit]')"
WIDTH = 1280
# The horizontal range of the log view; the navigation and the grid of runs are to its left.
LEFT, RIGHT = 348, 1252
# Find an entry of the log by a part of its text: its lines, the boxes that the browser made of them, the size of a
# character, and the right end of the view.
_ENTRY = """
(() => {
  const view = document.querySelector("[data-testid=virtualized-list]");
  const entry = [...view.querySelectorAll("[data-testid^=virtualized-item]")]
    .find(one => one.innerText.includes(%s));
  if (!entry) return null;
  entry.scrollIntoView();
  const text = entry.querySelector(".event"), letters = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  const boxes = [];
  while (letters.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(letters.currentNode);
    boxes.push(...[...range.getClientRects()].map(box => [box.left, box.top, box.right]));
  }
  const ruler = document.createElement("span");
  ruler.textContent = "0".repeat(100);
  text.append(ruler);
  const character = ruler.getBoundingClientRect().width / 100;
  ruler.remove();
  const {top, bottom} = entry.getBoundingClientRect();
  return {lines: text.innerText.split("\\n"), boxes, character, right: view.getBoundingClientRect().right, top, bottom};
})()
"""
# Replace names of this machine by neutral ones.
_HIDE = """
(() => {
  const letters = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (letters.nextNode())
    for (const [old, other] of %s) letters.currentNode.data = letters.currentNode.data.replaceAll(old, other);
})()
"""
# The prefix of a log line without the process that wrote it, and an error in a line.
_LINE = re.compile(r"^(?:[\w-]+ +\| )?(?P<line>.*)$", re.MULTILINE)
_ERROR = re.compile(
    r"\[(?:error|critical) *\]|\"level\": ?\"(?:error|critical)\"|\b(?:ERROR|CRITICAL)\b|Traceback \(most"
)
_REFUSED = re.compile(r"The plan was refused, nothing was sent|Task failed with exception.*PlanRefused|\"PlanRefused\"")


@dataclass(frozen=True)
class Entry:
    """An entry of a log as the browser shows it.

    :param fits: The number of characters that fit into the view, in the first line and in the others.
    :param rows: The number of rows of the view that the entry takes.
    :param top: The position of the entry in the window.
    """

    lines: list[str]
    fits: tuple[int, int]
    rows: int
    top: float
    bottom: float


class Deployment:
    """A running Airflow.

    :param url: The URL of its API server.
    :param folder: The directory of the newcomer.
    :param pictures: The directory of the pictures.
    """

    def __init__(self, url: str, folder: Path, page: Page, pictures: Path) -> None:
        self.url, self.folder, self.page, self.pictures = url, folder, page, pictures
        page.resize(WIDTH, 1400)

    def call(self, path: str, method: str = "GET", body: object = None) -> Any:
        """Send a request to the API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/api/v2/{path}", data, {"content-type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def connect(self, conn_id: str, connection: Mapping[str, Any]) -> None:
        """Set a connection, as the form does."""
        fields = {"connection_id": conn_id, **connection, "extra": json.dumps(connection.get("extra", {}))}
        action = {"action": "create", "entities": [fields], "action_on_existence": "overwrite"}
        done = self.call("connections", "PATCH", {"actions": [action]})
        assert not done["create"]["errors"], done

    def pause(self, dag_id: str, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self.call(f"dags/{dag_id}", "PATCH", {"is_paused": paused})

    def trigger(self, dag_id: str, **conf: object) -> str:
        """Trigger a run, and return its ID."""
        body = {"logical_date": None, "conf": conf}
        return str(self.call(f"dags/{dag_id}/dagRuns", "POST", body)["dag_run_id"])

    def runs(self, dag_id: str) -> dict[str, str]:
        """Return the states of the runs of a DAG, in the order of their creation."""
        found = self.call(f"dags/{dag_id}/dagRuns?limit=100&order_by=id")["dag_runs"]
        return {run["dag_run_id"]: run["state"] for run in found}

    def wait(self, dag_id: str, run: str = "", meanwhile: Callable[[], object] = lambda: None) -> str:
        """Wait until a run has ended (by default the only run of the DAG), and return its state."""
        end = time.monotonic() + 240
        while True:
            found = self.runs(dag_id)
            state = found.get(run or next(iter(found), ""))
            if state in ("success", "failed"):
                return state
            assert time.monotonic() < end, f"{dag_id}: {found}\n{self.tasks(dag_id)}"
            meanwhile()
            time.sleep(0.5)

    def tasks(self, dag_id: str) -> str:
        """Return the logs of a DAG's tasks."""
        logs = self.folder.glob(f"airflow/logs/dag_id={dag_id}/**/*.log")
        return "\n".join(f"{log}\n{log.read_text()}" for log in sorted(logs))

    def run_that_logged(self, dag_id: str, text: str) -> str:
        """Return the last run of a DAG whose log contains the text."""
        logs = self.folder.glob(f"airflow/logs/dag_id={dag_id}/**/*.log")
        found = sorted((log.stat().st_mtime, str(log)) for log in logs if text in log.read_text())
        assert found, f"{text}\n{self.tasks(dag_id)}"
        (run,) = re.findall(r"/run_id=([^/]+)/", found[-1][1])
        return str(run)

    # In the browser

    def open_log(self, dag_id: str, run: str, text: str, task: str = "sync") -> Entry:
        """Open the log of a task, and return the entry that contains the text."""
        self.page.open(f"{self.url}/dags/{dag_id}/runs/{quote(run)}/tasks/{task}")
        entry = _ENTRY % json.dumps(text)
        self.page.wait_for("document.querySelector('[data-testid=virtualized-list]')")
        self.page.wait_for(entry)
        time.sleep(1)  # The view scrolls to its end once.
        found = self.page.evaluate(entry)
        left, right = min(box[0] for box in found["boxes"]), found["right"]
        first = int((right - found["boxes"][0][0]) / found["character"])
        rows = len({round(top) for _, top, _ in found["boxes"]})
        return Entry(
            found["lines"], (first, int((right - left) / found["character"])), rows, found["top"], found["bottom"]
        )

    def picture(self, name: str, top: float, bottom: float, left: int = LEFT, right: int = RIGHT) -> None:
        """Take a picture of a part of the window, without the names of this machine's directory and user."""
        user = pwd.getpwuid(os.getuid()).pw_name
        names = [(str(self.folder), "/home/ada/trial"), (f"Approved by {user} at", "Approved by ada at")]
        self.page.evaluate(_HIDE % json.dumps(names))
        self.page.screenshot(
            self.pictures / f"{name}.png", round(bottom - top), width=right - left, top=round(top), left=left
        )

    def picture_of(self, name: str, element: str, margin: int = 0) -> None:
        """Take a picture of an element."""
        box = f"{element}.getBoundingClientRect()"
        top, bottom, left, right = (self.page.evaluate(f"{box}.{side}") for side in ("top", "bottom", "left", "right"))
        self.picture(name, top - margin, bottom + margin, round(left) - margin, round(right) + margin)

    def open_connection_form(self, conn_id: str, kind: str) -> None:
        """Open the form of a new connection."""
        self.page.open(f"{self.url}/connections")
        self.page.click("[...document.querySelectorAll('button')].find(one => one.innerText === 'Add Connection')")
        self.page.fill(f"{DIALOG}?.querySelector('[name=connection_id]')", conn_id)
        self.page.choose(f"{DIALOG}.querySelector('[role=combobox]')", kind)

    def fill(self, **values: object) -> None:
        """Fill fields of the open form."""
        for name, value in values.items():
            self.page.fill(f"{DIALOG}?.querySelector('[name={name}]')", str(value))

    def open_section(self, title: str) -> None:
        """Open a section of the open form, and wait until it is expanded."""
        button = f"[...{DIALOG}.querySelectorAll('button')].find(one => one.innerText === {json.dumps(title)})"
        self.page.wait_for(button)
        # The button ignores a click without the focus, which the click of a user sets.
        self.page.evaluate(f"{button}.focus()")
        self.page.click(button)
        self.page.wait_for(f"{button}.ariaExpanded === 'true'")
        time.sleep(1)  # The section expands slowly.

    def save(self) -> None:
        """Save the open form."""
        self.page.click(f"[...{DIALOG}.querySelectorAll('button')].find(one => one.innerText === 'Save')")
        self.page.wait_for("!document.querySelector('[role=dialog] [name=connection_id]')")

    def open_trigger_form(self, dag_id: str, **values: object) -> None:
        """Open the trigger form of a DAG, and fill in these params."""
        self.page.open(f"{self.url}/dags/{dag_id}")
        self.page.click(TRIGGER)
        self.page.wait_for(f"{SUBMIT} && !{SUBMIT}.disabled")
        self.fill(**{f"element_{name}": value for name, value in values.items()})

    def submit(self, dag_id: str) -> str:
        """Submit the trigger form of a DAG, and return the ID of the run."""
        before = self.runs(dag_id)
        self.page.wait_for(f"!{SUBMIT}.disabled")
        self.page.click(SUBMIT)
        self.page.wait_for(f"!{SUBMIT}")
        (run,) = self.runs(dag_id).keys() - before.keys()
        return run

    # Its logs

    def errors(self) -> list[str]:
        """Return the error lines of all logs, except those of a refused plan."""
        logs = [self.folder / "standalone.log", *sorted((self.folder / "airflow" / "logs").rglob("*.log"))]
        return [f"{log.relative_to(self.folder)}: {line}" for log in logs for line in error_lines(log.read_text())]


def error_lines(log: str) -> Iterator[str]:
    """Yield the lines of a log that report an error other than a refused plan."""
    for found in _LINE.finditer(log):
        line = found["line"]
        if _ERROR.search(line) and not _REFUSED.search(line):
            yield line

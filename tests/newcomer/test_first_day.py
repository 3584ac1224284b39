"""A newcomer's first day: the pages, followed literally with only the built wheel, in a real `airflow standalone`.

With ``PICTURES`` in the environment, the pictures of the pages are written to that directory (`make screenshots`).
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import airflow
import pytest

from airflow_segments_provider.sync import report
from tests.browser import BROWSER, MISSING, browser, free_port
from tests.docs.pages import DOCS, ROOT, blocks, command_lines
from tests.newcomer.deployment import DIALOG, Deployment, Entry
from tests.newcomer.sources import BEFORE, EXPECTED, Sandbox, Warehouse, connections_in
from tests.newcomer.terminal import Terminal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    pytest.mark.skipif(not airflow.__version__.startswith("3.3."), reason="the pages are for the newest Airflow"),
]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_dags").glob("*.py"))
HOW_TO = {name: DOCS / "how-to" / f"{name}.md" for name in EXPECTED if name != "README"}
IDENTITY = DOCS / "how-to" / "identity.md"
LARGEST = 80_000
# The height of a line of the log view.
LINE = 18


@pytest.fixture
def day(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Prepare an empty directory with the wheel, and a terminal in it."""
    if BROWSER is None:
        pytest.fail(MISSING, pytrace=False)
    ports = {port: port if is_free(port) else free_port() for port in (8080, 8780)}
    replaced = {f":{old}": f":{new}" for old, new in ports.items() if old != new}
    # No page mentions the ports of the log servers.
    settings = {f"AIRFLOW__LOGGING__{name}_LOG_SERVER_PORT": str(free_port()) for name in ("WORKER", "TRIGGER")}
    if ports[8080] != 8080:
        settings["AIRFLOW__API__PORT"] = str(ports[8080])
        settings["AIRFLOW__API__BASE_URL"] = f"http://localhost:{ports[8080]}"
    pictures = Path(os.environ.get("PICTURES") or tmp_path / "pictures").resolve()
    pictures.mkdir(exist_ok=True)
    with Terminal(
        tmp_path / "trial", tmp_path / "home", {**replaced, "/data/": f"{tmp_path}/data/"}, settings
    ) as terminal:
        wheel = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(terminal.folder)]
        subprocess.run(wheel, cwd=ROOT, check=True, capture_output=True)
        with browser(tmp_path_factory.mktemp("browser")) as page:
            deployment = Deployment(f"http://localhost:{ports[8080]}", terminal.folder, page, pictures)
            yield Day(terminal, deployment, Sandbox(f"http://127.0.0.1:{ports[8780]}"), tmp_path / "data")


def is_free(port: int) -> bool:
    """Return whether no process listens on a port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_the_pages_can_be_followed_on_a_first_day(day: Day, tell: Callable[[str], None]) -> None:
    day.follow_the_tutorial()
    day.fill_the_connection_form()
    day.follow_the_how_tos()
    day.approve_from_the_form()
    day.approve_at_the_terminal()
    day.start_the_examples()
    assert day.airflow.errors() == []
    day.clean_up()
    pictures = {path.name: path.stat().st_size for path in day.airflow.pictures.glob("*.png")}
    assert {name: size for name, size in pictures.items() if size > LARGEST} == {}
    tell(", ".join(day.said))


class Day:
    """The steps of the newcomer, page by page."""

    def __init__(self, terminal: Terminal, deployment: Deployment, sandbox: Sandbox, data: Path) -> None:
        self.terminal, self.airflow, self.sandbox, self.data = terminal, deployment, sandbox, data
        self.page, self.said, self._last = deployment.page, list[str](), time.monotonic()

    def follow_the_tutorial(self) -> None:
        """Type each line, and check Airflow's pages at the corresponding steps of the tutorial."""
        for block in blocks(DOCS / "tutorial.md"):
            if block.file:
                self.terminal.write(block.file, block.code)
            for line in command_lines(block) if block.language == "console" else ():
                if line.startswith("kill "):
                    self.last_line = line
                    continue
                if line.startswith("airflow standalone"):
                    self.copy_dags()
                shown = self.terminal.run(line)
                if line.startswith("python3 -m venv"):
                    self.install_what_pip_would_fetch()
                elif line.startswith("pip install"):
                    shown = self.terminal.run(
                        "python -c 'import airflow_segments_provider as ours; print(ours.__file__)'"
                    )
                    assert Path(shown.strip()).is_relative_to(self.terminal.folder / "venv")
                elif line.startswith("airflow dags test"):
                    assert "+200 -0 =200 members" in shown
                    assert "Only planned, nothing was sent." in shown
                elif 'members.py)" = 200' in line:
                    self.read_the_plan()
                elif line == "cat alerts.txt":
                    assert "160 of 200 members (80.0%) would be removed" in shown
                    assert self.airflow.errors() == []
                    self.read_the_refusal()
                elif 'members.py)" = 40' in line:
                    self.read_what_was_approved()
        self.airflow.pause("trial_users", True)
        self.say("tutorial")

    def install_what_pip_would_fetch(self) -> None:
        """Install the tested versions of what the wheel needs; `pip` itself must find nothing missing."""
        python, lock = self.terminal.folder / "venv" / "bin" / "python", f".ci/locks/airflow-{airflow.__version__}.txt"
        subprocess.run([".ci/tools"], cwd=ROOT, check=True)
        sync = [".ci/uv", "--quiet", "pip", "sync", "--require-hashes", "--python", str(python), lock]
        subprocess.run(sync, cwd=ROOT, check=True)

    def copy_dags(self) -> None:
        """Copy the DAGs of the how-to pages and the examples into the folder of the tutorial's DAG."""
        for page in (*HOW_TO.values(), IDENTITY):
            (block,) = (one for one in blocks(page) if one.language == "python" and "with DAG(" in one.code)
            self.terminal.write(f"dags/{page.stem}.py", block.code)
        for name in EXAMPLES:
            self.terminal.write(f"dags/{name}.py", (ROOT / "example_dags" / f"{name}.py").read_text())

    def read_the_plan(self) -> None:
        """Read the plan of the first run in the log view."""
        run = self.airflow.run_that_logged("trial_users", "+200 -0 =200 members")
        entry = self.airflow.open_log("trial_users", run, "Plan for")
        self.check_lines(entry)
        self.airflow.picture("plan", entry.top - LINE, entry.bottom + 3 * LINE)
        self.said.append(
            f"fit into the log view: {entry.fits[0]} characters in a first line, {entry.fits[1]} in others"
        )

    def read_the_refusal(self) -> None:
        """Read the reason of a refusal in the log view."""
        entry = self.refusal_of("trial_users")
        assert any("160 of 200 members (80.0%) would be removed" in line for line in entry.lines)
        self.airflow.picture("refusal", entry.top, entry.bottom)

    def refusal_of(self, dag_id: str) -> Entry:
        """Open the last refusal of a DAG."""
        run = self.airflow.run_that_logged(dag_id, "The plan was refused")
        entry = self.airflow.open_log(dag_id, run, "The plan was refused")
        self.check_lines(entry)
        return entry

    def read_what_was_approved(self) -> None:
        """Read the approved plan in the log view of the run that applied it."""
        run = self.airflow.run_that_logged("trial_users", "Approved by")
        assert self.airflow.wait("trial_users", run) == "success"
        entry = self.airflow.open_log("trial_users", run, "Approved by")
        self.check_lines(entry)
        self.airflow.picture("approved", entry.top, entry.bottom + LINE)

    def check_lines(self, entry: Entry) -> None:
        """Check that each line is one row that fits, unless it has no space to be broken at, such as a path."""
        first, others = entry.fits
        assert entry.rows == len(entry.lines), entry
        assert len(entry.lines[0]) <= first, entry
        too_long = [line for line in entry.lines[1:] if len(line) > others and " " in line.strip(" \\")]
        assert too_long == []
        assert others >= report.WIDTH

    def fill_the_connection_form(self) -> None:
        """Add the connection to Docebo's sandbox by its form, and the others by the API."""
        printed = connections_in((self.terminal.folder / "sandbox.log").read_text())
        docebo = printed.pop("docebo_default")
        self.airflow.open_connection_form("walkme_default", "WalkMe")
        self.airflow.page.wait_for(f"{DIALOG}.querySelector('[name=password]')")
        self.airflow.picture_of("connection-form", DIALOG)
        self.airflow.open_section("Extra Fields")
        fields = self.airflow.page.evaluate(f"[...{DIALOG}.querySelectorAll('[name^=element_]')].map(one => one.name)")
        assert fields[0] == "element_system_guid"
        self.airflow.picture_of("connection-extra", DIALOG)
        self.airflow.open_connection_form("docebo_default", "Docebo")
        self.airflow.fill(host=docebo["host"], login=docebo["login"], password=docebo["password"])
        self.airflow.save()
        for conn_id, connection in printed.items():
            self.airflow.connect(conn_id, connection)
        self.say("connection form")

    def begin_anew(self) -> None:
        """Start an empty sandbox without a ledger: the DAGs of the pages use the same segments."""
        self.sandbox.client.reset()
        shutil.rmtree(self.terminal.folder / "airflow" / "segments_ledger", ignore_errors=True)

    def run(self, dag_id: str, **conf: object) -> str:
        """Unpause a DAG, wait for its scheduled run or start one, pause it, and return the state of the run."""
        before = self.airflow.runs(dag_id)
        self.airflow.pause(dag_id, False)
        found = self.airflow.call(f"dags/{dag_id}")
        run = "" if found["timetable_summary"] and not before else self.airflow.trigger(dag_id, **conf)
        state = self.airflow.wait(dag_id, run)
        self.airflow.pause(dag_id, True)
        return state

    def follow_the_how_tos(self) -> None:
        """Run the DAG of each page."""
        self.warehouse = Warehouse(self.data)
        self.airflow.connect("warehouse", {"conn_type": "sqlite", "host": str(self.warehouse.database)})
        for name, page in HOW_TO.items():
            self.begin_anew()
            if "Existing segment" in EXPECTED[name]:
                self.sandbox.client.create_segment("Existing segment", user_ids=BEFORE)
            (dag_id,) = re.findall(r'DAG\(\s*"(\w+)"', page.read_text())
            assert self.run(dag_id) == "success", self.airflow.tasks(dag_id)
            assert self.sandbox.members() == EXPECTED[name], name
        self.begin_anew()
        user = self.sandbox.docebo.add_user("alan", email="alan@example.com")
        assert self.run("identity") == "success", self.airflow.tasks("identity")
        assert self.sandbox.docebo.members("Partners") == {user}
        self.say("how-tos")

    def approve_from_the_form(self) -> None:
        """Approve as the how-to page describes: trigger the DAG with the digest of the refusal."""
        self.begin_anew()
        before = self.warehouse.have_trial(200)
        assert self.run("approval") == "success", self.airflow.tasks("approval")
        after = self.warehouse.have_trial(40)
        assert self.run("approval") == "failed"
        assert self.sandbox.members() == {"Trial users": before}
        entry = self.refusal_of("approval")
        (digest,) = (line for line in entry.lines if re.fullmatch("sha256:[0-9a-f]{64}", line))
        self.airflow.pause("approval", False)
        self.airflow.open_trigger_form("approval", approve=digest)
        self.airflow.picture_of("approve", DIALOG)
        assert self.airflow.wait("approval", self.airflow.submit("approval")) == "success"
        self.airflow.pause("approval", True)
        assert self.sandbox.members() == {"Trial users": after}
        self.say("approval")

    def approve_at_the_terminal(self) -> None:
        """Type the commands of the how-to page and of the on-call page with the digest of a refusal."""
        self.warehouse.have_trial(4)
        assert self.run("approval") == "failed"
        (digest,) = (line for line in self.refusal_of("approval").lines if re.fullmatch("sha256:[0-9a-f]{64}", line))
        digits = digest.removeprefix("sha256:")[:8]
        for name in ("on-call", "how-to/approval"):
            lines = [line for block in blocks(DOCS / f"{name}.md") for line in command_lines(block)]
            assert lines
            for line in lines:
                shown = self.terminal.run(line.replace("7ffbc23a", digits))
                if "approvals" in line:
                    assert digits in shown
        # The approval was withdrawn at the end; then the cleared task of the failed run applies the plan.
        assert self.run("approval", approve=digest) == "failed"
        run = list(self.airflow.runs("approval"))[-1]
        self.terminal.run(f"python -m airflow_segments_provider ledger approve 'Trial users' {digits}")
        self.airflow.pause("approval", False)
        self.airflow.call("dags/approval/clearTaskInstances", "POST", {"dry_run": False, "dag_run_id": run})
        assert self.airflow.wait("approval", run) == "success"
        assert len(self.sandbox.members()["Trial users"]) == 4
        self.airflow.pause("approval", True)
        self.say("commands")

    def start_the_examples(self) -> None:
        """Start each example by its form, with values of the sandbox."""
        for name in EXAMPLES:
            self.begin_anew()
            with self.sandbox.scene(name, self.data / name) as (scene, connections):
                for conn_id, connection in connections.items():
                    self.airflow.connect(conn_id, connection)
                params = self.airflow.call(f"dags/{name}/details")["params"]
                conf = {key: value for key, value in scene.conf.items() if params[key]["value"] != value}
                conf.pop("delete_at_end", None)
                self.airflow.pause(name, False)
                self.airflow.open_trigger_form(name, **conf)
                run = self.airflow.submit(name)
                taken = self.airflow.call(f"dags/{name}/dagRuns/{quote(run)}")["conf"]
                assert {key: taken[key] for key in conf} == conf
                state = self.airflow.wait(name, run, lambda: self.sandbox.client.advance(600))
                assert state == "success", self.airflow.tasks(name)
                held = scene.members()
                lacking = {
                    key: users - held.get(key, set()) for key, users in next(iter(scene.expected.values())).items()
                }
                assert not any(lacking.values()), (name, lacking)
                self.airflow.pause(name, True)
            self.say(name)

    def clean_up(self) -> None:
        """Stop what was started, as the tutorial describes; only the shell is left."""
        self.terminal.run(self.last_line)
        end = time.monotonic() + 60
        while len(left := self.terminal.processes()) > 1:
            assert time.monotonic() < end, [process.cmdline() for process in left]
            time.sleep(0.2)
        self.say("clean-up")

    def say(self, what: str) -> None:
        """Record the duration of a part."""
        now = time.monotonic()
        self.said.append(f"{what} {now - self._last:.0f} s")
        self._last = now

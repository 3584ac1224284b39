"""The files of the tutorial in their order: first run, a bad day with its alert, approval.

Its terminal commands are tested elsewhere.
"""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_segments_provider.__main__ import main
from tests.docs import dags
from tests.docs.pages import DOCS, ROOT, blocks, command_lines

PAGE = DOCS / "tutorial.md"
FILES = {block.file: block.code for block in blocks(PAGE) if block.file}
LINES = [line for block in blocks(PAGE) if block.language == "console" for line in command_lines(block)]


@pytest.fixture
def folder(airflow_db: Path, segments_ledger: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the directory of the tutorial; its folder of DAGs is Airflow's, its ledger is a separate one."""
    dags_folder = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    dags_folder.mkdir(exist_ok=True)
    parent = dags_folder.parent
    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(parent / "ledger-of-the-tutorial"))
    yield parent
    shutil.rmtree(dags_folder)
    shutil.rmtree(parent / "ledger-of-the-tutorial", ignore_errors=True)
    for name in ("users.csv", "alerts.txt", "members.py"):
        (parent / name).unlink(missing_ok=True)


@dags.CALLS_BACK
def test_the_files_and_commands_of_the_tutorial_work_in_its_order(folder: Path, walkme_sandbox, capsys) -> None:
    for name in ("dags/trial_users.py", "members.py"):
        (folder / name).write_text(FILES[name].replace("http://127.0.0.1:8780", walkme_sandbox.url))
    writes = [line for line in LINES if line.endswith("> users.csv")]
    assert len(writes) == 2

    def members() -> str:
        capsys.readouterr()
        runpy.run_path(str(folder / "members.py"))
        return str(capsys.readouterr().out).strip()

    def run(write: str = "", **conf: object) -> str:
        subprocess.run(["bash", "-c", write], cwd=folder, check=True)
        # Loaded for each run, as a worker does: a run renders the fields of its task once.
        (dag,) = dags.load(folder / "dags" / "trial_users.py").values()
        return str(dag.test(run_conf=conf).state)

    waits = re.findall(r'until \[ "\$\(python members\.py\)" = (\d+) \]', "\n".join(LINES))
    first, approved = waits
    assert run(writes[0], plan_only=True) == "success"
    assert members() == "0"
    assert run() == "success"
    assert members() == first

    assert run(writes[1]) == "failed"
    assert members() == first
    alert = (folder / "alerts.txt").read_text()
    (digest,) = set(re.findall("sha256:[0-9a-f]{64}", alert))
    shown_plan, shown_alert = (block.code for block in blocks(PAGE) if block.language == "text")
    assert shown_alert.replace("sha256:…", digest).split() == alert.split()
    (first_plan,) = (folder / "ledger-of-the-tutorial").rglob("reports/000000000000-*/plan.md")
    plan = re.sub("\nSegment .+|Digest:\n.+", "", first_plan.read_text())
    assert shown_plan.removeprefix("Plan for a new ") in plan

    for line in LINES:
        if line.startswith(start := "python -m airflow_segments_provider "):
            assert main(shlex.split(line.removeprefix(start).replace("$digest", digest))) == 0
    assert run() == "success"
    assert members() == approved


def test_the_tutorial_installs_the_newest_airflow_tested() -> None:
    newest = re.search(r"^NEWEST := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert newest is not None
    assert any(f'"apache-airflow=={newest[1]}"' in line for line in LINES)

"""The README: its length, its commands, and its installation. Its DAG is run by ``test_how_to.py``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_segments_provider.sync.guard import breaches
from airflow_segments_provider.sync.plan import COUNTED, Plan
from airflow_segments_provider.sync.report import refused
from airflow_segments_provider.sync.settings import Settings
from airflow_segments_provider.sync.target import SegmentKey
from tests.docs.pages import README, ROOT, blocks, command_lines, commands

LINES = [line for block in blocks(README) if block.language == "console" for line in command_lines(block)]
COMMANDS = [words for line in LINES for words in commands(line)]


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 120


def test_the_commands_of_the_readme_are_those_that_a_test_runs() -> None:
    """`make demo` is run by ``tests/demo``; `make test` runs this test."""
    assert COMMANDS == [["make", "demo"], ["make", "test"], ["pip", "install", "."]]


def test_the_refusal_in_the_readme_is_that_of_the_log() -> None:
    key = SegmentKey("walkme", "https://api.walkme.com", "", "1", "People on trial", "walkme_default")
    counts = dict.fromkeys(COUNTED, 0) | {"baseline": 62_000, "after": 9_300, "remove": 52_700, "wanted": 9_300}
    plan = Plan(key, "mirror", 3, 0, counts=counts, new={"add": 0, "remove": 52_700})
    details = refused(plan, breaches(plan, Settings()), kept=True, report="report").details
    assert any(block.code in details for block in blocks(README) if block.language == "text")


@pytest.mark.parametrize("target", ["demo", "test", "demo-all", "docs", "help", "test-all"])
def test_the_make_targets_in_the_readme_exist(target: str) -> None:
    assert f"`make {target}" in README.read_text() or ["make", target] in COMMANDS
    subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_the_package_can_be_installed_as_in_the_readme(tmp_path: Path) -> None:
    """As `pip install .`, without the dependencies, which are installed."""
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--offline", "--python", sys.executable]
    subprocess.run([".ci/tools"], cwd=ROOT, check=True)
    subprocess.run([".ci/uv", "pip", "install", *options, "--target", tmp_path, "."], cwd=ROOT, check=True)
    shown = "import airflow_segments_provider as found; print(found.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=tmp_path, env=environment, capture_output=True, check=True, text=True
    )
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)

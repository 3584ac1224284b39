"""The wheel in an empty environment with each supported Airflow: all public names, and Airflow's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

from airflow_segments_provider import __version__
from tests.packaging.test_distribution import DISTRIBUTION, ROOT
from tests.packaging.test_locks import makefile
from tests.test_public_names import PUBLIC

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

IMPORT = """
import importlib, json, sys
import airflow_segments_provider

assert airflow_segments_provider.__file__.startswith(sys.prefix), airflow_segments_provider.__file__
for module, names in json.loads(sys.argv[1]).items():
    found = importlib.import_module(f"airflow_segments_provider.{module}")
    for name in names:
        getattr(found, name)
"""


@pytest.mark.parametrize("airflow", makefile()["TESTED"].split())
def test_the_wheel_works_in_an_empty_environment(airflow: str, built_wheel: Path, tmp_path: Path) -> None:
    environment, home = tmp_path / "venv", tmp_path / "home"
    home.mkdir()
    uv("venv", "--python", sys.executable, str(environment))
    lock = ROOT / ".ci" / "locks" / f"airflow-{airflow}.txt"
    # The versions are those of the lock; only what the wheel needs is installed.
    uv(
        *("pip", "install", "--python", str(environment / "bin" / "python"), "--constraints", str(lock)),
        *(f"{DISTRIBUTION}[sandbox] @ {built_wheel.as_uri()}", f"apache-airflow=={airflow}"),
    )

    def run(*command: str) -> str:
        done = subprocess.run(
            [str(environment / "bin" / command[0]), *command[1:]],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(home), "AIRFLOW_HOME": str(home)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    # Users install pytest themselves: a fixture module and the conformance suite need it.
    without_pytest = {module: names for module, names in PUBLIC.items() if module != "testing.conformance"}
    run("python", "-c", IMPORT, json.dumps(without_pytest))
    found = run("airflow", "providers", "get", DISTRIBUTION, "--output", "json")
    assert {DISTRIBUTION, __version__} <= set(json.loads(found)[0].values()), found
    assert "check-contract" in run("python", "-m", "airflow_segments_provider", "--help")
    if Version(airflow) >= Version("3.2"):
        assert "check-contract" in run("airflow", "segments", "--help")


@pytest.fixture(scope="session")
def built_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel without the network: the build backend is in the lock."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    assert built.name.startswith(f"airflow_provider_segments-{__version__}-")
    return built


def uv(*arguments: str) -> None:
    """Run uv with this machine's package index."""
    done = subprocess.run([ROOT / ".ci" / "uv", "--quiet", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The distribution: the wheel's content, and the names under which Airflow and pytest find the package."""

from __future__ import annotations

import ast
import importlib.metadata
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from airflow_segments_provider.provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "airflow-provider-segments"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Only the build backend, without isolation: it is in the lock, so nothing is downloaded.
    directory = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    (built,) = directory.glob("*.whl")
    return built


def test_the_wheel_contains_the_whole_package_and_nothing_else(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in packed if name.split("/")[0].endswith(".dist-info")}
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "airflow_segments_provider").rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not path.name.startswith(".")
    }
    assert packed - metadata == sources
    assert "airflow_segments_provider/py.typed" in packed
    assert any(name.endswith("/LICENSE") for name in metadata)


def test_the_package_name_in_the_provider_info_is_that_of_the_distribution() -> None:
    # Airflow drops all providers, not only this one, if the two names differ.
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    assert get_provider_info()["package-name"] == distribution.name == DISTRIBUTION


@pytest.mark.parametrize("group", ["apache_airflow_provider", "pytest11"])
def test_each_entry_point_loads(group: str) -> None:
    ours = importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group=group)
    assert ours, f"no entry point in {group}"
    for entry in ours:
        assert entry.load() is not None


# The form fields of Airflow 2, which its own web server shows; it brings both packages.
ONLY_IN_AIRFLOW_2 = {"flask_appbuilder", "wtforms"}
# Modules whose distribution has another name.
OTHERWISE = {
    "backports": "backports.zstd",
    "compression": "backports.zstd",
    "jwt": "pyjwt",
    "pydantic_core": "pydantic-core",
}


def test_every_imported_package_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    always = {Requirement(one).name for one in project["dependencies"]}
    sandbox = always | {Requirement(one).name for one in project["optional-dependencies"]["sandbox"]} | {"pytest"}
    package = ROOT / "airflow_segments_provider"
    imported = set[str]()
    for path in package.rglob("*.py"):
        is_sandbox = path.relative_to(package).parts[:2] == ("testing", "sandbox")
        names = {_distribution(module) for module in _imports(path)} - ONLY_IN_AIRFLOW_2
        imported |= names
        assert names <= (sandbox if is_sandbox else always), path
    assert {"apache-airflow-providers-standard", "duckdb", "pydantic-core", "pyjwt", "urllib3"} <= imported


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, path
            yield node.module


def _distribution(module: str) -> str:
    """Return the distribution of an imported module; Airflow's for modules of Python or of this package."""
    first, *rest = module.split(".")
    if rest[:1] == ["providers"]:
        length = 3 if rest[1] == "common" else 2
        return "-".join(["apache-airflow", *rest[:length]])
    is_theirs = first not in sys.stdlib_module_names and first not in {"airflow", "airflow_segments_provider"}
    return OTHERWISE.get(first, first) if is_theirs else "apache-airflow"

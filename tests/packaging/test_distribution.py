"""What an installer gets: the wheel's content, and the names under which Airflow and pytest find the package."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from airflow_segments_provider.provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
DISTRIBUTION = "airflow-provider-segments"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The build backend alone, without isolation: it is in the lock, so nothing is fetched.
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


def test_wheel_holds_the_whole_package_and_nothing_else(wheel: Path) -> None:
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


def test_names_agree_with_what_airflow_is_told() -> None:
    # Airflow drops every provider, not only this one, when the two names differ.
    distribution = importlib.metadata.distribution(DISTRIBUTION)
    assert get_provider_info()["package-name"] == distribution.name == DISTRIBUTION


@pytest.mark.parametrize("group", ["apache_airflow_provider", "pytest11"])
def test_entry_point_loads(group: str) -> None:
    ours = importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group=group)
    assert ours, f"no entry point in {group}"
    for entry in ours:
        assert entry.load() is not None

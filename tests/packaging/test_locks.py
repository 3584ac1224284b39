"""The lock files: complete, with hashes, without addresses, and for the versions that `make` tests."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / ".ci" / "locks").glob("*.txt"))
AIRFLOW_LOCKS = [path for path in LOCKS if path.stem != "tools"]
# What each kind of lock contains besides the package itself: extras and dependency groups.
ASKED = {"airflow": ("sandbox", "test"), "bench": ("sandbox", "test", "bench"), "docs": ("docs",)}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
ENTRY = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?: ; (?P<marker>[^\\]+?))? \\$")
HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the versions of each package; several where a marker distinguishes Python versions."""
    found: dict[str, set[str]] = {}
    for line in lock.read_text().splitlines():
        if entry := ENTRY.match(line):
            found.setdefault(entry["name"], set()).add(entry["version"])
    return found


def group(name: str) -> list[str]:
    """Return the requirements of a dependency group, including nested groups."""
    entries: list[Any] = PROJECT["dependency-groups"][name]
    return [
        requirement
        for entry in entries
        for requirement in (group(entry["include-group"]) if isinstance(entry, dict) else [entry])
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_of_a_lock_is_a_pin_or_its_hash(lock: Path) -> None:
    # So no line can name an index, a host, a path or another file.
    lines = lock.read_text().splitlines()
    assert [line for line in lines if not ENTRY.match(line) and not HASH.match(line)] == []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if ENTRY.match(line):
            assert HASH.match(following), f"{line} has no hash"


@pytest.mark.parametrize("lock", AIRFLOW_LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_has_the_airflow_in_its_name_and_meets_the_requirements_of_the_package(lock: Path) -> None:
    kind, airflow = lock.stem.split("-", 1)
    pinned = pins(lock)
    assert pinned["apache-airflow"] == {airflow}

    extras = PROJECT["project"]["optional-dependencies"]
    asked = PROJECT["project"]["dependencies"] + [
        requirement for name in ASKED[kind] for requirement in (extras[name] if name in extras else group(name))
    ]
    for requirement in map(Requirement, asked):
        versions = pinned.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement} is not in the lock: make locks"
        assert all(requirement.specifier.contains(one, prereleases=True) for one in versions), (
            f"{requirement}, but {versions}: make locks"
        )


def makefile() -> dict[str, str]:
    """Return the versions that `make` names."""
    return dict(re.findall(r"^(TESTED|NEWEST|OLDEST|BETA) := (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_make_tests_exactly_the_locked_versions() -> None:
    variables = makefile()
    tested = variables["TESTED"].split()
    newest = variables["NEWEST"]
    assert {path.stem for path in AIRFLOW_LOCKS} == {
        *(f"airflow-{version}" for version in [*tested, variables["BETA"]]),
        f"bench-{newest}",
        f"docs-{newest}",
    }
    assert (variables["OLDEST"], variables["NEWEST"]) == (tested[0], tested[-1])

    (airflow,) = (r for r in map(Requirement, PROJECT["project"]["dependencies"]) if r.name == "apache-airflow")
    assert all(map(airflow.specifier.contains, tested))


def test_the_oldest_lock_has_the_lowest_version_of_each_dependency() -> None:
    oldest = pins(ROOT / ".ci" / "locks" / f"airflow-{makefile()['OLDEST']}.txt")
    asked = PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["sandbox"]
    for requirement in map(Requirement, asked):
        (lowest,) = (one.version for one in requirement.specifier if one.operator == ">=")
        # The first release may have been withdrawn: 2.32.2 is the lowest 2.32.
        stem, locked = f"{lowest.removesuffix('.0')}.", oldest[canonicalize_name(requirement.name)]
        assert any(f"{version}.".startswith(stem) for version in locked), requirement


def test_pages_are_generated_from_the_tested_pins() -> None:
    newest = makefile()["NEWEST"]
    tested, paged = (pins(ROOT / ".ci" / "locks" / f"{kind}-{newest}.txt") for kind in ("airflow", "docs"))
    assert {name: versions for name, versions in paged.items() if versions != tested.get(name, versions)} == {}


def test_benchmarks_run_on_the_tested_pins() -> None:
    newest = next(path for path in AIRFLOW_LOCKS if path.stem.startswith("bench-"))
    tested = pins(newest.with_name(newest.name.replace("bench-", "airflow-")))
    benched = pins(newest)
    assert {name: benched.get(name) for name in tested} == tested

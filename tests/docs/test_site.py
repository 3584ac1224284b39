"""The site as `make docs` builds it: without a warning, without anything from a network, with every public name."""

from __future__ import annotations

import re
import subprocess
import zlib
from pathlib import Path

import pytest

from airflow_segments_provider.provider_info import get_provider_info
from tests.docs.pages import ROOT
from tests.test_public_names import PUBLIC

pytestmark = pytest.mark.slow
# What a browser loads by itself; the user follows a link.
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)[^>]+src=\"([^\"]+)|<link[^>]+href=\"([^\"]+)|url\(['\"]?([^)'\"]+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site of a clean copy of the repository's files."""
    copy = tmp_path_factory.mktemp("clone")
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in files.decode().rstrip("\0").split("\0"):
        if (ROOT / name).exists() and name.startswith(("docs/", "example_dags/", "CHANGELOG", "CONTRIBUTING")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            (copy / name).write_bytes((ROOT / name).read_bytes())
    (command,) = re.findall(r"^\t@(\.ci/env docs.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    command = command.replace("$(NEWEST)", "3.3.2").replace("$(ARGS)", "")
    command = command.replace("build/docs-doctrees docs build/docs", f"{copy}/trees {copy}/docs {copy}/site")
    done = subprocess.run(command.split(), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return copy / "site"


def test_the_site_loads_nothing_from_a_network(site: Path) -> None:
    loaded = {
        (path.name, "".join(groups))
        for path in [*site.rglob("*.html"), *site.rglob("*.css")]
        for groups in _LOADED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(loaded) > 20
    assert {(name, url) for name, url in loaded if re.match(r"(https?:)?//", url)} == set()


def test_the_site_has_every_public_name(site: Path) -> None:
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    names = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    wanted = {f"airflow_segments_provider.{module}.{name}" for module, found in PUBLIC.items() for name in found}
    assert wanted - names == set()
    assert "walkme_sandbox" in names


def test_the_site_has_every_option_and_field(site: Path) -> None:
    info = get_provider_info()
    page = (site / "reference" / "configuration.html").read_text(encoding="utf-8")
    assert [name for name in info["config"]["segments"]["options"] if name not in page] == []
    for vendor in info["connection-types"]:
        name = vendor["connection-type"].partition("_")[0]
        page = (site / "reference" / f"{name}.html").read_text(encoding="utf-8")
        assert [field for field in vendor["conn-fields"] if field not in page] == []

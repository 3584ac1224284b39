"""The targets of references in docstrings and pages exist."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_DOTTED = re.compile(r"airflow_segments_provider(?:\.\w+)+")
_FILE = re.compile(r"airflow_segments_provider/[\w/]+\.py")


def _exists(dotted: str) -> bool:
    parts = dotted.split(".")
    for size in range(len(parts), 0, -1):
        try:
            found: object = importlib.import_module(".".join(parts[:size]))
        except ModuleNotFoundError:
            continue
        for name in parts[size:]:
            if not hasattr(found, name) and name not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, name, None)
        return True
    return False


def test_each_name_and_file_of_the_package_in_docstrings_and_pages_exists():
    texts = [*ROOT.glob("airflow_segments_provider/**/*.py"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
    found = {(match[0], path) for path in texts for match in _DOTTED.finditer(path.read_text())}
    assert len(found) > 500
    missing = {name for name, _ in found} - {name for name, _ in found if _exists(name)}
    assert {(name, str(path.relative_to(ROOT))) for name, path in found if name in missing} == set()
    files = {match[0] for path in texts for match in _FILE.finditer(path.read_text())}
    assert {name for name in files if not (ROOT / name).exists()} == set()

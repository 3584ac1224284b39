"""The pictures of the pages: small, in use, and each taken by ``test_first_day.py``."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import DOCS, links

LARGEST = 80_000
PICTURES = {path.name: path for path in (DOCS / "images").glob("*.png")}
_TAKEN = re.compile(r"\.picture(?:_of)?\(\s*\"([\w-]+)\"")


def test_each_picture_is_small() -> None:
    assert {name: path.stat().st_size for name, path in PICTURES.items() if path.stat().st_size > LARGEST} == {}


def test_each_picture_is_on_a_page_and_taken_by_the_script() -> None:
    shown = {Path(path).name for page in DOCS.rglob("*.md") for path, _ in links(page) if path.endswith(".png")}
    taken = {f"{name}.png" for name in _TAKEN.findall(Path(__file__).with_name("test_first_day.py").read_text())}
    assert len(shown) >= 5
    assert PICTURES.keys() == shown == taken

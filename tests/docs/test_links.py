"""Each link leads to a file and a heading; each file that a page includes exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, anchors, blocks, links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page: Path) -> None:
    # What is included is on the page, with its own links.
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not anchor or anchor in anchors(target) | _included(target), f"{path}#{anchor}"


def _included(page: Path) -> set[str]:
    return {
        anchor
        for block in blocks(page)
        if block.directive == "include"
        for anchor in anchors((page.parent / block.argument).resolve())
    }


def test_included_files_exist() -> None:
    included = [
        (page.parent / block.argument).resolve()
        for page in PAGES
        for block in blocks(page)
        if block.directive in ("include", "literalinclude", "image")
    ]
    assert len(included) > 10
    assert [path for path in included if not path.exists()] == []


def test_each_example_is_on_the_page_of_examples() -> None:
    shown = {Path(block.argument).name for block in blocks(DOCS / "examples.md") if block.directive == "literalinclude"}
    assert shown == {path.name for path in (ROOT / "example_dags").glob("*.py")}


def test_pages_link_to_no_file_outside_of_the_site() -> None:
    outside = {
        (str(page.relative_to(ROOT)), path)
        for page in PAGES
        if page.is_relative_to(DOCS)
        for path, _ in links(page)
        if path and not (page.parent / path).resolve().is_relative_to(DOCS)
    }
    assert outside == set()

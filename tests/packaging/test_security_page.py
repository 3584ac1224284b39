"""The page on security and privacy: each statement names an existing test or is marked as the user's task."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_each_test_that_the_security_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 20
    assert named - defined == set()


def test_each_section_of_the_security_page_names_a_test_or_the_responsible_user() -> None:
    sections = PAGE.split("\n## ")[1:]
    assert len(sections) == 5
    assert [text.partition("\n")[0] for text in sections if "`test_" not in text and "**yours**" not in text] == []

"""Error messages are complete sentences."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from airflow_segments_provider import errors

PACKAGE = Path(__file__).parents[2] / "airflow_segments_provider"
# Errors whose first arguments are a subject and its problems.
OTHER_FORMS = {"InvalidInput"}
# Parts of a sentence that the caller begins with the connection or the request.
COMPLETED = (
    "the address of its next page is not",
    "the list",
    "the {} holds a character",
    "the host",
    "`verify` must be",
)


def text_of(node: ast.expr) -> str | None:
    """Return a text as it is written, with ``{}`` in place of its values."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def messages() -> Iterator[tuple[str, str]]:
    """Return each error message and each hint of the package with its location."""
    names = {*errors.__all__, "add_hint"} - OTHER_FORMS
    for path in PACKAGE.rglob("*.py"):
        if "sandbox" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in names and (text := text_of(node.args[0])):
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", text


def is_sentence(text: str) -> bool:
    """Return whether a text begins and ends as a sentence; a value may do either."""
    return (text[0].isupper() or text[0] in "{`") and text.endswith((".", "?", "{}"))


def test_error_messages_are_complete_sentences() -> None:
    found = list(messages())
    assert len(found) > 150
    assert [(where, text) for where, text in found if not is_sentence(text) and not text.startswith(COMPLETED)] == []


def test_a_fragment_is_not_a_sentence() -> None:
    assert not is_sentence("the run stopped.")
    assert not is_sentence("The run stopped")
    assert is_sentence("The run of {} stopped: {}")

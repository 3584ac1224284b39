"""The reference has every public name, each parameter, each result and the remedy of each error."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from airflow_segments_provider import errors
from airflow_segments_provider.provider_info import get_provider_info
from airflow_segments_provider.sync.plan import COUNTED
from airflow_segments_provider.sync.report import _ROWS
from airflow_segments_provider.testing.sandbox import pytest_plugin
from tests.docs.pages import DOCS, blocks
from tests.test_public_names import PUBLIC, VENDORS

REFERENCE = DOCS / "reference"
DIRECTIVES = [block for page in REFERENCE.glob("*.md") for block in blocks(page) if block.directive]
PACKAGE = "airflow_segments_provider"


def named(directive: str) -> list[str]:
    return [name for block in DIRECTIVES if block.directive == directive for name in block.argument.split()]


def test_every_public_name_is_in_the_reference() -> None:
    """The directive shows all names of a module; ``test_site.py`` checks the result."""
    assert sorted(named("segments")) == sorted(PUBLIC)


def test_options_fixtures_commands_and_connections_are_in_the_reference() -> None:
    used = {block.directive for block in DIRECTIVES}
    assert used >= {"segments-options", "segments-fixtures", "segments-commands"}
    connections = {described["connection-type"] for described in get_provider_info()["connection-types"]}
    assert set(named("segments-connection")) == connections


def classes() -> list[Any]:
    rooms = ("operators", "sensors", "sources", "targets")
    return [
        getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
        for module in PUBLIC
        if module.startswith(rooms)
        for name in PUBLIC[module]
    ]


@pytest.mark.parametrize("cls", classes(), ids=lambda cls: cls.__name__)
def test_each_parameter_of_a_public_class_is_documented(cls) -> None:
    ours = [base for base in cls.__mro__ if base.__module__.startswith(PACKAGE)]
    described = {name for base in ours for name in re.findall(r":param (\w+):", base.__dict__.get("__doc__") or "")}
    taken = {
        parameter.name
        for base in ours
        if "__init__" in base.__dict__
        for parameter in list(inspect.signature(base.__init__).parameters.values())[1:]
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert taken - described == set()


@pytest.mark.parametrize("name", errors.__all__)
def test_each_error_documents_its_remedy(name: str) -> None:
    doc = getattr(errors, name).__doc__
    assert name == "SegmentsError" or "Remedy: " in doc
    assert name in errors.__doc__  # the tree of all errors


def test_each_count_of_a_sync_is_documented() -> None:
    page = (REFERENCE / "results.md").read_text()
    table = page.partition("### Counts of a sync")[2].partition("\n## ")[0]
    counts = {
        name for row in re.findall(r"^\| (`.+?`) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert counts == {*COUNTED, "applied", "rejected", "unconfirmed", "deferred"}


def test_each_line_of_a_plan_is_documented() -> None:
    page = (DOCS / "sync.md").read_text().partition("| line of the plan |")[2].partition("\n\n")[0]
    explained = ", ".join(re.findall(r"^\| (.+?) \|", page, re.MULTILINE))
    again = {"to add again, rejected before", "to remove again, rejected before"}
    assert [line for line in _ROWS.values() if line not in explained and line not in again] == []


def test_each_result_is_documented() -> None:
    found = {
        f"vendors.{vendor}.responses.{name}"
        for vendor in VENDORS
        for name, cls in vars(importlib.import_module(f"{PACKAGE}.vendors.{vendor}.responses")).items()
        if name in {"Group", "JobStatus", "Segment", "UserGroup", "UserSegment"}
        or name.endswith(("Change", "Export", "Ids", "Update", "Segments"))
        if isinstance(cls, type) and cls.__module__.endswith(f"{vendor}.responses")
    }
    assert found - set(named("segments-fields")) == set()


def test_every_fixture_is_documented() -> None:
    kinds = ("FixtureFunctionDefinition", "function")  # of pytest 8.4 and later, and of earlier ones
    fixtures = {
        name: inspect.unwrap(found)
        for name, found in vars(pytest_plugin).items()
        if type(found).__name__ in kinds and name.endswith("_sandbox")
    }
    assert len(fixtures) >= 6
    assert [name for name, found in fixtures.items() if not found.__doc__] == []

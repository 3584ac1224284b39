"""The commands of ``airflow segments`` and of ``python -m airflow_segments_provider`` come from the same table."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Any

import airflow
import pytest
from packaging.version import Version

from airflow_segments_provider.cli.commands import command_parser

SINCE_3_2 = pytest.mark.skipif(Version(airflow.__version__) < Version("3.2"), reason="Airflow 3.2 and later have it")


def commands(parser: argparse.ArgumentParser) -> dict[str, Any]:
    """Return the commands of a parser: of each its own commands, or its arguments without the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {name: commands(below) for name, below in action.choices.items()}
    return {
        action.dest: (tuple(action.option_strings), action.nargs, action.required, action.default)
        for action in parser._actions
        if action.dest not in ("help", "func", "subcommand")
    }


@SINCE_3_2
def test_airflow_has_the_same_commands_with_the_same_arguments():
    from airflow.cli.cli_parser import get_parser

    ours = commands(command_parser("airflow segments"))
    assert {"check-contract", "ledger"} == set(ours)
    assert commands(get_parser())["segments"] == ours


@SINCE_3_2
@pytest.mark.parametrize(("arguments", "status"), [(["list"], 0), (["show", "unknown"], 2), (["forget", "x"], 2)])
def test_a_command_of_airflow_prints_and_returns_the_same(arguments, status, tmp_path, capsys, monkeypatch):
    from airflow.cli.cli_parser import get_parser

    from airflow_segments_provider.__main__ import main

    monkeypatch.setenv("AIRFLOW__SEGMENTS__LEDGER_PATH", str(tmp_path / "ledger"))
    options = get_parser().parse_args(["segments", "ledger", *arguments])
    with pytest.raises(SystemExit) as ended:
        options.func(options)
    printed = capsys.readouterr()
    assert (ended.value.code, main(["ledger", *arguments])) == (status, status)
    assert capsys.readouterr() == printed
    assert "ledger" in printed.out + printed.err


def test_the_table_of_commands_imports_no_heavy_module():
    """Airflow imports the table for each of its commands."""
    code = (
        "import sys, airflow_segments_provider.cli.commands; print(*{name.partition('.')[0] for name in sys.modules})"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    others = set(found) - set(sys.stdlib_module_names) - set(preloaded())
    assert {name for name in others if not name.startswith("_")} == {"airflow_segments_provider"}


def preloaded() -> list[str]:
    """Return what Python itself imports at its start, such as hooks of editable installs."""
    code = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()

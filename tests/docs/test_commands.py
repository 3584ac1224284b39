"""Each command of each console block exists, with these arguments."""

from __future__ import annotations

import re
import subprocess

import airflow
import pytest

from airflow_segments_provider.__main__ import _parser
from airflow_segments_provider.testing.sandbox.__main__ import _parser as _sandbox_parser
from tests.docs.pages import README, ROOT, Block, blocks, command_lines, commands, of

CONSOLE = of("console")
# Commands of the shell and of Python, which the test of the tutorial runs.
OTHERS = {".", "cat", "curl", "digest=", "echo", "grep", "kill", "pip", "python3", "seq", "sleep", "tail", "["}


@pytest.mark.parametrize("block", CONSOLE, ids=str)
def test_the_arguments_of_each_command_are_valid(block: Block) -> None:
    lines = command_lines(block)
    assert lines
    for line in lines:
        for words in commands(line):
            _parse(words)


def _parse(words: list[str]) -> None:
    if words[:3] == ["python", "-m", "airflow_segments_provider"]:
        _parser().parse_args(words[3:])
    elif words[:3] == ["python", "-m", "airflow_segments_provider.testing.sandbox"]:
        _sandbox_parser().parse_args(words[3:])
    elif words[0] == "airflow" and airflow.__version__.startswith("2."):
        pass  # the pages have the commands of Airflow 3
    elif words[0] == "airflow":
        from airflow.cli.cli_parser import get_parser

        get_parser().parse_args(words[1:])
    elif words[0] == "make":
        subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, check=True, capture_output=True)
    elif words[0] == "python":
        assert any(block.file == words[1] for page in {one.page for one in CONSOLE} for block in blocks(page)), words
    elif words[0] == "export":
        assert re.match(r"AIRFLOW_CONN_\w+=\{", words[1]), words
    else:
        assert words[0] in OTHERS, words


def test_an_invalid_command_is_noticed() -> None:
    wrong = "$ until [ -s x ]; do python -m airflow_segments_provider ledger aprove walkme 1234; done\n"
    (line,) = command_lines(Block(README, 1, wrong, language="console"))
    (_, words) = commands(line)
    with pytest.raises(SystemExit):
        _parse(words)

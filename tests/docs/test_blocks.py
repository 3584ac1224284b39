"""Each Python block of each page runs, and each of its DAGs is one that Airflow's scheduler would load."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
from datetime import UTC, datetime

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_segments_provider.testing.sandbox.server import SandboxServer
from tests.docs.dags import load
from tests.docs.pages import DOCS, README, Block, blocks, of

PYTHON = of("python")


def test_the_pages_have_code_blocks() -> None:
    assert len(PYTHON) > 20
    assert len(of("console")) > 8


def test_no_page_has_a_block_in_an_untested_language() -> None:
    known = {"python", "console", "sh", "text"}
    found = {(str(block), block.language) for path in DOCS.rglob("*.md") for block in blocks(path) if block.language}
    assert {(where, language) for where, language in found if language not in known} == set()


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_line_of_code_fits_the_page(block: Block) -> None:
    assert block.page == README or max(map(len, block.code.splitlines())) <= 100


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_a_python_block_runs(block: Block, emptied_segments_sandbox: SandboxServer, tmp_path) -> None:
    code = block.code.replace("http://127.0.0.1:8780", emptied_segments_sandbox.url)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            module = importlib.import_module(str(node.module))
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
    with DAG("a_page", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        exec(compile(code, str(block), "exec"), {"__name__": "page", "__file__": str(tmp_path / "dags" / "page.py")})


def test_the_dags_of_all_pages_load(tmp_path) -> None:
    written = [block for block in PYTHON if "with DAG(" in block.code]
    assert len(written) > 10
    for number, block in enumerate(written):
        (tmp_path / f"page_{number}.py").write_text(block.code)
    assert len(load(tmp_path)) == len(written)


@pytest.mark.parametrize("block", of("sh"), ids=str)
def test_a_script_has_no_syntax_error(block: Block) -> None:
    subprocess.run(["bash", "-n"], input=block.code, text=True, check=True)


def test_the_connection_of_the_tutorial_is_that_of_the_sandbox(tmp_path) -> None:
    (script,) = (block for block in blocks(DOCS / "tutorial.md") if block.file == "env.sh")
    (tmp_path / "env.sh").write_text(script.code)
    command = ["bash", "-c", '. ./env.sh; printf %s "$AIRFLOW_CONN_WALKME_DEFAULT"']
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, text=True).stdout
    with SandboxServer() as server:
        expected = server.world.vendors["walkme"].connection("http://127.0.0.1:8780")
    assert {**expected, **json.loads(shown)} == expected

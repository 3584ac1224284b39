"""Run a single measurement in a fresh process, so that no cache of an earlier one affects it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.benchmarks.server import ROOT


def measure(module: str, *arguments: str, env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Run ``tests.benchmarks.<module>`` with arguments, and return the JSON of its last line of output."""
    # Without stored bytecode, compilation would be measured.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        env={**kept, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
